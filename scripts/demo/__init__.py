"""The site that `scripts/develop` shows: a simulated EMS with its EMUs, and a real Home Assistant that knows it."""

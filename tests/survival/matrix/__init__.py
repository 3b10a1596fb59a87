"""Every fault of the simulator in every phase of an upgrade, with every restart; docs/reliability.md shows it."""

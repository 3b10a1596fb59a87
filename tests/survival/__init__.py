"""Upgrades survive what happens to them: restarts, kills, hostile brokers, faults in every phase, and time."""

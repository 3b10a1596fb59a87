"""A whole site in memory and in virtual time: Home Assistant, the integration, and simulated EMSs."""

"""The two transports, on a real broker."""

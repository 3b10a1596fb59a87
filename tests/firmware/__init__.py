"""The firmware library: where releases come from, and where their bytes are."""

"""Ours against what a user would build instead, and against what Home Assistant's own entities cost."""

"""Which releases there are, and where their bytes are."""

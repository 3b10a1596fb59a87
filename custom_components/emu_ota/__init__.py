"""EMU OTA: keeps the firmware of energy management units current."""

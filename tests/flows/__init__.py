"""The flows, driven as a person would."""

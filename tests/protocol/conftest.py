"""Settings of the property tests."""

from hypothesis import settings

# No deadline for one example: a busy machine is no defect. Everything else stays Hypothesis's own, CI profile included.
settings.register_profile("emu_ota", settings(), deadline=None)
settings.load_profile("emu_ota")

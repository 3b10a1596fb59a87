"""Home Assistant wants one wherever there are config entries; nobody goes through it."""

from homeassistant.config_entries import ConfigFlow

from .emus import DOMAIN


class BareFlow(ConfigFlow, domain=DOMAIN):
    """No steps."""

"""The event entities."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .emus import BareSystems


async def async_setup_entry(
    hass: HomeAssistant, entry: ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make them."""
    systems: BareSystems = entry.runtime_data
    for emus in systems.values():
        async_add_entities([emu.event for emu in emus.values()])

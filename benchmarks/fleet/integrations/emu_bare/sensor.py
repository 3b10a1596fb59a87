"""The sensors."""

from homeassistant.components.sensor import SensorEntityDescription
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .emus import BareSensor, BareSystems

EMS_SENSORS = tuple(
    SensorEntityDescription(key=key, entity_registry_enabled_default=False) for key in ("last_answer", "response_time")
)


async def async_setup_entry(
    hass: HomeAssistant, entry: ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make them."""
    systems: BareSystems = entry.runtime_data
    for uid, emus in systems.items():
        emus_sensors = [sensor for emu in emus.values() for sensor in emu.sensors]
        async_add_entities([*(BareSensor(uid, description) for description in EMS_SENSORS), *emus_sensors])

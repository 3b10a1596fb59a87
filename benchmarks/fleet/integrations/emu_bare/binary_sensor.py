"""The binary sensor of each EMS."""

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .emus import BareEntity


async def async_setup_entry(
    hass: HomeAssistant, entry: ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make them."""
    for uid in entry.runtime_data:
        async_add_entities([BareConnection(uid)])


class BareConnection(BareEntity, BinarySensorEntity):
    """A binary sensor."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY
    _attr_is_on = True

    def __init__(self, uid: str) -> None:
        """Belong to an EMS."""
        self.place(uid, "connection")

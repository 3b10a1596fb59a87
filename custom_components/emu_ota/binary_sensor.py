"""Whether an EMS answers."""

from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import EmsEntity
from .runtime import Ems, EmuOtaConfigEntry, EntityFactory

PARALLEL_UPDATES = 0  # nothing is polled and nothing is done


async def async_setup_entry(
    hass: HomeAssistant, entry: EmuOtaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the sensor of every EMS, now and later."""
    entry.runtime_data.add_platform(
        EntityFactory(
            add=async_add_entities,
            of_ems=lambda ems: [ConnectionSensor(ems)],
            of_emu=lambda _emu: [],
        )
    )


class ConnectionSensor(EmsEntity, BinarySensorEntity):
    """Whether an EMS answers: on or off, never unavailable."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY

    def __init__(self, ems: Ems) -> None:
        """Watch an EMS."""
        super().__init__(ems, "connection")

    @property
    @override
    def available(self) -> bool:
        return True

    @property
    @override
    def is_on(self) -> bool:
        return self.coordinator.available

    @override
    def _view(self) -> bool:
        return self.is_on

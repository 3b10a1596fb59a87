"""Asks an EMS for its versions now."""

from typing import override

from homeassistant.components.button import ButtonEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import EmsEntity
from .runtime import Ems, EmuOtaConfigEntry, EntityFactory

PARALLEL_UPDATES = 0  # an ask is one small message


async def async_setup_entry(
    hass: HomeAssistant, entry: EmuOtaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the button of every EMS, now and later."""
    entry.runtime_data.add_platform(
        EntityFactory(
            add=async_add_entities,
            of_ems=lambda ems: [RefreshButton(ems)],
            of_emu=lambda _ems, _device_id: [],
        )
    )


class RefreshButton(EmsEntity, ButtonEntity):
    """Asks an EMS for its versions now."""

    def __init__(self, ems: Ems) -> None:
        """Ask this EMS."""
        super().__init__(ems, "refresh")

    @override
    async def async_press(self) -> None:
        await self.coordinator.async_ask_versions()

"""Asks an EMS for its versions now, and the index for its releases."""

from typing import override

from homeassistant.components.button import ButtonEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import EmsEntity
from .runtime import Ems, EmuOtaConfigEntry, EntityFactory, Runtime

PARALLEL_UPDATES = 0  # an ask is one small message


async def async_setup_entry(
    hass: HomeAssistant, entry: EmuOtaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the button of every EMS, now and later."""
    runtime = entry.runtime_data
    runtime.add_platform(
        EntityFactory(
            add=async_add_entities,
            of_ems=lambda ems: [RefreshButton(runtime, ems)],
            of_emu=lambda _emu: [],
        )
    )


class RefreshButton(EmsEntity, ButtonEntity):
    """Asks an EMS for its versions now, and the index for its releases: is there anything newer?"""

    def __init__(self, runtime: Runtime, ems: Ems) -> None:
        """Ask this EMS."""
        super().__init__(ems, "refresh")
        self._index = runtime.releases.index

    @override
    async def async_press(self) -> None:
        self._index.ask()
        await self.coordinator.async_ask_versions()

"""Each step of an EMU's upgrades as an event, for automations."""

from typing import override

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .announcements import EXTERNAL_CHANGE, Announcement
from .emu import Emu, EmuView
from .entity import EmuEntity
from .protocol.upgrade import Outcome
from .runtime import EmuOtaConfigEntry, EntityFactory
from .upgrade_attributes import upgrade_attributes

PARALLEL_UPDATES = 0  # nothing is polled and nothing is done


async def async_setup_entry(
    hass: HomeAssistant, entry: EmuOtaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the event entity of every EMU, now and later."""
    entry.runtime_data.add_platform(
        EntityFactory(
            add=async_add_entities,
            of_ems=lambda _ems: [],
            of_emu=lambda emu: [UpgradeEvent(emu)],
        )
    )


class UpgradeEvent(EmuEntity[bool], EventEntity):
    """The steps of an EMU's upgrades."""

    _attr_event_types = ["queued", "started", *Outcome, "amended", EXTERNAL_CHANGE]  # noqa: RUF012 - as the base has it

    def __init__(self, emu: Emu) -> None:
        """Listen for an EMU."""
        super().__init__(emu, "upgrade")

    @override
    def _part(self, view: EmuView) -> bool:
        # An event of an unavailable entity would be lost.
        return view.version is not None

    @override
    def _take(self, part: bool, before: bool | None) -> None:
        self._attr_available = part

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        announcements = self.emu.upgrades.announcements
        self.async_on_remove(
            announcements.watch(self.emu.coordinator.uid, self.emu.device_id, self._announced),
        )

    @callback
    def _announced(self, announcement: Announcement) -> None:
        upgrade = announcement.upgrade
        attributes = {} if upgrade is None else upgrade_attributes(upgrade)
        outcome = None if upgrade is None or upgrade.outcome is None else upgrade.outcome.value
        self._trigger_event(
            announcement.kind,
            {
                **attributes,
                "from_version": announcement.from_version,
                "to_version": announcement.to_version,
                "outcome": outcome,
            },
        )
        self.async_write_ha_state()

"""Each step of an EMU's upgrades as an event, for automations."""

from typing import override

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .announcements import EXTERNAL_CHANGE, Announcement
from .entity import EmuEntity
from .protocol.upgrade import Outcome
from .runtime import Ems, EmuOtaConfigEntry, EntityFactory, Runtime
from .upgrade_attributes import upgrade_attributes

PARALLEL_UPDATES = 0  # nothing is polled and nothing is done


async def async_setup_entry(
    hass: HomeAssistant, entry: EmuOtaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the event entity of every EMU, now and later."""
    runtime = entry.runtime_data
    runtime.add_platform(
        EntityFactory(
            add=async_add_entities,
            of_ems=lambda _ems: [],
            of_emu=lambda ems, device_id: [UpgradeEvent(runtime, ems, device_id)],
        )
    )


class UpgradeEvent(EmuEntity[bool], EventEntity):
    """The steps of an EMU's upgrades."""

    _attr_event_types = ["queued", "started", *Outcome, "amended", EXTERNAL_CHANGE]  # noqa: RUF012 - as the base has it

    def __init__(self, runtime: Runtime, ems: Ems, device_id: int) -> None:
        """Listen for an EMU."""
        super().__init__(runtime, ems, device_id, "upgrade")

    @override
    def _view(self) -> bool:
        # An event of an unavailable entity would be lost.
        return self.emu.report.version is not None

    @override
    def _take(self, view: bool, before: bool | None) -> None:
        self._attr_available = view

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

"""What the entities of an EMS and of an EMU have in common."""

from abc import abstractmethod
from collections.abc import Hashable
from datetime import datetime
from typing import Final, override

from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.event import async_call_later

from .const import DOMAIN
from .emu import Emu, EmuView
from .runtime import Ems, emu_identifier

PROGRESS_INTERVAL: Final = 10.0
"""Seconds between states that differ in nothing but progress: each is a row in the recorder."""


class EmsEntity(Entity):
    """An entity of an EMS. It is available while the EMS answers, and writes its state only when that changed."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, ems: Ems, key: str) -> None:
        """Belong to the EMS's device."""
        self.coordinator = ems.coordinator
        self._attr_translation_key = key
        self._attr_unique_id = f"{ems.coordinator.uid}_{key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, ems.coordinator.uid)})
        self._shown: Hashable = None

    @property
    @override
    def available(self) -> bool:
        return self.coordinator.available

    def _view(self) -> Hashable:
        """Return all that the state is made of."""
        return None

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self._shown = self.available, self._view()
        self.async_on_remove(self.coordinator.watch_ems(self._ems_changed))

    @callback
    def _ems_changed(self) -> None:
        before, self._shown = self._shown, (self.available, self._view())
        if self._shown != before:
            self.async_write_ha_state()


class EmuEntity[Part](Entity):
    """An entity of an EMU. It writes its state when something of it changed, and only then."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, emu: Emu, key: str) -> None:
        """Belong to the EMU's device."""
        uid, device_id = emu.coordinator.uid, emu.device_id
        self.emu = emu
        self._attr_translation_key = key
        self._attr_unique_id = f"{uid}_{device_id}_{key}"
        self._attr_device_info = DeviceInfo(identifiers={emu_identifier(uid, device_id)})
        self._shown: Part | None = None

    @abstractmethod
    def _part(self, view: EmuView) -> Part:
        """Return all of the view that the state is made of; it has to be cheap, and nothing else is looked at."""

    @abstractmethod
    def _take(self, part: Part, before: Part | None) -> None:
        """Take over into the entity's attributes what the state is made of; `before` is what that was so far."""

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.emu.watch(self._emu_changed))
        self._shown = self._part(self.emu.view)
        self._take(self._shown, None)

    @callback
    def _emu_changed(self) -> None:
        part, before = self._part(self.emu.view), self._shown
        if part != before:
            self._shown = part
            self._take(part, before)
            self.async_write_ha_state()


class EmuProgressEntity[Part](EmuEntity[Part]):
    """An entity of an EMU that shows progress too, but not each step of it."""

    def __init__(self, emu: Emu, key: str) -> None:
        """Belong to the EMU's device."""
        super().__init__(emu, key)
        self._shown_progress: int | None = None
        self._shown_at = 0.0
        self._show_later: CALLBACK_TYPE | None = None

    @abstractmethod
    def _progress(self, view: EmuView) -> int | None:
        """Return the progress that the state shows, in per cent."""

    @abstractmethod
    def _take_progress(self, progress: int | None) -> None:
        """Take progress over into the entity's attributes: what is written for another reason shows it as well."""

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self._note_shown(self._progress(self.emu.view))
        self.async_on_remove(self._cancel_later)

    @callback
    @override
    def _emu_changed(self) -> None:
        view, before = self.emu.view, self._shown
        part, progress = self._part(view), self._progress(view)
        # That a transfer has ended is shown at once, that one has begun like every other step of it.
        if part != before or (progress is None and self._shown_progress is not None):
            self._shown = part
            self._take(part, before)
            self._show(progress)
            return
        self._take_progress(progress)
        if progress != self._shown_progress and self._show_later is None:
            pause = PROGRESS_INTERVAL - (self.hass.loop.time() - self._shown_at)
            if pause > 0:
                self._show_later = async_call_later(self.hass, pause, self._show_now)
            else:
                self._show(progress)

    @callback
    def _show_now(self, _: datetime) -> None:
        self._show(self._progress(self.emu.view))

    def _show(self, progress: int | None) -> None:
        self._cancel_later()
        self._note_shown(progress)
        self.async_write_ha_state()

    def _note_shown(self, progress: int | None) -> None:
        self._take_progress(progress)
        self._shown_progress = progress
        self._shown_at = self.hass.loop.time()

    def _cancel_later(self) -> None:
        if self._show_later is not None:
            self._show_later()
            self._show_later = None

"""How what has ended gets from the file of what is under way into that of the history."""

from typing import Final

from homeassistant.core import HomeAssistant, callback

from .active_upgrades import ActiveUpgrades
from .history import History
from .ticking import Ticking

FILE_AFTER: Final = 30.0
"""Seconds until the history is written after an ending: it is long, and in a fleet endings come in crowds."""


class Filing:
    """Writes an ending at once in the short file, and some time later in the long one, which then has it alone."""

    def __init__(self, hass: HomeAssistant, active: ActiveUpgrades, history: History) -> None:
        """Have nothing to do."""
        self._hass = hass
        self._active = active
        self._history = history
        self._ticking = Ticking(hass, self._due)
        self._stopped = False

    async def async_ended(self) -> None:
        """Write what has just ended; when this returns it survives."""
        await self._active.async_save()
        if not self._stopped:
            self._ticking.every(FILE_AFTER)

    async def async_stop(self) -> None:
        """Write all of it, and no more after that."""
        self._stopped = True
        self._ticking.stop()
        await self.async_file()

    @callback
    def _due(self) -> None:
        self._hass.async_create_task(self._async_file_due(), "emu_ota save")

    async def _async_file_due(self) -> None:
        await self.async_file()
        if not self._active.ended:  # else a disk was full, or more has ended
            self._ticking.every(None)

    async def async_file(self) -> None:
        """Write all of it into the history now. Where that fails, or Home Assistant puts it off, it stays here too."""
        # In this order, so that a crash in between finds an upgrade twice and never not at all.
        ended = self._active.ended
        if not ended or not await self._history.async_save():
            return
        for upgrade in ended:
            self._active.forget(upgrade)
        await self._active.async_save()

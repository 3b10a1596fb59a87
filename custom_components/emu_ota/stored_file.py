"""A file in storage: its version, and what becomes of one that cannot be read."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, override

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .const import LOGGER

STORAGE_VERSION: Final = 1
"""The next one is for a layout that this version's reader cannot read, and comes with its step in the migration."""

UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What comes of reading what somebody else, or a failing disk, has written."""


class UnknownVersion(ValueError):
    """The file says that a version wrote it that never was."""


class StoredFile[Data: Mapping[str, object]](Store[Data]):
    """One file of a config entry.

    What cannot be read costs what was in it, never the start. It is put aside rather than overwritten: a newer version
    of the integration may have written it, and will want it back.
    """

    def __init__(self, hass: HomeAssistant, key: str, *, precious: bool = False) -> None:
        """Name it; nothing is read yet. A `precious` one is its owner's only, and written through to the disk."""
        super().__init__(hass, STORAGE_VERSION, key, private=precious, atomic_writes=precious)
        self._asked = 0
        """How often it was to be written."""
        self._written = 0
        """Up to which of these times that is on the disk."""

    async def async_read[Value](self, read: Callable[[Data], Value]) -> Value | None:
        """Return what `read` makes of the file, or None where it holds nothing, or nothing that can be read."""
        try:
            stored = await self.async_load()
            return None if stored is None else read(stored)
        except (*UNREADABLE, HomeAssistantError) as err:
            # Not what the error says: it may quote a token.
            LOGGER.warning("The stored %s cannot be read; what was in it is lost (%s)", self.key, type(err).__name__)
            await self.hass.async_add_executor_job(self._put_aside)
            return None

    async def async_write(self, data: Data) -> bool:
        """Write the file; return whether it is on the disk: where that fails, Home Assistant logs it and goes on.

        While Home Assistant stops it is not yet.
        """
        self._asked += 1
        asked = self._asked
        await self.async_save(data)
        return self._written >= asked

    async def async_remove_with_copies(self) -> None:
        """Remove it, and what was put aside of it."""
        await self.async_remove()
        await self.hass.async_add_executor_job(self._remove_copies)

    @override
    async def _async_migrate_func(self, old_major_version: int, old_minor_version: int, old_data: Data) -> Data:
        """Return what another version wrote as this one would have written it. Raises UnknownVersion.

        A minor version may only add: what it added is left out where it is read.
        """
        if old_major_version != STORAGE_VERSION:
            raise UnknownVersion(f"version {old_major_version}.{old_minor_version}")
        return old_data

    @override
    async def _async_write_data(self, data: dict[str, object]) -> None:
        asked = self._asked
        await super()._async_write_data(data)
        self._written = asked

    def _put_aside(self) -> None:
        with suppress(OSError):  # where it cannot even be renamed, it is lost
            Path(self.path).rename(f"{self.path}.unreadable.{dt_util.utcnow().isoformat()}")

    def _remove_copies(self) -> None:
        """Remove what was put aside, by us or by Home Assistant."""
        path = Path(self.path)
        for copy in path.parent.glob(f"{path.name}.*"):
            copy.unlink(missing_ok=True)

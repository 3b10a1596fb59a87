"""The upgrades that have ended, and what came of the newest of each EMU."""

from collections import deque
from collections.abc import Iterator

from .protocol.upgrade import Upgrade
from .storage import HISTORY_LENGTH, EndedUpgrade, EntryStorage


class History:
    """The upgrades of one config entry that have an outcome."""

    def __init__(self, storage: EntryStorage) -> None:
        """Begin empty."""
        self._storage = storage
        self._ended: deque[EndedUpgrade] = deque(maxlen=HISTORY_LENGTH)
        self._last: dict[tuple[str, int], Upgrade] = {}

    def __iter__(self) -> Iterator[Upgrade]:
        """Yield what has ended, newest first."""
        return (each.upgrade for each in reversed(self._ended))

    async def async_load(self) -> None:
        """Read what was written."""
        for upgrade in await self._storage.async_load_history():
            self.add(upgrade)

    async def async_save(self) -> bool:
        """Write it; return whether it is on the disk."""
        return await self._storage.async_save_history(self._ended)

    def get(self, upgrade_id: str) -> Upgrade | None:
        """Return the upgrade of an id."""
        return next((upgrade for upgrade in self if upgrade.id == upgrade_id), None)

    def last(self, uid: str, device_id: int) -> Upgrade | None:
        """Return the newest upgrade of an EMU."""
        return self._last.get((uid, device_id))

    def newest(self) -> list[Upgrade]:
        """Return the newest upgrade of each EMU."""
        return list(self._last.values())

    def add(self, upgrade: Upgrade) -> None:
        """Take in an upgrade that has ended."""
        self._ended.append(EndedUpgrade(upgrade))
        self._last[upgrade.uid, upgrade.device_id] = upgrade

    def amend(self, upgrade: Upgrade) -> None:
        """Put an upgrade in the place of what was known of it, as the newest of its EMU."""
        amended = EndedUpgrade(upgrade)
        self._ended = deque(
            (amended if each.upgrade.id == upgrade.id else each for each in self._ended), HISTORY_LENGTH
        )
        self._last[upgrade.uid, upgrade.device_id] = upgrade

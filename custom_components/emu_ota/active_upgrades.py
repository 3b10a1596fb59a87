"""The upgrades of one config entry that have no outcome yet, and their place in storage."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Set as AbstractSet
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .protocol.upgrade import Reason, Upgrade
from .storage import EntryStorage

SAVE_PROGRESS: Final = 10.0
"""Seconds between writes of an upgrade of which nothing has changed but progress."""
SAVE_AGAIN: Final = 30.0
"""Seconds after a write that failed until the next: disks do not get empty by themselves."""


class ActiveUpgrades:
    """The upgrades under way, in the order they were asked for."""

    def __init__(self, hass: HomeAssistant, storage: EntryStorage) -> None:
        """Begin with none."""
        self._hass = hass
        self._storage = storage
        self.held: set[str] = set()
        """The EMSs, by uid, on which nothing may begin yet: they may still be at work on what has ended for us."""
        self._upgrades: dict[str, Upgrade] = {}
        self._by_ems: defaultdict[str, dict[int, Upgrade]] = defaultdict(dict)
        """The same by EMS and EMU: each EMU has at most one."""
        self._running: defaultdict[str, set[int]] = defaultdict(set)
        """The EMUs whose order is out, by EMS."""
        self._ended: dict[str, Upgrade] = {}
        self._saved_at = 0.0
        self.written = True
        """Whether the last write is on the disk: where none can be, no order may go out."""

    def __iter__(self) -> Iterator[Upgrade]:
        """Yield them as they are now; what becomes of them meanwhile does not matter."""
        return iter(tuple(self._upgrades.values()))

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self._upgrades)

    def get(self, upgrade_id: str) -> Upgrade | None:
        """Return the upgrade of an id."""
        return self._upgrades.get(upgrade_id)

    def on(self, uid: str) -> Mapping[int, Upgrade]:
        """Return those of an EMS by EMU, in the order they were asked for, as they are at any time."""
        return self._by_ems[uid]

    def of(self, uid: str) -> list[Upgrade]:
        """Return those of an EMS, in the order they were asked for."""
        return list(self._by_ems[uid].values())

    def of_emu(self, uid: str, device_id: int) -> Upgrade | None:
        """Return the one of an EMU."""
        return self._by_ems[uid].get(device_id)

    def running_on(self, uid: str) -> AbstractSet[int]:
        """Return the EMUs of an EMS whose order is out, as they are at any time."""
        return self._running[uid]

    @property
    def ended(self) -> tuple[Upgrade, ...]:
        """Those that have their outcome, which the history does not have in storage yet."""
        return tuple(self._ended.values())

    def count_running(self) -> int:
        """Return how many have their order out."""
        return sum(map(len, self._running.values()))

    def _place(self, upgrade: Upgrade) -> None:
        self._upgrades[upgrade.id] = self._by_ems[upgrade.uid][upgrade.device_id] = upgrade
        if upgrade.running:
            self._running[upgrade.uid].add(upgrade.device_id)
        else:
            self._running[upgrade.uid].discard(upgrade.device_id)

    @callback
    def add(self, upgrade: Upgrade) -> None:
        """Take in a new one, and have it written."""
        self._place(upgrade)
        self.save()

    @callback
    def change(self, before: Upgrade, after: Upgrade) -> None:
        """Put an upgrade in the place of what it was, and have it written where that matters."""
        self._place(after)
        matters = after.phase is not before.phase or after.decisive != before.decisive
        if matters or dt_util.utcnow().timestamp() - self._saved_at >= SAVE_PROGRESS:
            self.save()

    @callback
    def end(self, upgrade: Upgrade) -> None:
        """Take out one that has its outcome. Every write has it, too, until it is told to `forget` it."""
        del self._upgrades[upgrade.id]
        self._by_ems[upgrade.uid].pop(upgrade.device_id, None)
        self._running[upgrade.uid].discard(upgrade.device_id)
        self._ended[upgrade.id] = upgrade

    @callback
    def forget(self, upgrade: Upgrade) -> None:
        """Take note that an outcome is in storage elsewhere."""
        self._ended.pop(upgrade.id, None)

    async def async_load(self, ended: Callable[[str], Upgrade | None]) -> tuple[Upgrade, ...]:
        """Read what was under way, but for what is known to have `ended`, by id; return what had ended besides."""
        stored = await self._storage.async_load_active()
        self.held |= stored.held
        for upgrade in stored.upgrades:
            if (known := ended(upgrade.id)) is not None:
                if known.by_deadline or (upgrade.running and known.reason is Reason.EMS_REMOVED):
                    # A crash came before the hold was written that this leads to.
                    self.held.add(upgrade.uid)
            elif upgrade.outcome is None:
                self._place(upgrade)
            else:
                self._ended[upgrade.id] = upgrade
        return self.ended

    @callback
    def save(self) -> None:
        """Have them written."""
        self._saved_at = dt_util.utcnow().timestamp()
        self._hass.async_create_task(self.async_save(), "emu_ota save")

    @callback
    def save_again(self) -> None:
        """Have them written where the last write failed, some time after that."""
        if not self.written and dt_util.utcnow().timestamp() - self._saved_at >= SAVE_AGAIN:
            self.save()

    async def async_save(self) -> bool:
        """Write them; return whether they are on the disk, and survive."""
        upgrades = (*self._ended.values(), *self._upgrades.values())
        self.written = await self._storage.async_save_active(upgrades, self.held)
        return self.written

"""The steps of upgrades, told to whoever listens for an EMU."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from homeassistant.core import CALLBACK_TYPE, callback

from .protocol.upgrade import Phase, Upgrade

EXTERNAL_CHANGE: Final = "external_change"

FOREIGN_WORK_LASTS: Final = 15 * 60.0
"""Seconds after the last sign of somebody else's work on an EMU in which the next is a sign of the same: between two
components an EMU rests for a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A step of an upgrade; without an upgrade, what somebody else did to the EMU."""

    kind: str
    """One of the event types of the `upgrade` event entity."""
    upgrade: Upgrade | None = None
    from_version: str | None
    to_version: str | None


class Announcements:
    """Who listens for which EMU, or for all of them."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._listeners: dict[tuple[str, int], list[Callable[[Announcement], None]]] = {}
        self._listeners_to_all: list[Callable[[str, int, Announcement], None]] = []
        self._foreign_work: dict[tuple[str, int], float] = {}

    def watch(self, uid: str, device_id: int, announced: Callable[[Announcement], None]) -> CALLBACK_TYPE:
        """Call back for each step of an EMU's upgrades; returns what ends it."""
        listeners = self._listeners.setdefault((uid, device_id), [])
        listeners.append(announced)
        return lambda: listeners.remove(announced)

    def watch_all(self, announced: Callable[[str, int, Announcement], None]) -> CALLBACK_TYPE:
        """Call back, with the EMS's uid and the EMU, for each step of all EMUs' upgrades; returns what ends it."""
        self._listeners_to_all.append(announced)
        return lambda: self._listeners_to_all.remove(announced)

    @callback
    def tell_step(self, upgrade: Upgrade, kind: str) -> None:
        """Tell a step of an upgrade of ours."""
        announcement = Announcement(
            kind=kind, upgrade=upgrade, from_version=upgrade.from_version, to_version=to_version(upgrade)
        )
        self._tell(upgrade.uid, upgrade.device_id, announcement)

    @callback
    def tell_external_change(
        self, uid: str, device_id: int, from_version: str | None, to_version: str | None = None
    ) -> None:
        """Tell that somebody else changed an EMU, or set out to."""
        announcement = Announcement(kind=EXTERNAL_CHANGE, from_version=from_version, to_version=to_version)
        self._tell(uid, device_id, announcement)

    @callback
    def note_foreign_work(
        self, uid: str, device_id: int, from_version: str | None, now: float, *, begins: bool
    ) -> None:
        """Note a sign that somebody else is at work on an EMU; where that begins, tell it, once for all components."""
        seen_at = self._foreign_work.get((uid, device_id))
        self._foreign_work[uid, device_id] = now
        if begins and (seen_at is None or now - seen_at >= FOREIGN_WORK_LASTS):
            self.tell_external_change(uid, device_id, from_version)

    def _tell(self, uid: str, device_id: int, announcement: Announcement) -> None:
        for announced in tuple(self._listeners.get((uid, device_id), ())):
            announced(announcement)
        for announced_to_all in tuple(self._listeners_to_all):
            announced_to_all(uid, device_id, announcement)


def to_version(upgrade: Upgrade) -> str | None:
    """Return what an upgrade led to: the version read back where its order went out and it ended, else the ordered."""
    ended = upgrade.phase is Phase.ENDED and upgrade.read_version is not None
    return upgrade.read_version if ended else upgrade.order.version

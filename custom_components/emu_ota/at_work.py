"""Which EMUs of one EMS are at work on an upgrade, whoever ordered it."""

from collections.abc import Mapping, Set as AbstractSet
from typing import Final

from .protocol.models import Report

STUCK_AFTER: Final = 15 * 60.0
"""A stage 1-4 that does not move for so long, on an EMU that we do not upgrade, is a leftover."""


class AtWork:
    """The EMUs in a stage 1-4 that moves. Times are seconds since 1970."""

    def __init__(self) -> None:
        """Have seen nothing move yet."""
        self._moved_at: dict[int, float] = {}
        self._emus: set[int] = set()

    @property
    def emus(self) -> AbstractSet[int]:
        """The EMUs, as they are at any time."""
        return self._emus

    def rested(self, seconds: float, now: float) -> bool:
        """Tell whether no stage 1-4 of any EMU was seen to move for so long."""
        return all(now - moved_at >= seconds for moved_at in self._moved_at.values())

    def moved(self, told: Report, before: Report | None, now: float) -> None:
        """Take note of a report, where it shows a stage 1-4 that moves."""
        # What stood there at the start may have moved a moment before.
        if told.active and (told.device_id not in self._moved_at or _moves(told, before)):
            self._moved_at[told.device_id] = now

    def update(self, emu: Report, now: float) -> bool:
        """Tell whether an EMU, of which this is known now, begins or ends to be at work."""
        device_id = emu.device_id
        moved_at = self._moved_at.get(device_id)
        at_work = moved_at is not None and now - moved_at < STUCK_AFTER and emu.active
        if at_work is (device_id in self._emus):
            return False
        (self._emus.add if at_work else self._emus.remove)(device_id)
        return True

    def take_stuck(self, known: Mapping[int, Report], now: float) -> list[int]:
        """Return, once, those that have not moved for too long to be at work."""
        return [device_id for device_id in tuple(self._emus) if self.update(known[device_id], now)]

    def forget(self, device_id: int) -> None:
        """Forget an EMU."""
        self._moved_at.pop(device_id, None)
        self._emus.discard(device_id)


def _moves(told: Report, before: Report | None) -> bool:
    if before is None or not before.active:
        return True
    return (told.component, told.stage, told.progress) != (before.component, before.stage, before.progress)

"""Whose turn it is: what a queued upgrade waits for (design: the row "queued" of "An upgrade")."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from .active_upgrades import ActiveUpgrades
from .asking import ASK_AGAIN, ASK_INTERVAL, ASK_RESTARTING, ASK_UPGRADING
from .coordinator import EmsCoordinator
from .protocol.models import EmuStatus
from .protocol.upgrade import Event, Happened, NotReady, Phase, Reason, Upgrade

HOLD: Final = 10 * 60.0
"""Seconds without a moving stage 1-4, after an outcome that the EMS may not know of, until the queue goes on."""


@dataclass(slots=True, kw_only=True)
class Limits:
    """What the user set for the entry."""

    max_parallel: int
    """Upgrades that may run at once in the entry; never more than one per EMS."""
    queue_timeout: float
    """Seconds of not being ready, when it would be its turn, until an upgrade fails."""


class UpgradeQueue:
    """Which queued upgrade may begin, and how often an EMS is asked for that."""

    def __init__(self, active: ActiveUpgrades, limits: Limits) -> None:
        """Look at the upgrades under way; `limits` can be changed in place."""
        self.limits = limits
        self._active = active

    def hold(self, uid: str) -> None:
        """Begin nothing on an EMS that may still be at work on what has ended for us."""
        self._active.held.add(uid)

    def release(self, coordinator: EmsCoordinator) -> None:
        """Let the queue of an EMS go on that has answered, if nothing has moved there for long enough."""
        if coordinator.uid in self._active.held and coordinator.rested(HOLD):
            self._active.held.remove(coordinator.uid)
            self._active.save()

    def pace(self, uid: str) -> float:
        """Return the seconds between asks for the versions that the upgrades of an EMS need."""
        phases = {upgrade.phase for upgrade in self._active.of(uid)}
        if Phase.RESTARTING in phases:
            return ASK_RESTARTING
        if phases & {Phase.ORDERED, Phase.UPGRADING}:
            return ASK_UPGRADING
        # What waits for an EMU or an EMS should not wait for the next quarter of an hour as well.
        return ASK_AGAIN if phases or uid in self._active.held else ASK_INTERVAL

    def moves(
        self, coordinator: EmsCoordinator, can_serve: Callable[[], bool]
    ) -> Iterator[tuple[Upgrade, Event | None]]:
        """Yield what becomes of each queued upgrade of an EMS now; None when its turn has come.

        `can_serve` tells whether an EMS has an address to fetch a package from us.
        """
        upgrades = self._active.of(coordinator.uid)
        running_here = any(upgrade.running for upgrade in upgrades)
        free = (
            not running_here
            and self._active.count_running() < self.limits.max_parallel
            and self._active.written  # else its order could not be, and would have to stay here
        )
        for upgrade in upgrades:
            if upgrade.phase is Phase.QUEUED:
                yield upgrade, self._move(coordinator, upgrade, can_serve) if free else Happened.WAITING

    def _move(self, coordinator: EmsCoordinator, upgrade: Upgrade, can_serve: Callable[[], bool]) -> Event | None:
        # A hold ends with an answer; where none comes it is the EMS that is waited for, and not for ever.
        if coordinator.busy or (coordinator.uid in self._active.held and coordinator.available):
            return Happened.WAITING
        reason = _not_ready(coordinator, upgrade)
        if reason is None and upgrade.order.package is not None and not can_serve():
            reason = Reason.NO_DOWNLOAD_ADDRESS
        if reason is not None:
            return NotReady(reason, self.limits.queue_timeout)
        if not upgrade.named and coordinator.emus[upgrade.device_id].version == upgrade.order.version is not None:
            return Happened.ALREADY_INSTALLED
        return None


def _not_ready(coordinator: EmsCoordinator, upgrade: Upgrade) -> Reason | None:
    emu = coordinator.emus.get(upgrade.device_id)
    if not coordinator.available:
        return Reason.EMS_UNREACHABLE
    if emu is None or emu.status == EmuStatus.OFFLINE:
        return Reason.EMU_OFFLINE
    return None if emu.running else Reason.EMU_FAULT

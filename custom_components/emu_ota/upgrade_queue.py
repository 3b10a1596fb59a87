"""Whose turn it is: what a queued upgrade waits for (design: the row "queued" of "An upgrade")."""

from dataclasses import dataclass
from typing import Final

from .coordinator import EmsCoordinator
from .protocol.models import EmuStatus
from .protocol.upgrade import Event, Happened, NotReady, Reason, Upgrade

HOLD: Final = 10 * 60.0
"""Seconds without a moving stage 1-4, after an outcome that the EMS may not know of, until the queue goes on."""


@dataclass(slots=True, kw_only=True)
class Limits:
    """What the user set for the entry."""

    max_parallel: int
    """Upgrades that may run at once in the entry; never more than one per EMS."""
    queue_timeout: float
    """Seconds of not being ready, when it would be its turn, until an upgrade fails."""


def next_move(
    coordinator: EmsCoordinator, upgrade: Upgrade, limits: Limits, *, free: bool, can_serve: bool
) -> Event | None:
    """Return what becomes of a queued upgrade now, or None when its turn has come.

    `free`: nothing of ours keeps this EMS or the entry from starting another. `can_serve`: an EMS has an address to
    fetch a package from us.
    """
    if not free or coordinator.busy:
        return Happened.WAITING
    reason = _not_ready(coordinator, upgrade)
    if reason is None and upgrade.order.package is not None and not can_serve:
        reason = Reason.NO_DOWNLOAD_ADDRESS
    if reason is not None:
        return NotReady(reason, limits.queue_timeout)
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

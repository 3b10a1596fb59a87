"""How long upgrades have been looked at: the time in which Home Assistant ran, and had a connection.

Only that counts for a deadline, and it cannot be taken from the integration, which is what is under test.
"""

from dataclasses import dataclass
from typing import Final

from custom_components.emu_ota.protocol.upgrade import Phase, Reason, Upgrade

from .wire import Wire

MINUTE: Final = 60.0
ANSWER_TIMEOUT: Final = 10.0
SLACK: Final = 20.0
"""Seconds between two looks at an upgrade, and from a new connection to what an ask comes to."""
LONGEST: Final = {Phase.ORDERED: 10 * MINUTE, Phase.UPGRADING: 30 * MINUTE, Phase.RESTARTING: 10 * MINUTE}
"""Seconds until an upgrade of a small package leaves a phase, or shows progress in it (design: "An upgrade")."""
SHORTEST: Final = {
    Reason.NO_ANSWER: 10 * MINUTE,
    Reason.STALLED: 15 * MINUTE,
    Reason.DID_NOT_RETURN: 10 * MINUTE,
    Reason.EMU_FAULT: 15 * MINUTE,
}
"""Seconds of being looked at after the order in which none of these can be said."""


@dataclass(slots=True)
class _Clock:
    """That of one upgrade, in seconds."""

    phase: Phase
    in_phase: float = 0.0
    """Since it came into its phase, or made progress in it."""
    allowed: float = SLACK
    """On top of what its phase may take."""
    since_order: float = 0.0
    since_queued: float = 0.0
    progressed_at: float | None = None
    """When its EMU was last seen to make progress, on the story's own clock."""


class Clocks:
    """The clocks of all upgrades of a story."""

    def __init__(self, wire: Wire) -> None:
        """Begin with none; progress is what is heard on the wire."""
        self._wire = wire
        self._clocks: dict[str, _Clock] = {}

    def allow_for_asking(self) -> None:
        """Take note of a new connection: no deadline comes before an ask was answered or has timed out."""
        for clock in self._clocks.values():
            clock.allowed += SLACK

    def forget_phases(self) -> None:
        """Take note of a crash: the time since the last write is not known any more, and may be all of a phase."""
        for clock in self._clocks.values():
            clock.in_phase = 0.0

    def count(self, upgrade: Upgrade, passed: float) -> None:
        """Count time that an upgrade was looked at, and check that it does not stay in a phase for too long."""
        clock = self._clocks.setdefault(upgrade.id, _Clock(upgrade.phase))
        progressed_at = self._wire.of((upgrade.uid, upgrade.device_id)).progressed_at
        clock.since_queued += passed
        if upgrade.running:
            clock.since_order += passed
        progressed = progressed_at != clock.progressed_at and upgrade.phase is Phase.UPGRADING
        clock.progressed_at = progressed_at
        if clock.phase is upgrade.phase and not progressed:
            clock.in_phase += passed
            longest = LONGEST.get(upgrade.phase)
            assert longest is None or clock.in_phase <= longest + clock.allowed, f"no end of {upgrade.phase}"
            return
        # An EMU that comes back from a restart goes on where it was: that alone is no progress.
        came_back = clock.phase is Phase.RESTARTING and upgrade.phase is Phase.UPGRADING and not progressed
        if not came_back:
            clock.allowed = SLACK
            clock.in_phase = 0.0
        clock.phase = upgrade.phase

    def stop(self, upgrade: Upgrade, passed: float) -> None:
        """Count the last piece of time of an upgrade that has its outcome."""
        clock = self._clocks.get(upgrade.id)
        if clock is not None and clock.phase is not Phase.ENDED:
            clock.since_queued += passed
            clock.since_order += passed
            clock.phase = Phase.ENDED

    def since_queued(self, upgrade: Upgrade) -> float:
        """Return the seconds that an upgrade was looked at; none when it ended before the first look."""
        clock = self._clocks.get(upgrade.id)
        return 0.0 if clock is None else clock.since_queued

    def could_end_by_deadline(self, upgrade: Upgrade) -> bool:
        """Tell whether an upgrade was looked at long enough to say what it is said to have ended by."""
        clock = self._clocks.get(upgrade.id)
        shortest = 0.0 if upgrade.reason is None else SHORTEST.get(upgrade.reason, 0.0)
        return (0.0 if clock is None else clock.since_order) + SLACK >= shortest

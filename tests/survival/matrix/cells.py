"""What a cell of the fault matrix is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto

from custom_components.emu_ota.protocol.upgrade import Outcome, Phase, Reason
from simulator.faults import Fault, FaultSetting


class Restart(StrEnum):
    """What restarts besides, while the upgrade is in the phase of the cell."""

    NONE = "nothing restarts"
    HOME_ASSISTANT = "Home Assistant restarts"
    CRASH = "Home Assistant crashes"
    BROKER = "the broker restarts"
    EMS = "the EMS restarts"


class Moment(StrEnum):
    """Moments of an upgrade, in order; each lies in one phase."""

    WAITING = auto()
    """Queued: somebody else upgrades another EMU of the EMS."""
    ORDERED = auto()
    """The order is out, and the EMS fetches the package."""
    HANDED_OVER = auto()
    """The EMS has said so, and the EMU has not said anything."""
    TRANSFERRING = auto()
    """The first component is being transferred."""
    ENDING = auto()
    """The last component is being verified."""
    RESTARTING = auto()
    """The phase of that name."""


PHASES: Mapping[Phase, Moment] = {
    Phase.QUEUED: Moment.WAITING,
    Phase.ORDERED: Moment.ORDERED,
    Phase.UPGRADING: Moment.TRANSFERRING,
    Phase.RESTARTING: Moment.RESTARTING,
}
"""The phases that faults strike in, and when the restart happens in each."""


@dataclass(frozen=True)
class End:
    """How an upgrade ends."""

    outcome: Outcome
    reason: Reason | None = None


@dataclass(frozen=True)
class CannotHappen:
    """Why a fault cannot strike in a phase."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """A fault, in phases in which it leads to the same; the first of `faults` is the row's own."""

    faults: tuple[FaultSetting, ...]
    phases: tuple[Phase, ...]
    ends: End | CannotHappen
    after: Mapping[Restart, End] = field(default_factory=dict)
    """Where a restart makes a difference."""
    with_bits: Mapping[Restart, End] = field(default_factory=dict)
    """Where it makes another one for an EMS that tells success with bits."""
    since: Moment | None = None
    """When the faults are switched on; None: when the restart happens."""
    at: Moment | None = None
    """When the restart happens; None: as PHASES says."""
    remark: str = ""

    @property
    def fault(self) -> Fault:
        """Whose row it is."""
        return self.faults[0].fault


@dataclass(frozen=True)
class Cell:
    """A fault that strikes in one phase, with one restart."""

    row: Row
    phase: Phase
    restart: Restart

    @property
    def fault(self) -> Fault:
        """The fault."""
        return self.row.fault

    @property
    def ends(self) -> End | CannotHappen:
        """How the upgrade ends, where the EMS tells success with a flag."""
        return self.row.after.get(self.restart, self.row.ends)

    @property
    def ends_with_bits(self) -> End | CannotHappen:
        """How the upgrade ends, where the EMS tells success with bits."""
        return self.row.with_bits.get(self.restart, self.ends)

    @property
    def at(self) -> Moment:
        """When the restart happens."""
        return self.row.at or PHASES[self.phase]

    @property
    def since(self) -> Moment:
        """When the faults are switched on."""
        return self.row.since or self.at

    @property
    def ordered(self) -> bool:
        """Whether the order goes out before the end."""
        return not (self.phase is Phase.QUEUED and isinstance(self.ends, End) and self.ends.reason in _NOT_ORDERED)

    def __str__(self) -> str:
        """Return its name among the tests."""
        return f"{self.fault} while {self.phase}, {self.restart}"


_NOT_ORDERED = {Reason.EMS_UNREACHABLE, Reason.EMU_OFFLINE, Reason.EMU_FAULT}


def cells(rows: tuple[Row, ...]) -> Iterator[Cell]:
    """Yield the cells of rows."""
    for row in rows:
        for phase in row.phases:
            for restart in Restart:
                yield Cell(row, phase, restart)

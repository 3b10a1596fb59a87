"""What happens on one EMS, for who runs the upgrades."""

from dataclasses import dataclass

from .protocol.models import DownloadStatus, Report


@dataclass(frozen=True, slots=True)
class EmuReported:
    """The EMS reported an EMU. `told` is the report as it came, `before` what was known."""

    told: Report
    before: Report | None


@dataclass(frozen=True, slots=True)
class OrderAnswered:
    """The EMS said what became of an order. `reply` is the order's mid, where the EMS tells it."""

    device_id: int
    status: DownloadStatus | int
    reply: str | None


@dataclass(frozen=True, slots=True)
class ForeignOrder:
    """An order for an EMU was heard; `mid` tells whether it is one of ours."""

    device_id: int
    mid: str | None


@dataclass(frozen=True, slots=True)
class ReportsEnded:
    """All that a message reported was told."""


@dataclass(frozen=True, slots=True)
class AskEnded:
    """An ask for the versions was answered or timed out; `answering` is what is believed now."""

    answered: bool
    answering: bool


type EmsEvent = EmuReported | OrderAnswered | ForeignOrder | ReportsEnded | AskEnded

"""What went over the wire in a story: what Home Assistant was told, and every order."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, override

from custom_components.emu_ota.protocol.errors import MalformedMessage
from custom_components.emu_ota.protocol.models import (
    ProgressResult,
    Report,
    UpgradeCommand,
    UpgradeResult,
    VersionResult,
)
from custom_components.emu_ota.protocol.parser import parse
from custom_components.emu_ota.protocol.topics import parse_topic
from custom_components.emu_ota.transport import Received
from simulator.memory import MemoryBroker

type EmuKey = tuple[str, int]
"""The uid of an EMS, and the id of an EMU of it."""

_KEPT: Final = 20
"""Results that are remembered to be said once more."""


@dataclass(frozen=True, slots=True)
class Told:
    """Home Assistant was told a report that is no old news."""

    at: float
    report: Report
    retained: bool


@dataclass(slots=True)
class Heard:
    """All that Home Assistant was told about one EMU."""

    told: list[Told] = field(default_factory=list)
    statuses: list[tuple[float, str | int]] = field(default_factory=list)
    """What became of orders, and when that was said."""
    moves: list[float] = field(default_factory=list)
    """When a stage 1-4 was seen to move."""
    progressed_at: float | None = None
    """When a figure other than the status was last seen to change."""
    forgotten: int = 0
    """How much of what was told came before the EMS was last taken out of Home Assistant, or brought back."""

    @property
    def last(self) -> Report | None:
        """What was told last."""
        return next((told.report for told in reversed(self.told) if not told.retained), None)

    def version(self, since: float, until: float, *, forgotten: int = 0) -> str | None:
        """Return the version that was told last in a time, after so many others had been told."""
        versions = (
            told.report.version
            for told in reversed(self.told[forgotten:])
            if since <= told.at <= until and not told.retained and told.report.version is not None
        )
        return next(versions, None)


class Wire(MemoryBroker):
    """A broker that takes down what is said."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Begin with nothing said; `now` tells the time in seconds since 1970."""
        super().__init__()
        self._now = now
        self.emus: dict[EmuKey, Heard] = {}
        self.answers: dict[str, list[float]] = {}
        """When each EMS was heard to tell the versions of its EMUs."""
        self.results: list[tuple[str, bytes]] = []
        """The last results that anybody published."""
        self.ordered: Callable[[EmuKey, str], None] = _ignore
        """Hears of every order that is no other controller's: for which EMU, and its mid."""
        self.foreign: set[str] = set()
        """The mids of other controllers' orders."""

    def of(self, key: EmuKey) -> Heard:
        """Return what was told about an EMU."""
        return self.emus.setdefault(key, Heard())

    @override
    def publish(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        self.published.clear()  # nobody looks there, and stories are long
        if topic.endswith("/result") and payload:
            self.results = [*self.results[-_KEPT + 1 :], (topic, payload)]
        super().publish(topic, payload, retained=retained)
        parts = parse_topic(topic)
        if parts is None or not topic.endswith("/emu_upgrade/command"):
            return
        command = parse(topic, payload)
        assert isinstance(command, UpgradeCommand)
        mid = command.envelope.mid
        assert mid is not None
        if mid not in self.foreign:
            self.ordered((parts.address.uid, command.device_id), mid)

    def heard(self, message: Received) -> None:
        """Take down what Home Assistant is told."""
        parts = parse_topic(message.topic)
        if parts is None:
            return
        uid = parts.address.uid
        try:
            parsed = parse(message.topic, message.payload)
        except MalformedMessage:
            return
        match parsed:
            case VersionResult(reports=reports):
                if not message.retained and (reports or not parsed.malformed):
                    self.answers.setdefault(uid, []).append(self._now())
                for report in reports:
                    self._told(uid, report, retained=message.retained)
            case ProgressResult(report=report):
                self._told(uid, report, retained=message.retained)
            case UpgradeResult(device_id=device_id, status=status) if not message.retained:
                self.of((uid, device_id)).statuses.append((self._now(), status))

    def _told(self, uid: str, report: Report, *, retained: bool) -> None:
        emu, now = self.of((uid, report.device_id)), self._now()
        if not retained:
            before = emu.last
            if report.active and (before is None or not before.active or _figures(report) != _figures(before)):
                emu.moves.append(now)
            if before is None or any(
                told is not None and told != was for told, was in zip(_all(report), _all(before), strict=True)
            ):
                emu.progressed_at = now
        emu.told.append(Told(now, report, retained))


def _figures(report: Report) -> tuple[int | None, ...]:
    return report.component, report.stage, report.progress


def _all(report: Report) -> tuple[int | str | None, ...]:
    return report.success, report.component, report.stage, report.progress, report.version


def _ignore(_: EmuKey, __: str) -> None:
    """Nobody is interested."""

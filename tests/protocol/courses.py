"""What the tests of the upgrade machine share: upgrades under way, and reports to tell them."""

from dataclasses import dataclass, field
from typing import Self

from custom_components.emu_ota.protocol.models import Component, DownloadStatus, EmuStatus, Report, Stage
from custom_components.emu_ota.protocol.upgrade import Answered, Begin, Event, Order, Phase, Reported, Step, Upgrade
from custom_components.emu_ota.protocol.upgrade_machine import Effect, advance

T0 = 1_790_000_000.0
MINUTE = 60.0
OLD, NEW, OTHER = "emu-v1.0.0", "emu-v1.1.0", "emu-v0.9.0"
MD5 = "50a2811e047dd49ace3801685eedb732"


def report(  # noqa: PLR0913 - a report has that many figures
    *,
    status: EmuStatus | int = EmuStatus.RUNNING,
    success: int | None = None,
    component: Component | int | None = None,
    stage: Stage | int | None = None,
    progress: int | None = None,
    version: str | None = None,
) -> Report:
    """Return a report of the EMU that is upgraded; what is left out it does not tell."""
    return Report(
        device_id=2,
        status=status,
        success=success,
        component=component,
        stage=stage,
        progress=progress,
        version=version,
    )


BASELINE = report(success=0, component=Component.EMU, stage=Stage.COMPLETE, progress=100, version=OLD)
"""The upgrade before this one had errors, so a flag of 1 is news. Flags, unless a course says bit fields."""
OFFLINE = report(status=EmuStatus.OFFLINE)
STARTED = report(component=Component.EMU, stage=Stage.PREPARING_UPGRADE)


def queued(*, version: str | None = NEW, size: int | None = None) -> Upgrade:
    """Return an upgrade that was asked for at T0."""
    return Upgrade(
        id="1",
        uid="iYRkfVpi77",
        device_id=2,
        order=Order(version=version, download_url="http://example.com/p", md5=MD5, size=size),
        named=False,
        by_user=True,
        from_version=OLD,
        since=T0,
        steps=(Step(phase=Phase.QUEUED, at=T0),),
    )


@dataclass
class Course:
    """An upgrade under way, the time, and all that had to be done so far."""

    upgrade: Upgrade
    now: float = T0
    bit_field: bool = False
    effects: list[Effect] = field(default_factory=list)

    def hears(self, event: Event, *, after: float = 0.0) -> Self:
        """Let time pass, then something happen."""
        self.now += after
        self.upgrade, effects = advance(self.upgrade, event, self.now)
        self.effects += effects
        return self

    def told(self, told: Report, *, after: float = 0.0) -> Self:
        """Let time pass, then the EMS report the EMU."""
        return self.hears(Reported(told, self.bit_field), after=after)

    @property
    def phases(self) -> list[Phase]:
        """The phases that it went through."""
        return [step.phase for step in self.upgrade.steps]

    @property
    def conclusion(self) -> tuple[str | None, str | None]:
        """Its outcome and reason, None as long as it has none."""
        return self.upgrade.outcome, self.upgrade.reason


def ordered(
    baseline: Report = BASELINE, *, version: str | None = NEW, size: int | None = None, bit_field: bool = False
) -> Course:
    """Return an upgrade whose order has just gone out, at T0."""
    course = Course(queued(version=version, size=size), bit_field=bit_field)
    return course.hears(Begin(baseline, "mid"))


def upgrading(baseline: Report = BASELINE, *, version: str | None = NEW, bit_field: bool = False) -> Course:
    """Return an upgrade that the EMS has just handed over to the EMU, which has said nothing of it yet."""
    return ordered(baseline, version=version, bit_field=bit_field).hears(Answered(DownloadStatus.HANDED_OVER), after=5)


def restarting(baseline: Report = BASELINE, *, version: str | None = NEW, bit_field: bool = False) -> Course:
    """Return an upgrade that began, and whose EMU has just gone offline."""
    course = upgrading(baseline, version=version, bit_field=bit_field)
    return course.told(STARTED, after=5).told(OFFLINE, after=5)

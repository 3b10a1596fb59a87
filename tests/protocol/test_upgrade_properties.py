"""What holds for an upgrade whatever happens to it, in whatever order."""

from dataclasses import replace

from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
import pytest

from custom_components.emu_ota.protocol.models import DownloadStatus, EmuStatus, Report
from custom_components.emu_ota.protocol.upgrade import (
    Answered,
    Begin,
    Event,
    Happened,
    NotReady,
    Outcome,
    Phase,
    Reason,
    Upgrade,
)
from custom_components.emu_ota.protocol.upgrade_machine import TRANSITIONS, Effect, IllegalEvent, Signal

from .courses import MINUTE, NEW, OFFLINE, OLD, OTHER, STARTED, Course, ordered, queued, report, upgrading

HOUR = 60 * MINUTE
OWN: dict[Happened, Signal] = {
    Happened.CANCEL: Signal.CANCELLED,
    Happened.ALREADY_INSTALLED: Signal.ALREADY_INSTALLED,
    Happened.NOT_SENT: Signal.NOT_SENT,
    Happened.REMOVED: Signal.REMOVED,
}
AMENDABLE = {
    Reason.STALLED,
    Reason.NO_ANSWER,
    Reason.VERSION_UNCHANGED,
    Reason.EMU_FAULT,
    Reason.OTHER_VERSION,
    Reason.DID_NOT_RETURN,
    Reason.NO_VERSION_GIVEN,
}

reports = st.builds(
    report,
    status=st.sampled_from([*EmuStatus, EmuStatus.RUNNING, EmuStatus.RUNNING, 7]),
    success=st.sampled_from([None, None, 0, 1, 256, 511, 512, -1]),
    component=st.sampled_from([None, 3, 21, 27]),
    stage=st.sampled_from([None, None, 1, 2, 3, 4, 5, 5, 7]),
    progress=st.sampled_from([None, 0, 50, 100]),
    version=st.sampled_from([None, OLD, OLD, NEW, NEW, OTHER]),
)
baselines = st.builds(
    report,
    success=st.sampled_from([None, 0, 1, 512]),
    component=st.sampled_from([None, 3, 21]),
    stage=st.sampled_from([None, 3, 5]),
    progress=st.sampled_from([None, 50, 100]),
    version=st.sampled_from([None, OLD, NEW]),
)
pauses = st.sampled_from([0.0, 0.0, 1.0, 5.0, 60.0, 120.0, 600.0, 900.0, 1800.0, 7200.0])
own_events = st.sampled_from([*OWN, *[Happened.NOT_SENT] * 6])  # the others end it, and then little happens
usual = st.sampled_from(
    [
        STARTED,
        report(component=3, stage=3, progress=50),
        report(component=21, stage=3, progress=100),
        report(component=21, stage=4),
        report(success=0, component=21, stage=5, progress=100),
        OFFLINE,
        report(version=OLD),
        report(version=NEW),
        report(version=OTHER),
        report(success=1, stage=5, version=NEW),
        report(success=511, stage=5, version=NEW),
    ]
)
remote_events: st.SearchStrategy[Event] = (
    st.builds(Answered, st.sampled_from([*DownloadStatus, DownloadStatus.HANDED_OVER, 9]))
    | st.sampled_from([event for event in Happened if event not in OWN])
    | st.builds(NotReady, st.sampled_from([Reason.EMU_OFFLINE, Reason.EMS_UNREACHABLE]), st.sampled_from([0.0, 600.0]))
)


class AnyCourse(RuleBasedStateMachine):
    """An upgrade to which anything happens. The clock never runs backwards, as the owner's does not for long."""

    @initialize(
        version=st.sampled_from([NEW, NEW, OLD, None]), size=st.none() | st.integers(0, 10**9), baseline=baselines
    )
    def ask(self, version: str | None, size: int | None, baseline: Report) -> None:
        """Put an upgrade into the queue, and mostly order it."""
        self.course = Course(queued(version=version, size=size))
        self.before = self.course.upgrade
        self.sent: set[str] = set()
        if size is not None:
            self.begin(baseline, 0)

    @rule(told=reports | usual, after=pauses, bit_field=st.booleans(), times=st.sampled_from([1, 1, 3]))
    def told(self, *, told: Report, after: float, bit_field: bool, times: int) -> None:
        """Hear a report, perhaps again and again; told twice in one moment it says nothing more."""
        self.course.bit_field = self.course.bit_field or bit_field
        for _ in range(times):
            self.before = self.course.upgrade
            self.course.told(told, after=after)
            self.check_step()
            upgrade, done = self.course.upgrade, len(self.course.effects)
            self.course.told(told)
            assert self.course.upgrade == upgrade
            assert len(self.course.effects) == done

    @rule(told=usual, after=st.sampled_from([5.0, 60.0, 120.0]))
    def goes_on(self, told: Report, after: float) -> None:
        """Hear what an upgrade that goes its way would say."""
        self.told(told=told, after=after, bit_field=False, times=1)

    @rule(event=remote_events, after=pauses)
    def happens(self, event: Event, after: float) -> None:
        """Hear anything from afar; nothing of that ever raises."""
        self.before = self.course.upgrade
        self.course.hears(event, after=after)
        self.check_step()

    @rule(baseline=baselines, after=pauses)
    def begin(self, baseline: Report, after: float) -> None:
        """Send the order, in the queue or out of turn."""
        self.do(Begin(baseline, f"mid-{self.course.now}-{len(self.sent)}"), Signal.TURN, after)

    @rule(event=own_events, after=pauses)
    def act(self, event: Happened, after: float) -> None:
        """Do something of our own, allowed or not."""
        self.do(event, OWN[event], after)

    def do(self, event: Event, signal: Signal, after: float) -> None:
        """Do something of our own: it is refused, and changes nothing, exactly where the table has no cell for it."""
        self.before = self.course.upgrade
        if (self.before.phase, signal) in TRANSITIONS:
            done = len(self.course.effects)
            self.course.hears(event, after=after)
            if Effect.SEND_ORDER in self.course.effects[done:]:
                assert self.course.upgrade.mid not in self.sent
                assert self.course.upgrade.mid is not None
                self.sent.add(self.course.upgrade.mid)
            self.check_step()
        else:
            with pytest.raises(IllegalEvent):
                self.course.hears(event, after=after)
            assert self.course.upgrade is self.before

    def check_step(self) -> None:
        """Check one step against the one before."""
        before, after = self.before, self.course.upgrade
        assert after.steps[: len(before.steps)] == before.steps
        if before.phase is Phase.ENDED and after != before:
            assert before.outcome is not Outcome.SUCCEEDED
            assert before.reason in AMENDABLE
            assert after.outcome is Outcome.SUCCEEDED
            assert after.amended_at == self.course.now
        if before.suspended_at is not None and after.suspended_at is not None and after.phase is not before.phase:
            assert not after.by_deadline

    @invariant()
    def ends_once(self) -> None:
        """It has an outcome from its end on, told once, and one is amended once at most."""
        upgrade, effects = self.course.upgrade, self.course.effects
        ended = upgrade.phase is Phase.ENDED
        assert (upgrade.outcome is not None) is ended
        assert (upgrade.ended_at is not None) is ended
        assert effects.count(Effect.TELL_ENDED) == ended
        assert effects.count(Effect.TELL_AMENDED) == (upgrade.amended_at is not None)
        if Effect.TELL_AMENDED in effects:
            assert effects.index(Effect.TELL_AMENDED) > effects.index(Effect.TELL_ENDED)
        if upgrade.outcome is Outcome.SUCCEEDED:
            assert upgrade.reason is None
        elif ended and upgrade.outcome is not Outcome.CANCELLED:
            assert upgrade.reason is not None

    @invariant()
    def is_ordered_once(self) -> None:
        """The order goes out again only where it came back unsent, and only then is there a second one."""
        upgrade, effects = self.course.upgrade, self.course.effects
        phases = [step.phase for step in upgrade.steps]
        assert effects.count(Effect.SEND_ORDER) == phases.count(Phase.ORDERED) <= phases.count(Phase.QUEUED)
        assert (upgrade.baseline is not None) is (upgrade.mid is not None) is (upgrade.ordered_at is not None)
        assert not upgrade.running or upgrade.mid in self.sent

    @invariant()
    def succeeds_by_the_version_read_only(self) -> None:
        """What was ordered proves nothing; what the EMU last told does."""
        upgrade = self.course.upgrade
        if upgrade.outcome is Outcome.SUCCEEDED:
            assert upgrade.order.version is not None
            assert upgrade.read_version == upgrade.order.version
            assert upgrade.report is not None
            assert upgrade.report.running

    @invariant()
    def never_knows_the_future(self) -> None:
        """Every time that it remembers has been."""
        assert all(when <= self.course.now for when in _times(self.course.upgrade))
        walked = [step.at for step in self.course.upgrade.steps]
        assert walked == sorted(walked)


def _times(upgrade: Upgrade) -> list[float]:
    moving = (
        upgrade.since,
        upgrade.not_ready_since,
        upgrade.changed_at,
        upgrade.progressed_at,
        upgrade.suspended_at,
        upgrade.amended_at,
    )
    return [when for when in moving if when is not None] + [step.at for step in upgrade.steps]


AnyCourse.TestCase.settings = settings(max_examples=300, stateful_step_count=30)
TestAnyCourse = AnyCourse.TestCase


# Every upgrade that is under way comes to an end

figures_at_rest_or_stuck = st.builds(
    report,
    success=st.sampled_from([None, 0]),
    component=st.sampled_from([None, 3, 21, 27]),
    stage=st.sampled_from([None, 1, 2, 3, 4, 5, 7]),
    progress=st.sampled_from([None, 0, 50, 100]),
    version=st.sampled_from([None, OLD]),
)


@given(figures_at_rest_or_stuck, st.lists(st.sampled_from([*EmuStatus, 7]), min_size=1, max_size=3), st.floats(1, 600))
def test_an_emu_that_makes_no_progress_comes_to_an_outcome(
    figures: Report, statuses: list[EmuStatus | int], every: float
) -> None:
    """Even one that goes round and round between offline, fault and running, in whatever stage."""
    course = upgrading()
    until = course.now + 2 * HOUR
    while course.upgrade.outcome is None and course.now < until:
        for status in statuses:
            course.told(OFFLINE if status == EmuStatus.OFFLINE else replace(figures, status=status), after=every)

    assert course.upgrade.outcome is not None


@given(st.integers(0, 10**12) | st.none(), st.lists(st.sampled_from([None, STARTED, OFFLINE]), max_size=3))
def test_time_alone_ends_whatever_is_ordered(size: int | None, told: list[Report | None]) -> None:
    course = ordered(size=size)
    for each in told:
        if each is not None:
            course.told(each, after=60)
    course.hears(Happened.TICK, after=2 * HOUR).hears(Happened.TICK, after=10 * MINUTE)

    assert course.upgrade.outcome is not None
    assert course.upgrade.by_deadline


@given(told=st.lists(st.tuples(reports, pauses), max_size=12), bit_field=st.booleans())
def test_nothing_that_is_reported_makes_a_success_of_another_version(
    *, told: list[tuple[Report, float]], bit_field: bool
) -> None:
    course = upgrading(version="emu-v9.9.9", bit_field=bit_field)
    for each, after in told:
        course.told(each, after=after)

    assert course.upgrade.outcome is not Outcome.SUCCEEDED

"""How long an upgrade may stay where it is, and which time counts (design: "An upgrade")."""

from collections.abc import Callable

import pytest

from custom_components.emu_ota.protocol.models import Component, DownloadStatus, EmuStatus, Report
from custom_components.emu_ota.protocol.upgrade import (
    Answered,
    Begin,
    Event,
    Happened,
    NotReady,
    Outcome,
    Phase,
    Reason,
)
from custom_components.emu_ota.protocol.upgrade_rules import stall_deadline

from .courses import BASELINE, MINUTE, NEW, OFFLINE, STARTED, T0, Course, ordered, queued, report, restarting, upgrading

HOUR = 60 * MINUTE
MEGABYTE = 1_000_000
TIMEOUT = 120 * MINUTE


def open_until(course: Course, seconds: float) -> Course:
    """Let time pass: just before it is up nothing has ended, and then it has."""
    course.hears(Happened.TICK, after=seconds - 1)
    assert course.upgrade.outcome is None
    return course.hears(Happened.TICK, after=1)


# In the queue


@pytest.mark.parametrize("reason", [Reason.EMU_OFFLINE, Reason.EMU_FAULT, Reason.EMS_UNREACHABLE])
def test_an_upgrade_that_is_never_ready_fails(reason: Reason) -> None:
    course = Course(queued()).hears(NotReady(reason, TIMEOUT), after=HOUR)
    course.hears(NotReady(reason, TIMEOUT), after=TIMEOUT - 1)
    assert (course.upgrade.outcome, course.upgrade.not_ready) == (None, reason)

    course.hears(NotReady(reason, TIMEOUT), after=1)
    assert course.conclusion == (Outcome.FAILED, reason)
    assert not course.upgrade.by_deadline  # nothing was ordered: the EMS cannot be at work on it


def test_the_last_reason_counts_and_the_time_runs_on_through_all_of_them() -> None:
    course = Course(queued()).hears(NotReady(Reason.EMU_OFFLINE, TIMEOUT))
    course.hears(NotReady(Reason.EMS_UNREACHABLE, TIMEOUT), after=TIMEOUT)

    assert course.conclusion == (Outcome.FAILED, Reason.EMS_UNREACHABLE)


def test_waiting_for_others_does_not_count() -> None:
    course = Course(queued()).hears(NotReady(Reason.EMU_OFFLINE, TIMEOUT)).hears(Happened.WAITING, after=TIMEOUT - 1)
    assert (course.upgrade.not_ready, course.upgrade.not_ready_since) == (None, None)

    course.hears(NotReady(Reason.EMU_OFFLINE, TIMEOUT), after=HOUR)
    assert course.upgrade.outcome is None
    assert course.hears(NotReady(Reason.EMU_OFFLINE, TIMEOUT), after=TIMEOUT).conclusion[0] is Outcome.FAILED


def test_in_the_queue_time_alone_ends_nothing() -> None:
    course = Course(queued()).hears(NotReady(Reason.EMU_OFFLINE, TIMEOUT)).hears(Happened.TICK, after=24 * HOUR)

    assert course.upgrade.phase is Phase.QUEUED


def test_a_patience_of_nothing_fails_at_once() -> None:
    assert Course(queued()).hears(NotReady(Reason.EMU_FAULT, 0)).conclusion == (Outcome.FAILED, Reason.EMU_FAULT)


def test_when_its_turn_comes_it_is_ready() -> None:
    course = Course(queued()).hears(NotReady(Reason.EMU_OFFLINE, TIMEOUT)).hears(Begin(BASELINE, "mid"), after=1)

    assert (course.upgrade.not_ready, course.upgrade.not_ready_since) == (None, None)


def test_readiness_is_no_matter_of_an_upgrade_under_way() -> None:
    course = upgrading().hears(NotReady(Reason.EMU_OFFLINE, 0), after=1).hears(Happened.WAITING, after=1)

    assert (course.upgrade.phase, course.upgrade.not_ready) == (Phase.UPGRADING, None)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (Happened.CANCEL, None),
        (Happened.ALREADY_INSTALLED, Reason.ALREADY_INSTALLED),
        (Happened.REMOVED, Reason.EMS_REMOVED),
    ],
)
def test_what_is_taken_out_of_the_queue_is_cancelled(event: Event, reason: Reason | None) -> None:
    course = Course(queued()).hears(event, after=5)

    assert course.conclusion == (Outcome.CANCELLED, reason)
    assert (course.upgrade.ordered_at, course.upgrade.ended_at) == (None, T0 + 5)


@pytest.mark.parametrize("start", [ordered, upgrading, restarting])
def test_an_upgrade_whose_ems_is_removed_is_cancelled_wherever_it_is(start: Callable[[], Course]) -> None:
    course = start().hears(Happened.REMOVED, after=5)

    assert course.conclusion == (Outcome.CANCELLED, Reason.EMS_REMOVED)
    assert not course.upgrade.by_deadline


# Ordered


@pytest.mark.parametrize(
    ("size", "seconds"),
    [
        (None, 10 * MINUTE),
        (0, 10 * MINUTE),
        (6 * MEGABYTE, 10 * MINUTE),
        (20 * MEGABYTE, 1000 + 5 * MINUTE),
        (100 * MEGABYTE, 5000 + 5 * MINUTE),
        (138 * MEGABYTE, 2 * HOUR),
        (10**12, 2 * HOUR),
    ],
)
def test_an_ems_has_as_long_as_the_slowest_line_needs_for_the_package(size: int | None, seconds: float) -> None:
    course = open_until(ordered(size=size), seconds)

    assert course.conclusion == (Outcome.FAILED, Reason.NO_ANSWER)
    assert course.upgrade.by_deadline


def test_reports_without_news_do_not_extend_the_time_for_an_answer() -> None:
    course = ordered()
    for minute in range(9):
        course.told(report(status=EmuStatus.RUNNING if minute % 2 else EmuStatus.OFFLINE), after=MINUTE)
    assert course.upgrade.outcome is None

    assert course.told(BASELINE, after=MINUTE).conclusion == (Outcome.FAILED, Reason.NO_ANSWER)


def test_news_in_the_last_second_is_no_missing_answer() -> None:
    assert ordered().told(STARTED, after=10 * MINUTE).upgrade.phase is Phase.UPGRADING


# Upgrading


@pytest.mark.parametrize(
    ("told", "minutes"),
    [
        (report(stage=1), 15),
        (report(stage=2), 15),
        (report(stage=3), 15),
        (report(stage=3, progress=99), 15),
        (report(stage=3, progress=100), 30),
        (report(stage=4), 30),
        (report(stage=4, progress=50), 30),
        (report(component=Component.COMMUNICATION_BOARD_1, stage=5), 15),
        (report(stage=7), 15),
    ],
)
def test_an_emu_that_makes_no_progress_has_stalled(told: Report, minutes: int) -> None:
    course = open_until(upgrading().told(told, after=5), minutes * MINUTE)

    assert course.conclusion == (Outcome.FAILED, Reason.STALLED)
    assert course.upgrade.by_deadline


def test_an_emu_that_says_nothing_after_the_hand_over_has_stalled() -> None:
    course = open_until(ordered().hears(Answered(DownloadStatus.HANDED_OVER), after=9 * MINUTE), 15 * MINUTE)

    assert course.conclusion == (Outcome.FAILED, Reason.STALLED)


def test_a_transfer_may_take_as_long_as_it_moves() -> None:
    course = upgrading()
    for progress in range(101):
        course.told(report(stage=3, progress=progress), after=14 * MINUTE)

    assert course.upgrade.phase is Phase.UPGRADING
    assert open_until(course, 30 * MINUTE).conclusion == (Outcome.FAILED, Reason.STALLED)


def test_the_same_report_again_is_no_progress() -> None:
    course = upgrading()
    for _ in range(15):
        course.told(report(stage=3, progress=50), after=MINUTE)
    assert course.upgrade.outcome is None

    assert course.told(report(stage=3, progress=50), after=MINUTE).conclusion == (Outcome.FAILED, Reason.STALLED)


def test_a_fault_names_the_reason_at_the_deadline() -> None:
    course = upgrading().told(report(status=EmuStatus.FAULT, stage=3, progress=50), after=5)

    assert open_until(course, 15 * MINUTE).conclusion == (Outcome.FAILED, Reason.EMU_FAULT)


def test_a_fault_that_has_gone_names_no_reason() -> None:
    course = upgrading().told(report(status=EmuStatus.FAULT, stage=3, progress=50), after=5)
    course.told(report(stage=3, progress=50), after=5)

    assert open_until(course, 15 * MINUTE - 5).conclusion == (Outcome.FAILED, Reason.STALLED)


def test_an_emu_that_comes_and_goes_makes_no_progress() -> None:
    """What it stands still while it is there adds up to the 15 minutes; while it restarts nothing could be seen."""
    course = upgrading().told(report(stage=3, progress=50), after=5)
    for _ in range(14):
        course.told(OFFLINE, after=MINUTE).told(report(stage=3, progress=50), after=9 * MINUTE)
    assert course.upgrade.outcome is None

    course.told(OFFLINE, after=MINUTE).told(report(stage=3, progress=50), after=MINUTE)
    assert course.conclusion == (Outcome.FAILED, Reason.STALLED)


def test_an_ems_that_was_silent_for_minutes_does_not_come_back_to_a_deadline() -> None:
    course = upgrading().told(report(stage=3, progress=50), after=5).hears(Happened.SILENCE, after=14 * MINUTE)
    course.told(report(stage=3, progress=50), after=9 * MINUTE)
    assert course.upgrade.phase is Phase.UPGRADING

    course.told(report(stage=3, progress=50), after=MINUTE)
    assert course.conclusion == (Outcome.FAILED, Reason.STALLED)


def test_before_any_report_the_shorter_time_holds() -> None:
    assert stall_deadline(None) == 15 * MINUTE


# Restarting


def test_an_emu_has_ten_minutes_to_return() -> None:
    assert open_until(restarting(), 10 * MINUTE).conclusion == (Outcome.LOST, Reason.DID_NOT_RETURN)


def test_offline_reports_do_not_extend_the_time_to_return() -> None:
    course = restarting()
    for _ in range(9):
        course.told(OFFLINE, after=MINUTE)
    assert course.upgrade.outcome is None

    assert course.told(OFFLINE, after=MINUTE).conclusion == (Outcome.LOST, Reason.DID_NOT_RETURN)


def test_an_ems_that_restarts_in_the_middle_is_waited_for() -> None:
    course = upgrading().told(report(stage=3, progress=50), after=5).hears(Happened.SILENCE, after=MINUTE)
    course.told(report(stage=3, progress=51), after=9 * MINUTE)

    assert course.phases[2:] == [Phase.UPGRADING, Phase.RESTARTING, Phase.UPGRADING]


def test_an_ems_that_stays_silent_has_lost_the_emu() -> None:
    course = open_until(upgrading().hears(Happened.SILENCE, after=MINUTE), 10 * MINUTE)

    assert course.conclusion == (Outcome.LOST, Reason.DID_NOT_RETURN)


# Time that does not count

STARTS: list[tuple[Callable[[], Course], float]] = [
    (ordered, 10 * MINUTE),
    (upgrading, 15 * MINUTE),
    (restarting, 10 * MINUTE),
]


@pytest.mark.parametrize(("start", "seconds"), STARTS)
def test_no_deadline_is_up_while_the_ems_cannot_be_seen(start: Callable[[], Course], seconds: float) -> None:
    course = start().hears(Happened.SUSPENDED, after=MINUTE).hears(Happened.TICK, after=24 * HOUR)
    assert course.upgrade.outcome is None

    course.hears(Happened.RESUMED)
    assert course.upgrade.outcome is None
    assert open_until(course, seconds - MINUTE).upgrade.by_deadline


@pytest.mark.parametrize(("start", "seconds"), STARTS)
def test_being_suspended_twice_is_being_suspended_once(start: Callable[[], Course], seconds: float) -> None:
    course = start().hears(Happened.SUSPENDED).hears(Happened.SUSPENDED, after=HOUR).hears(Happened.RESUMED, after=HOUR)
    course.hears(Happened.RESUMED, after=MINUTE)

    assert open_until(course, seconds - MINUTE).upgrade.by_deadline


def test_patience_in_the_queue_does_not_wear_out_while_the_ems_cannot_be_seen() -> None:
    course = Course(queued()).hears(NotReady(Reason.EMU_OFFLINE, TIMEOUT)).hears(Happened.SUSPENDED, after=MINUTE)
    course.hears(NotReady(Reason.EMU_OFFLINE, TIMEOUT), after=24 * HOUR).hears(Happened.RESUMED)
    course.hears(NotReady(Reason.EMU_OFFLINE, TIMEOUT), after=TIMEOUT - MINUTE - 1)
    assert course.upgrade.outcome is None

    assert course.hears(NotReady(Reason.EMU_OFFLINE, TIMEOUT), after=1).conclusion[0] is Outcome.FAILED


def test_what_is_heard_while_time_stands_still_is_kept_and_counts_afterwards() -> None:
    course = ordered().hears(Happened.SUSPENDED).told(STARTED, after=HOUR)
    assert course.upgrade.phase is Phase.ORDERED

    assert course.hears(Happened.RESUMED, after=1).upgrade.phase is Phase.UPGRADING
    assert open_until(course, 15 * MINUTE).conclusion == (Outcome.FAILED, Reason.STALLED)


def test_errors_have_to_stay_for_two_minutes_of_time_that_counts() -> None:
    errors = report(success=0, component=Component.COMMUNICATION_BOARD_1, stage=5)
    course = upgrading().told(errors, after=5).hears(Happened.SUSPENDED, after=MINUTE)
    course.hears(Happened.RESUMED, after=HOUR).told(errors, after=MINUTE - 1)
    assert course.upgrade.outcome is None

    assert course.told(errors, after=1).conclusion == (Outcome.FAILED, Reason.ERRORS_REPORTED)


def test_a_clock_that_is_set_back_moves_no_deadline_into_the_future() -> None:
    course = restarting().hears(Happened.SUSPENDED).hears(Happened.RESUMED, after=-HOUR)

    assert course.upgrade.since <= course.now
    assert open_until(course, 10 * MINUTE).conclusion == (Outcome.LOST, Reason.DID_NOT_RETURN)


def test_a_queued_upgrade_hears_no_reports() -> None:
    """They are about whatever the EMU does until its turn comes."""
    course = Course(queued()).told(report(stage=3, version=NEW), after=5)

    assert course.upgrade == queued()

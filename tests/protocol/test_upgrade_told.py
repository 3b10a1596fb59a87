"""What reports say of an upgrade: news, success, errors, the restart (design: "An upgrade")."""

from collections.abc import Callable

import pytest

from custom_components.emu_ota.protocol.models import Component, DownloadStatus, EmuStatus, Report, Stage
from custom_components.emu_ota.protocol.upgrade import Answered, Happened, Outcome, Phase, Reason
from custom_components.emu_ota.protocol.upgrade_machine import Effect

from .courses import (
    BASELINE,
    MINUTE,
    NEW,
    OFFLINE,
    OLD,
    OTHER,
    STARTED,
    Course,
    ordered,
    report,
    restarting,
    upgrading,
)

BOARD = Component.COMMUNICATION_BOARD_1
FINISHED, UNFINISHED = 0b1_1111_1111, 512

# News

STUCK = report(success=1, component=Component.EMU, stage=Stage.TRANSFERRING, progress=50, version=OLD)


@pytest.mark.parametrize(
    ("baseline", "told"),
    [
        (BASELINE, report(stage=1)),
        (BASELINE, report(stage=4)),
        (BASELINE, report(stage=3, progress=0)),
        (BASELINE, report(component=BOARD, stage=5)),
        (BASELINE, report(component=27)),
        (BASELINE, report(version=NEW)),
        (BASELINE, report(version=OTHER)),
        (BASELINE, report(success=1)),
        (BASELINE, report(success=UNFINISHED)),
        (BASELINE, report(status=EmuStatus.OFFLINE, version=NEW)),
        (BASELINE, report(status=EmuStatus.FAULT, stage=2)),
        (STUCK, report(stage=3, progress=51)),
        (STUCK, report(stage=3, progress=0)),
        (STUCK, report(stage=1)),
        (STUCK, report(stage=4, progress=50)),
    ],
)
def test_news_says_that_the_upgrade_began(baseline: Report, told: Report) -> None:
    course = ordered(baseline).told(told, after=10)

    assert Phase.UPGRADING in course.phases


@pytest.mark.parametrize(
    ("baseline", "told"),
    [
        (BASELINE, BASELINE),
        (BASELINE, report()),
        (BASELINE, OFFLINE),
        (BASELINE, report(status=EmuStatus.FAULT)),
        (BASELINE, report(progress=57)),
        (BASELINE, report(stage=5)),
        (BASELINE, report(stage=7)),
        (BASELINE, report(status=EmuStatus.OFFLINE, stage=1)),
        (STUCK, STUCK),
        (STUCK, report(stage=3)),
        (STUCK, report(stage=5, progress=100)),
        (report(), report(stage=5, progress=100)),
    ],
)
def test_what_is_no_news_may_be_about_the_upgrade_before(baseline: Report, told: Report) -> None:
    course = ordered(baseline).told(told, after=10).told(told, after=5 * MINUTE)

    assert course.upgrade.phase is Phase.ORDERED


# Success


@pytest.mark.parametrize(
    ("baseline", "values"),
    [
        (0, [1]),
        (0, [0, 1]),
        (0, [None, 1]),
        (1, [0, 1]),
        (1, [512, 1]),
        (2, [1]),
        (None, [0, 1]),
        (0, [1, None]),
    ],
)
def test_a_flag_of_1_after_another_value_tells_success(baseline: int | None, values: list[int | None]) -> None:
    course = upgrading(report(success=baseline, component=3, stage=5, version=OLD)).told(STARTED, after=5)
    for success in values:
        course.told(report(success=success), after=5)

    assert course.upgrade.success_told
    assert course.upgrade.phase is Phase.RESTARTING


@pytest.mark.parametrize(
    ("baseline", "values"), [(1, [1]), (1, [None, 1]), (None, [1, 1]), (0, [0]), (0, [None]), (0, [2]), (0, [-1])]
)
def test_a_flag_that_never_rose_tells_nothing(baseline: int | None, values: list[int | None]) -> None:
    course = upgrading(report(success=baseline, component=3, stage=5, version=OLD)).told(STARTED, after=5)
    for success in values:
        course.told(report(success=success), after=5)

    assert not course.upgrade.success_told
    assert course.upgrade.phase is Phase.UPGRADING


@pytest.mark.parametrize(
    ("success", "told"),
    [
        (FINISHED, True),
        (256, True),
        (256 | 1024, True),
        (FINISHED | UNFINISHED, False),
        (UNFINISHED, False),
        (255, False),
        (1, False),
        (None, False),
    ],
)
def test_a_bit_field_tells_success_with_bit_8_and_without_bit_9(*, success: int | None, told: bool) -> None:
    course = upgrading(report(success=UNFINISHED, component=3, stage=5, version=OLD), bit_field=True)
    course.told(STARTED, after=5).told(report(success=success, stage=5), after=5)

    assert course.upgrade.success_told is told


def test_the_success_of_the_upgrade_before_is_not_told_of_this_one() -> None:
    rest = report(success=FINISHED, component=3, stage=5, progress=100, version=OLD)
    course = upgrading(rest, bit_field=True).told(rest, after=5).told(rest, after=5 * MINUTE)

    assert not course.upgrade.success_told
    assert course.upgrade.phase is Phase.UPGRADING


def test_a_flag_told_in_the_middle_of_a_transfer_is_not_the_last_word() -> None:
    course = upgrading().told(report(success=1, stage=3, progress=10), after=5)

    assert not course.upgrade.success_told
    assert course.upgrade.phase is Phase.UPGRADING


@pytest.mark.parametrize("taken_back_by", [report(stage=1), report(success=0, stage=5)])
def test_a_new_stage_or_errors_take_a_success_back(taken_back_by: Report) -> None:
    course = upgrading().told(report(success=1, stage=5), after=5)
    assert course.upgrade.success_told

    assert not course.told(taken_back_by, after=5).upgrade.success_told


def test_each_component_has_its_own_stages_and_the_upgrade_goes_on() -> None:
    course = upgrading(bit_field=True)
    for component in (Component.EMU, BOARD):
        for stage, progress in ((1, 0), (2, 0), (3, 0), (3, 50), (3, 100), (4, 100), (5, 100)):
            course.told(
                report(success=UNFINISHED, component=component, stage=stage, progress=progress), after=2 * MINUTE
            )
    assert course.phases == [Phase.QUEUED, Phase.ORDERED, Phase.UPGRADING]

    course.told(report(success=FINISHED, component=BOARD, stage=5, progress=100), after=5)
    assert course.upgrade.phase is Phase.RESTARTING


# Errors

FLAG_DOWN = report(success=0, component=BOARD, stage=5)


@pytest.mark.parametrize("start", [upgrading, restarting])
@pytest.mark.parametrize(
    ("bit_field", "success"), [(False, 0), (True, 0), (True, 1), (True, 0b1111_1110)], ids=["flag", "0", "1", "bits"]
)
def test_errors_that_stay_for_two_minutes_end_it(
    *, start: Callable[..., Course], bit_field: bool, success: int
) -> None:
    told = report(success=success, component=BOARD, stage=5)
    course = start(bit_field=bit_field).told(told, after=5).told(told, after=2 * MINUTE - 1)
    assert course.upgrade.outcome is None

    course.told(told, after=1)
    assert course.conclusion == (Outcome.FAILED, Reason.ERRORS_REPORTED)
    assert not course.upgrade.by_deadline


@pytest.mark.parametrize(
    ("bit_field", "told"),
    [
        (False, report(success=1, component=BOARD, stage=5)),
        (False, report(success=2, component=BOARD, stage=5)),
        (False, report(success=None, component=BOARD, stage=5)),
        (False, report(success=0, component=BOARD, stage=None)),
        (False, report(success=0, component=BOARD, stage=4)),
        (False, report(success=0, component=BOARD, stage=7)),
        (True, report(success=UNFINISHED, component=BOARD, stage=5)),
        (True, report(success=256, component=BOARD, stage=5)),
        (True, report(success=256 | UNFINISHED, component=BOARD, stage=5)),
        (True, report(status=EmuStatus.OFFLINE, success=0, component=BOARD, stage=5)),
    ],
)
def test_what_tells_no_errors_ends_nothing(*, bit_field: bool, told: Report) -> None:
    course = upgrading(bit_field=bit_field)
    for _ in range(4):
        course.told(told, after=2 * MINUTE)

    assert course.upgrade.outcome is None


def test_errors_of_the_upgrade_before_are_none_of_this_one() -> None:
    course = upgrading()
    for _ in range(4):
        course.told(BASELINE, after=3 * MINUTE)

    assert course.upgrade.phase is Phase.UPGRADING


def test_the_next_component_makes_errors_wait_anew() -> None:
    """A flag is down until the last component is through, and a component rests a while before the next begins."""
    course = upgrading()
    for component in Component:
        for stage in (3, 5):
            course.told(report(success=0, component=component, stage=stage), after=2 * MINUTE - 1)

    assert course.upgrade.outcome is None


# The restart


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_a_stage_after_a_restart_goes_on_with_the_upgrade(stage: int) -> None:
    course = restarting().told(report(component=BOARD, stage=stage), after=30)

    assert course.phases == [Phase.QUEUED, Phase.ORDERED, Phase.UPGRADING, Phase.RESTARTING, Phase.UPGRADING]
    assert course.upgrade.outcome is None


def test_going_offline_or_silent_asks_for_the_versions_once() -> None:
    course = restarting()
    asked = course.effects.count(Effect.ASK_VERSIONS)
    course.told(OFFLINE, after=5).hears(Happened.SILENCE, after=5).told(OFFLINE, after=5)

    assert (asked, course.effects.count(Effect.ASK_VERSIONS)) == (1, 1)


@pytest.mark.parametrize("answer", [None, DownloadStatus.HANDED_OVER])
def test_any_sign_of_life_ends_a_silence(answer: DownloadStatus | None) -> None:
    course = ordered().hears(Happened.SILENCE, after=5)
    if answer is None:
        course.told(STARTED, after=5)
    else:
        course.hears(Answered(answer), after=5)

    assert course.hears(Happened.TICK, after=1).upgrade.phase is Phase.UPGRADING


def test_a_fault_ends_nothing_by_itself() -> None:
    course = upgrading().told(report(status=EmuStatus.FAULT, stage=3, progress=10), after=5)

    assert course.told(report(status=EmuStatus.FAULT), after=5).upgrade.phase is Phase.UPGRADING


def test_a_restart_too_fast_to_be_seen_leads_straight_to_the_verdict() -> None:
    course = ordered().told(report(success=1, component=3, stage=5, progress=100, version=NEW), after=30)

    assert course.phases == [Phase.QUEUED, Phase.ORDERED, Phase.UPGRADING, Phase.RESTARTING, Phase.ENDED]
    assert course.conclusion == (Outcome.SUCCEEDED, None)
    assert course.effects[2:] == [Effect.ASK_VERSIONS, Effect.TELL_ENDED]


def test_what_is_told_for_the_first_time_is_no_news() -> None:
    """An EMU that had told nothing but its version may tell of the upgrade before this one."""
    old_errors = report(success=0, component=Component.EMU, stage=Stage.COMPLETE, version=OLD)
    course = upgrading(report(version=OLD)).told(old_errors, after=5).told(old_errors, after=3 * MINUTE)
    assert course.upgrade.phase is Phase.UPGRADING
    assert not course.upgrade.news

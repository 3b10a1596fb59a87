"""How an upgrade ends after the restart, and what may turn its outcome later (design: "Verdict", "Amended")."""

from collections.abc import Callable

import pytest

from custom_components.emu_ota.protocol.models import Component, DownloadStatus, EmuStatus, Report
from custom_components.emu_ota.protocol.upgrade import Answered, Happened, Outcome, Phase, Reason
from custom_components.emu_ota.protocol.upgrade_machine import Effect

from .courses import MINUTE, NEW, OFFLINE, OLD, OTHER, STARTED, Course, ordered, queued, report, restarting, upgrading

type Conclusion = tuple[Outcome, Reason | None]

SUCCEEDED: Conclusion = (Outcome.SUCCEEDED, None)
OTHER_READ: Conclusion = (Outcome.UNVERIFIED, Reason.OTHER_VERSION)
UNCHANGED_BUT_TOLD: Conclusion = (Outcome.UNVERIFIED, Reason.VERSION_UNCHANGED)
UNCHANGED: Conclusion = (Outcome.FAILED, Reason.VERSION_UNCHANGED)
NOBODY_SAID: Conclusion = (Outcome.UNVERIFIED, Reason.NO_VERSION_GIVEN)
LOST: Conclusion = (Outcome.LOST, Reason.DID_NOT_RETURN)


@pytest.mark.parametrize(
    ("version", "read", "told", "conclusion", "at_once"),
    [
        (NEW, NEW, True, SUCCEEDED, True),
        (NEW, NEW, False, SUCCEEDED, True),
        (NEW, OTHER, True, OTHER_READ, True),
        (NEW, OTHER, False, OTHER_READ, True),
        (NEW, OLD, True, UNCHANGED_BUT_TOLD, False),
        (NEW, OLD, False, UNCHANGED, False),
        (NEW, None, True, UNCHANGED_BUT_TOLD, False),
        (NEW, None, False, UNCHANGED, False),
        (OLD, OLD, True, SUCCEEDED, True),
        (OLD, OLD, False, UNCHANGED_BUT_TOLD, True),
        (OLD, None, True, SUCCEEDED, True),
        (OLD, None, False, UNCHANGED_BUT_TOLD, True),
        (OLD, NEW, True, OTHER_READ, True),
        (OLD, NEW, False, OTHER_READ, True),
        (None, NEW, True, NOBODY_SAID, True),
        (None, NEW, False, NOBODY_SAID, True),
        (None, OLD, True, NOBODY_SAID, False),
        (None, OLD, False, UNCHANGED, False),
    ],
)
def test_the_version_read_back_has_the_last_word(
    *, version: str | None, read: str | None, told: bool, conclusion: Conclusion, at_once: bool
) -> None:
    """At once with success told, else after two minutes of the same; an old version is waited on until the deadline."""
    back = report(success=1 if told else None, version=read)
    course = restarting(version=version).told(back, after=MINUTE)
    assert (course.upgrade.outcome is not None) is (told and at_once)

    course.told(back, after=2 * MINUTE - 1)
    assert (course.upgrade.outcome is not None) is (told and at_once)

    course.told(back, after=1)
    assert (course.upgrade.outcome is not None) is at_once

    course.told(back, after=10 * MINUTE)
    assert course.conclusion == conclusion
    assert course.upgrade.by_deadline is not at_once
    assert course.upgrade.read_version == (read or OLD)


@pytest.mark.parametrize(
    "back",
    [
        OFFLINE,
        report(status=EmuStatus.FAULT, version=NEW),
        report(status=7, version=NEW),
        report(status=EmuStatus.OFFLINE, success=1, version=NEW),
        report(status=EmuStatus.OFFLINE, stage=3, version=NEW),
    ],
)
def test_an_emu_that_is_not_running_again_is_lost(back: Report) -> None:
    course = restarting()
    for _ in range(5):
        course.told(back, after=2 * MINUTE - 1)
    assert course.upgrade.outcome is None

    assert course.hears(Happened.TICK, after=MINUTE).conclusion == LOST


def test_an_emu_whose_ems_falls_silent_again_is_lost() -> None:
    course = restarting().told(report(version=NEW), after=MINUTE).hears(Happened.SILENCE, after=MINUTE)

    assert course.hears(Happened.TICK, after=10 * MINUTE).conclusion == LOST


def test_a_version_that_was_never_told_before_counts_as_changed() -> None:
    course = restarting(report(success=0, stage=5)).told(report(success=1, version=NEW), after=MINUTE)

    assert course.upgrade.from_version is None
    assert course.conclusion == SUCCEEDED


def test_a_version_that_changes_and_falls_back_is_unchanged() -> None:
    course = restarting().told(report(version=NEW), after=MINUTE).told(report(version=OLD), after=MINUTE)
    course.told(report(version=OLD), after=3 * MINUTE)
    assert course.upgrade.outcome is None

    assert course.told(report(version=OLD), after=5 * MINUTE).conclusion == UNCHANGED


def test_errors_stand_against_the_version() -> None:
    back = report(success=0, component=Component.EMU, stage=5, version=NEW)
    course = restarting().told(back, after=MINUTE).told(back, after=2 * MINUTE)

    assert course.conclusion == (Outcome.FAILED, Reason.ERRORS_REPORTED)


# Amended


def _no_answer() -> Course:
    return ordered().hears(Happened.TICK, after=10 * MINUTE)


def _refused() -> Course:
    return ordered().hears(Answered(DownloadStatus.DOWNLOAD_FAILED), after=MINUTE)


def _stalled() -> Course:
    return upgrading().hears(Happened.TICK, after=15 * MINUTE)


def _fault() -> Course:
    return upgrading().told(report(status=EmuStatus.FAULT)).hears(Happened.TICK, after=15 * MINUTE)


def _errors() -> Course:
    errors = report(success=0, component=Component.COMMUNICATION_BOARD_1, stage=5)
    return upgrading().told(errors).told(errors, after=2 * MINUTE)


def _lost() -> Course:
    return restarting().hears(Happened.TICK, after=10 * MINUTE)


def _unchanged() -> Course:
    return restarting().told(report(version=OLD)).hears(Happened.TICK, after=10 * MINUTE)


def _unchanged_but_told() -> Course:
    return restarting().told(report(success=1, version=OLD)).hears(Happened.TICK, after=10 * MINUTE)


def _other_version() -> Course:
    return restarting().told(report(success=1, version=OTHER))


def _succeeded() -> Course:
    return restarting().told(report(success=1, version=NEW))


def _removed() -> Course:
    return restarting().hears(Happened.REMOVED)


AMENDABLE = [_no_answer, _stalled, _fault, _lost, _unchanged, _unchanged_but_told, _other_version]
BACK = report(version=NEW)


@pytest.mark.parametrize("ended", AMENDABLE)
def test_the_ordered_version_read_later_makes_it_a_success_once(ended: Callable[[], Course]) -> None:
    course = ended()
    ended_at, done = course.upgrade.ended_at, len(course.effects)
    course.told(BACK, after=60 * MINUTE)

    assert course.conclusion == SUCCEEDED
    assert course.effects[done:] == [Effect.TELL_AMENDED]
    assert (course.upgrade.ended_at, course.upgrade.amended_at) == (ended_at, course.now)
    assert course.upgrade.read_version == NEW

    amended = course.upgrade
    assert course.told(BACK, after=1).upgrade == amended
    assert course.effects[done:] == [Effect.TELL_AMENDED]


@pytest.mark.parametrize("ended", [_refused, _errors, _succeeded, _removed])
def test_every_other_outcome_stands(ended: Callable[[], Course]) -> None:
    course = ended()
    before = course.upgrade

    assert course.told(BACK, after=60 * MINUTE).upgrade == before
    assert Effect.TELL_AMENDED not in course.effects


@pytest.mark.parametrize("ended", AMENDABLE)
@pytest.mark.parametrize(
    "told",
    [
        report(),
        OFFLINE,
        report(version=OLD),
        report(version=OTHER),
        report(version=NEW + "-rc1"),
        report(status=EmuStatus.OFFLINE, version=NEW),
        report(status=EmuStatus.FAULT, version=NEW),
        report(stage=3, version=NEW),
        report(success=0, stage=5, version=NEW),
    ],
)
def test_any_other_report_amends_nothing(ended: Callable[[], Course], told: Report) -> None:
    course = ended()
    before = course.upgrade

    assert course.told(told, after=60 * MINUTE).upgrade == before


@pytest.mark.parametrize(("success", "amended"), [(512, True), (511, True), (256, True), (255, False), (0, False)])
def test_an_ems_with_bit_fields_tells_errors_its_own_way(*, success: int, amended: bool) -> None:
    course = _stalled()
    course.bit_field = True
    course.told(report(success=success, stage=5, version=NEW), after=MINUTE)

    assert (course.upgrade.outcome is Outcome.SUCCEEDED) is amended


@pytest.mark.parametrize("version", [OLD, None])
def test_the_version_it_had_before_or_none_at_all_proves_nothing(version: str | None) -> None:
    course = restarting(version=version).hears(Happened.TICK, after=10 * MINUTE)
    course.told(report(version=OLD), after=MINUTE).told(report(version=NEW), after=MINUTE)

    assert course.conclusion == LOST


# Contested


def test_an_order_of_somebody_else_leaves_the_word_to_the_version() -> None:
    course = upgrading().hears(Happened.FOREIGN_ORDER, after=5)
    assert course.upgrade.contested

    course.told(STARTED, after=5).told(report(success=1, component=3, stage=5), after=5)
    assert (course.upgrade.phase, course.upgrade.success_told) == (Phase.UPGRADING, False)

    course.told(report(success=1, version=NEW), after=5).told(report(success=1, version=NEW), after=2 * MINUTE)
    assert course.conclusion == SUCCEEDED


def test_errors_that_may_be_somebody_else_s_end_nothing() -> None:
    errors = report(success=0, component=Component.COMMUNICATION_BOARD_1, stage=5)
    course = upgrading().hears(Happened.FOREIGN_ORDER, after=5).told(errors).told(errors, after=3 * MINUTE)

    assert course.upgrade.phase is Phase.UPGRADING


@pytest.mark.parametrize("status", DownloadStatus)
def test_an_answer_that_may_be_somebody_else_s_is_none(status: DownloadStatus) -> None:
    course = ordered().hears(Happened.FOREIGN_ORDER, after=5).hears(Answered(status), after=5)

    assert course.upgrade.phase is Phase.ORDERED


def test_a_success_told_before_somebody_else_s_order_is_taken_back() -> None:
    course = upgrading().told(report(success=1, stage=5), after=5).hears(Happened.FOREIGN_ORDER, after=5)
    course.told(report(success=1, version=OLD), after=5).hears(Happened.TICK, after=10 * MINUTE)

    assert course.conclusion == UNCHANGED


def test_the_same_version_ordered_proves_nothing_when_contested() -> None:
    course = restarting(version=OLD).hears(Happened.FOREIGN_ORDER, after=5)
    back = report(success=1, stage=5, version=OLD)
    course.told(back, after=MINUTE).told(back, after=2 * MINUTE)

    assert course.conclusion == UNCHANGED_BUT_TOLD


def test_an_order_of_somebody_else_before_ours_contests_nothing() -> None:
    assert not Course(queued()).hears(Happened.FOREIGN_ORDER).upgrade.contested

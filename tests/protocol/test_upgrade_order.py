"""How an order goes out, comes back unsent, and is answered (design: "An upgrade")."""

import pytest

from custom_components.emu_ota.protocol.models import Component, DownloadStatus
from custom_components.emu_ota.protocol.upgrade import Answered, Begin, Happened, Outcome, Phase, Reason
from custom_components.emu_ota.protocol.upgrade_machine import Effect

from .courses import (
    BASELINE,
    OFFLINE,
    OLD,
    OTHER,
    STARTED,
    T0,
    Course,
    ordered,
    queued,
    report,
)

BOARD = Component.COMMUNICATION_BOARD_1
FINISHED, UNFINISHED = 0b1_1111_1111, 512


def test_an_order_goes_out_over_the_report_that_it_changes() -> None:
    course = Course(queued()).hears(Begin(BASELINE, "mid"), after=30)

    assert course.phases == [Phase.QUEUED, Phase.ORDERED]
    assert course.effects == [Effect.SEND_ORDER, Effect.TELL_STARTED]
    assert (course.upgrade.mid, course.upgrade.baseline, course.upgrade.report) == ("mid", BASELINE, BASELINE)
    assert (course.upgrade.queued_at, course.upgrade.ordered_at, course.upgrade.ended_at) == (T0, T0 + 30, None)
    assert (course.upgrade.running, course.upgrade.read_version) == (True, OLD)


def test_the_version_before_is_the_one_read_when_the_order_goes_out() -> None:
    course = Course(queued()).hears(Begin(report(version=OTHER), "mid"))

    assert course.upgrade.from_version == OTHER


def test_an_order_that_could_not_be_sent_waits_again_and_leaves_nothing_behind() -> None:
    """Not even what was heard in between, when somebody else was at work and the connection was lost."""
    course = ordered().hears(Happened.SUSPENDED).hears(Happened.FOREIGN_ORDER).told(STARTED)
    course.hears(Happened.NOT_SENT).hears(Happened.RESUMED, after=30)

    assert course.phases == [Phase.QUEUED, Phase.ORDERED, Phase.QUEUED]
    assert (course.upgrade.ordered_at, course.upgrade.mid, course.upgrade.read_version) == (None, None, None)
    assert not course.upgrade.running

    course.hears(Begin(BASELINE, "another"), after=60).hears(Happened.TICK, after=1)
    assert course.phases[2:] == [Phase.QUEUED, Phase.ORDERED]
    assert (course.upgrade.ordered_at, course.upgrade.mid) == (T0 + 90, "another")
    assert not course.upgrade.contested
    assert course.effects.count(Effect.SEND_ORDER) == 2


def test_an_order_that_could_not_be_sent_and_is_cancelled_was_never_ordered() -> None:
    course = ordered().hears(Happened.NOT_SENT).hears(Happened.CANCEL, after=1)

    assert course.conclusion == (Outcome.CANCELLED, None)
    assert course.upgrade.ordered_at is None


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (DownloadStatus.DOWNLOAD_FAILED, Reason.DOWNLOAD_FAILED),
        (DownloadStatus.MD5_MISMATCH, Reason.MD5_MISMATCH),
        (DownloadStatus.CLEAR_FOLDER_FAILED, Reason.CLEAR_FOLDER_FAILED),
        (DownloadStatus.UNPACK_FAILED, Reason.UNPACK_FAILED),
        (DownloadStatus.HAND_OVER_FAILED, Reason.HAND_OVER_FAILED),
    ],
)
def test_an_order_that_fails_names_the_step_that_did(status: DownloadStatus, reason: Reason) -> None:
    course = ordered().hears(Answered(status), after=60)

    assert course.conclusion == (Outcome.FAILED, reason)
    assert not course.upgrade.by_deadline


@pytest.mark.parametrize("code", [0, 7, -1])
def test_an_answer_that_nobody_understands_is_no_answer(code: int) -> None:
    assert ordered().hears(Answered(code), after=60).upgrade.phase is Phase.ORDERED


@pytest.mark.parametrize("status", DownloadStatus)
def test_an_answer_after_the_news_comes_too_late(status: DownloadStatus) -> None:
    course = ordered().told(STARTED, after=60).hears(Answered(status), after=1)

    assert course.upgrade.phase is Phase.UPGRADING


def test_an_order_may_come_to_an_emu_that_goes_offline() -> None:
    course = ordered().told(OFFLINE, after=60)

    assert course.upgrade.phase is Phase.ORDERED
    assert course.upgrade.read_version == OLD

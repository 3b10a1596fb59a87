"""What a package that we serve ourselves changes: the order's link and token, its deadline, and why it failed."""

from dataclasses import replace

import pytest

from custom_components.emu_ota.protocol.fetched import Fetched
from custom_components.emu_ota.protocol.models import DownloadStatus
from custom_components.emu_ota.protocol.upgrade import (
    Answered,
    Begin,
    Event,
    Fetching,
    Happened,
    Order,
    Outcome,
    Phase,
    Reason,
)

from .courses import BASELINE, MD5, MINUTE, NEW, T0, Course, ordered, queued

HOSTED = Order(version=NEW, download_url=None, md5=MD5, size=1_000_000, package="ab" * 32)
LINK = "http://10.0.0.2:8123/api/emu_ota/firmware/token/emu-v1.2.0.tar.gz"


def hosted() -> Course:
    """Return an upgrade whose package we serve, just ordered."""
    return Course(replace(queued(), order=HOSTED)).hears(Begin(BASELINE, "mid", LINK, "token"))


def test_the_link_and_the_token_are_made_for_the_order() -> None:
    upgrade = hosted().upgrade
    assert (upgrade.order.download_url, upgrade.token) == (LINK, "token")


def test_an_order_that_was_not_sent_gives_up_its_token() -> None:
    upgrade = hosted().hears(Fetching(Fetched(requests=1))).hears(Happened.NOT_SENT).upgrade
    assert (upgrade.phase, upgrade.token, upgrade.fetched) == (Phase.QUEUED, None, None)


@pytest.mark.parametrize(
    ("requests", "event", "after", "reason"),
    [
        (0, Happened.TICK, 10 * MINUTE, Reason.NEVER_FETCHED),
        (1, Happened.TICK, 10 * MINUTE, Reason.NO_ANSWER),
        (0, Answered(DownloadStatus.DOWNLOAD_FAILED), 1, Reason.NEVER_FETCHED),
        (1, Answered(DownloadStatus.DOWNLOAD_FAILED), 1, Reason.DOWNLOAD_FAILED),
        (0, Answered(DownloadStatus.UNPACK_FAILED), 1, Reason.UNPACK_FAILED),
    ],
)
def test_a_failure_tells_whether_anybody_came_for_the_package(
    requests: int, event: Event, after: float, reason: Reason
) -> None:
    course = hosted()
    if requests:
        course.hears(Fetching(Fetched(requests=requests, last_at=T0)))
    assert course.hears(event, after=after).conclusion == (Outcome.FAILED, reason)


def test_a_link_of_somebody_else_is_never_said_not_to_be_fetched() -> None:
    assert ordered().hears(Happened.TICK, after=10 * MINUTE).conclusion == (Outcome.FAILED, Reason.NO_ANSWER)


def test_a_fetch_that_moves_extends_the_deadline_until_it_stands_still() -> None:
    course = hosted()
    for minute in range(1, 30):
        course.hears(Fetching(Fetched(requests=1, last_at=T0 + minute * MINUTE)), after=MINUTE)
        course.hears(Happened.TICK)
    assert course.upgrade.phase is Phase.ORDERED

    course.hears(Happened.TICK, after=4 * MINUTE)
    assert course.upgrade.phase is Phase.ORDERED
    assert course.hears(Happened.TICK, after=MINUTE).conclusion == (Outcome.FAILED, Reason.NO_ANSWER)

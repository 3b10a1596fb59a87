"""The vendor's own samples decode to the letter."""

import pytest

from custom_components.emu_ota.protocol.models import (
    Component,
    DownloadStatus,
    EmuStatus,
    Envelope,
    Message,
    ProgressCommand,
    ProgressResult,
    Report,
    Stage,
    UpgradeCommand,
    UpgradeResult,
    VersionCommand,
    VersionResult,
)
from custom_components.emu_ota.protocol.parser import parse
from custom_components.emu_ota.protocol.topics import Direction, Exchange

from .wire import ADDRESS, SAMPLES, sample

COMMAND = Envelope(
    mid="ee2e8f09-b280-4e4d-bcb9-1529b703cfed",
    trace_id="577f5df0-65d6-432d-8aac-06hjkgfg2",
    timestamp=1697789021000,
)
RESULT = Envelope(
    mid="389d9ac9-c660-4459-b9d5-f43160183552",
    trace_id="577f5df0-65d6-432d-8aac-011789wfg2",
    timestamp=1725615497191,
)


def _upgraded(device_id: int) -> Report:
    return Report(
        device_id=device_id,
        status=EmuStatus.RUNNING,
        success=1,
        component=Component.EMU,
        stage=Stage.COMPLETE,
        progress=100,
        version="emu-v1.0.0",
    )


EXPECTED: dict[tuple[Exchange, Direction], Message] = {
    (Exchange.VERSION, Direction.COMMAND): VersionCommand(envelope=COMMAND),
    (Exchange.VERSION, Direction.RESULT): VersionResult(
        envelope=RESULT,
        reports=(_upgraded(2), _upgraded(3), Report(device_id=4, status=EmuStatus.OFFLINE)),
    ),
    (Exchange.UPGRADE, Direction.COMMAND): UpgradeCommand(
        envelope=COMMAND,
        device_id=2,
        download_url="http://example.com/ems_II",
        md5="50a2811e047dd49ace3801685eedb732",
    ),
    (Exchange.UPGRADE, Direction.RESULT): UpgradeResult(
        envelope=RESULT, device_id=2, status=DownloadStatus.HANDED_OVER
    ),
    (Exchange.PROGRESS, Direction.COMMAND): ProgressCommand(envelope=COMMAND, device_id=2),
    (Exchange.PROGRESS, Direction.RESULT): ProgressResult(envelope=RESULT, report=_upgraded(2)),
}


@pytest.mark.parametrize(("exchange", "direction"), EXPECTED, ids=str)
def test_every_sample_decodes_to_the_letter(exchange: Exchange, direction: Direction) -> None:
    """As text too, because a code that stayed a bare int would equal its enum's member."""
    message = parse(ADDRESS.topic(exchange, direction), sample(exchange, direction))

    assert message == EXPECTED[exchange, direction]
    assert repr(message) == repr(EXPECTED[exchange, direction])


def test_there_is_a_sample_of_every_message_and_an_expectation_for_every_sample() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == {f"{e}.{d}.json" for e, d in EXPECTED}
    assert set(EXPECTED) == {(exchange, direction) for exchange in Exchange for direction in Direction}


@pytest.mark.parametrize(("exchange", "direction"), EXPECTED, ids=str)
def test_a_sample_on_a_foreign_topic_is_no_message_at_all(exchange: Exchange, direction: Direction) -> None:
    payload = sample(exchange, direction)

    assert parse(f"v1/user/tenant/test/ota/upgrade/{direction}", payload) is None
    assert parse(f"v1/user/tenant/test/device_info/list/{direction}", payload) is None
    assert parse("homeassistant/status", payload) is None


def test_garbage_on_a_foreign_topic_is_not_even_looked_at() -> None:
    assert parse("homeassistant/status", b"\xff{,") is None

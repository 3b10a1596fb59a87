"""The envelope: read where it can be, and never a reason to drop a message (design: "What bad input gets")."""

import pytest

from custom_components.emu_ota.protocol.models import Envelope
from custom_components.emu_ota.protocol.parser import MAX_STRING
from custom_components.emu_ota.protocol.topics import Direction, Exchange

from .wire import REPORT, Json, decode, decode_reports

UUID = "389d9ac9-c660-4459-b9d5-f43160183552"
FULL_ENVELOPE: dict[str, Json] = {"mid": UUID, "trace_id": "any text", "timestamp": 1, "reply": UUID}


def test_the_envelope_is_read() -> None:
    message = decode(Exchange.VERSION, Direction.COMMAND, FULL_ENVELOPE)

    assert message.envelope == Envelope(mid=UUID, trace_id="any text", timestamp=1, reply=UUID)


@pytest.mark.parametrize("key", FULL_ENVELOPE)
@pytest.mark.parametrize("odd", [None, "", {}, [], True, False, 1.5, -1.0], ids=repr)
def test_an_odd_field_of_the_envelope_is_none_and_drops_nothing(key: str, odd: Json) -> None:
    message = decode(Exchange.VERSION, Direction.RESULT, FULL_ENVELOPE | {key: odd, "data": [REPORT]})

    told = {name: getattr(message.envelope, name) for name in FULL_ENVELOPE}
    assert told == FULL_ENVELOPE | {key: None}


@pytest.mark.parametrize("key", FULL_ENVELOPE)
def test_a_missing_field_of_the_envelope_is_none_and_drops_nothing(key: str) -> None:
    body: dict[str, Json] = {name: value for name, value in FULL_ENVELOPE.items() if name != key}

    message = decode(Exchange.VERSION, Direction.RESULT, body | {"data": [REPORT]})

    assert getattr(message.envelope, key) is None


@pytest.mark.parametrize("key", ["mid", "trace_id", "reply"])
def test_an_overlong_or_numeric_text_of_the_envelope_is_none(key: str) -> None:
    for odd in ("x" * (MAX_STRING + 1), 7):
        assert getattr(decode(Exchange.VERSION, Direction.COMMAND, {key: odd}).envelope, key) is None


@pytest.mark.parametrize("timestamp", [0, -1, "1697789021000", 1e300], ids=repr)
def test_the_time_of_a_dead_clock_is_none(timestamp: Json) -> None:
    assert decode(Exchange.VERSION, Direction.COMMAND, {"timestamp": timestamp}).envelope.timestamp is None


@pytest.mark.parametrize("key", ["type", "device_uid", "sub_device_id"])
@pytest.mark.parametrize("odd", [None, "another", 5, [], {}, True], ids=repr)
def test_topic_and_device_id_decide_whatever_the_rest_says(key: str, odd: Json) -> None:
    message = decode(Exchange.VERSION, Direction.RESULT, {key: odd, "data": [REPORT]})

    assert message == decode_reports([REPORT])

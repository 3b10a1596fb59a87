"""What the tests of the parser share: the vendor's samples, and messages built by hand."""

from itertools import product
from pathlib import Path

import orjson
import pytest

from custom_components.emu_ota.protocol.errors import Malformation, MalformedMessage
from custom_components.emu_ota.protocol.models import Message, ProgressResult, Report, VersionResult
from custom_components.emu_ota.protocol.parser import parse_payload
from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange, OtaTopic

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None

SAMPLES = Path(__file__).parent / "samples"
ADDRESS = EmsAddress("v1/user/tenant", "test")
TOPICS = [OtaTopic(ADDRESS, exchange, direction) for exchange, direction in product(Exchange, Direction)]
REPORT: dict[str, Json] = {"device_id": 2, "status": 1}
"""The least that a report may hold."""


def sample(exchange: Exchange, direction: Direction) -> bytes:
    """Return the vendor's sample of a message, to the letter."""
    return (SAMPLES / f"{exchange}.{direction}.json").read_bytes()


def name_of(topic: OtaTopic) -> str:
    """Return a topic's part of a test's id."""
    return f"{topic.exchange}.{topic.direction}"


def decode(exchange: Exchange, direction: Direction, body: Json) -> Message:
    """Parse a body as the message of an exchange."""
    return parse_payload(OtaTopic(ADDRESS, exchange, direction), orjson.dumps(body))


def decode_report(report: Json) -> Report:
    """Parse the answer about one EMU's progress."""
    message = decode(Exchange.PROGRESS, Direction.RESULT, {"data": report})
    assert isinstance(message, ProgressResult)
    return message.report


def decode_reports(reports: Json) -> VersionResult:
    """Parse the answer about all EMUs."""
    message = decode(Exchange.VERSION, Direction.RESULT, {"data": reports})
    assert isinstance(message, VersionResult)
    return message


def refusal(exchange: Exchange, direction: Direction, body: Json) -> Malformation:
    """Return why a body is refused."""
    return refusal_of_bytes(OtaTopic(ADDRESS, exchange, direction), orjson.dumps(body))


def refusal_of_bytes(topic: OtaTopic, payload: bytes) -> Malformation:
    """Return why a payload is refused."""
    with pytest.raises(MalformedMessage) as refused:
        parse_payload(topic, payload)
    return refused.value.kind

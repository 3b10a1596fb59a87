"""From a topic and bytes to a message; only MalformedMessage can come out besides (protocol: all of it)."""

from collections.abc import Callable, Mapping
from enum import IntEnum
import re
from typing import cast

import orjson

from .errors import Malformation, MalformedMessage
from .models import (
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
    known_code,
)
from .topics import Direction, Exchange, OtaTopic, parse_topic

MAX_PAYLOAD = 1024 * 1024
"""Bytes of one message: 1,000 EMUs report in about 200 kB, so this is ample and still cheap to refuse."""

MAX_EMUS = 1000
"""EMUs of one EMS: with ten entities each, Home Assistant's limit of 10,000 per config entry."""

MAX_STRING = 255
"""Characters of any one string: Home Assistant keeps no longer state."""

MAX_URL = 2048
"""Characters of the link in somebody else's order: signed links are long, and it is not kept."""

_MAX_PROGRESS = 100
_REVISION_A_UPGRADE = "ota_upgrade"

# What the codes of `download_status` mean, by revision (protocol: "Revisions").
_DOWNLOAD_STATUS = {
    1: DownloadStatus.HANDED_OVER,
    2: DownloadStatus.DOWNLOAD_FAILED,
    3: DownloadStatus.MD5_MISMATCH,
    4: DownloadStatus.CLEAR_FOLDER_FAILED,
    5: DownloadStatus.UNPACK_FAILED,
    6: DownloadStatus.HAND_OVER_FAILED,
}
_DOWNLOAD_STATUS_REVISION_A = {
    1: DownloadStatus.HANDED_OVER,
    2: DownloadStatus.HAND_OVER_FAILED,
    3: DownloadStatus.DOWNLOAD_FAILED,
}

# The vendor's own samples end lists and objects with a comma. One pass over strings (kept whole), an opening
# bracket with a comma behind it (no trailing comma: kept, and refused later) and trailing commas (left out).
# Possessive, so that no payload makes it slower than linear.
_TRAILING_COMMA = re.compile(rb'("(?:[^"\\]|\\.)*+"?|[\[{][ \t\r\n]*+,)|,(?=[ \t\r\n]*+[\]}])', re.DOTALL)

# What JSON decodes to. Recursive by nature; the functions below take it apart by isinstance.
type _Json = bool | int | float | str | list[_Json] | dict[str, _Json] | None


def parse(topic: str, payload: bytes) -> Message | None:
    """Return the message of a payload, or None when the topic is none of the protocol's.

    Raises MalformedMessage, and nothing else, whatever the bytes are.
    """
    parts = parse_topic(topic)
    return None if parts is None else parse_payload(parts, payload)


def parse_payload(topic: OtaTopic, payload: bytes, before: VersionResult | None = None) -> Message:
    """Return the message that a payload on a topic of the protocol holds. Raises MalformedMessage.

    With the version result `before` it of the same EMS, a report that says the same is the same object, and so is the
    tuple of all reports where they all do.
    """
    body = _decode(payload)
    if before is not None and topic.exchange is Exchange.VERSION and topic.direction is Direction.RESULT:
        return _version_result(_envelope(body), body, before)
    return _READERS[topic.exchange, topic.direction](_envelope(body), body)


def _decode(payload: bytes) -> dict[str, _Json]:
    if len(payload) > MAX_PAYLOAD:
        raise MalformedMessage(Malformation.TOO_LARGE, f"{len(payload)} bytes")
    try:
        body = orjson.loads(payload)
    except ValueError:
        try:
            body = orjson.loads(_TRAILING_COMMA.sub(rb"\1", payload))
        except ValueError:
            raise MalformedMessage(Malformation.NOT_JSON, "no JSON") from None
    if not isinstance(body, dict):
        raise MalformedMessage(Malformation.NOT_AN_OBJECT, f"a {type(body).__name__} in place of an object")
    return cast("dict[str, _Json]", body)


def _envelope(body: Mapping[str, _Json]) -> Envelope:
    return Envelope(
        mid=_text(body.get("mid")),
        trace_id=_text(body.get("trace_id")),
        timestamp=_timestamp(body.get("timestamp")),
        reply=_text(body.get("reply")),
    )


def _text(value: _Json, longest: int = MAX_STRING) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= longest else None


def _timestamp(value: _Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _version_result(
    envelope: Envelope, body: Mapping[str, _Json], before: VersionResult | None = None
) -> VersionResult:
    data = body.get("data")
    if not isinstance(data, list):
        raise MalformedMessage(Malformation.BAD_DATA, "data is not a list")
    if len(data) > MAX_EMUS:
        raise MalformedMessage(Malformation.TOO_MANY_EMUS, f"{len(data)} EMUs")
    read: tuple[Report | None, ...]
    items = _encoded(data)
    if items and before is not None and items == before.items:
        read, reports = before.read, before.reports
    else:
        known = {} if before is None else dict(zip(before.items, before.read, strict=True))
        read = tuple(
            known[encoded] if encoded in known else _report_or_none(item)
            for item, encoded in zip(data, items or (None,) * len(data), strict=True)
        )
        reports = tuple(report for report in read if report is not None)
    malformed = len(data) - len(reports)
    return VersionResult(
        envelope=envelope, reports=reports, malformed=malformed, items=items, read=read if items else ()
    )


def _encoded(data: list[_Json]) -> tuple[bytes, ...]:
    """Return the items of a list as bytes, in which 1, 1.0 and True differ; nothing where one cannot be written."""
    try:
        return tuple(map(orjson.dumps, data))
    except TypeError:  # nested deeper than orjson writes
        return ()


def _report_or_none(value: _Json) -> Report | None:
    try:
        return _report(value)
    except MalformedMessage:
        return None


def _progress_result(envelope: Envelope, body: Mapping[str, _Json]) -> ProgressResult:
    return ProgressResult(envelope=envelope, report=_report(body.get("data")))


def _upgrade_result(envelope: Envelope, body: Mapping[str, _Json]) -> UpgradeResult:
    data = _object(body.get("data"))
    code = _required(data, "download_status")
    meanings = _DOWNLOAD_STATUS_REVISION_A if body.get("type") == _REVISION_A_UPGRADE else _DOWNLOAD_STATUS
    return UpgradeResult(envelope=envelope, device_id=_required(data, "device_id"), status=meanings.get(code, code))


def _version_command(envelope: Envelope, _: Mapping[str, _Json]) -> VersionCommand:
    return VersionCommand(envelope=envelope)


def _upgrade_command(envelope: Envelope, body: Mapping[str, _Json]) -> UpgradeCommand:
    data = _object(body.get("data"))
    url, md5 = _text(data.get("download_url"), MAX_URL), _text(data.get("md5_code"))
    if url is None or md5 is None:
        raise MalformedMessage(Malformation.BAD_DATA, "download_url or md5_code is no text")
    return UpgradeCommand(envelope=envelope, device_id=_sub_device_id(body), download_url=url, md5=md5)


def _progress_command(envelope: Envelope, body: Mapping[str, _Json]) -> ProgressCommand:
    return ProgressCommand(envelope=envelope, device_id=_sub_device_id(body))


def _sub_device_id(body: Mapping[str, _Json]) -> int:
    value = body.get("sub_device_id")
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):  # revision A
        return int(value)
    return _required(body, "sub_device_id")


def _object(value: _Json) -> Mapping[str, _Json]:
    if not isinstance(value, dict):
        raise MalformedMessage(Malformation.BAD_DATA, "data is not an object")
    return value


def _report(value: _Json) -> Report:
    data = _object(value)
    progress = _optional(data, "emu_upgrade_content")
    version = data.get("emu_product_sn")
    if version is not None and (not isinstance(version, str) or len(version) > MAX_STRING):
        raise MalformedMessage(Malformation.BAD_REPORT, "emu_product_sn is no text, or too long a one")
    return Report(
        device_id=_required(data, "device_id"),
        status=known_code(EmuStatus, _required(data, "status")),
        success=_optional(data, "emu_upgrade_success"),
        component=_optional_code(Component, data, "emu_upgrade_device"),
        stage=_optional_code(Stage, data, "emu_upgrade_status"),
        # Outside stage 3 the field means nothing, and devices fill it with what they like.
        progress=progress if progress is not None and 0 <= progress <= _MAX_PROGRESS else None,
        version=version or None,
    )


def _required(data: Mapping[str, _Json], key: str) -> int:
    value = _optional(data, key)
    if value is None:
        raise MalformedMessage(Malformation.BAD_REPORT, f"{key} is missing")
    return value


def _optional(data: Mapping[str, _Json], key: str) -> int | None:
    value = data.get(key)
    if type(value) is int:  # which bool is not
        return value
    if value is None or value == "":
        return None
    raise MalformedMessage(Malformation.BAD_REPORT, f"{key} is no integer")


def _optional_code[Code: IntEnum](codes: type[Code], data: Mapping[str, _Json], key: str) -> Code | int | None:
    value = _optional(data, key)
    return None if value is None else known_code(codes, value)


_READERS: Mapping[tuple[Exchange, Direction], Callable[[Envelope, Mapping[str, _Json]], Message]] = {
    (Exchange.VERSION, Direction.RESULT): _version_result,
    (Exchange.UPGRADE, Direction.RESULT): _upgrade_result,
    (Exchange.PROGRESS, Direction.RESULT): _progress_result,
    (Exchange.VERSION, Direction.COMMAND): _version_command,
    (Exchange.UPGRADE, Direction.COMMAND): _upgrade_command,
    (Exchange.PROGRESS, Direction.COMMAND): _progress_command,
}

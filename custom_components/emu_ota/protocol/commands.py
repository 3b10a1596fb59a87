"""From an intent to a topic and bytes, always revision B's (protocol: "Envelope", "Data")."""

from dataclasses import dataclass
import re

import orjson

from .errors import CommandError
from .topics import Direction, EmsAddress, Exchange

_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_URL = re.compile(r"https?://[^\s\ud800-\udfff]+", re.IGNORECASE)  # halves of surrogate pairs are no JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What makes one message different from every other; made by the caller, who has a clock and randomness."""

    mid: str
    """A UUID; an EMS that tells answers with it in `reply`."""
    trace_id: str
    timestamp: int
    """Milliseconds since 1970, above 0."""


@dataclass(frozen=True, slots=True)
class Command:
    """A message to an EMS, ready to be published with QoS 1 and never retained."""

    topic: str
    payload: bytes
    mid: str


def ask_versions(address: EmsAddress, stamp: Stamp) -> Command:
    """Ask an EMS for the reports of all its EMUs."""
    return _command(address, Exchange.VERSION, stamp)


def ask_progress(address: EmsAddress, stamp: Stamp, device_id: int) -> Command:
    """Ask an EMS how far the upgrade of one EMU is."""
    return _command(address, Exchange.PROGRESS, stamp, device_id)


def order_upgrade(address: EmsAddress, stamp: Stamp, device_id: int, download_url: str, md5: str) -> Command:
    """Order one EMU upgraded. Raises CommandError for a URL or an MD5 that no EMS could use."""
    if not is_md5(md5):
        msg = "an MD5 has 32 hexadecimal digits"
        raise CommandError(msg)
    if not is_download_url(download_url):
        msg = "an EMS downloads over http or https"
        raise CommandError(msg)
    data = {"download_url": download_url, "md5_code": md5}
    return _command(address, Exchange.UPGRADE, stamp, device_id, data)


def is_download_url(text: str) -> bool:
    """Tell whether a text is a URL that can be ordered: http or https, and without spaces."""
    return _URL.fullmatch(text) is not None


def is_md5(text: str) -> bool:
    """Tell whether a text is an MD5 as the protocol writes it: 32 hexadecimal digits."""
    return _MD5.fullmatch(text) is not None


def _command(
    address: EmsAddress,
    exchange: Exchange,
    stamp: Stamp,
    device_id: int | None = None,
    data: dict[str, str] | None = None,
) -> Command:
    body: dict[str, str | int | dict[str, str]] = {
        "trace_id": stamp.trace_id,
        "mid": stamp.mid,
        "type": exchange.value,
        "device_uid": address.uid,
    }
    if device_id is not None:
        body["sub_device_id"] = device_id
    body["timestamp"] = stamp.timestamp
    if data is not None:
        body["data"] = data
    return Command(address.topic(exchange, Direction.COMMAND), orjson.dumps(body), stamp.mid)

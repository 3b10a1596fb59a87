"""What we send: exactly the documented fields, in the samples' order, and the parser reads it back."""

from collections.abc import Callable
import json
from uuid import UUID

from hypothesis import given, strategies as st
import pytest

from custom_components.emu_ota.protocol.commands import (
    Command,
    Stamp,
    ask_progress,
    ask_versions,
    is_md5,
    order_upgrade,
)
from custom_components.emu_ota.protocol.errors import CommandError
from custom_components.emu_ota.protocol.models import (
    Envelope,
    Message,
    ProgressCommand,
    UpgradeCommand,
    VersionCommand,
)
from custom_components.emu_ota.protocol.parser import MAX_STRING, parse
from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange

from .wire import sample

ADDRESS = EmsAddress("v1/user/acme", "test")
STAMP = Stamp(
    mid="ee2e8f09-b280-4e4d-bcb9-1529b703cfed",
    trace_id="577f5df0-65d6-432d-8aac-06hjkgfg2",
    timestamp=1697789021000,
)
ENVELOPE = Envelope(mid=STAMP.mid, trace_id=STAMP.trace_id, timestamp=STAMP.timestamp)
MD5 = "50a2811e047dd49ace3801685eedb732"
URL = "http://example.com/ems_II"

COMMANDS: dict[Exchange, Callable[[], Command]] = {
    Exchange.VERSION: lambda: ask_versions(ADDRESS, STAMP),
    Exchange.PROGRESS: lambda: ask_progress(ADDRESS, STAMP, 2),
    Exchange.UPGRADE: lambda: order_upgrade(ADDRESS, STAMP, 2, URL, MD5),
}
READ_BACK: dict[Exchange, Message] = {
    Exchange.VERSION: VersionCommand(envelope=ENVELOPE),
    Exchange.PROGRESS: ProgressCommand(envelope=ENVELOPE, device_id=2),
    Exchange.UPGRADE: UpgradeCommand(envelope=ENVELOPE, device_id=2, download_url=URL, md5=MD5),
}


@pytest.mark.parametrize("exchange", Exchange)
def test_a_command_is_the_vendor_s_sample_but_for_its_trailing_commas(exchange: Exchange) -> None:
    """As lists of pairs, because the order counts too: devices are built from the samples."""
    vendors = sample(exchange, Direction.COMMAND).replace(b",\n}", b"\n}")

    ours = COMMANDS[exchange]().payload

    assert json.loads(ours, object_pairs_hook=list) == json.loads(vendors, object_pairs_hook=list)


@pytest.mark.parametrize("exchange", Exchange)
def test_a_command_is_read_back_by_the_parser(exchange: Exchange) -> None:
    command = COMMANDS[exchange]()

    assert command.topic == f"v1/user/acme/test/ota/{exchange}/command"
    assert command.mid == STAMP.mid
    assert parse(command.topic, command.payload) == READ_BACK[exchange]


@pytest.mark.parametrize(
    ("exchange", "fields"),
    [
        (Exchange.VERSION, ["trace_id", "mid", "type", "device_uid", "timestamp"]),
        (Exchange.PROGRESS, ["trace_id", "mid", "type", "device_uid", "sub_device_id", "timestamp"]),
        (Exchange.UPGRADE, ["trace_id", "mid", "type", "device_uid", "sub_device_id", "timestamp", "data"]),
    ],
)
def test_a_command_has_exactly_the_documented_fields(exchange: Exchange, fields: list[str]) -> None:
    body = json.loads(COMMANDS[exchange]().payload)

    assert list(body) == fields
    assert body["type"] == exchange.value
    assert body["device_uid"] == "test"
    assert exchange is not Exchange.UPGRADE or list(body["data"]) == ["download_url", "md5_code"]


@pytest.mark.parametrize(
    "md5",
    ["", MD5[:-1], MD5 + "0", MD5[:-1] + "g", f" {MD5}", f"{MD5}\n", "٣" * 32, "\uff11" * 32, "0x" + MD5[2:]],
    ids=ascii,
)
def test_what_is_no_md5_is_never_ordered(md5: str) -> None:
    assert not is_md5(md5)
    with pytest.raises(CommandError):
        order_upgrade(ADDRESS, STAMP, 2, URL, md5)


@pytest.mark.parametrize("md5", [MD5, MD5.upper(), "0" * 32])
def test_an_md5_is_ordered_as_it_is(md5: str) -> None:
    assert is_md5(md5)
    assert json.loads(order_upgrade(ADDRESS, STAMP, 2, URL, md5).payload)["data"]["md5_code"] == md5


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/p",
        "//example.com/p",
        "/p.tar.gz",
        "ftp://example.com/p",
        "file:///etc/passwd",
        "mqtt://example.com",
        "https:example.com",
        "http:/example.com",
        "http://",
        "https://",
        " http://example.com/p",
        "http://example.com/p\n",
        "http://example.com/my package",
        "javascript:http://example.com",
        "http://example.com/\ud800",
    ],
    ids=ascii,
)
def test_what_no_ems_can_download_from_is_never_ordered(url: str) -> None:
    with pytest.raises(CommandError):
        order_upgrade(ADDRESS, STAMP, 2, url, MD5)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://example.com:8443/p.tar.gz?token=1&x=%20#f",
        "HTTPS://EXAMPLE.COM/P",
        "http://[::1]/p",
        "http://example.com/größe",
    ],
)
def test_a_link_is_ordered_as_it_is(url: str) -> None:
    command = order_upgrade(ADDRESS, STAMP, 2, url, MD5)

    assert json.loads(command.payload)["data"]["download_url"] == url


uuids = st.uuids().map(str)
stamps = st.builds(Stamp, mid=uuids, trace_id=uuids, timestamp=st.integers(1, 2**63))
device_ids = st.integers(-(2**63), 2**64 - 1)
urls = st.builds(
    "{}{}".format,
    st.sampled_from(["http://", "https://"]),
    st.text(st.characters(exclude_categories=["Cs", "Z", "C"]), min_size=1, max_size=MAX_STRING - len("https://")),
)
md5s = st.text("0123456789abcdefABCDEF", min_size=32, max_size=32)


@given(stamps, device_ids, urls, md5s)
def test_whatever_is_commanded_is_read_back(stamp: Stamp, device_id: int, url: str, md5: str) -> None:
    envelope = Envelope(mid=stamp.mid, trace_id=stamp.trace_id, timestamp=stamp.timestamp)
    expected: list[tuple[Command, Message]] = [
        (ask_versions(ADDRESS, stamp), VersionCommand(envelope=envelope)),
        (ask_progress(ADDRESS, stamp, device_id), ProgressCommand(envelope=envelope, device_id=device_id)),
        (
            order_upgrade(ADDRESS, stamp, device_id, url, md5),
            UpgradeCommand(envelope=envelope, device_id=device_id, download_url=url, md5=md5),
        ),
    ]

    for command, message in expected:
        assert parse(command.topic, command.payload) == message
        assert UUID(command.mid)


@given(st.text(), st.text())
def test_no_link_and_no_md5_raises_anything_but_a_command_error(url: str, md5: str) -> None:
    for candidate in (url, f"http://{url}"):
        for digest in (md5, MD5):
            try:
                command = order_upgrade(ADDRESS, STAMP, 2, candidate, digest)
            except CommandError:
                continue
            assert json.loads(command.payload)["data"] == {"download_url": candidate, "md5_code": digest}

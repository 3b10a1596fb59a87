"""The files themselves, on a disk: cut, garbled, of other versions, and nothing left of an entry that is removed."""

from collections.abc import AsyncGenerator, Callable
import json
from pathlib import Path
from typing import Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest

from simulator.faults import Fault
from simulator.memory import MemoryBroker

from .looks import told
from .on_disk import WorldOnDisk
from .world import NEW, OLD, UID, World, async_make_world, simulated_ems

KINDS: Final = ("known", "upgrades", "history")
VERSION_1: Final = Path(__file__).parent / "stored_version_1"
"""What the first version of the layout wrote, byte by byte: a later one has to read it, or to migrate it."""

type Content = dict[str, object]


@pytest.fixture
def hass_storage() -> dict[str, object]:
    """Leave Home Assistant's storage as it is: what this stands for otherwise is kept in memory."""
    return {}


@pytest.fixture
async def world(hass: HomeAssistant, freezer: FrozenDateTimeFactory, broker: MemoryBroker) -> AsyncGenerator[World]:
    """Return a site whose Home Assistant really writes files."""
    world = await async_make_world(hass, freezer, broker, [simulated_ems()], kind=WorldOnDisk)
    yield world
    await world.site.stop()


def file(world: World, kind: str) -> Path:
    return Path(world.hass.config.path(".storage", f"emu_ota.{world.entry.entry_id}.{kind}"))


def names(world: World) -> list[str]:
    """Return the names of all our files."""
    return [path.name for path in Path(world.hass.config.path(".storage")).glob("*emu_ota*")]


def copies(world: World, kind: str) -> list[bytes]:
    """Return what was put aside of a file."""
    return [path.read_bytes() for path in file(world, kind).parent.glob(f"{file(world, kind).name}.*")]


async def busy_and_stopped(world: World) -> None:
    """Leave an upgrade that failed in the history, one under way, and the entry unloaded."""
    world.ems.faults.on(Fault.DOWNLOAD_FAILED, 3, times=1)
    await world.ended(await world.install(3))
    await world.install(2)
    await world.until(lambda: world.stage() == "transferring")
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)


async def back(world: World) -> None:
    """Load the entry again, and have its EMS answer."""
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.hass.async_block_till_done()
    await world.pass_time(3)


def as_envelope(change: Callable[[Content], object]) -> Callable[[bytes], bytes]:
    """Return what changes the envelope of a file."""

    def changed(content: bytes) -> bytes:
        envelope: Content = json.loads(content)
        change(envelope)
        return json.dumps(envelope).encode()

    return changed


NOT_JSON: Final = ("Could not parse JSON content", "Unrecoverable error decoding storage")
NOT_WRITTEN: Final = ("Saving file failed", "Error writing config")
NOT_OURS: Final = ("cannot be read; what was in it is lost",)

BROKEN = [
    pytest.param(lambda content: content[: len(content) // 2], NOT_JSON, id="truncated"),
    pytest.param(lambda _: b"", NOT_JSON, id="empty"),
    pytest.param(lambda _: bytes(range(256)) * 4, NOT_JSON, id="garbage"),
    pytest.param(lambda _: b"[]", NOT_OURS, id="a list"),
    pytest.param(lambda _: b"7", NOT_OURS, id="a number"),
    pytest.param(lambda _: b'{"data": {}}', NOT_OURS, id="no version"),
    pytest.param(as_envelope(lambda envelope: envelope.update(version="one")), NOT_OURS, id="a version of words"),
    pytest.param(as_envelope(lambda envelope: envelope.update(version=0)), NOT_OURS, id="a version that never was"),
    pytest.param(as_envelope(lambda envelope: envelope.update(version=2)), NOT_OURS, id="a newer version"),
    pytest.param(as_envelope(lambda envelope: envelope.update(data=[])), NOT_OURS, id="data of another kind"),
    pytest.param(as_envelope(lambda envelope: envelope.pop("data")), NOT_OURS, id="no data"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("broken", "logged"), BROKEN)
async def test_a_file_that_cannot_be_read_costs_what_was_in_it_and_is_kept_aside(
    world: World, expected_logs: list[str], kind: str, broken: Callable[[bytes], bytes], logged: tuple[str, ...]
) -> None:
    expected_logs.extend(logged)
    await busy_and_stopped(world)
    content = broken(file(world, kind).read_bytes())
    file(world, kind).write_bytes(content)
    await back(world)
    assert copies(world, kind) == [content]
    assert [each["reason"] for each in await world.history()] == ([] if kind == "history" else ["download_failed"])
    assert world.update().attributes["in_progress"] is True  # where it is forgotten, it is somebody else's
    await world.until(lambda: world.update().attributes["installed_version"] == NEW, step=10)
    assert len(world.orders()) == 2
    world.ems.emu(2).version = OLD
    await world.refresh()
    assert await world.ended(await world.install()) is None
    assert copies(world, kind) == [content]


def add_everywhere(value: object) -> None:
    """Add a field to every record that is anywhere in a value."""
    if isinstance(value, dict):
        for each in value.values():
            add_everywhere(each)
        if "systems" not in value and UID not in value:
            value["from_the_future"] = {"anything": [1]}
    elif isinstance(value, list):
        for each in value:
            add_everywhere(each)


async def test_what_a_newer_minor_version_added_is_left_out_and_the_rest_is_read(world: World) -> None:
    await busy_and_stopped(world)

    def newer(envelope: Content) -> None:
        envelope["minor_version"] = 7
        add_everywhere(envelope["data"])

    for kind in KINDS:
        file(world, kind).write_bytes(as_envelope(newer)(file(world, kind).read_bytes()))
    known = file(world, "known").read_bytes()
    assert known.count(b"from_the_future") >= 3
    await back(world)
    assert [copies(world, kind) for kind in KINDS] == [[], [], []]
    assert [each["reason"] for each in await world.history()] == ["download_failed"]
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=10)
    assert len(world.orders()) == 2


async def test_what_the_first_version_wrote_is_read(world: World) -> None:
    """An upgrade in its transfer goes on, what has ended is in the history, an EMU that is away is known."""
    entry_id = world.entry.entry_id
    assert await world.hass.config_entries.async_unload(entry_id)
    for kind in KINDS:
        file(world, kind).write_bytes((VERSION_1 / f"{kind}.json").read_bytes().replace(b"ENTRY", entry_id.encode()))
    world.site.systems[0].faults.on(Fault.NO_ANSWER)
    await back(world)
    assert world.update(9).attributes["installed_version"] == "emu-v0.9.0"
    assert world.state("sensor", "status", 9).state == "offline"
    assert world.update().attributes["in_progress"] is True
    newest, oldest = await world.history()
    assert newest == {
        "id": "5b7a6ab5f7b34b4a8a5b0a1f6f1f0b02",
        "entity_id": world.entity_id("update", "firmware", 9),
        "device_uid": UID,
        "device_id": 9,
        "from_version": "emu-v1.0.0",
        "to_version": "emu-v1.1.0",
        "version": "emu-v1.1.0",
        "md5": "0" * 32,
        "sha256": "a" * 64,
        "ordered_by": "user",
        "outcome": "succeeded",
        "reason": None,
        "queued": "2026-11-02T22:00:00+00:00",
        "ordered": "2026-11-02T22:00:05+00:00",
        "ended": "2026-11-02T22:06:40+00:00",
        "amended": None,
        "bytes_fetched": 1400,
        "phases": [
            {"phase": "queued", "since": "2026-11-02T22:00:00+00:00"},
            {"phase": "ordered", "since": "2026-11-02T22:00:05+00:00"},
            {"phase": "upgrading", "since": "2026-11-02T22:00:30+00:00"},
            {"phase": "restarting", "since": "2026-11-02T22:05:00+00:00"},
            {"phase": "ended", "since": "2026-11-02T22:06:40+00:00"},
        ],
    }
    assert (oldest["outcome"], oldest["reason"], oldest["ordered"]) == (
        "failed",
        "md5_mismatch",
        "2026-11-01T22:00:05+00:00",
    )
    world.site.systems[0].faults.off(Fault.NO_ANSWER)
    await world.until(lambda: world.last_upgrade()[0] not in {"unknown", "unavailable"}, step=10)
    assert world.orders() == []
    assert len(await world.history()) == 3


async def test_an_entry_that_is_removed_leaves_no_file(world: World, expected_logs: list[str]) -> None:
    expected_logs.extend((*NOT_JSON, *NOT_OURS))
    await busy_and_stopped(world)
    file(world, "history").write_bytes(b"{")
    file(world, "upgrades").write_bytes(b"[]")
    await back(world)
    assert {name.split(".")[2] for name in names(world)} == {"known", "upgrades", "history"}
    await world.hass.config_entries.async_remove(world.entry.entry_id)
    await world.pass_time(120, 10)
    await world.hass.async_block_till_done()
    assert names(world) == []


@pytest.mark.parametrize("kind", ["upgrades", "history"])
async def test_files_that_may_hold_secrets_are_for_their_owner_only(world: World, kind: str) -> None:
    await busy_and_stopped(world)
    assert file(world, kind).stat().st_mode & 0o777 == 0o600


async def test_no_order_goes_out_that_cannot_be_written_before(
    world: World, expected_logs: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    expected_logs.extend((*NOT_WRITTEN, "no order goes out"))
    file(world, "upgrades").unlink(missing_ok=True)
    file(world, "upgrades").mkdir()  # as a disk that is full does, this refuses the file
    await world.refresh()  # so that its turn comes at once, and not only when it is known that nothing can be written
    install = await world.install()
    await world.pass_time(600, 5)
    assert (world.orders(), world.stage()) == ([], "queued")
    assert world.events() == ["queued", "started", "queued"]
    assert len(told(caplog, "no order goes out")) == 1
    file(world, "upgrades").rmdir()
    assert await world.ended(install) is None
    assert len(world.orders()) == 1
    assert world.last_upgrade() == ("succeeded", None)


async def test_what_has_ended_is_kept_until_the_history_can_be_written(world: World, expected_logs: list[str]) -> None:
    expected_logs.extend(NOT_WRITTEN)
    file(world, "history").mkdir()
    world.ems.faults.on(Fault.DOWNLOAD_FAILED, times=1)
    await world.ended(await world.install())
    await world.pass_time(100, 5)
    crash = {kind: file(world, kind).read_bytes() for kind in ("known", "upgrades")}
    file(world, "history").rmdir()
    await world.pass_time(100, 5)
    assert b"download_failed" in file(world, "history").read_bytes()
    assert b"download_failed" not in file(world, "upgrades").read_bytes()
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    file(world, "history").unlink()
    for kind, content in crash.items():
        file(world, kind).write_bytes(content)
    await back(world)
    assert [each["reason"] for each in await world.history()] == ["download_failed"]

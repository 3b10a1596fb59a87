"""What is stored: corrupt files, the length of the history, and nothing left of an entry that is removed."""

from copy import deepcopy
from typing import cast

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CoreState
import pytest

from simulator.faults import Fault

from .conftest import MakeWorld
from .world import NEW, OTHER_UID, World, simulated_ems

type Storage = dict[str, dict[str, object]]

CANNOT_BE_READ = "cannot be read"


def key(world: World, kind: str) -> str:
    return f"emu_ota.{world.entry.entry_id}.{kind}"


def keys(world: World, storage: Storage) -> set[str]:
    return {each.rsplit(".", 1)[1] for each in storage if world.entry.entry_id in each}


async def reload_with(world: World, storage: Storage, kind: str, data: object) -> None:
    """Reload the entry as if that were what a file holds."""
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    storage[key(world, kind)]["data"] = data
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.pass_time(3)


async def filed(world: World) -> None:
    """Let what has ended come into the file of the history, which is written some time later."""
    await world.pass_time(40, 10)


async def succeeds(world: World) -> None:
    """Show that all works: an install goes its way."""
    assert await world.ended(await world.install()) is None
    assert world.last_upgrade() == ("succeeded", None)


@pytest.mark.parametrize(
    "data",
    [
        [],
        "text",
        7,
        {},
        {"systems": None},
        {"systems": []},
        {"systems": {"iYRkfVpi77": None}},
        {"systems": {"iYRkfVpi77": {"bit_field": False, "answering": True, "emus": [{"device_id": 2}]}}},
        {"systems": {"iYRkfVpi77": {"bit_field": False, "answering": True, "emus": 7}}},
    ],
)
async def test_what_was_known_is_asked_anew_where_it_cannot_be_read(
    world: World, hass_storage: Storage, expected_logs: list[str], data: object
) -> None:
    expected_logs.append(CANNOT_BE_READ)
    await reload_with(world, hass_storage, "known", data)
    assert world.update().state == "on"
    await succeeds(world)


NO_UPGRADES: list[object] = [
    [],
    "text",
    7,
    {},
    {"saved_at": 1.0},
    {"saved_at": 1.0, "upgrades": None},
    {"saved_at": 1.0, "upgrades": [None, 7, "text", [], {}, {"order": None}]},
]


@pytest.mark.parametrize("kind", ["upgrades", "history"])
@pytest.mark.parametrize("data", NO_UPGRADES)
async def test_upgrades_that_cannot_be_read_cost_no_start(
    world: World, hass_storage: Storage, expected_logs: list[str], kind: str, data: object
) -> None:
    expected_logs.append(CANNOT_BE_READ)
    world.ems.faults.on(Fault.DOWNLOAD_FAILED, 2, times=1)
    await world.ended(await world.install())
    await reload_with(world, hass_storage, kind, data)
    assert len(await world.history()) == (1 if kind == "upgrades" else 0)
    await succeeds(world)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phase", "unheard_of"),
        ("steps", []),
        ("steps", None),
        ("order", {}),
        ("outcome", "unheard_of"),
        ("reason", "unheard_of"),
        ("baseline", 7),
        ("since", "text"),
        ("since", -1.0),
        ("since", 1e300),
        ("uid", 7),
        ("device_id", "2"),
        ("device_id", True),
        ("named", None),
        ("from_version", 7),
        ("order", {"version": 7, "download_url": None, "md5": "0" * 32}),
        ("steps", [{"phase": "queued", "at": "text"}]),
        (
            "report",
            {"device_id": 2, "status": 1, "success": "1", "component": 3, "stage": 5, "progress": 1, "version": "a"},
        ),
        (
            "report",
            {"device_id": 2, "status": 1, "success": 1, "component": 3, "stage": 5, "progress": 1, "version": 7},
        ),
        ("fetched", {"requests": "1", "ranges": [], "addresses": []}),
        ("fetched", {"ranges": [7], "addresses": []}),
    ],
)
async def test_one_upgrade_that_cannot_be_read_costs_only_itself(
    world: World, hass_storage: Storage, expected_logs: list[str], field: str, value: object
) -> None:
    expected_logs.append(CANNOT_BE_READ)
    world.ems.faults.on(Fault.DOWNLOAD_FAILED, times=2)
    for device_id in (2, 3):
        await world.ended(await world.install(device_id))
    await filed(world)
    data = deepcopy(hass_storage[key(world, "history")]["data"])
    cast("dict[str, list[dict[str, object]]]", data)["upgrades"][0][field] = value
    await reload_with(world, hass_storage, "history", data)
    (left,) = await world.history()
    assert left["entity_id"] == world.entity_id("update", "firmware", 3)


async def test_the_history_keeps_the_newest_thousand(world: World, hass_storage: Storage) -> None:
    world.ems.faults.on(Fault.DOWNLOAD_FAILED, 2, times=1)
    await world.ended(await world.install())
    await filed(world)
    data = cast("dict[str, list[dict[str, object]]]", deepcopy(hass_storage[key(world, "history")]["data"]))
    (record,) = data["upgrades"]
    data["upgrades"] = [record | {"id": f"{number:04}"} for number in range(1000)]
    await reload_with(world, hass_storage, "history", data)
    await succeeds(world)
    history = await world.history()
    assert len(history) == 1000
    assert (history[0]["outcome"], history[0]["to_version"]) == ("succeeded", NEW)
    assert {each["id"] for each in history[1:]} == {f"{number:04}" for number in range(1, 1000)}
    await filed(world)
    stored = cast("dict[str, list[object]]", hass_storage[key(world, "history")]["data"])
    assert len(stored["upgrades"]) == 1000


@pytest.mark.parametrize("stage", ["idle", "ordered", "transferring"])
async def test_an_entry_that_is_removed_leaves_nothing(world: World, hass_storage: Storage, stage: str) -> None:
    await succeeds(world)
    await filed(world)
    assert {"known", "upgrades", "history"} <= keys(world, hass_storage)
    if stage != "idle":
        await world.install(3)
        await world.until(lambda: world.stage(3) == stage, step=1)
    await world.hass.config_entries.async_remove(world.entry.entry_id)
    asks = world.asks()
    await world.pass_time(120, 10)
    assert keys(world, hass_storage) == set()
    assert world.asks() == asks
    assert world.hass.states.async_entity_ids("update") == []


async def test_an_upgrade_is_written_before_its_order_goes_out(world: World, hass_storage: Storage) -> None:
    """Whoever hears the order finds the upgrade in storage."""
    found: list[object] = []
    publish = world.broker.publish

    def heard(topic: str, payload: bytes, *, retained: bool = False) -> None:
        if topic.endswith("/ota/emu_upgrade/command"):
            found.append(deepcopy(hass_storage[key(world, "upgrades")]["data"]))
        publish(topic, payload, retained=retained)

    world.broker.publish = heard  # type: ignore[method-assign]  # the broker's: what is stored at this moment
    await succeeds(world)
    ((stored,),) = [cast("dict[str, list[dict[str, object]]]", each)["upgrades"] for each in found]
    assert stored["phase"] == "ordered"
    assert stored["mid"] is not None


async def test_the_history_is_written_once_for_endings_that_come_together(world: World, hass_storage: Storage) -> None:
    """It is long: what has ended stands in the short file of what is under way until then."""
    await succeeds(world)
    await filed(world)
    world.ems.faults.on(Fault.DOWNLOAD_FAILED)
    written: list[dict[str, object]] = [hass_storage[key(world, "history")]]
    for device_id in (2, 3, 2):
        await world.ended(await world.install(device_id, version=NEW), step=1)
        if hass_storage[key(world, "history")] is not written[-1]:
            written.append(hass_storage[key(world, "history")])
    await filed(world)
    if hass_storage[key(world, "history")] is not written[-1]:
        written.append(hass_storage[key(world, "history")])
    lengths = [len(cast("dict[str, list[object]]", each["data"])["upgrades"]) for each in written]
    assert (lengths[0], lengths[-1], len(lengths)) == (1, 4, 2)
    assert cast("dict[str, list[object]]", hass_storage[key(world, "upgrades")]["data"])["upgrades"] == []


@pytest.mark.parametrize("seconds", [0, 15, 29, 31, 60])
async def test_a_crash_loses_nothing_that_has_ended(world: World, hass_storage: Storage, seconds: float) -> None:
    world.ems.faults.on(Fault.DOWNLOAD_FAILED)
    for device_id in (2, 3):
        await world.ended(await world.install(device_id), step=1)
    await world.pass_time(seconds)
    before = await world.history()
    found = deepcopy({name: content for name, content in hass_storage.items() if world.entry.entry_id in name})
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    for name in [name for name in hass_storage if world.entry.entry_id in name]:
        del hass_storage[name]
    hass_storage.update(found)
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.pass_time(3)
    assert await world.history() == before
    assert [each["reason"] for each in before] == ["download_failed"] * 2


async def test_what_ended_just_before_a_stop_stands_in_both_files(
    world: World, hass_storage: Storage, expected_logs: list[str]
) -> None:
    """Home Assistant writes all files at its very end, in an order of its own; a power cut may come in between."""
    expected_logs.append("Unable to remove unknown job listener")  # of an unload after the stop: only tests do that
    world.ems.faults.on(Fault.DOWNLOAD_FAILED, 2, times=1)
    await world.ended(await world.install(), step=1)
    (ended,) = await world.history()
    world.hass.set_state(CoreState.stopping)
    for event in (EVENT_HOMEASSISTANT_STOP, EVENT_HOMEASSISTANT_FINAL_WRITE):
        world.hass.bus.async_fire(event)
        await world.settle()
    world.hass.set_state(CoreState.running)
    for kind in ("upgrades", "history"):
        stored = cast("dict[str, list[dict[str, object]]]", hass_storage[key(world, kind)]["data"])["upgrades"]
        assert [each["id"] for each in stored] == [ended["id"]], kind
    await world.reload()
    assert await world.history() == [ended]
    await succeeds(world)
    await filed(world)
    assert [each["outcome"] for each in await world.history()] == ["succeeded", "failed"]
    assert cast("dict[str, list[object]]", hass_storage[key(world, "upgrades")]["data"])["upgrades"] == []


async def test_what_a_crash_left_unfiled_is_filed_by_a_start_that_finds_no_broker(
    world: World, hass_storage: Storage
) -> None:
    """And not some time later: by then the next start has other things under way, which must stay written."""
    world.ems.faults.on(Fault.DOWNLOAD_FAILED, 2, times=1)
    await world.ended(await world.install(), step=1)
    found = deepcopy({name: content for name, content in hass_storage.items() if world.entry.entry_id in name})
    assert key(world, "history") not in found
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    del hass_storage[key(world, "history")]
    hass_storage.update(found)
    world.broker.connected = False
    assert not await world.hass.config_entries.async_setup(world.entry.entry_id)
    world.broker.connected = True
    await world.until(lambda: world.entry.state is ConfigEntryState.LOADED, 60)
    install = await world.install(3)
    for _ in range(60):
        await world.tick(1)
        under_way = cast("dict[str, list[dict[str, object]]]", hass_storage[key(world, "upgrades")]["data"])
        assert [each["outcome"] for each in under_way["upgrades"]] == [None]
    assert await world.ended(install) is None
    await filed(world)
    stored = cast("dict[str, list[dict[str, object]]]", hass_storage[key(world, "history")]["data"])["upgrades"]
    assert [each["reason"] for each in stored] == ["download_failed", None]


async def test_a_start_that_finds_no_broker_ends_no_upgrade_of_an_ems_that_is_gone(
    make_world: MakeWorld, hass_storage: Storage
) -> None:
    """The start that comes up does: what the first one did later would be written over what is under way by then."""
    world = await make_world([simulated_ems(), simulated_ems(OTHER_UID)])
    await world.install(2, uid=OTHER_UID)
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    await world.remove(OTHER_UID)
    world.broker.connected = False
    assert not await world.hass.config_entries.async_setup(world.entry.entry_id)
    world.broker.connected = True
    await world.until(lambda: world.entry.state is ConfigEntryState.LOADED, 60)
    await world.pass_time(3)
    (ended,) = await world.history()
    assert (ended["outcome"], ended["reason"]) == ("cancelled", "ems_removed")
    install = await world.install(3)
    for _ in range(60):
        await world.tick(1)
        under_way = cast("dict[str, list[dict[str, object]]]", hass_storage[key(world, "upgrades")]["data"])["upgrades"]
        assert 3 in [each["device_id"] for each in under_way]
    assert await world.ended(install) is None

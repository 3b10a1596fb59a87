"""EMSs, firmware and options come, change and go in place: no reload, and no upgrade disturbed."""

import asyncio

import pytest

from custom_components.emu_ota.protocol.topics import Exchange
from simulator.faults import Fault
from simulator.memory import MemoryBroker

from .by_hand import HandEms, Writes, message, report
from .conftest import MakeWorld
from .looks import connection, device, find_device, shown
from .world import (
    NEW,
    OLD,
    OTHER_UID,
    PREFIX,
    UID,
    World,
    config_subentry,
    ems_subentry,
    firmware_subentry,
    simulated_ems,
)


@pytest.fixture
async def pair(make_world: MakeWorld) -> World:
    """Return a site with two EMSs, of which the entry knows one."""
    return await make_world([simulated_ems(), simulated_ems(OTHER_UID)], [ems_subentry(), firmware_subentry()])


async def test_an_ems_that_is_added_is_there_without_a_reload(pair: World) -> None:
    runtime = pair.entry.runtime_data
    await pair.add(ems_subentry(OTHER_UID, "Attic"))
    await pair.pass_time(2)
    assert pair.entry.runtime_data is runtime
    assert connection(pair, OTHER_UID) == "on"
    assert pair.update(2, OTHER_UID).attributes["latest_version"] == NEW
    assert device(pair, 2, OTHER_UID).name == "Attic EMU 2"
    subentry_id = pair.subentry(OTHER_UID).subentry_id
    assert device(pair, None, OTHER_UID).config_subentry_id == subentry_id
    assert device(pair, 2, OTHER_UID).config_subentry_id == subentry_id
    assert pair.asks(OTHER_UID) == 1
    assert pair.asks() == 1


async def test_several_emss_can_be_added_at_once(make_world: MakeWorld) -> None:
    uids = [f"ems{number}" for number in range(4)]
    world = await make_world([simulated_ems(uid) for uid in uids], [firmware_subentry()])
    await world.add(*map(ems_subentry, uids))
    await world.pass_time(2)
    for uid in uids:
        assert connection(world, uid) == "on"
        assert world.update(3, uid).state == "on"
        assert world.asks(uid) == 1


async def test_an_ems_that_is_removed_at_once_again_leaves_nothing(make_world: MakeWorld) -> None:
    uids = [f"ems{number}" for number in range(3)]
    world = await make_world([simulated_ems(uid) for uid in uids], [firmware_subentry()])
    entries = world.hass.config_entries
    for uid in uids:
        entries.async_add_subentry(world.entry, config_subentry(ems_subentry(uid)))
    for uid in uids:
        entries.async_remove_subentry(world.entry, world.subentry(uid).subentry_id)
    await world.pass_time(2)
    for uid in uids:
        await HandEms(world, uid).versions(report(9))
    assert not world.entry.runtime_data.systems
    assert [state.entity_id for state in world.hass.states.async_all()] == []


async def test_an_ems_that_is_removed_before_its_turn_to_be_added_comes_is_left_out(make_world: MakeWorld) -> None:
    uids = [f"ems{number}" for number in range(3)]
    world = await make_world([simulated_ems(uid) for uid in uids], [firmware_subentry()])
    for uid in uids:
        world.hass.config_entries.async_add_subentry(world.entry, config_subentry(ems_subentry(uid)))
    systems = world.entry.runtime_data.systems
    while uids[1] not in systems:  # noqa: ASYNC110 - one link of the chain after the other is what is tested
        await asyncio.sleep(0)
    assert uids[2] not in systems
    await world.remove(uids[2])
    await world.pass_time(2)
    assert list(systems) == uids[:2]
    assert connection(world, uids[1]) == "on"


async def test_a_report_of_an_ems_that_is_just_being_removed_does_no_harm(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report())
    world.hass.config_entries.async_add_subentry(world.entry, config_subentry(ems_subentry(OTHER_UID)))
    world.hass.config_entries.async_remove_subentry(world.entry, world.subentry(UID).subentry_id)
    assert UID in world.entry.runtime_data.systems  # its turn has not come yet
    await hand.versions(report(version=NEW))
    assert list(world.entry.runtime_data.systems) == [OTHER_UID]
    assert find_device(world) is None


async def test_what_was_retained_of_a_new_ems_shows_once(hand: HandEms, broker: MemoryBroker) -> None:
    topic = f"{PREFIX}/{OTHER_UID}/ota/emu_version/result"
    broker.retained[topic] = message(Exchange.VERSION, [report(), report(3)], uid=OTHER_UID)
    await hand.world.add(ems_subentry(OTHER_UID))
    assert hand.world.update(3, OTHER_UID).attributes["installed_version"] == OLD
    assert connection(hand.world, OTHER_UID) == "off"


async def test_a_new_name_shows_on_all_devices_at_once(pair: World) -> None:
    runtime = pair.entry.runtime_data
    pair.hass.config_entries.async_update_subentry(pair.entry, pair.subentry(UID), title="Cellar")
    await pair.settle()
    assert pair.entry.runtime_data is runtime
    assert device(pair, None).name == "Cellar"
    assert device(pair, 2).name == "Cellar EMU 2"
    assert pair.update().name == "Cellar EMU 2 Firmware"
    await HandEms(pair).progress(report(9))
    assert device(pair, 9).name == "Cellar EMU 9"


async def test_removing_an_ems_removes_all_of_it_and_nothing_else(pair: World) -> None:
    await pair.add(ems_subentry(OTHER_UID))
    await pair.pass_time(2)
    runtime, asked = pair.entry.runtime_data, pair.asks(OTHER_UID)
    await pair.remove(OTHER_UID)
    assert pair.entry.runtime_data is runtime
    assert find_device(pair, None, OTHER_UID) is None
    assert find_device(pair, 2, OTHER_UID) is None
    assert not [state for state in pair.hass.states.async_all() if OTHER_UID.lower() in state.entity_id]
    await HandEms(pair, OTHER_UID).versions(report(version=NEW), report(9))
    await pair.pass_time(1800, 10)
    assert pair.asks(OTHER_UID) == asked
    assert connection(pair) == "on"
    await pair.reload()
    assert find_device(pair, None, OTHER_UID) is None


async def test_an_ems_that_comes_back_starts_afresh(pair: World) -> None:
    await pair.remove(UID)
    await pair.add(ems_subentry(UID))
    await pair.pass_time(2)
    assert connection(pair) == "on"
    assert pair.update().state == "on"


async def test_other_upgrades_go_on_while_emss_come_and_go(pair: World) -> None:
    install = await pair.install()
    await pair.until(lambda: shown(pair, "upgrade_stage") == "transferring")
    await pair.add(ems_subentry(OTHER_UID))
    await pair.pass_time(5)
    pair.hass.config_entries.async_update_subentry(pair.entry, pair.subentry(UID), title="Cellar")
    await pair.add(firmware_subentry("emu-v1.3.0"))
    await pair.remove(OTHER_UID)
    await pair.remove(f"firmware:{NEW}")
    assert shown(pair, "upgrade_stage") == "transferring"
    await pair.until(install.done)
    await install
    assert pair.last_upgrade() == ("succeeded", None)
    assert len(pair.orders()) == 1


async def test_firmware_that_is_added_is_offered_at_once_to_those_it_fits(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report(), report(3, version="pcs-v1.0.0"), report(4, version="emu-v2.0.0"))
    runtime, writes = world.entry.runtime_data, Writes(world)
    await world.add(firmware_subentry("emu-v1.3.0"))
    assert world.entry.runtime_data is runtime
    assert world.update().attributes["latest_version"] == "emu-v1.3.0"
    assert writes.take() == [world.entity_id("update", "firmware")]
    await world.remove("firmware:emu-v1.3.0")
    assert world.update().attributes["latest_version"] == NEW
    await world.remove(f"firmware:{NEW}")
    assert world.update().attributes["latest_version"] == OLD
    assert world.update().state == "off"


async def test_firmware_that_is_changed_is_ordered_as_it_is_now(pair: World) -> None:
    subentry = pair.subentry(f"firmware:{NEW}")
    data = {**subentry.data, "release_url": "https://example.com/now", "md5": "0" * 32}
    pair.hass.config_entries.async_update_subentry(pair.entry, subentry, data=data)
    await pair.settle()
    assert pair.update().attributes["release_url"] == "https://example.com/now"
    install = await pair.install()
    assert b'"md5_code":"' + b"0" * 32 in pair.orders()[0]
    await pair.until(install.done)
    assert install.exception()
    assert pair.last_upgrade() == ("failed", "md5_mismatch")


async def test_an_upgrade_installs_what_was_known_when_it_was_asked_for(pair: World) -> None:
    """Whoever pressed *Install* meant what they saw."""
    first = await pair.install(2)
    second = await pair.install(3)
    await pair.remove(f"firmware:{NEW}")
    await pair.until(lambda: first.done() and second.done())
    await first
    await second
    assert pair.update(3).attributes["installed_version"] == NEW


async def test_options_are_taken_over_in_place(make_world: MakeWorld) -> None:
    world = await make_world([simulated_ems(), simulated_ems(OTHER_UID)], options={"max_parallel": 1})
    runtime = world.entry.runtime_data
    first = await world.install(uid=UID)
    second = await world.install(uid=OTHER_UID)
    await world.pass_time(60, 5)
    assert world.stage(uid=OTHER_UID) == "queued"
    world.hass.config_entries.async_update_entry(world.entry, options={"max_parallel": 2})
    await world.pass_time(35)
    assert world.entry.runtime_data is runtime
    assert world.stage(uid=OTHER_UID) != "queued"
    await world.until(lambda: first.done() and second.done())
    await first
    await second


async def test_a_shorter_wait_in_the_queue_holds_at_once(world: World) -> None:
    world.ems.faults.on(Fault.EMU_OFFLINE, emu=3)
    await HandEms(world).progress(report(3, 2, success=None, device=None, stage=None, content=None, version=""))
    install = await world.install(3)
    await world.pass_time(120, 10)
    assert world.stage(3) == "queued"
    world.hass.config_entries.async_update_entry(world.entry, options={"queue_timeout": 1})
    await world.pass_time(40)
    assert world.last_upgrade(3) == ("failed", "emu_offline")
    assert install.exception()

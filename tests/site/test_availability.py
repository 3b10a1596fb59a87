"""When entities are there, and when EMUs and their devices come and go."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from simulator.faults import Fault

from .by_hand import HandEms, offline, report
from .conftest import MakeWorld
from .looks import connection, device, fall_silent, find_device, shown, told
from .world import NEW, OLD, OTHER_UID, UID, World, simulated_ems

LASTING = [("update", "firmware"), ("event", "upgrade"), ("sensor", "last_upgrade")]
FOLLOWING = [("sensor", key) for key in ("status", "upgrade_stage", "upgrade_component", "reported_result")]


async def test_without_its_ems_the_figures_are_unavailable_and_what_actions_need_stays(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report())
    await fall_silent(world)
    for platform, key in FOLLOWING:
        assert world.state(platform, key).state == "unavailable", key
    assert world.state("button", "refresh", None).state == "unavailable"
    for platform, key in LASTING:
        assert world.state(platform, key).state != "unavailable", key
    assert world.update().state == "on"
    await hand.versions(report())
    for platform, key in FOLLOWING:
        assert world.state(platform, key).state != "unavailable", key
    assert world.state("button", "refresh", None).state != "unavailable"


async def test_an_emu_that_is_offline_keeps_all_its_entities(hand: HandEms) -> None:
    await hand.versions(report())
    await hand.versions(offline())
    for platform, key in (*FOLLOWING, *LASTING):
        assert hand.world.state(platform, key).state != "unavailable", key


async def test_an_emu_whose_version_was_never_told_waits_for_it(hand: HandEms) -> None:
    await hand.versions(offline())
    for platform, key in LASTING:
        assert hand.world.state(platform, key).state == "unavailable", key
    await hand.versions(report())
    for platform, key in LASTING:
        assert hand.world.state(platform, key).state != "unavailable", key
    assert device(hand.world).sw_version == OLD


async def test_the_connection_is_never_unavailable(hand: HandEms) -> None:
    assert connection(hand.world) == "off"
    await hand.versions(report())
    assert connection(hand.world) == "on"
    hand.world.broker.connected = False
    await hand.world.settle()
    assert connection(hand.world) == "off"


@pytest.mark.parametrize("exchange", ["versions", "progress"])
async def test_an_emu_appears_by_itself(hand: HandEms, exchange: str) -> None:
    world = hand.world
    await hand.versions(report())
    runtime = world.entry.runtime_data
    assert find_device(world, 3) is None
    if exchange == "versions":
        await hand.versions(report(), report(3))
    else:
        await hand.progress(report(3))
    assert world.update(3).state == "on"
    assert device(world, 3).via_device_id == device(world, None).id
    assert world.entry.runtime_data is runtime


async def test_what_is_known_survives_a_restart_while_the_ems_is_silent(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report(), report(3, version="emu-v1.1.0"), offline(4))
    await world.reload()
    assert world.update(3).attributes["installed_version"] == "emu-v1.1.0"
    assert shown(world, "status", 4) == "offline"
    assert connection(world) == "on"
    await fall_silent(world)
    assert shown(world, "status", 4) == "unavailable"
    await world.reload()
    assert connection(world) == "off"
    assert shown(world, "status", 4) == "unavailable"
    assert world.update(3).attributes["installed_version"] == "emu-v1.1.0"
    assert world.update(3).attributes["latest_version"] == NEW


async def test_an_emu_that_a_list_no_longer_names_keeps_its_state(hand: HandEms) -> None:
    await hand.versions(report(), report(3))
    await hand.versions(report())
    assert hand.world.update(3).attributes["installed_version"] == OLD
    assert shown(hand.world, "status", 3) == "running"
    await hand.world.reload()
    assert hand.world.update(3).attributes["installed_version"] == OLD


async def test_the_software_version_of_the_device_follows(hand: HandEms) -> None:
    await hand.versions(report())
    assert device(hand.world).sw_version == OLD
    await hand.versions(report(version=NEW))
    assert device(hand.world).sw_version == NEW
    await hand.versions(offline())
    assert device(hand.world).sw_version == NEW


async def test_the_software_version_follows_also_where_the_update_entity_is_disabled(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report())
    er.async_get(world.hass).async_update_entity(
        world.entity_id("update", "firmware"), disabled_by=er.RegistryEntryDisabler.USER
    )
    await world.reload()
    await hand.versions(report(version=NEW))
    assert device(world).sw_version == NEW


async def test_unloading_makes_everything_unavailable(hass: HomeAssistant, hand: HandEms) -> None:
    await hand.versions(report())
    assert await hass.config_entries.async_unload(hand.world.entry.entry_id)
    assert {state.state for state in hass.states.async_all()} == {"unavailable"}


# Deleting the device of an EMU


async def delete(world: World, device_id: int | None, hass_ws_client: WebSocketGenerator) -> bool:
    """Press *Delete* on a device; tell whether it was allowed."""
    assert await async_setup_component(world.hass, "config", {})
    client = await hass_ws_client(world.hass)
    await client.send_json_auto_id({"type": "config/device_registry/remove", "device_id": device(world, device_id).id})
    answer = await client.receive_json()
    await world.settle()
    return bool(answer["success"])


async def delete_unnamed(hand: HandEms, device_id: int, hass_ws_client: WebSocketGenerator) -> None:
    """Have an EMU reported besides EMU 2, then no longer named, and its device deleted."""
    await hand.versions(report(), report(device_id))
    await hand.versions(report())
    assert await delete(hand.world, device_id, hass_ws_client)


async def test_the_device_of_an_emu_that_is_no_longer_named_can_be_deleted(
    hand: HandEms, hass_ws_client: WebSocketGenerator
) -> None:
    world = hand.world
    await delete_unnamed(hand, 3, hass_ws_client)
    assert find_device(world, 3) is None
    assert not [state for state in world.hass.states.async_all() if "emu_3" in state.entity_id]
    await fall_silent(world)
    await world.reload()
    assert find_device(world, 3) is None
    await hand.versions(report(), report(3))
    assert world.update(3).attributes["installed_version"] == OLD


async def test_an_emu_that_is_named_again_after_its_device_was_deleted_is_followed_anew(
    hand: HandEms, hass_ws_client: WebSocketGenerator
) -> None:
    world = hand.world
    await delete_unnamed(hand, 3, hass_ws_client)
    for version in (NEW, OLD):
        await hand.versions(report(), report(3, version=version))
        assert world.update(3).attributes["installed_version"] == version
        assert device(world, 3).sw_version == version


async def test_the_device_of_an_emu_that_is_named_stays(hand: HandEms, hass_ws_client: WebSocketGenerator) -> None:
    await hand.versions(report(), report(3))
    assert not await delete(hand.world, 3, hass_ws_client)
    assert find_device(hand.world, 3) is not None


async def test_before_the_first_list_nobody_knows_who_is_missing(
    hand: HandEms, hass_ws_client: WebSocketGenerator
) -> None:
    await hand.versions(report(), report(3))
    await hand.world.reload()
    assert not await delete(hand.world, 3, hass_ws_client)


async def test_the_device_of_an_emu_that_is_being_upgraded_stays(
    hand: HandEms, hass_ws_client: WebSocketGenerator
) -> None:
    await hand.versions(report(), report(3))
    install = await hand.world.install(3)
    await hand.versions(report())
    assert not await delete(hand.world, 3, hass_ws_client)
    install.cancel()


async def test_the_device_of_an_ems_goes_only_with_its_subentry(
    hand: HandEms, hass_ws_client: WebSocketGenerator
) -> None:
    await hand.versions(report())
    assert not await delete(hand.world, None, hass_ws_client)


async def test_a_device_of_an_entry_that_is_not_loaded_stays(
    hass: HomeAssistant, hand: HandEms, hass_ws_client: WebSocketGenerator
) -> None:
    await hand.versions(report())
    assert await hass.config_entries.async_unload(hand.world.entry.entry_id)
    assert not await delete(hand.world, 2, hass_ws_client)


# The broker


async def test_a_broken_connection_shows_on_every_ems_and_heals_by_itself(
    make_world: MakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world = await make_world([simulated_ems(), simulated_ems(OTHER_UID)])
    caplog.clear()
    for _ in range(2):
        world.broker.connected = False
        await world.pass_time(7200, 60)
        for uid in (UID, OTHER_UID):
            assert connection(world, uid) == "off"
            assert world.state("sensor", "status", uid=uid).state == "unavailable"
            assert world.update(uid=uid).state == "on"
        world.broker.connected = True
        await world.tick(3)
        for uid in (UID, OTHER_UID):
            assert connection(world, uid) == "on"
            assert world.state("sensor", "status", uid=uid).state == "running"
    # It is the broker that was away, and no EMS that has stopped answering.
    assert told(caplog, UID) == told(caplog, OTHER_UID) == []


async def test_an_ems_that_stops_answering_and_comes_back_is_one_line_each(
    make_world: MakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world = await make_world([simulated_ems(), simulated_ems(OTHER_UID)])
    await world.install()
    caplog.clear()
    world.ems.faults.on(Fault.NO_ANSWER)
    await world.pass_time(6 * 3600, 30)
    assert told(caplog, "") == [f"EMS {UID} has stopped answering"]
    world.ems.faults.off(Fault.NO_ANSWER)
    await world.pass_time(6 * 3600, 30)
    assert told(caplog, "") == [f"EMS {UID} has stopped answering", f"EMS {UID} answers"]


async def test_an_ems_that_was_silent_before_an_outage_of_the_broker_is_no_news_after_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.ems.faults.on(Fault.NO_ANSWER)
    await world.pass_time(3600, 30)
    caplog.clear()
    world.broker.connected = False
    await world.pass_time(3600, 30)
    world.broker.connected = True
    await world.pass_time(3600, 30)
    assert told(caplog, "") == []
    assert connection(world) == "off"

"""The blueprint *staged upgrade*, on a simulated site."""

import pytest

from simulator.faults import Fault
from simulator.package import build_package

from .blueprint_run import STAGED, BlueprintRun, firmware, reload, three_emus, use_blueprint
from .conftest import MakeWorld
from .looks import shown
from .world import NEW, UID, World, firmware_subentry

NEWEST, NEWEST_URL = "emu-v1.3.0", "http://127.0.0.1/emu-v1.3.0.tar.gz"
ERROR = "Error executing script"


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Return a configuration folder of the test's own, for the blueprint."""
    return hass_tmp_config_dir


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    """Return a site with the EMUs 2, 3 and 5, all online."""
    return await make_world(three_emus())


async def staged(world: World, canary: int = 2, others: tuple[int, ...] = (3, 5), hours: int = 2) -> BlueprintRun:
    """Use the blueprint, and run the script."""
    given = {
        "canary": firmware(world, canary)[0],
        "others": firmware(world, *others),
        "waiting_time": {"hours": hours},
    }
    run = await use_blueprint(world, "script", STAGED, given)
    await start(world, run)
    return run


async def start(world: World, run: BlueprintRun) -> None:
    """Run the script."""
    await world.hass.services.async_call("script", "turn_on", {"entity_id": run.entity_id}, blocking=True)
    await world.settle()


async def canary_done(world: World) -> None:
    """Let time go by until the canary is upgraded and watched."""
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=5)


def names(*device_ids: int) -> list[str]:
    """Return what the EMUs are called."""
    return [f"{UID} EMU {device_id}" for device_id in device_ids]


async def test_the_others_follow_when_the_canary_has_kept_running(world: World) -> None:
    run = await staged(world)
    await canary_done(world)
    await world.pass_time(2 * 3600 - 60, 30)
    assert world.ordered() == [2]
    await world.until(lambda: world.ordered() == [2, 3], 120, step=5)
    assert world.events(5) == []
    await run.ended()
    assert world.ordered() == [2, 3, 5]
    assert run.finishes == [names(2, 3, 5)]
    assert run.failures == []
    assert {world.update(device_id).attributes["installed_version"] for device_id in (2, 3, 5)} == {NEW}


@pytest.mark.parametrize(("fault", "told"), [(Fault.EMU_OFFLINE, "Offline"), (Fault.EMU_FAULT, "Fault")])
async def test_a_canary_that_does_not_keep_running_is_the_last(world: World, fault: Fault, told: str) -> None:
    run = await staged(world)
    await canary_done(world)
    await world.pass_time(600, 10)
    world.ems.faults.on(fault, 2, times=2)
    await world.refresh()
    assert shown(world, "status") == told.lower()
    await run.ended()
    assert run.failures == [(names(2)[0], NEW, "not_running", told, names(2))]
    await world.pass_time(3 * 3600, 60)
    assert world.ordered() == [2]
    assert run.finishes == []


async def test_a_canary_that_cannot_be_seen_at_the_end_is_the_last(world: World) -> None:
    run = await staged(world)
    await canary_done(world)
    world.ems.faults.on(Fault.NO_ANSWER, times=None)
    await run.ended(step=60)
    assert [failure[2] for failure in run.failures] == ["not_running"]
    assert world.ordered() == [2]


async def test_an_ems_that_is_away_for_a_moment_is_not_held_against_the_canary(world: World) -> None:
    run = await staged(world)
    await canary_done(world)
    world.ems.faults.on(Fault.NO_ANSWER, times=3)
    await world.until(lambda: shown(world, "status") == "unavailable", step=30)
    await run.ended(step=30)
    assert run.finishes == [names(2, 3, 5)]


async def test_a_canary_that_is_not_upgraded_is_the_last(world: World, expected_logs: list[str]) -> None:
    expected_logs.append(ERROR)
    world.ems.faults.on(Fault.MD5_MISMATCH, 2)
    run = await staged(world)
    await run.ended()
    assert run.failures == [(names(2)[0], NEW, "failed", "MD5 does not match", [])]
    assert world.ordered() == [2]


async def test_the_first_that_fails_after_the_canary_is_the_last(world: World, expected_logs: list[str]) -> None:
    expected_logs.append(ERROR)
    world.ems.faults.on(Fault.UNPACK_FAILED, 3)
    run = await staged(world, hours=1)
    await run.ended()
    assert run.failures == [(names(3)[0], NEW, "failed", "Package could not be unpacked", names(2))]
    assert world.ordered() == [2, 3]
    assert run.finishes == []


async def test_one_whose_upgrade_is_refused_is_a_failure_too(world: World, expected_logs: list[str]) -> None:
    expected_logs.append(ERROR)
    run = await staged(world, hours=1)
    await canary_done(world)
    await world.remove(f"firmware:{NEW}")
    await run.ended()
    assert run.failures == [(names(3)[0], NEW, "not_begun", "", names(2))]
    assert world.ordered() == [2]


async def test_the_others_get_what_the_canary_was_tried_with_and_nothing_newer(world: World) -> None:
    world.packages[NEWEST_URL] = build_package(NEWEST)
    run = await staged(world, hours=1)
    await canary_done(world)
    await world.add(firmware_subentry(NEWEST, NEWEST_URL))
    assert world.update(3).attributes["latest_version"] == NEWEST
    await run.ended()
    assert run.finishes == [names(2, 3, 5)]
    assert {world.update(device_id).attributes["installed_version"] for device_id in (2, 3, 5)} == {NEW}


async def test_run_again_the_canary_is_watched_again_and_not_upgraded_again(world: World) -> None:
    run = await staged(world, hours=1)
    await canary_done(world)
    await world.hass.services.async_call("script", "turn_off", {"entity_id": run.entity_id}, blocking=True)
    await start(world, run)
    await world.pass_time(3500, 50)
    assert world.ordered() == [2]
    await run.ended()
    assert world.ordered() == [2, 3, 5]
    assert run.finishes == [names(3, 5)]


async def test_a_canary_that_nothing_is_known_of_is_a_failure(make_world: MakeWorld) -> None:
    world = await make_world([three_emus()[0]])
    await world.hass.config_entries.async_unload(world.entry.entry_id)
    run = await staged(world)
    await run.ended()
    assert run.failures == [(names(2)[0], "", "not_begun", "", [])]


async def test_nothing_to_upgrade_is_no_failure_and_no_success(world: World) -> None:
    for device_id in (2, 3):
        assert await world.ended(await world.install(device_id)) is None
    run = await staged(world, others=(3,))
    assert not run.running
    assert (run.finishes, run.failures) == ([], [])


async def test_a_canary_alone_needs_no_waiting(world: World) -> None:
    run = await staged(world, others=(2,))
    await canary_done(world)
    await world.pass_time(30)
    assert not run.running
    assert run.finishes == [names(2)]


async def test_a_reload_in_the_middle_of_an_upgrade_costs_nothing(world: World, expected_logs: list[str]) -> None:
    expected_logs.append("goes on")
    run = await staged(world, hours=1)
    await world.until(lambda: world.stage() == "transferring", step=5)
    await reload(world)
    await canary_done(world)
    await world.pass_time(600, 10)
    await reload(world)
    await run.ended()
    assert world.ordered() == [2, 3, 5]
    assert run.finishes == [names(2, 3, 5)]

"""The blueprint *nightly upgrade window*, on a simulated site."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from functools import partial

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest

from simulator.faults import Fault

from .blueprint_run import NIGHTLY, BlueprintRun, firmware, local_time, reload, three_emus, use_blueprint
from .conftest import MakeWorld
from .world import NEW, UID, World

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
BATTERY = "binary_sensor.battery_idle"
ALLOWED = [{"condition": "state", "entity_id": BATTERY, "state": "on"}]


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Return a configuration folder of the test's own, for the blueprint."""
    return hass_tmp_config_dir


@pytest.fixture(autouse=True)
async def _switched_off(hass: HomeAssistant) -> AsyncGenerator[None]:
    """Switch the automation off at the end, which waits for the next night."""
    yield
    await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    """Return a site with the EMUs 2, 3 and 5, all online."""
    return await make_world(three_emus())


async def tonight(world: World, *device_ids: int, hours: float = 4, **inputs: object) -> BlueprintRun:
    """Use the blueprint with a window that begins in two minutes, and let it begin."""
    # A trigger at a time of day is let fire up to half a second early here, which must not be before the window.
    world.freezer.move_to(dt_util.utcnow().replace(microsecond=0) + timedelta(seconds=1))
    given = {
        "updates": firmware(world, *device_ids),
        "window_start": local_time(2),
        "window_end": local_time(2 + 60 * hours),
        **inputs,
    }
    run = await use_blueprint(world, "automation", NIGHTLY, given)
    await world.pass_time(60)
    assert not run.running
    await world.pass_time(65)
    return run


def names(*device_ids: int) -> list[str]:
    """Return what the EMUs are called."""
    return [f"{UID} EMU {device_id}" for device_id in device_ids]


def is_transferring(world: World, device_id: int) -> bool:
    """Tell whether firmware is transferred to an EMU."""
    return world.stage(device_id) == "transferring"


async def test_in_the_window_each_emu_is_upgraded_after_the_other_in_the_order_picked(world: World) -> None:
    run = await tonight(world, 5, 2, 3)
    for device_id, begun in ((5, [5]), (2, [5, 2]), (3, [5, 2, 3])):
        await world.until(partial(is_transferring, world, device_id), step=5)
        assert world.ordered() == begun
        assert [each for each in (2, 3, 5) if world.events(each)] == sorted(begun)
    await run.ended()
    assert world.ordered() == [5, 2, 3]
    assert run.finishes == [names(5, 2, 3)]
    assert run.failures == []
    assert {world.update(device_id).attributes["installed_version"] for device_id in (2, 3, 5)} == {NEW}


@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        (Fault.MD5_MISMATCH, "failed", "MD5 does not match"),
        (Fault.OTHER_VERSION, "unverified", "Another version is running"),
        (Fault.DOES_NOT_RETURN, "lost", "EMU did not return"),
    ],
)
async def test_the_first_that_is_no_proven_success_ends_the_night(
    world: World, expected_logs: list[str], fault: Fault, outcome: str, reason: str
) -> None:
    expected_logs.append("Error executing script")
    world.ems.faults.on(fault, 3)
    run = await tonight(world, 2, 3, 5)
    await run.ended()
    await world.pass_time(3600, 60)
    assert world.ordered() == [2, 3]
    assert run.failures == [(*names(3), NEW, outcome, reason, names(2))]
    assert run.finishes == []


async def test_one_without_an_update_is_left_out(world: World) -> None:
    assert await world.ended(await world.install(2)) is None
    run = await tonight(world, 2, 3)
    await run.ended()
    assert world.ordered() == [2, 3]
    assert run.finishes == [names(3)]


async def test_a_night_with_nothing_to_do_tells_nothing(world: World) -> None:
    assert await world.ended(await world.install(2)) is None
    run = await tonight(world, 2)
    await run.ended()
    assert (run.finishes, run.failures) == ([], [])
    assert world.ordered() == [2]


async def test_the_conditions_are_waited_for_before_each_upgrade(world: World) -> None:
    world.hass.states.async_set(BATTERY, "off")
    run = await tonight(world, 2, 3, allowed=ALLOWED)
    await world.pass_time(1800, 30)
    assert world.ordered() == []
    world.hass.states.async_set(BATTERY, "on")
    await world.until(lambda: world.ordered() == [2], 90)
    world.hass.states.async_set(BATTERY, "off")
    await world.until(lambda: world.last_upgrade(2)[0] == "succeeded", step=5)
    await world.pass_time(1800, 30)
    assert world.ordered() == [2]
    assert run.finishes == []
    world.hass.states.async_set(BATTERY, "on")
    await run.ended()
    assert world.ordered() == [2, 3]
    assert run.finishes == [names(2, 3)]


async def test_none_is_begun_after_the_window(world: World) -> None:
    world.hass.states.async_set(BATTERY, "on")
    run = await tonight(world, 2, 3, hours=0.5, allowed=ALLOWED)
    await world.until(lambda: world.ordered() == [2], 90)
    world.hass.states.async_set(BATTERY, "off")
    await world.pass_time(1800, 30)
    world.hass.states.async_set(BATTERY, "on")
    await run.ended()
    assert world.ordered() == [2]
    assert run.finishes == [names(2)]


async def test_an_upgrade_that_outlasts_the_window_ends_in_peace(world: World) -> None:
    world.ems.faults.on(Fault.STALL, 2, seconds=600)
    run = await tonight(world, 2, 3, hours=0.1)
    await run.ended()
    assert world.last_upgrade() == ("succeeded", None)
    assert world.ordered() == [2]
    assert run.finishes == [names(2)]


async def test_a_reload_in_the_middle_of_an_upgrade_costs_nothing(world: World, expected_logs: list[str]) -> None:
    expected_logs.append("goes on")
    run = await tonight(world, 2, 3)
    await world.until(lambda: world.stage() == "transferring", step=5)
    await reload(world)
    await run.ended()
    assert world.ordered() == [2, 3]
    assert run.finishes == [names(2, 3)]
    assert run.failures == []


@pytest.mark.parametrize("today", [True, False])
async def test_the_window_begins_on_the_days_picked(world: World, *, today: bool) -> None:
    # In two minutes it may be tomorrow.
    run_day = DAYS[(dt_util.now().weekday() + (local_time(2) < local_time(0))) % 7]
    run = await tonight(world, 2, days=[day for day in DAYS if (day == run_day) is today])
    await run.ended()
    assert world.ordered() == ([2] if today else [])

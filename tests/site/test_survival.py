"""Upgrades go on over reloads, restarts, crashes and lost connections, and are never ordered twice."""

import asyncio
from copy import deepcopy

from homeassistant.const import EVENT_HOMEASSISTANT_STOP
import pytest

from custom_components.emu_ota.transport import NotSent, TransportError
from simulator.ems import EmsSettings
from simulator.faults import Fault
from simulator.wire import Revision

from .conftest import MakeWorld
from .world import NEW, OTHER_UID, PREFIX, UID, World, ems_subentry, firmware_subentry, simulated_ems

BOTH = (Revision.B, Revision.C)
STAGES = ("ordered", "preparing_upgrade", "transferring", "verifying", "complete", "restarting")
ORDER_TOPIC = f"{PREFIX}/{UID}/ota/emu_upgrade/command"

type Storage = dict[str, object]


async def reached(world: World, stage: str) -> asyncio.Task[object]:
    """Install on EMU 2 of a site that is known for a while, and let it come to a stage."""
    await world.pass_time(60, 30)
    install = await world.install()
    await world.until(lambda: world.stage() == stage, step=1)
    return install


async def until_ended(world: World, device_id: int = 2, seconds: float = 7200) -> tuple[str, str | None]:
    """Let time go by until an upgrade that nobody waits for has its outcome."""
    await world.until(lambda: world.last_upgrade(device_id)[0] not in {"unknown", "unavailable"}, seconds, step=10)
    return world.last_upgrade(device_id)


async def away(world: World, seconds: float) -> None:
    """Unload the entry, and load it again after so many seconds."""
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    await world.pass_time(seconds, 30)
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.settle()


def crash(world: World, storage: Storage) -> dict[str, object]:
    """Return what would be found after a crash at this moment."""
    return deepcopy({key: value for key, value in storage.items() if world.entry.entry_id in key})


async def after_crash(world: World, storage: Storage, found: dict[str, object], seconds: float = 30) -> None:
    """Come back after a crash so many seconds ago."""
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    for key in [key for key in storage if world.entry.entry_id in key]:
        del storage[key]
    storage.update(found)
    await world.pass_time(seconds, 30)
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.settle()


@pytest.mark.parametrize("revision", BOTH)
@pytest.mark.parametrize("stage", STAGES)
async def test_an_upgrade_goes_on_over_a_reload_in_every_stage(
    make_world: MakeWorld, stage: str, revision: Revision
) -> None:
    world = await make_world([simulated_ems(settings=EmsSettings(revision=revision))])
    install = await reached(world, stage)
    await world.reload()
    error = await world.ended(install, 1)
    assert error is not None
    assert error.translation_key == "upgrade_interrupted"
    assert f"The upgrade of {UID} EMU 2 goes on" in str(error)
    assert world.update().attributes["in_progress"] is True
    assert await until_ended(world) == ("succeeded", None)
    assert world.events() == ["queued", "started", "succeeded"]
    assert len(world.orders()) == 1


async def test_a_queue_goes_on_over_a_reload(world: World) -> None:
    await world.install(2)
    await world.install(3)
    await world.reload()
    assert (await until_ended(world, 2), await until_ended(world, 3)) == (("succeeded", None),) * 2
    assert len(world.orders()) == 2
    assert world.events(3) == ["queued", "started", "succeeded"]


@pytest.mark.parametrize("seconds", [60, 1800])
@pytest.mark.parametrize("stage", STAGES)
async def test_an_upgrade_that_went_on_without_us_is_found_to_have_succeeded(
    world: World, stage: str, seconds: float
) -> None:
    await reached(world, stage)
    await away(world, seconds)
    assert await until_ended(world) == ("succeeded", None)
    assert len(world.orders()) == 1


@pytest.mark.parametrize("revision", BOTH)
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault.ERRORS_REPORTED, ("failed", "errors_reported")),
        (Fault.VERSION_UNCHANGED, ("unverified", "version_unchanged")),
        (Fault.OTHER_VERSION, ("unverified", "other_version")),
        (Fault.DOES_NOT_RETURN, ("lost", "did_not_return")),
        (Fault.STALL, ("failed", "stalled")),
    ],
)
@pytest.mark.parametrize("crashed", [False, True])
async def test_an_upgrade_that_went_wrong_without_us_is_found_to_have_gone_wrong(  # noqa: PLR0913 - parameters
    make_world: MakeWorld,
    hass_storage: Storage,
    *,
    revision: Revision,
    fault: Fault,
    outcome: tuple[str, str | None],
    crashed: bool,
) -> None:
    world = await make_world([simulated_ems(settings=EmsSettings(revision=revision))])
    world.ems.faults.on(fault, 2)
    await reached(world, "transferring")
    if crashed:
        await after_crash(world, hass_storage, crash(world, hass_storage), 1800)
    else:
        await away(world, 1800)
    assert await until_ended(world) == outcome
    assert len(world.orders()) == 1


@pytest.mark.parametrize("seconds", [30, 86400])
@pytest.mark.parametrize("stage", STAGES)
async def test_an_upgrade_goes_on_after_a_crash(
    world: World, hass_storage: Storage, stage: str, seconds: float
) -> None:
    await reached(world, stage)
    found = crash(world, hass_storage)
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    hass_storage.update(found)
    await world.pass_time(seconds, max(seconds / 60, 10))
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.settle()
    assert await until_ended(world) == ("succeeded", None)
    assert len(world.orders()) == 1
    assert world.events() == ["queued", "started", "succeeded"]


async def test_a_queued_upgrade_goes_on_after_a_crash(world: World, hass_storage: Storage) -> None:
    await world.pass_time(60, 30)
    world.ems.emu(3).online = False
    await world.refresh()
    await world.install(3)
    await after_crash(world, hass_storage, crash(world, hass_storage))
    assert world.update(3).attributes["in_progress"] is True
    world.ems.emu(3).online = True
    assert await until_ended(world, 3) == ("succeeded", None)
    assert len(world.orders()) == 1


async def test_a_crash_between_the_two_writes_of_an_ending_ends_it_once(world: World, hass_storage: Storage) -> None:
    await reached(world, "restarting")
    key = f"emu_ota.{world.entry.entry_id}.upgrades"
    under_way = deepcopy(hass_storage[key])
    assert await until_ended(world) == ("succeeded", None)
    found = crash(world, hass_storage) | {key: under_way}
    await after_crash(world, hass_storage, found)
    await world.pass_time(60, 5)
    assert [each["outcome"] for each in await world.history()] == ["succeeded"]
    assert world.stage() == "idle"
    assert len(world.orders()) == 1


async def test_the_stop_of_home_assistant_disturbs_no_upgrade(
    world: World, hass_storage: Storage, expected_logs: list[str]
) -> None:
    expected_logs.append("Unable to remove unknown job listener")  # of an unload after the stop: only a test does that
    await reached(world, "transferring")
    world.hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await world.settle()
    await after_crash(world, hass_storage, crash(world, hass_storage), 1800)
    assert await until_ended(world) == ("succeeded", None)
    assert len(world.orders()) == 1


# Each: how an upgrade comes to its deadline, with what reason, after how many seconds in its phase.
DEADLINES = [
    pytest.param((Fault.NO_ANSWER,), "ordered", ("failed", "no_answer"), 600, id="ordered"),
    pytest.param((Fault.STALL,), "transferring", ("failed", "stalled"), 900, id="upgrading"),
    pytest.param((Fault.DOES_NOT_RETURN,), "restarting", ("lost", "did_not_return"), 600, id="restarting"),
    pytest.param((), "queued", ("failed", "emu_offline"), 600, id="queued"),
]


@pytest.mark.parametrize("gone", ["connection", "entry", "crash"])
@pytest.mark.parametrize(("faults", "stage", "outcome", "deadline"), DEADLINES)
async def test_time_without_a_connection_or_without_home_assistant_does_not_count(  # noqa: PLR0913 - parameters
    make_world: MakeWorld,
    hass_storage: Storage,
    *,
    faults: tuple[Fault, ...],
    stage: str,
    outcome: tuple[str, str | None],
    deadline: float,
    gone: str,
) -> None:
    world = await make_world([simulated_ems()], options={"queue_timeout": 10})
    for fault in faults:
        world.ems.faults.on(fault, 2)
    if stage == "queued":
        world.ems.emu(2).online = False
        await world.refresh()
    await reached(world, stage)
    await world.pass_time(deadline - 120, 10)
    if gone == "connection":
        world.broker.connected = False
        await world.pass_time(7200, 60)
        world.broker.connected = True
    elif gone == "entry":
        await away(world, 7200)
    else:
        await after_crash(world, hass_storage, crash(world, hass_storage), 7200)
    await world.pass_time(80, 10)
    assert world.last_upgrade()[0] == "unknown"
    # What a crash took with it are the seconds since the last write.
    assert await until_ended(world, seconds=900 if gone == "crash" else 240) == outcome
    assert len(world.orders()) == (0 if stage == "queued" else 1)


@pytest.mark.parametrize("stage", STAGES)
async def test_a_lost_connection_disturbs_no_upgrade(world: World, stage: str) -> None:
    install = await reached(world, stage)
    world.broker.connected = False
    await world.pass_time(1800, 30)
    world.broker.connected = True
    assert await world.ended(install) is None
    assert world.events() == ["queued", "started", "succeeded"]
    assert len(world.orders()) == 1


async def test_an_install_without_a_connection_waits_for_it(make_world: MakeWorld) -> None:
    world = await make_world([simulated_ems()], options={"queue_timeout": 10})
    world.broker.connected = False
    await world.settle()
    install = await world.install()
    await world.pass_time(7200, 60)
    assert world.events() == ["queued"]
    world.broker.connected = True
    assert await world.ended(install) is None
    assert len(world.orders()) == 1


async def test_a_new_connection_is_asked_over_before_anything_is_ordered(world: World) -> None:
    await world.refresh()
    world.broker.connected = False
    await world.settle()
    world.broker.connected = True
    await world.settle()
    world.ems.emu(2).version = NEW
    error = await world.ended(await world.install())
    assert error is not None
    assert error.translation_key == "upgrade_already_installed"
    assert world.orders() == []


@pytest.mark.parametrize("fault", [Fault.DOWNLOAD_FAILED, Fault.HAND_OVER_FAILED])
async def test_an_answer_that_was_sent_while_we_were_away_counts(
    make_world: MakeWorld, fault: Fault, keep_session: None
) -> None:
    world = await make_world([simulated_ems()])
    world.ems.faults.on(fault, 2)
    install = await world.install()
    (ours,) = [transport for transport in world.broker.transports if transport is not world.broker.transports[0]]
    ours.cut()
    await world.pass_time(60, 5)
    ours.heal()
    await world.ended(install, 60)
    assert world.last_upgrade() == ("failed", fault.value)


async def test_an_order_that_surely_was_not_sent_goes_out_later(world: World) -> None:
    world.broker.fail_publish(ORDER_TOPIC, NotSent("no connection"))
    assert await world.ended(await world.install()) is None
    assert world.last_upgrade() == ("succeeded", None)
    assert world.events() == ["queued", "started", "queued", "started", "succeeded"]
    assert len(world.orders()) == 1


@pytest.mark.parametrize(("delivered", "outcome"), [(True, ("succeeded", None)), (False, ("failed", "no_answer"))])
async def test_an_order_that_may_have_been_sent_is_not_sent_again(
    world: World,
    *,
    delivered: bool,
    outcome: tuple[str, str | None],
) -> None:
    world.broker.fail_publish(ORDER_TOPIC, TransportError("no acknowledgement"), delivered=delivered)
    await world.ended(await world.install())
    assert world.last_upgrade() == outcome
    await world.pass_time(600, 30)
    assert len(world.orders()) == int(delivered)


async def test_an_order_that_a_reload_forestalls_goes_out_after_it(world: World, slow_writes: asyncio.Event) -> None:
    slow_writes.clear()
    install = await world.install()
    assert world.orders() == []
    reload = asyncio.ensure_future(world.reload())
    await world.settle()
    slow_writes.set()
    await reload
    assert await world.ended(install, 1) is not None
    assert await until_ended(world) == ("succeeded", None)
    assert len(world.orders()) == 1


async def remove_ems(world: World, uid: str = UID) -> None:
    """Take an EMS out of Home Assistant."""
    (subentry,) = [each for each in world.entry.subentries.values() if each.unique_id == uid]
    assert world.hass.config_entries.async_remove_subentry(world.entry, subentry.subentry_id)
    await world.settle()


@pytest.mark.parametrize("stage", ["queued", *STAGES])
async def test_the_upgrades_of_an_ems_that_is_removed_end_with_it(make_world: MakeWorld, stage: str) -> None:
    world = await make_world([simulated_ems(), simulated_ems(OTHER_UID)], options={"max_parallel": 1})
    if stage == "queued":
        world.ems.emu(2).online = False
        await world.refresh()
    install = await reached(world, stage)
    other = await world.install(uid=OTHER_UID)
    await remove_ems(world)
    error = await world.ended(install, 1)
    assert error is not None
    assert error.translation_key == "upgrade_ems_removed"
    assert f"The EMS of {UID} EMU 2 was removed" in str(error)
    asks, orders = world.asks(), len(world.orders())
    assert await world.ended(other) is None
    assert (world.asks(), len(world.orders())) == (asks, orders)
    assert [each["reason"] for each in await world.history()] == [None, "ems_removed"]


async def test_an_ems_that_is_removed_while_nothing_runs_takes_its_upgrades_along(make_world: MakeWorld) -> None:
    subentries = [ems_subentry(), ems_subentry(OTHER_UID), firmware_subentry()]
    world = await make_world([simulated_ems(), simulated_ems(OTHER_UID)], subentries, options={"max_parallel": 1})
    await reached(world, "transferring")
    await world.install(uid=OTHER_UID)
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    await remove_ems(world)
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.until(lambda: world.last_upgrade(uid=OTHER_UID)[0] == "succeeded", step=5)
    assert [each["reason"] for each in await world.history()] == [None, "ems_removed"]

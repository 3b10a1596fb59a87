"""Whose turn it is: one upgrade at a time per EMS, so many per entry, and what a queued upgrade waits for."""

import asyncio
from collections.abc import Callable
import time
from uuid import uuid4

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest

from custom_components.emu_ota.protocol.commands import Stamp, order_upgrade
from custom_components.emu_ota.protocol.models import Component, Stage
from simulator.emu import SimulatedEmu
from simulator.faults import Fault
from simulator.package import build_package, md5_of

from .conftest import MakeWorld
from .world import NEW, OTHER_UID, PREFIX, UID, URL, World, simulated_ems

THIRD_UID = "pQr44sTuV2"
SMALL_URL = "http://127.0.0.1/small"
TIMEOUT = {"queue_timeout": 10}


def somebody_upgrades(world: World, device_id: int) -> None:
    """Let somebody else order an upgrade of one component, unheard by us."""
    package = build_package("emu-v1.0.5", components=[Component.EMU])
    world.packages[SMALL_URL] = package
    stamp = Stamp(mid=str(uuid4()), trace_id="platform", timestamp=1)
    command = order_upgrade(world.ems.address, stamp, device_id, SMALL_URL, md5_of(package))
    world.ems.receive(command.topic, command.payload, time.time())


async def until_stage(world: World, stage: str) -> None:
    """Let EMU 2 come to a stage."""
    await world.until(lambda: world.stage() == stage)


async def both_end(world: World, *installs: asyncio.Task[object]) -> None:
    """Let upgrades succeed."""
    for install in installs:
        assert await world.ended(install) is None


async def test_the_upgrades_of_one_ems_go_one_after_the_other(world: World) -> None:
    first, second = await world.install(2), await world.install(3)
    assert (world.stage(2), world.stage(3)) == ("ordered", "queued")
    while not first.done():
        assert world.ordered() == [2]
        assert world.stage(3) == "queued"
        assert world.update(3).attributes["in_progress"] is True
        await world.tick(5)
    await both_end(world, first, second)
    assert world.ordered() == [2, 3]
    assert (world.events(2), world.events(3)) == (["queued", "started", "succeeded"],) * 2


async def test_a_queue_keeps_the_order_in_which_it_was_asked(make_world: MakeWorld) -> None:
    wanted = [5, 3, 6, 2]
    world = await make_world([simulated_ems(emus=[SimulatedEmu(device_id) for device_id in (2, 3, 5, 6)])])
    await both_end(world, *[await world.install(device_id) for device_id in wanted])
    assert world.ordered() == wanted
    assert [int(str(each["entity_id"]).split("_")[2]) for each in reversed(await world.history())] == wanted


async def test_one_call_can_name_many_emus(world: World) -> None:
    entity_ids = [world.entity_id("update", "firmware", device_id) for device_id in (2, 3)]
    call = world.hass.services.async_call("update", "install", {"entity_id": entity_ids}, blocking=True)
    await both_end(world, asyncio.ensure_future(call))
    assert sorted(world.ordered()) == [2, 3]


@pytest.mark.parametrize(("max_parallel", "at_once"), [(1, 1), (2, 2), (4, 3)])
async def test_no_more_than_max_parallel_run_in_an_entry(
    make_world: MakeWorld, max_parallel: int, at_once: int
) -> None:
    uids = (UID, OTHER_UID, THIRD_UID)
    world = await make_world([simulated_ems(uid) for uid in uids], options={"max_parallel": max_parallel})
    installs = [await world.install(uid=uid) for uid in uids]
    seen = 0
    while not all(install.done() for install in installs):
        running = sum(world.stage(2, uid) not in {"queued", "idle"} for uid in uids)
        assert running <= at_once
        seen = max(seen, running)
        await world.tick(5)
    assert seen == at_once
    await both_end(world, *installs)
    assert [len(world.orders(uid)) for uid in uids] == [1, 1, 1]


def goes_offline(world: World, device_id: int) -> None:
    world.ems.emu(device_id).online = False


def comes_online(world: World, device_id: int) -> None:
    world.ems.emu(device_id).online = True


def has_a_fault(world: World, device_id: int) -> None:
    world.ems.faults.on(Fault.EMU_FAULT, device_id)


def is_cured(world: World, device_id: int) -> None:
    world.ems.faults.off(Fault.EMU_FAULT, device_id)


def falls_silent(world: World, _: int) -> None:
    world.ems.faults.on(Fault.NO_ANSWER)


def answers(world: World, _: int) -> None:
    world.ems.faults.off(Fault.NO_ANSWER)


OBSTACLES = [
    pytest.param(goes_offline, comes_online, "emu_offline", ("was offline", "Check its power"), id="emu_offline"),
    pytest.param(has_a_fault, is_cured, "emu_fault", ("reports a fault", "Clear the fault"), id="emu_fault"),
    pytest.param(falls_silent, answers, "ems_unreachable", ("did not answer", "Check the EMS"), id="ems_unreachable"),
]
type Act = Callable[[World, int], None]


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("begins", "ends", "reason", "parts"), OBSTACLES)
async def test_what_is_not_ready_in_time_fails_unordered(  # noqa: PLR0913 - parameters
    make_world: MakeWorld,
    *,
    begins: Act,
    ends: Act,
    reason: str,
    parts: tuple[str, ...],
    known: bool,
) -> None:
    world = await make_world([simulated_ems()], options=TIMEOUT)
    begins(world, 2)
    await world.pass_time(1800 if known else 10, 10)
    install = await world.install()
    await world.pass_time(570, 10)
    assert world.events() == ["queued"]
    error = await world.ended(install, 180)
    assert world.last_upgrade() == ("failed", reason)
    assert world.events() == ["queued", "failed"]
    assert world.orders() == []
    assert error is not None
    assert error.translation_key == f"upgrade_{reason}"
    for part in (f"{UID} EMU 2", *parts):
        assert part in str(error)
    ends(world, 2)
    await world.pass_time(120, 10)
    assert world.last_upgrade() == ("failed", reason)
    assert await world.ended(await world.install()) is None


@pytest.mark.parametrize(("begins", "ends", "reason", "parts"), OBSTACLES)
async def test_what_becomes_ready_in_time_is_upgraded(
    make_world: MakeWorld, begins: Act, ends: Act, reason: str, parts: tuple[str, ...]
) -> None:
    world = await make_world([simulated_ems()], options=TIMEOUT)
    begins(world, 2)
    await world.pass_time(10, 10)
    install = await world.install()
    await world.pass_time(500, 10)
    ends(world, 2)
    assert await world.ended(install) is None
    assert world.events() == ["queued", "started", "succeeded"]
    assert len(world.orders()) == 1


@pytest.mark.parametrize(("begins", "ends"), [(goes_offline, comes_online), (has_a_fault, is_cured)])
async def test_what_is_not_ready_steps_aside_for_the_next(world: World, begins: Act, ends: Act) -> None:
    begins(world, 3)
    await world.refresh()
    first, second = await world.install(3), await world.install(2)
    assert await world.ended(second) is None
    assert not first.done()
    assert world.ordered() == [2]
    ends(world, 3)
    assert await world.ended(first) is None
    assert world.ordered() == [2, 3]


async def test_the_time_of_waiting_for_others_does_not_count(make_world: MakeWorld) -> None:
    world = await make_world([simulated_ems()], options=TIMEOUT)
    world.ems.faults.on(Fault.STALL, 2, percent=100, seconds=1500)
    first = await world.install(2)
    await world.until(lambda: world.stage(2) == "transferring")
    goes_offline(world, 3)
    second = await world.install(3)
    assert await world.ended(first) is None
    assert world.events(3) == ["queued"]
    await world.pass_time(560, 10)
    assert world.events(3) == ["queued"]
    assert await world.ended(second, 180) is not None
    assert world.last_upgrade(3) == ("failed", "emu_offline")


@pytest.mark.parametrize("uid", [UID, OTHER_UID])
async def test_a_long_queue_does_not_time_out(make_world: MakeWorld, uid: str) -> None:
    options = {"queue_timeout": 10, "max_parallel": 1}
    world = await make_world([simulated_ems(), simulated_ems(OTHER_UID)], options=options)
    world.ems.faults.on(Fault.STALL, 2, percent=100, seconds=1500)
    first, second = await world.install(2), await world.install(3, uid=uid)
    await both_end(world, first, second)


def cancel(world: World, device_id: int = 2) -> asyncio.Task[object]:
    return world.call("emu_ota", "cancel", device_id=device_id)


async def test_what_is_queued_can_be_cancelled(world: World) -> None:
    first, second = await world.install(2), await world.install(3)
    await cancel(world, 3)
    error = await world.ended(second, 10)
    assert error is not None
    assert error.translation_key == "upgrade_cancelled"
    assert f"{UID} EMU 3 was cancelled" in str(error)
    assert world.last_upgrade(3) == ("cancelled", None)
    assert world.events(3) == ["queued", "cancelled"]
    assert world.stage(3) == "idle"
    assert world.update(3).attributes["in_progress"] is False
    await both_end(world, first, await world.install(3))
    assert world.ordered() == [2, 3]


async def test_what_is_ordered_cannot_be_cancelled(world: World) -> None:
    install = await world.install()
    for stage in ("ordered", "transferring", "restarting"):
        await until_stage(world, stage)
        with pytest.raises(ServiceValidationError, match=f"{UID} EMU 2 has been ordered already") as raised:
            await cancel(world)
        assert raised.value.translation_key == "too_late_to_cancel"
    assert await world.ended(install) is None


async def test_without_an_upgrade_there_is_nothing_to_cancel(world: World) -> None:
    with pytest.raises(ServiceValidationError, match=f"No upgrade of {UID} EMU 2 is queued") as raised:
        await cancel(world)
    assert raised.value.translation_key == "nothing_to_cancel"


@pytest.mark.parametrize("named", [False, True])
async def test_a_version_that_is_there_by_then_is_ordered_only_where_it_was_named(world: World, *, named: bool) -> None:
    first, second = await world.install(2), await world.install(3, version=NEW if named else None)
    world.ems.emu(3).version = NEW
    assert await world.ended(first) is None
    error = await world.ended(second)
    if named:
        assert error is None
        assert world.ordered() == [2, 3]
        return
    assert world.last_upgrade(3) == ("cancelled", "already_installed")
    assert error is not None
    assert error.translation_key == "upgrade_already_installed"
    assert f"{UID} EMU 3 runs {NEW} already" in str(error)
    assert world.ordered() == [2]


async def test_an_old_report_is_no_ground_for_an_order(world: World) -> None:
    await world.pass_time(60, 10)
    world.ems.emu(2).version = NEW
    error = await world.ended(await world.install())
    assert error is not None
    assert error.translation_key == "upgrade_already_installed"
    assert world.orders() == []


async def test_an_upgrade_of_somebody_else_is_waited_for(world: World) -> None:
    somebody_upgrades(world, 3)
    await world.until(lambda: world.ems.emu(3).stage == 3)
    install = await world.install(2)
    while world.ems.emu(3).stage != 5:
        assert world.orders() == []
        await world.tick(1)
    assert await world.ended(install) is None
    assert world.events() == ["queued", "started", "succeeded"]


async def test_a_stuck_upgrade_of_somebody_else_is_not_waited_for(world: World) -> None:
    world.ems.faults.on(Fault.STALL, 3)
    somebody_upgrades(world, 3)
    await world.until(lambda: world.ems.emu(3).content == 50)
    install = await world.install(2)
    await world.pass_time(880, 10)
    assert world.orders() == []
    assert world.update(3).attributes["in_progress"] is True
    await world.until(lambda: len(world.orders()) == 1, 120, step=5)
    assert world.update(3).attributes["in_progress"] is False
    assert await world.ended(install) is None


async def test_how_long_somebody_s_upgrade_has_stood_still_is_not_known_after_a_restart(world: World) -> None:
    world.ems.faults.on(Fault.STALL, 3, stage=Stage.VERIFYING)
    somebody_upgrades(world, 3)
    await world.until(lambda: world.ems.emu(3).stage == 4)
    await world.refresh()
    await world.pass_time(120, 10)
    await world.reload()
    install = await world.install(2)
    await world.pass_time(700, 10)
    assert world.orders() == []
    assert world.update(3).attributes["in_progress"] is True
    await world.until(lambda: len(world.orders()) == 1, 300, step=5)
    assert await world.ended(install) is None


async def test_a_second_click_is_refused(world: World) -> None:
    first = asyncio.ensure_future(world.call("update", "install"))
    second = asyncio.ensure_future(world.call("update", "install"))
    await world.settle()
    assert [first.done(), second.done()] in ([True, False], [False, True])
    refused, install = (first, second) if first.done() else (second, first)
    with pytest.raises(HomeAssistantError):
        await refused
    link: dict[str, object] = {"download_url": URL, "md5": md5_of(build_package(NEW))}
    while not install.done():
        with pytest.raises(ServiceValidationError, match=f"{UID} EMU 2 is being upgraded already") as raised:
            await world.call("emu_ota", "upgrade", link)
        assert raised.value.translation_key == "already_upgrading"
        await world.tick(5)
    assert len(world.orders()) == 1


async def test_an_install_is_refused_while_somebody_else_upgrades_the_emu(world: World) -> None:
    somebody_upgrades(world, 2)
    await world.until(lambda: world.ems.emu(2).stage == 3)
    await world.refresh()
    with pytest.raises(HomeAssistantError, match="in progress"):
        await world.call("update", "install")
    assert world.broker.payloads(f"{PREFIX}/{UID}/ota/emu_upgrade/command") == []

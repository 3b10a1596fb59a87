"""The hard cases that no single fault makes; `hard_cases.py` lists all, also those that are tested elsewhere."""

import time
from uuid import uuid4

import pytest

from custom_components.emu_ota.protocol.commands import Stamp, order_upgrade
from custom_components.emu_ota.protocol.models import Component
from simulator.ems import EmsSettings
from simulator.emu import SimulatedEmu
from simulator.faults import Fault
from simulator.package import build_package, md5_of
from simulator.wire import Revision
from tests.site.conftest import MakeWorld
from tests.site.world import NEW, URL, World, ems_subentry, firmware_subentry, simulated_ems

HOUR = 3600.0
DAY = 24 * HOUR
OTHER, OTHER_URL = "emu-v1.1.0", "http://127.0.0.1/emu-v1.1.0.tar.gz"
QUEUE = (2, 3, 4, 5, 6)
"""The EMUs of a site that are all to be upgraded."""
BOTH = (Revision.B, Revision.C)


@pytest.mark.parametrize("revision", BOTH)
async def test_a_package_for_boards_only_after_which_the_emu_tells_its_old_version_is_not_verified(
    make_world: MakeWorld, revision: Revision
) -> None:
    package = build_package(NEW, components=(Component.COMMUNICATION_BOARD_1,))
    world = await make_world(
        [simulated_ems(settings=EmsSettings(revision=revision))], [ems_subentry(), firmware_subentry(package=package)]
    )
    world.packages[URL] = package
    world.ems.faults.on(Fault.VERSION_UNCHANGED, 2)
    await world.ended(await world.install())
    assert world.last_upgrade() == ("unverified", "version_unchanged")
    assert world.state("sensor", "reported_result").state == "all_succeeded"


@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        ((), ("succeeded", None)),
        ((Fault.LOST_ANSWER,), ("succeeded", None)),
        ((Fault.SUCCESS_NEVER_TOLD,), ("succeeded", None)),
        ((Fault.NO_OFFLINE_PHASE,), ("succeeded", None)),
        ((Fault.STALL,), ("failed", "stalled")),
        ((Fault.ERRORS_REPORTED,), ("failed", "errors_reported")),
        ((Fault.VERSION_UNCHANGED,), ("unverified", "version_unchanged")),
    ],
)
@pytest.mark.parametrize("revision", BOTH)
async def test_an_ems_that_answers_emu_upgrade_result_only_during_upgrades(
    make_world: MakeWorld, revision: Revision, faults: tuple[Fault, ...], outcome: tuple[str, str | None]
) -> None:
    world = await make_world([simulated_ems(settings=EmsSettings(revision=revision, progress_at_rest=False))])
    for fault in faults:
        world.ems.faults.on(fault, 2)
    await world.ended(await world.install())
    assert world.last_upgrade() == outcome
    assert len(world.orders()) == 1


def somebody_orders(world: World, device_id: int, *, heard: bool) -> None:
    """Let another controller order another version; not `heard` where the access list keeps it from us."""
    stamp = Stamp(mid=str(uuid4()), trace_id="platform", timestamp=1)
    command = order_upgrade(world.ems.address, stamp, device_id, OTHER_URL, md5_of(build_package(OTHER)))
    if heard:
        world.broker.publish(command.topic, command.payload)
    else:
        world.ems.receive(command.topic, command.payload, time.time())


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize(
    ("device_id", "seconds", "outcome"),
    [
        (2, 0, ("unverified", "other_version")),
        (2, 60, ("unverified", "other_version")),
        # Of another EMU: the EMS has one folder, and hands over what is in it, or loses it in the middle of a transfer.
        (3, 0, ("unverified", "other_version")),
        (3, 60, ("failed", "errors_reported")),
    ],
)
async def test_two_controllers_that_order_at_once_lead_to_no_false_success(
    world: World, *, device_id: int, seconds: float, outcome: tuple[str, str | None], heard: bool
) -> None:
    world.packages[OTHER_URL] = build_package(OTHER)
    install = await world.install(2)
    await world.until(lambda: len(world.orders()) == 1)
    await world.pass_time(seconds)
    somebody_orders(world, device_id, heard=heard)
    await world.ended(install)
    assert world.last_upgrade(2) == outcome
    assert not heard or "external_change" in world.events(device_id)
    assert world.ordered() == ([2, device_id] if heard else [2])


async def full_queue(make_world: MakeWorld) -> World:
    """Return a site whose every EMU is to be upgraded; the first is at it."""
    world = await make_world([simulated_ems(emus=[SimulatedEmu(each, boards=0) for each in QUEUE])])
    await world.pass_time(60, 30)
    for each in QUEUE:
        await world.install(each)
    await world.until(lambda: world.stage(QUEUE[0]) == "transferring")
    return world


async def test_an_ems_that_is_away_for_a_day_with_a_full_queue_is_ordered_nothing_afterwards(
    make_world: MakeWorld,
) -> None:
    world = await full_queue(make_world)
    first, *others = QUEUE
    world.ems.fall_silent(DAY)
    await world.pass_time(DAY - 60, 120)
    assert world.last_upgrade(first) == ("lost", "did_not_return")
    assert {world.last_upgrade(each) for each in others} == {("failed", "ems_unreachable")}
    await world.pass_time(DAY, 300)
    assert world.last_upgrade(first) == ("succeeded", None)
    assert world.events(first) == ["queued", "started", "lost", "amended"]
    assert {world.last_upgrade(each) for each in others} == {("failed", "ems_unreachable")}
    assert world.ordered() == [first]


async def test_an_ems_that_is_away_for_an_hour_goes_on_with_its_queue_when_nothing_has_moved_for_ten_minutes(
    make_world: MakeWorld,
) -> None:
    world = await full_queue(make_world)
    first, *others = QUEUE
    world.ems.fall_silent(HOUR)
    await world.pass_time(HOUR, 30)
    assert world.last_upgrade(first) == ("lost", "did_not_return")
    await world.pass_time(540, 5)
    assert world.last_upgrade(first) == ("succeeded", None)
    assert world.ordered() == [first]
    await world.until(lambda: world.last_upgrade(QUEUE[-1])[0] == "succeeded", step=5)
    assert {world.last_upgrade(each) for each in others} == {("succeeded", None)}
    assert world.ordered() == list(QUEUE)


@pytest.mark.parametrize("gone", ["the broker", "Home Assistant"])
async def test_a_full_queue_goes_on_after_a_day_without(make_world: MakeWorld, gone: str) -> None:
    world = await full_queue(make_world)
    if gone == "the broker":
        world.broker.connected = False
        await world.pass_time(DAY, 300)
        world.broker.connected = True
    else:
        assert await world.hass.config_entries.async_unload(world.entry.entry_id)
        await world.pass_time(DAY, 300)
        assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.until(lambda: world.last_upgrade(QUEUE[-1])[0] == "succeeded", step=5)
    assert {world.last_upgrade(each) for each in QUEUE} == {("succeeded", None)}
    assert world.ordered() == list(QUEUE)

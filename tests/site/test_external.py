"""Somebody else on the same topics: other controllers' orders, answers to them, and versions that change without us."""

import time
from uuid import uuid4

import pytest

from custom_components.emu_ota.protocol.commands import Command, Stamp, order_upgrade
from custom_components.emu_ota.protocol.topics import Exchange
from simulator.faults import Fault
from simulator.package import build_package, md5_of

from .by_hand import HandEms, message, offline, report
from .world import NEW, OLD, UID, URL, World


def foreign_order(world: World, device_id: int = 2, version: str = NEW) -> Command:
    """Return an order as another controller sends it."""
    stamp = Stamp(mid=str(uuid4()), trace_id="platform", timestamp=1)
    return order_upgrade(HandEms(world).address, stamp, device_id, URL, md5_of(build_package(version)))


async def somebody_orders(world: World, device_id: int = 2) -> None:
    """Let somebody else order an upgrade, for all to hear."""
    command = foreign_order(world, device_id)
    world.broker.publish(command.topic, command.payload)
    await world.settle()


def somebody_orders_unheard(world: World, device_id: int = 2) -> None:
    """Let somebody else order an upgrade, where the access list keeps it from us."""
    command = foreign_order(world, device_id)
    world.ems.receive(command.topic, command.payload, time.time())


async def until_component(world: World, component: int) -> None:
    """Let EMU 2 come to a component."""
    await world.until(lambda: world.ems.emu(2).component == component)


async def until_installed(world: World, version: str = NEW) -> None:
    """Wait until a version is known to be installed, asking all the time."""
    await world.until(lambda: world.ems.emu(2).version == version)
    await world.refresh()
    assert world.update().attributes["installed_version"] == version


async def test_an_order_of_somebody_else_is_told_once_and_the_version_that_it_leads_to(world: World) -> None:
    await somebody_orders(world)
    assert world.events() == ["external_change"]
    told = world.told()[0]
    assert (told["from_version"], told["to_version"], told["outcome"]) == (OLD, None, None)
    await world.until(lambda: world.ems.emu(2).stage == 3)
    await world.refresh()
    assert world.stage() == "transferring"
    assert world.update().attributes["in_progress"] is True
    await until_installed(world)
    assert world.events() == ["external_change", "external_change"]
    assert (world.told()[1]["from_version"], world.told()[1]["to_version"]) == (OLD, NEW)
    assert world.last_upgrade() == ("unknown", None)
    assert world.events(3) == []


async def test_an_upgrade_of_somebody_else_that_was_not_heard_is_told_once_when_it_is_seen(world: World) -> None:
    somebody_orders_unheard(world)
    await world.until(lambda: world.ems.emu(2).stage == 3)
    assert world.events() == []
    await world.refresh()
    assert world.events() == ["external_change"]
    for component in (21, 22):
        await until_component(world, component)
        await world.refresh()
        await world.until(lambda: world.ems.emu(2).stage == 5)
        await world.refresh()
    assert world.events() == ["external_change"]
    await until_installed(world)
    assert world.events() == ["external_change", "external_change"]


async def test_a_second_upgrade_of_somebody_else_is_told_again(world: World) -> None:
    for _ in range(2):
        somebody_orders_unheard(world)
        await world.until(lambda: world.ems.emu(2).stage == 3)
        await world.refresh()
        await world.until(lambda: world.ems.emu(2).stage == 5)
        await world.refresh()
        await world.pass_time(1800, 30)
    assert world.events() == ["external_change"] * 3


async def test_a_version_that_changed_without_us_is_told_once(world: World) -> None:
    world.ems.emu(2).version = NEW
    await world.refresh()
    await world.refresh()
    await world.reload()
    await world.refresh()
    assert world.events() == ["external_change"]
    told = world.told()[0]
    assert (told["from_version"], told["to_version"], told["outcome"]) == (OLD, NEW, None)


async def test_a_version_that_changed_while_home_assistant_was_away_is_told(world: World) -> None:
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    await world.pass_time(3600, 60)
    world.ems.emu(2).version = NEW
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.pass_time(3)
    assert world.events() == ["external_change"]
    assert (world.told()[0]["from_version"], world.told()[0]["to_version"]) == (OLD, NEW)


async def test_what_is_told_for_the_first_time_is_no_change(world: World) -> None:
    world.ems.emu(4).online = True
    await world.refresh()
    assert world.update(4).attributes["installed_version"] == OLD
    assert (world.events(), world.events(4)) == ([], [])


async def test_an_emu_that_goes_and_comes_is_no_change(hand: HandEms) -> None:
    for each in (report(), offline(), report(), offline(), report(status=3), report()):
        await hand.versions(each)
    assert hand.world.events() == []


async def test_an_order_for_another_emu_disturbs_no_upgrade_of_ours(world: World) -> None:
    install = await world.install()
    await world.until(lambda: world.stage() == "verifying")
    await somebody_orders(world, 3)
    assert world.events(3) == ["external_change"]
    await world.ended(install)
    assert "external_change" not in world.events()


async def test_an_order_for_an_emu_that_nobody_knows_is_ignored(world: World) -> None:
    await somebody_orders(world, 99)
    assert [world.events(device_id) for device_id in (2, 3)] == [[], []]


async def test_a_retained_order_is_old_news(world: World) -> None:
    command = foreign_order(world)
    world.broker.retained[command.topic] = command.payload
    await world.reload()
    await world.tick(1)
    assert world.events() == []


async def ordered(hand: HandEms) -> object:
    """Bring an upgrade of EMU 2 to where its order is out."""
    await hand.versions(report())
    install = await hand.world.install()
    await hand.versions(report())
    assert len(hand.world.orders()) == 1
    return install


@pytest.mark.parametrize(("reply", "ends"), [("none", True), ("ours", True), ("foreign", False)])
@pytest.mark.parametrize("code", [2, 3, 4, 5, 6])
async def test_a_result_with_the_reply_of_somebody_else_is_no_answer(
    hand: HandEms,
    *,
    reply: str,
    code: int,
    ends: bool,
) -> None:
    await ordered(hand)
    replies = {"none": None, "ours": hand.last_mid(Exchange.UPGRADE), "foreign": str(uuid4())}
    data = {"device_id": 2, "download_status": code}
    await hand.send(Exchange.UPGRADE, message(Exchange.UPGRADE, data, reply=replies[reply]))
    assert (hand.world.last_upgrade()[0] == "failed") == ends


async def test_a_result_for_another_emu_is_no_answer(hand: HandEms) -> None:
    await ordered(hand)
    await hand.send(Exchange.UPGRADE, message(Exchange.UPGRADE, {"device_id": 3, "download_status": 2}))
    assert hand.world.stage() == "ordered"


@pytest.mark.parametrize("version", [NEW, "emu-v6.6.6", OLD])
async def test_once_somebody_else_ordered_the_same_emu_only_the_version_decides(hand: HandEms, version: str) -> None:
    world = hand.world
    await ordered(hand)
    await somebody_orders(world)
    assert world.events() == ["queued", "started", "external_change"]
    await hand.send(Exchange.UPGRADE, message(Exchange.UPGRADE, {"device_id": 2, "download_status": 2}))
    assert world.stage() == "ordered"
    await hand.progress(report(stage=3, content=10, success=0))
    assert world.stage() == "transferring"
    for _ in range(5):  # errors, for longer than would otherwise be believed
        await hand.versions(report(success=0))
        await world.pass_time(30, 5)
    assert world.events() == ["queued", "started", "external_change"]
    await hand.versions(offline())
    for _ in range(80):
        await hand.versions(report(success=1, version=version))
        await world.pass_time(10, 5)
        if world.last_upgrade()[0] != "unknown":
            break
    outcomes = {
        NEW: ("succeeded", None),
        "emu-v6.6.6": ("unverified", "other_version"),
        OLD: ("failed", "version_unchanged"),
    }
    assert world.last_upgrade() == outcomes[version]
    assert len(world.orders()) == 2


async def test_an_order_of_ours_that_is_heard_after_a_reload_is_not_somebody_else_s(world: World) -> None:
    world.ems.faults.on(Fault.LOST_ANSWER, 2)
    await world.install()
    await world.tick(1)
    await world.reload()
    world.broker.publish(f"{world.ems.address.prefix}/{UID}/ota/emu_upgrade/command", world.orders()[0])
    await world.settle()
    assert "external_change" not in world.events()


async def test_work_of_somebody_else_that_stands_still_for_long_is_told_once_for_all_components(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report())
    for _ in range(40):
        await hand.versions(report(stage=3, content=100))
        await world.tick(30)
    await hand.versions(report(stage=5))
    await world.tick(5)
    await hand.versions(report(device=21, stage=1, content=0))
    assert world.events() == ["external_change"]

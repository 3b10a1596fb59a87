"""What a later report makes of an upgrade that has ended: a success after all, or somebody else's doing."""

from collections.abc import Callable

import pytest

from custom_components.emu_ota.protocol.topics import Exchange
from simulator.ems import EmsSettings
from simulator.faults import Fault
from simulator.package import build_package, md5_of
from simulator.wire import Revision

from .by_hand import HandEms, message, report
from .conftest import MakeWorld
from .world import NEW, OLD, URL, World, ems_subentry, firmware_subentry, simulated_ems

BOTH = (Revision.B, Revision.C)
OTHER, OTHER_URL = "emu-v1.1.0", "http://127.0.0.1/emu-v1.1.0.tar.gz"


def comes_back(world: World) -> None:
    """Let the EMU return from where it has been."""
    for fault in (Fault.DOES_NOT_RETURN, Fault.STALL, Fault.EMU_FAULT, Fault.EMU_OFFLINE):
        world.ems.faults.off(fault, 2)


def runs(version: str) -> Callable[[World], None]:
    """Return what lets the EMU run a version."""

    def change(world: World) -> None:
        world.ems.emu(2).version = version

    return change


async def ended_with(world: World, *faults: Fault, version: str | None = None) -> tuple[str, str | None]:
    """Install with faults, and return the outcome and its reason."""
    for fault in faults:
        world.ems.faults.on(fault, 2, times=None if fault in {Fault.STALL, Fault.DOES_NOT_RETURN} else 1)
    await world.ended(await world.install(version=version))
    return world.last_upgrade()


@pytest.mark.parametrize("revision", BOTH)
@pytest.mark.parametrize(
    ("faults", "before", "later"),
    [
        ((Fault.DOES_NOT_RETURN,), ("lost", "did_not_return"), comes_back),
        ((Fault.OTHER_VERSION,), ("unverified", "other_version"), runs(NEW)),
        ((Fault.VERSION_UNCHANGED,), ("unverified", "version_unchanged"), runs(NEW)),
        ((Fault.VERSION_UNCHANGED, Fault.SUCCESS_NEVER_TOLD), ("failed", "version_unchanged"), runs(NEW)),
        ((Fault.STALL,), ("failed", "stalled"), comes_back),
        ((Fault.NO_ANSWER,), ("failed", "no_answer"), runs(NEW)),
    ],
)
async def test_the_ordered_version_read_later_amends(
    make_world: MakeWorld,
    revision: Revision,
    faults: tuple[Fault, ...],
    before: tuple[str, str | None],
    later: Callable[[World], None],
) -> None:
    world = await make_world([simulated_ems(settings=EmsSettings(revision=revision))])
    assert await ended_with(world, *faults) == before
    upgrade_id = world.told()[-1]["upgrade_id"]
    later(world)
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=30)
    assert world.last_upgrade() == ("succeeded", None)
    assert world.events() == ["queued", "started", before[0], "amended"]
    amended = world.told()[-1]
    assert (amended["upgrade_id"], amended["outcome"], amended["reason"]) == (upgrade_id, "succeeded", None)
    assert (amended["from_version"], amended["to_version"]) == (OLD, NEW)
    assert [(each["outcome"], each["reason"]) for each in await world.history()] == [("succeeded", None)]
    assert len(world.orders()) == 1
    await world.reload()
    assert world.last_upgrade() == ("succeeded", None)


@pytest.mark.parametrize("fault", [Fault.EMU_OFFLINE, Fault.EMU_FAULT])
async def test_an_emu_that_goes_on_after_its_outcome_is_nobody_else_s_doing(world: World, fault: Fault) -> None:
    install = await world.install()
    await world.until(lambda: world.stage() == "transferring")
    world.ems.faults.on(fault, 2)
    await world.ended(install)
    outcome = "lost" if fault is Fault.EMU_OFFLINE else "failed"
    assert world.last_upgrade()[0] == outcome
    await world.pass_time(3600, 60)
    comes_back(world)
    await world.tick(1)
    await world.refresh()
    assert world.stage() == "transferring"
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=20)
    assert world.events() == ["queued", "started", outcome, "amended"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.DOWNLOAD_FAILED, "download_failed"),
        (Fault.MD5_MISMATCH, "md5_mismatch"),
        (Fault.CLEAR_FOLDER_FAILED, "clear_folder_failed"),
        (Fault.UNPACK_FAILED, "unpack_failed"),
        (Fault.HAND_OVER_FAILED, "hand_over_failed"),
        (Fault.ERRORS_REPORTED, "errors_reported"),
    ],
)
async def test_after_a_failure_that_the_ems_told_a_new_version_is_somebody_else_s(
    world: World, fault: Fault, reason: str
) -> None:
    assert await ended_with(world, fault) == ("failed", reason)
    world.ems.emu(2).success = 1
    runs(NEW)(world)
    await world.until(lambda: world.update().attributes["installed_version"] == NEW, step=30)
    assert world.last_upgrade() == ("failed", reason)
    assert world.events() == ["queued", "started", "failed", "external_change"]


async def test_another_version_than_the_ordered_one_amends_nothing(world: World) -> None:
    assert await ended_with(world, Fault.VERSION_UNCHANGED) == ("unverified", "version_unchanged")
    runs(OTHER)(world)
    await world.until(lambda: world.update().attributes["installed_version"] == OTHER, step=30)
    assert world.last_upgrade() == ("unverified", "version_unchanged")
    assert world.events()[-1] == "external_change"


async def test_an_emu_that_returns_with_the_old_version_amends_nothing(world: World) -> None:
    assert await ended_with(world, Fault.DOES_NOT_RETURN, Fault.VERSION_UNCHANGED) == ("lost", "did_not_return")
    comes_back(world)
    await world.until(lambda: world.state("sensor", "status").state == "running", step=30)
    await world.pass_time(1800, 60)
    assert world.last_upgrade() == ("lost", "did_not_return")
    assert world.events() == ["queued", "started", "lost"]


@pytest.mark.parametrize("revision", BOTH)
async def test_nothing_is_amended_while_the_emu_tells_errors(make_world: MakeWorld, revision: Revision) -> None:
    world = await make_world([simulated_ems(settings=EmsSettings(revision=revision))])
    assert await ended_with(world, Fault.DOES_NOT_RETURN) == ("lost", "did_not_return")
    emu = world.ems.emu(2)
    successful, emu.success = emu.success, 1 if revision is Revision.C else 0
    comes_back(world)
    await world.until(lambda: world.state("sensor", "status").state == "running", step=30)
    await world.pass_time(600, 30)
    assert world.update().attributes["installed_version"] == NEW
    assert world.last_upgrade() == ("lost", "did_not_return")
    emu.success = successful
    await world.until(lambda: world.last_upgrade() == ("succeeded", None), step=30)
    assert world.events()[-1] == "amended"


async def test_without_a_version_there_is_nothing_to_amend(world: World) -> None:
    link: dict[str, object] = {"download_url": URL, "md5": md5_of(build_package(NEW))}
    world.ems.faults.on(Fault.DOES_NOT_RETURN, 2)
    await world.ended(world.call("emu_ota", "upgrade", link))
    assert world.last_upgrade() == ("lost", "did_not_return")
    comes_back(world)
    await world.until(lambda: world.update().attributes["installed_version"] == NEW, step=30)
    assert world.last_upgrade() == ("lost", "did_not_return")


async def test_the_version_of_before_amends_nothing(make_world: MakeWorld) -> None:
    url = "http://127.0.0.1/old"
    world = await make_world([simulated_ems()], [ems_subentry(), firmware_subentry(OLD, url)])
    world.packages[url] = build_package(OLD)
    outcome = await ended_with(world, Fault.SUCCESS_NEVER_TOLD, version=OLD)
    assert outcome == ("unverified", "version_unchanged")
    await world.pass_time(1800, 60)
    assert world.last_upgrade() == outcome
    assert world.events() == ["queued", "started", "unverified"]


async def test_only_the_newest_upgrade_of_an_emu_is_amended(make_world: MakeWorld) -> None:
    world = await make_world(
        [simulated_ems()], [ems_subentry(), firmware_subentry(), firmware_subentry(OTHER, OTHER_URL)]
    )
    assert await ended_with(world, Fault.NO_ANSWER) == ("failed", "no_answer")
    world.ems.faults.off(Fault.NO_ANSWER, 2)
    assert await ended_with(world, Fault.DOWNLOAD_FAILED, version=OTHER) == ("failed", "download_failed")
    runs(NEW)(world)
    await world.until(lambda: world.update().attributes["installed_version"] == NEW, step=30)
    assert [each["reason"] for each in await world.history()] == ["download_failed", "no_answer"]
    assert world.events()[-1] == "external_change"


@pytest.mark.parametrize("retained", [True, False])
async def test_a_retained_report_amends_nothing(world: World, *, retained: bool) -> None:
    assert await ended_with(world, Fault.VERSION_UNCHANGED) == ("unverified", "version_unchanged")
    hand = HandEms(world)
    if retained:
        world.broker.retained[hand.topic(Exchange.PROGRESS)] = message(Exchange.PROGRESS, report(version=NEW))
        await world.reload()
    else:
        await hand.progress(report(version=NEW))
    assert world.last_upgrade()[0] == ("unverified" if retained else "succeeded")


async def test_a_report_that_says_the_same_as_before_the_outcome_amends_it_too(hand: HandEms) -> None:
    """It was no news when it came first; after the outcome it is."""
    world = hand.world
    back = report(success=None, version=NEW)
    await hand.versions(report(), reply=hand.last_mid())
    await world.install()
    await hand.progress(report(stage=3, content=50))
    await hand.versions(back)
    assert world.stage() == "restarting"
    await world.until(lambda: world.last_upgrade()[0] == "lost", 1200, 5)  # it is not heard of any more
    await hand.versions(back)
    assert world.last_upgrade() == ("succeeded", None)
    assert world.events()[-1] == "amended"

"""How upgrades end on healthy EMSs, whatever their revision and whatever is ordered."""

import asyncio

import pytest

from custom_components.emu_ota.protocol.models import Component, Stage
from simulator.ems import EmsSettings
from simulator.emu import SimulatedEmu
from simulator.faults import Fault
from simulator.package import build_package, md5_of
from simulator.wire import Revision

from .by_hand import HandEms, report
from .conftest import MakeWorld
from .world import NEW, OLD, UID, URL, World, ems_subentry, firmware_subentry, simulated_ems

A, B, C, D = Revision
BOTH = (B, C)
OLD_URL = "http://127.0.0.1/emu-v1.0.0.tar.gz"
LINK: dict[str, object] = {"download_url": URL, "md5": md5_of(build_package(NEW))}
STAGES = ["preparing_upgrade", "preparing_transfer", "transferring", "verifying", "complete"]


async def watched(world: World, key: str, install: asyncio.Task[object]) -> list[str]:
    """Let an upgrade go its way; return what one of the EMU's sensors showed, each change once."""
    shown = [world.state("sensor", key).state]

    def over() -> bool:
        state = world.state("sensor", key).state
        if state != shown[-1]:
            shown.append(state)
        return install.done()

    await world.until(over, step=1)
    return shown


@pytest.mark.parametrize("tells_reply", [False, True])
@pytest.mark.parametrize("revision", Revision)
async def test_every_revision_succeeds(make_world: MakeWorld, revision: Revision, *, tells_reply: bool) -> None:
    world = await make_world([simulated_ems(settings=EmsSettings(revision=revision, tells_reply=tells_reply))])
    assert await world.ended(await world.install()) is None
    assert world.last_upgrade() == ("succeeded", None)
    assert world.events() == ["queued", "started", "succeeded"]
    assert len(world.orders()) == 1
    assert (world.update().state, world.update().attributes["installed_version"]) == ("off", NEW)
    assert world.stage() == "idle"
    assert world.update().attributes["in_progress"] is False


async def test_all_stages_and_components_are_seen(world: World) -> None:
    install = await world.install()
    stages = await watched(world, "upgrade_stage", install)
    per_component = [stage for stage in stages if stage in STAGES]
    assert stages[:2] == ["ordered", "preparing_upgrade"]
    assert stages[-2:] == ["restarting", "idle"]
    assert per_component == STAGES[:4] + ["complete", *STAGES[:4]] * 2 or per_component == STAGES * 3
    install = await world.install(3)
    assert await world.ended(install) is None


async def test_the_attributes_of_an_upgrade_tell_the_same_everywhere(world: World) -> None:
    assert await world.ended(await world.install()) is None
    queued, started, ended = world.told()
    assert queued["started"] is None
    assert [each["outcome"] for each in (queued, started, ended)] == [None, None, "succeeded"]
    assert [each["ended"] is None for each in (queued, started, ended)] == [True, True, False]
    assert {each["upgrade_id"] for each in (queued, started, ended)} == {ended["upgrade_id"]}
    last = world.state("sensor", "last_upgrade").attributes
    (record,) = await world.history()
    assert record["id"] == last["upgrade_id"] == ended["upgrade_id"]
    assert record["entity_id"] == world.entity_id("update", "firmware")
    assert record["ordered"] == last["started"] == ended["started"]
    assert record["ended"] == last["ended"] == ended["ended"]
    for each in (record, last, ended):
        assert (each["from_version"], each["to_version"], each["reason"]) == (OLD, NEW, None)


def with_old_release() -> list[dict[str, object]]:
    """Return subentries with a release of the version that runs already."""
    return [ems_subentry(), firmware_subentry(), firmware_subentry(OLD, OLD_URL)]


@pytest.mark.parametrize("revision", BOTH)
@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        ((), ("succeeded", None)),
        ((Fault.SUCCESS_NEVER_TOLD,), ("unverified", "version_unchanged")),
        ((Fault.ERRORS_REPORTED,), ("failed", "errors_reported")),
    ],
)
async def test_the_same_version_ordered_by_name_needs_the_emu_s_own_word(
    make_world: MakeWorld, revision: Revision, faults: tuple[Fault, ...], outcome: tuple[str, str | None]
) -> None:
    world = await make_world([simulated_ems(settings=EmsSettings(revision=revision))], with_old_release())
    world.packages[OLD_URL] = build_package(OLD)
    for fault in faults:
        world.ems.faults.on(fault, 2)
    error = await world.ended(await world.install(version=OLD))
    assert world.last_upgrade() == outcome
    assert (error is None) == (outcome[0] == "succeeded")
    assert len(world.orders()) == 1


async def test_an_older_version_is_installed_when_it_is_named(make_world: MakeWorld) -> None:
    ems = simulated_ems(emus=[SimulatedEmu(2, NEW)])
    world = await make_world([ems], with_old_release())
    world.packages[OLD_URL] = build_package(OLD)
    assert await world.ended(await world.install(version=OLD)) is None
    assert world.last_upgrade() == ("succeeded", None)
    assert world.update().attributes["installed_version"] == OLD


@pytest.mark.parametrize("revision", BOTH)
async def test_a_package_for_boards_only_succeeds(make_world: MakeWorld, revision: Revision) -> None:
    boards = (Component.COMMUNICATION_BOARD_1, Component.COMMUNICATION_BOARD_2)
    package = build_package(NEW, components=boards)
    world = await make_world(
        [simulated_ems(settings=EmsSettings(revision=revision))], [ems_subentry(), firmware_subentry(package=package)]
    )
    world.packages[URL] = package
    install = await world.install()
    components = await watched(world, "upgrade_component", install)
    assert [name for name in components if name != "unknown"] == ["communication_board_1", "communication_board_2"]
    assert world.last_upgrade() == ("succeeded", None)


@pytest.mark.parametrize("faults", [(), (Fault.NO_OFFLINE_PHASE,)])
@pytest.mark.parametrize("revision", [C, D])
async def test_a_bit_field_that_rests_at_512_says_nothing_against_a_success(
    make_world: MakeWorld, revision: Revision, faults: tuple[Fault, ...]
) -> None:
    world = await make_world([simulated_ems(settings=EmsSettings(revision=revision, rests_at_512=True))])
    for fault in faults:
        world.ems.faults.on(fault, 2)
    assert await world.ended(await world.install()) is None
    assert world.last_upgrade() == ("succeeded", None)


@pytest.mark.parametrize("revision", BOTH)
async def test_the_new_version_is_no_success_while_boards_are_still_upgraded(
    make_world: MakeWorld, revision: Revision
) -> None:
    world = await make_world([simulated_ems(settings=EmsSettings(revision=revision))])
    install = await world.install()
    emu = world.ems.emu(2)
    await world.until(lambda: emu.component == Component.COMMUNICATION_BOARD_1, step=1)
    emu.version = NEW
    await world.until(lambda: world.update().attributes["installed_version"] == NEW, step=1)
    await world.until(lambda: emu.component == Component.COMMUNICATION_BOARD_2, step=1)
    await world.until(lambda: emu.stage == Stage.COMPLETE, step=1)
    assert not install.done()
    assert await world.ended(install) is None
    assert world.events() == ["queued", "started", "succeeded"]
    assert len(world.orders()) == 1


@pytest.mark.parametrize(
    ("version", "faults", "outcome"),
    [
        (NEW, (), ("succeeded", None)),
        (None, (), ("unverified", "no_version_given")),
        (None, (Fault.SUCCESS_NEVER_TOLD,), ("unverified", "no_version_given")),
        (None, (Fault.VERSION_UNCHANGED,), ("unverified", "no_version_given")),
        (None, (Fault.VERSION_UNCHANGED, Fault.SUCCESS_NEVER_TOLD), ("failed", "version_unchanged")),
        (None, (Fault.MD5_MISMATCH,), ("failed", "md5_mismatch")),
        ("emu-v7.7.7", (), ("unverified", "other_version")),
    ],
)
async def test_the_action_upgrade_installs_what_is_behind_a_link(
    world: World, version: str | None, faults: tuple[Fault, ...], outcome: tuple[str, str | None]
) -> None:
    for fault in faults:
        world.ems.faults.on(fault, 2)
    error = await world.ended(
        world.call("emu_ota", "upgrade", LINK if version is None else LINK | {"version": version})
    )
    assert world.last_upgrade() == outcome
    assert len(world.orders()) == 1
    if outcome[0] == "succeeded":
        assert error is None
        return
    assert error is not None
    assert error.translation_key == f"upgrade_{outcome[1]}"
    assert f"{UID} EMU 2" in str(error)
    assert "?" not in str(error)


async def test_a_third_version_is_named_where_the_outcome_is_told(world: World) -> None:
    world.ems.faults.on(Fault.OTHER_VERSION, 2, version="emu-v3.3.3")
    error = await world.ended(await world.install())
    assert "emu-v3.3.3" in str(error)
    assert world.told()[-1]["to_version"] == "emu-v3.3.3"
    assert world.state("sensor", "last_upgrade").attributes["to_version"] == "emu-v3.3.3"


async def test_an_emu_that_the_list_no_longer_names_has_not_said_the_same_once_more(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report(), report(3), reply=hand.last_mid())
    await world.install()
    await hand.progress(report(stage=3, content=10))
    for _ in range(2):
        await hand.progress(report(version=NEW))
    for _ in range(30):
        await world.tick(10)
        await hand.versions(report(3), reply=hand.last_mid())
    assert world.stage() == "restarting"
    await hand.versions(report(version=NEW), report(3))
    assert world.last_upgrade() == ("succeeded", None)

"""Every fault that the simulated EMS knows: what becomes of the upgrade, and what the user is told."""

from dataclasses import dataclass, field
from functools import partial

from homeassistant.exceptions import HomeAssistantError
import pytest

from custom_components.emu_ota.protocol.models import Component, Stage
from simulator.ems import EmsSettings
from simulator.faults import DESCRIPTIONS, Fault, FaultSetting
from simulator.wire import Revision

from .conftest import MakeWorld
from .world import NEW, OLD, UID, World, simulated_ems

A, B, C, D = Revision
BOTH = (B, C)
"""One revision with a flag, one with a bit field."""

SUCCEEDED = ("succeeded", None)


@dataclass(frozen=True)
class Row:
    """Faults of EMU 2 (or, with `whole_ems`, of everything), and what they lead to."""

    name: str
    faults: tuple[FaultSetting, ...]
    outcome: tuple[str, str | None]
    revisions: tuple[Revision, ...] = (B,)
    runs: str = OLD
    """What the EMU runs afterwards."""
    message: tuple[str, ...] = field(default=())
    """What the error says besides the name of the EMU: cause and remedy."""


on = partial(FaultSetting, emu=2)

ROWS = (
    Row(
        "the EMS ignores the order",
        (on(fault=Fault.NO_ANSWER),),
        ("failed", "no_answer"),
        message=("did not say", "Check", "older software"),
    ),
    Row("the answer to the order is lost", (on(fault=Fault.LOST_ANSWER),), SUCCEEDED, BOTH, NEW),
    Row("every answer about the EMU is a minute late", (on(fault=Fault.LATE_ANSWER),), SUCCEEDED, BOTH, NEW),
    Row(
        "the answer to the order comes after the upgrade",
        (on(fault=Fault.LATE_ANSWER, seconds=400, times=1),),
        SUCCEEDED,
        runs=NEW,
    ),
    Row(
        "the download fails",
        (on(fault=Fault.DOWNLOAD_FAILED),),
        ("failed", "download_failed"),
        (A, B, C, D),
        message=("could not download", "Check that the link"),
    ),
    Row(
        "the MD5 is another",
        (on(fault=Fault.MD5_MISMATCH),),
        ("failed", "md5_mismatch"),
        BOTH,
        message=("does not have the MD5", "Check the link and the MD5"),
    ),
    Row(
        "the folder cannot be cleared",
        (on(fault=Fault.CLEAR_FOLDER_FAILED),),
        ("failed", "clear_folder_failed"),
        message=("could not clear", "Restart the EMS"),
    ),
    Row(
        "the package cannot be unpacked",
        (on(fault=Fault.UNPACK_FAILED),),
        ("failed", "unpack_failed"),
        message=("could not unpack", "Check that the file"),
    ),
    Row(
        "the hand-over fails",
        (on(fault=Fault.HAND_OVER_FAILED),),
        ("failed", "hand_over_failed"),
        (A, B, C, D),
        message=("could not hand", "Check the connection"),
    ),
    Row("the upgrade before is reported for two minutes", (on(fault=Fault.STALE_REPORT),), SUCCEEDED, BOTH, NEW),
    Row(
        "the upgrade before is reported until this one is over",
        (on(fault=Fault.STALE_REPORT, seconds=300),),
        SUCCEEDED,
        BOTH,
        NEW,
    ),
    Row(
        "the transfer stands still",
        (on(fault=Fault.STALL),),
        ("failed", "stalled"),
        BOTH,
        message=("stopped moving", "Look at the EMU"),
    ),
    Row(
        "the transfer to a board stands still",
        (on(fault=Fault.STALL, component=Component.COMMUNICATION_BOARD_1),),
        ("failed", "stalled"),
        BOTH,
    ),
    Row("the transfer stands still for ten minutes", (on(fault=Fault.STALL, seconds=600),), SUCCEEDED, BOTH, NEW),
    Row(
        "it stands still at 100 % for 20 minutes",
        (on(fault=Fault.STALL, percent=100, seconds=1200),),
        SUCCEEDED,
        BOTH,
        NEW,
    ),
    Row(
        "it verifies for 20 minutes",
        (on(fault=Fault.STALL, stage=Stage.VERIFYING, seconds=1200),),
        SUCCEEDED,
        BOTH,
        NEW,
    ),
    Row("it verifies for ever", (on(fault=Fault.STALL, stage=Stage.VERIFYING),), ("failed", "stalled")),
    Row(
        "the EMU reports errors",
        (on(fault=Fault.ERRORS_REPORTED),),
        ("failed", "errors_reported"),
        BOTH,
        message=("ended with errors", "try again or ask the vendor"),
    ),
    Row(
        "a board fails, and the EMU restarts with the new version",
        (on(fault=Fault.ERRORS_REPORTED, component=Component.COMMUNICATION_BOARD_2),),
        ("failed", "errors_reported"),
        BOTH,
        NEW,
    ),
    Row("the EMU never tells its success", (on(fault=Fault.SUCCESS_NEVER_TOLD),), SUCCEEDED, BOTH, NEW),
    Row(
        "the old version runs after a success told",
        (on(fault=Fault.VERSION_UNCHANGED),),
        ("unverified", "version_unchanged"),
        BOTH,
        message=("still reports the version from before", "Check that the package"),
    ),
    Row(
        "the old version runs and no success was told",
        (on(fault=Fault.VERSION_UNCHANGED), on(fault=Fault.SUCCESS_NEVER_TOLD)),
        ("failed", "version_unchanged"),
        BOTH,
    ),
    Row(
        "a third version runs",
        (on(fault=Fault.OTHER_VERSION),),
        ("unverified", "other_version"),
        BOTH,
        "emu-v9.9.9",
        message=("runs emu-v9.9.9", f"Check that the package really is {NEW}"),
    ),
    Row(
        "the EMU does not return",
        (on(fault=Fault.DOES_NOT_RETURN),),
        ("lost", "did_not_return"),
        BOTH,
        message=("did not come back", "Look at it on site"),
    ),
    Row("the EMU returns after six minutes", (on(fault=Fault.SLOW_RETURN),), SUCCEEDED, BOTH, NEW),
    Row("the restart is too fast to be seen", (on(fault=Fault.NO_OFFLINE_PHASE),), SUCCEEDED, BOTH, NEW),
    Row(
        "the restart is too fast to be seen and no success is told",
        (on(fault=Fault.NO_OFFLINE_PHASE), on(fault=Fault.SUCCESS_NEVER_TOLD)),
        SUCCEEDED,
        BOTH,
        NEW,
    ),
    Row("the EMS restarts in the middle", (on(fault=Fault.EMS_RESTART, times=1),), SUCCEEDED, BOTH, NEW),
    Row(
        "the EMS is silent for eight minutes",
        (on(fault=Fault.EMS_RESTART, times=1, seconds=480),),
        SUCCEEDED,
        BOTH,
        NEW,
    ),
    Row("the EMS is silent for ever", (on(fault=Fault.EMS_RESTART, times=1, seconds=1e6),), ("lost", "did_not_return")),
    Row("the EMS is silent while the EMU restarts", (on(fault=Fault.SILENT_RESTART),), SUCCEEDED, BOTH, NEW),
    Row("every result comes twice", (FaultSetting(fault=Fault.DUPLICATED_RESULTS),), SUCCEEDED, BOTH, NEW),
    Row("every result is published retained", (FaultSetting(fault=Fault.RETAINED_RESULTS),), SUCCEEDED, BOTH, NEW),
    Row("garbage comes before every result", (FaultSetting(fault=Fault.GARBAGE),), SUCCEEDED, BOTH, NEW),
    Row("there are unknown stages and components", (on(fault=Fault.UNKNOWN_CODES),), SUCCEEDED, BOTH, NEW),
    Row("the order has an unknown answer", (on(fault=Fault.UNKNOWN_DOWNLOAD_STATUS),), SUCCEEDED, BOTH, NEW),
)

# What comes and goes in the middle of an upgrade has tests of its own.
IN_THE_MIDDLE = {Fault.EMU_OFFLINE, Fault.EMU_FAULT, Fault.UNKNOWN_STATUS}


@pytest.mark.parametrize(
    ("row", "revision"),
    [pytest.param(row, revision, id=f"{row.name} ({revision})") for row in ROWS for revision in row.revisions],
)
async def test_a_fault_leads_to_its_outcome(make_world: MakeWorld, row: Row, revision: Revision) -> None:
    outcome, reason = row.outcome
    if revision is A and reason not in {None, "hand_over_failed"}:
        reason = "download_failed"  # the only word that it has for all that goes wrong with the file
    ems = simulated_ems(settings=EmsSettings(revision=revision))
    world = await make_world([ems])
    for setting in row.faults:
        ems.faults.add(setting)
    error = await world.ended(await world.install())
    assert world.last_upgrade() == (outcome, reason)
    assert world.events() == ["queued", "started", outcome]
    assert len(world.orders()) == 1
    assert world.update().attributes["installed_version"] == row.runs
    if outcome == "succeeded":
        assert error is None
        return
    assert error is not None
    assert (error.translation_domain, error.translation_key) == ("emu_ota", f"upgrade_{reason}")
    for part in (f"{UID} EMU 2", *row.message):
        assert part in str(error)
    last = world.told()[-1]
    assert (last["outcome"], last["reason"], last["from_version"]) == (outcome, reason, OLD)


def test_every_fault_is_tested() -> None:
    assert {setting.fault for row in ROWS for setting in row.faults} | IN_THE_MIDDLE == set(DESCRIPTIONS)


async def _transferring(world: World) -> None:
    await world.until(lambda: world.state("sensor", "upgrade_stage").state == "transferring")


@pytest.mark.parametrize("revision", BOTH)
@pytest.mark.parametrize(
    ("fault", "seconds", "outcome", "parts"),
    [
        (Fault.EMU_OFFLINE, 60, SUCCEEDED, ()),
        (Fault.EMU_OFFLINE, None, ("lost", "did_not_return"), ("did not come back", "Look at it on site")),
        (Fault.EMU_FAULT, 300, SUCCEEDED, ()),
        (Fault.EMU_FAULT, None, ("failed", "emu_fault"), ("reports a fault", "Clear the fault")),
        (Fault.UNKNOWN_STATUS, 60, SUCCEEDED, ()),
    ],
)
async def test_what_comes_over_an_emu_in_the_middle(  # noqa: PLR0913 - parameters
    make_world: MakeWorld,
    *,
    revision: Revision,
    fault: Fault,
    seconds: float | None,
    outcome: tuple[str, str | None],
    parts: tuple[str, ...],
) -> None:
    ems = simulated_ems(settings=EmsSettings(revision=revision))
    world = await make_world([ems])
    install = await world.install()
    await _transferring(world)
    ems.faults.on(fault, 2)
    if seconds is not None:
        await world.pass_time(seconds, 2)
        assert not install.done()
        ems.faults.off(fault, 2)
    error = await world.ended(install)
    assert world.last_upgrade() == outcome
    assert world.events() == ["queued", "started", outcome[0]]
    assert len(world.orders()) == 1
    assert (error is None) == (outcome == SUCCEEDED)
    if isinstance(error, HomeAssistantError):
        assert error.translation_key == f"upgrade_{outcome[1]}"
        for part in (f"{UID} EMU 2", *parts):
            assert part in str(error)


@pytest.mark.parametrize("seconds", [20, 60])
async def test_an_ems_that_answers_everything_late_is_upgraded_all_the_same(world: World, seconds: float) -> None:
    install = await world.install()
    await world.until(lambda: len(world.orders()) == 1)
    world.ems.faults.on(Fault.LATE_ANSWER, seconds=seconds)
    assert await world.ended(install) is None
    assert world.last_upgrade() == SUCCEEDED
    assert len(world.orders()) == 1

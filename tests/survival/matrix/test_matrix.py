"""Every fault of the simulator, in every phase of an upgrade, with every restart."""

from collections.abc import Awaitable, Callable

import pytest

from custom_components.emu_ota.protocol.upgrade import Outcome, Phase
from simulator.faults import DESCRIPTIONS
from simulator.wire import Revision
from tests.site.conftest import MakeWorld
from tests.site.world import NEW

from .cell_run import OPTIONS, CellRun, Storage, matrix_ems
from .cells import PHASES, CannotHappen, Cell, End, Restart, cells
from .rows import ROWS

CELLS = tuple(cells(ROWS))


type MakeRun = Callable[[Revision], Awaitable[CellRun]]


@pytest.fixture
def make_run(make_world: MakeWorld, hass_storage: Storage) -> MakeRun:
    """Return what makes a site for a cell, from the revision that its EMS speaks."""

    async def make(revision: Revision) -> CellRun:
        return CellRun(await make_world([matrix_ems(revision)], options=OPTIONS), hass_storage)

    return make


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Speak of success with a flag; with bits, too, where many more rounds are wanted."""
    if "revision" in metafunc.fixturenames:
        revisions = [Revision.B, Revision.C] if metafunc.config.getoption("--deep") else [Revision.B]
        metafunc.parametrize("revision", revisions)


def test_the_matrix_has_each_cell_once() -> None:
    names = [(cell.fault, cell.phase, cell.restart) for cell in CELLS]
    assert len(names) == len(set(names))
    assert set(names) == {(fault, phase, restart) for fault in DESCRIPTIONS for phase in PHASES for restart in Restart}


@pytest.mark.parametrize(
    "cell", [pytest.param(cell, id=str(cell)) for cell in CELLS if not isinstance(cell.ends, CannotHappen)]
)
async def test_a_fault_in_a_phase_ends_as_designed(
    make_run: MakeRun, cell: Cell, revision: Revision, expected_logs: list[str]
) -> None:
    ends = cell.ends_with_bits if revision.tells_bits else cell.ends
    assert isinstance(ends, End)
    if cell.restart is Restart.HOME_ASSISTANT:
        expected_logs.append("Unable to remove unknown job listener")  # of an unload after the stop: only tests do that
    run = await make_run(revision)
    world = run.world
    await run.queue()
    await run.come_to(cell.since)
    run.strike(cell.row.faults)
    if cell.at is not cell.since:
        await run.come_to(cell.at)
    assert run.phase is cell.phase
    await run.restart(cell.restart)
    await world.pass_time(5)
    assert len(world.orders()) == (0 if cell.phase is Phase.QUEUED else 1)

    outcome, reason = await run.end()

    assert (outcome, reason) == (ends.outcome, ends.reason)
    assert len(world.orders()) == int(cell.ordered)
    for setting in cell.row.faults:
        # An EMS that restarts does not even come to losing an answer.
        assert world.ems.faults.struck(setting.fault) or cell.restart is Restart.EMS
    assert world.events() == ["queued", *(["started"] if cell.ordered else []), outcome]
    assert run.under_way() == []
    assert [(each["outcome"], each["reason"]) for each in await world.history()] == [(outcome, reason)]
    if outcome == Outcome.SUCCEEDED:
        assert world.update().attributes["installed_version"] == world.ems.emu(2).version == NEW

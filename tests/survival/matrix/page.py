"""Writes what docs/reliability.md says: the outcomes, the fault matrix, the hard cases."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
import json
from pathlib import Path

from custom_components.emu_ota.protocol.upgrade import Outcome, Phase, Reason
from custom_components.emu_ota.protocol.upgrade_rules import AMENDABLE_FAILURES
from simulator.faults import Fault

from .cells import PHASES, CannotHappen, Cell, End, Restart, cells
from .hard_cases import HARD_CASES
from .rows import ROWS

TRANSLATION = Path(__file__).parents[3] / "custom_components" / "emu_ota" / "translations" / "en.json"

INTRODUCTION = """\
# What happens when something goes wrong

Every upgrade that is asked for comes to an outcome. It is ordered at most once: not again by itself, not after a
restart, not when an answer is missing. It counts as succeeded only when the ordered version was read back from the EMU.
What this means for each thing that can go wrong is on this page. Written by `scripts/reliability_page.py` from
`tests/survival/matrix/`, where each cell is a test; do not edit it here.

## Outcomes

*Last upgrade* of each EMU shows the outcome, with the reason as an attribute. So do the event, the history, and for an
upgrade that went wrong an issue under *Settings > System > Repairs*, with cause and remedy.
"""

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.SUCCEEDED: "The ordered version was read back from the EMU. (Where it ran before, too: the EMU said that "
    "everything succeeded.)",
    Outcome.UNVERIFIED: "The EMU runs, and nobody can say that it runs what was ordered.",
    Outcome.FAILED: "It did not work, or nothing more is to be expected. Where only a deadline says so, the EMS may "
    "still be at work, and its queue waits until nothing has moved for ten minutes.",
    Outcome.LOST: "The EMU did not come back from its restart in time, or its EMS did not.",
    Outcome.CANCELLED: "Nothing was ordered, or nobody watches any more.",
}

_AMENDABLE = ", ".join(f"`{reason}`" for reason in Reason if reason in AMENDABLE_FAILURES)
AMENDED = f"""\
An outcome that was only concluded is amended to `succeeded` when the ordered version is read later: `lost`,
`unverified`, and `failed` for {_AMENDABLE}. Nothing else is ever
rewritten.
"""

THE_MATRIX = """\
## Faults and restarts

Each row is something that goes wrong, and the phase of the upgrade in which it does, and in which something restarts:
`queued` (it waits its turn), `ordered` (the EMS fetches the package and hands it over), `upgrading` (the EMU goes
through its components), `restarting` (until it is back). What goes wrong stays so until the end, unless the row says
otherwise.

- *Home Assistant restarts*: it stops as it should, and is back twenty minutes later, when all that it could have seen
  is over.
- *Home Assistant crashes*: it is back a minute later, and has only what was in storage at that moment.
- *The broker restarts*: for a minute there is no connection, and all that is sent meanwhile is lost.
- *The EMS restarts*: for a minute and a half it hears and says nothing, then it goes on.

The EMS tells success with a flag, as revisions A and B do; with bits the outcomes are the same except where a row says
so. Time without Home Assistant or without the broker does not count against an upgrade. Over a connection of its own,
the integration has the broker keep for two hours what is sent while it is away: an order that failed meanwhile is
`failed` for its own reason then, in place of `no_answer`.

{tests} of the {cells} cells are tests; the others cannot happen, and the remark says why.
"""

HARD = """\
## Hard cases
"""

WHAT: Mapping[Fault, str] = {
    Fault.NO_ANSWER: "The EMS ignores what it is sent",
    Fault.LOST_ANSWER: "The answer to the order never arrives",
    Fault.LATE_ANSWER: "Every answer is a minute late",
    Fault.DOWNLOAD_FAILED: "The EMS cannot download the package",
    Fault.MD5_MISMATCH: "The package has another MD5",
    Fault.CLEAR_FOLDER_FAILED: "The EMS cannot clear its folder",
    Fault.UNPACK_FAILED: "The EMS cannot unpack the package",
    Fault.HAND_OVER_FAILED: "The EMS cannot hand the package over",
    Fault.STALE_REPORT: "The upgrade before is still reported",
    Fault.STALL: "The EMU stands still",
    Fault.ERRORS_REPORTED: "A component fails, and the EMU says so",
    Fault.SUCCESS_NEVER_TOLD: "The EMU never tells its success",
    Fault.VERSION_UNCHANGED: "The old version runs after the restart",
    Fault.OTHER_VERSION: "A third version runs after the restart",
    Fault.EMU_OFFLINE: "The EMU is offline",
    Fault.EMU_FAULT: "The EMU reports a fault, and stands still",
    Fault.DOES_NOT_RETURN: "The EMU does not return from its restart",
    Fault.SLOW_RETURN: "The EMU takes nearly six minutes to restart",
    Fault.NO_OFFLINE_PHASE: "The EMU restarts too fast to be seen",
    Fault.EMS_RESTART: "The EMS is silent for a minute and a half, in the middle of a transfer",
    Fault.SILENT_RESTART: "The EMS is silent while the EMU restarts",
    Fault.DUPLICATED_RESULTS: "Every result comes twice",
    Fault.RETAINED_RESULTS: "Every result is published as retained",
    Fault.GARBAGE: "Garbage comes before every result",
    Fault.UNKNOWN_CODES: "There are unknown stages and components",
    Fault.UNKNOWN_STATUS: "The EMU has an unknown status",
    Fault.UNKNOWN_DOWNLOAD_STATUS: "The order gets an unknown answer",
}


ANY_PHASE = "any phase"
_FAULTS = tuple(Fault)


def page() -> str:
    """Return the page."""
    lines = [INTRODUCTION, *_table(["Outcome", "What it means"], ([f"`{each}`", OUTCOMES[each]] for each in Outcome))]
    lines += [AMENDED, *_table(["Reason", "What is told, here of EMU 2 and the version emu-v1.2.0"], _sentences())]
    every = tuple(cells(ROWS))
    tests = sum(isinstance(cell.ends, End) for cell in every)
    lines += [THE_MATRIX.format(tests=tests, cells=len(every))]
    lines += [*_table(["What goes wrong", "While", *Restart, "Remark"], _matrix(every)), HARD]
    for case in HARD_CASES:
        lines += [f"**{case.title}.** {case.what_happens}", "", *(f"- {_link(test)}" for test in case.tests), ""]
    return "\n".join(lines)


def _sentences() -> Iterator[list[str]]:
    messages = json.loads(TRANSLATION.read_text(encoding="utf-8"))["exceptions"]
    for reason in Reason:
        message: str = messages[f"upgrade_{reason}"]["message"]
        yield [f"`{reason}`", message.format(name="EMU 2", version="emu-v1.2.0", read_version="emu-v9.9.9")]


def _matrix(every: Iterable[Cell]) -> Iterator[list[str]]:
    """Yield the rows of the table: faults and phases that lead to the same share one."""
    of_row: dict[tuple[str, ...], list[Fault]] = {}
    for fault, of_fault in groupby(sorted(every, key=lambda cell: _FAULTS.index(cell.fault)), lambda cell: cell.fault):
        phases: dict[tuple[str, ...], list[Phase]] = {}
        for phase, of_phase in groupby(of_fault, lambda cell: cell.phase):
            row = tuple(of_phase)
            phases.setdefault((*map(text, row), _remark(row[0])), []).append(phase)
        for texts, in_phases in phases.items():
            while_ = ANY_PHASE if len(in_phases) == len(PHASES) else ", ".join(in_phases)
            of_row.setdefault((while_, *texts), []).append(fault)
    for texts, faults in of_row.items():
        yield ["<br>".join(WHAT[fault] for fault in faults), *texts]


def text(cell: Cell) -> str:
    """Return what stands in a cell."""
    match cell.ends:
        case CannotHappen():
            return "cannot happen"
        case End(outcome, None):
            return str(outcome)
        case End(outcome, reason):
            return f"**{outcome}** `{reason}`"


def _remark(cell: Cell) -> str:
    return cell.ends.reason if isinstance(cell.ends, CannotHappen) else cell.row.remark


def _link(test: str) -> str:
    path, name = test.split("::")
    function, _, part = name.rstrip("]").partition("[")
    return f"[`{function}`](../tests/{path})" + (f": {part}" if part else "")


def _table(heads: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    for row in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""

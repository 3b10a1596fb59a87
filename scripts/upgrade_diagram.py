"""Writes docs/upgrade-machine.md from the upgrade's transitions; `--check` only tells whether it is current."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from importlib import import_module
from pathlib import Path
import sys

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "upgrade-machine.md"

type Table = Mapping[tuple[StrEnum, StrEnum], tuple[StrEnum, tuple[StrEnum, ...]]]

INTRODUCTION = """\
# The upgrade machine

One EMU's way from queued to an outcome. Written by `scripts/upgrade_diagram.py` from the table `TRANSITIONS` in
`custom_components/emu_ota/protocol/upgrade_machine.py`; do not edit it here.

An arrow carries the signal that leads along it and, behind the slash, what has to be done then. What each signal means
is in `upgrade_rules.py` beside it. A signal without an arrow from a phase is ignored there, or refused where it is an
act of our own.
"""


def page(phases: type[StrEnum], signals: type[StrEnum], table: Table, own: frozenset[StrEnum]) -> str:
    """Return the page: the diagram, and the table with one row per signal and one column per phase."""
    first, *_, last = phases
    lines = [INTRODUCTION, "```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    lines += [f"    {arrow}" for arrow in _arrows(table)]
    lines += [f"    {last} --> [*]", "```", ""]
    lines += _row(["signal", *phases]) + _row(["---"] * (1 + len(phases)))
    for signal in signals:
        nothing = "refused" if signal in own else ""
        cells = ((table.get((phase, signal)), phase) for phase in phases)
        lines += _row([signal, *(nothing if cell is None else f"→ {cell[0]}" for cell, _ in cells)])
    return "\n".join(lines) + "\n"


def _arrows(table: Table) -> Iterator[str]:
    for (phase, signal), (target, effects) in table.items():
        done = f" / {', '.join(effects)}" if effects else ""
        yield f"{phase} --> {target} : {signal}{done}"


def _row(cells: list[str]) -> list[str]:
    return [f"| {' | '.join(cells)} |"]


def main() -> int:
    """Write the page, or check it."""
    # The protocol package alone: the one above it needs Home Assistant.
    sys.path.insert(0, str(ROOT / "custom_components" / "emu_ota"))
    upgrade, machine = import_module("protocol.upgrade"), import_module("protocol.upgrade_machine")
    wanted = page(upgrade.Phase, machine.Signal, machine.TRANSITIONS, machine.LOCAL_SIGNALS)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
        print(f"{PAGE.relative_to(ROOT)} is not what the table says: run scripts/upgrade_diagram.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

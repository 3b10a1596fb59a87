"""The table, as Markdown, and its place in the documentation."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from .figures import SIZES, Line, Values
from .shape import Shape

BEGIN: Final = "<!-- Written by scripts/bench: begin -->"
END: Final = "<!-- Written by scripts/bench: end -->"


def table(title: str, lines: Iterable[Line], values: Values) -> str:
    """Return a table with a column for each size that was measured."""
    measured = [shape for shape in SIZES if any(key[1] == shape for key in values)]
    rows = [[line.what, *(line.cell(values, shape) for shape in measured)] for line in lines]
    return markdown([title, *map(_heading, measured)], [row for row in rows if any(row[1:])])


def markdown(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def verdicts(rows: Iterable[tuple[str, float, float, str]]) -> str:
    """Return a table of what must not be more than so much: what, how much it is, how much it may be, of what."""
    return markdown(
        ["over time", "is", "at most", ""],
        [
            [what, f"{value:.3g}{unit}", f"{most:.3g}{unit}", "pass" if value <= most else "**falls short**"]
            for what, value, most, unit in rows
        ],
    )


def write(path: Path, text: str) -> None:
    """Put the tables between the two marks of a file. Raises ValueError where it has none."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no place for the tables")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def _heading(shape: Shape) -> str:
    return f"{shape.emus:,}" if shape.systems == 1 else f"{shape.emus:,} on {shape.systems} EMSs"

"""What is to be reached, and whether it is: the lines of the table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from .shape import DOCUMENTED_PREFIX, Shape
from .subjects import Subject

SIZES: Final = (Shape(1), Shape(100), Shape(500), Shape(1000), Shape(1000, 100))
THREE_DIGITS: Final = 100
DISCOVERED: Final = Shape(100, prefix=DOCUMENTED_PREFIX)
"""Where Home Assistant's discovery hears every version result, too."""

type Values = Mapping[tuple[Subject, Shape, str], float]
"""Medians by subject, size and what was measured: seconds, bytes, numbers."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line: a value for each size, and for each size what it has to reach, None where that is not said."""

    what: str
    value: Callable[[Values, Shape], float]
    figures: tuple[float | None, ...]
    at_least: bool = False
    unit: str = ""
    scale: float = 1.0

    def cell(self, values: Values, shape: Shape) -> str:
        """Return what the table shows for a size; empty where it was not measured."""
        try:
            value = self.value(values, shape) * self.scale
        except KeyError:
            return ""
        figure = self.figures[SIZES.index(shape)]
        shown = f"{_short(value)}{self.unit}"
        if figure is None:
            return shown
        passed = value >= figure if self.at_least else value <= figure
        return f"{shown} ({'≥' if self.at_least else '≤'} {_short(figure)}: {'pass' if passed else '**falls short**'})"


def _short(value: float) -> str:
    return f"{value:.3g}" if value < THREE_DIGITS else f"{value:,.0f}"


def _ratio(above: Subject, what: str, below: Subject) -> Callable[[Values, Shape], float]:
    return lambda values, shape: values[above, shape, what] / max(values[below, shape, what], 1e-9)


def _growth(values: Values, shape: Shape) -> float:
    return values[Subject.OURS, shape, "progress"] / values[Subject.OURS, SIZES[0], "progress"]


def _changed_to_limit(values: Values, shape: Shape) -> float:
    return values[Subject.OURS, shape, "changed"] / values[Subject.BARE, shape, "versions kept"]


def _discovery(values: Values, shape: Shape) -> float:
    if shape != Shape(DISCOVERED.emus):
        raise KeyError(shape)
    return values[Subject.OURS, DISCOVERED, "unchanged"] - values[Subject.OURS, shape, "unchanged"]


def _memory(values: Values, subject: Subject, shape: Shape) -> float:
    if shape.emus == 1:
        raise KeyError(shape)
    return (values[subject, shape, "memory"] - values[subject, SIZES[0], "memory"]) / (shape.emus - 1)


def _memory_ratio(values: Values, shape: Shape) -> float:
    return _memory(values, Subject.OURS, shape) / _memory(values, Subject.BARE, shape)


RATIOS: Final = (
    Line(
        what="version result, nothing changed: yaml ÷ ours",
        value=_ratio(Subject.YAML, "unchanged", Subject.OURS),
        figures=(2.5, 150, 700, 1500, None),
        at_least=True,
    ),
    Line(
        what="… expert ÷ ours",
        value=_ratio(Subject.EXPERT, "unchanged", Subject.OURS),
        figures=(6, 150, 300, 300, None),
        at_least=True,
    ),
    Line(
        what="version result, every field of every EMU changed: ours ÷ bare",
        value=_ratio(Subject.OURS, "changed", Subject.BARE),
        figures=(1.5, 1.3, 1.3, 1.3, None),
    ),
    Line(
        what="… ours ÷ bare that keeps the versions of the EMUs' devices, too: the limit",
        value=_changed_to_limit,
        figures=(1.5, 1.3, 1.3, 1.3, None),
    ),
    Line(
        what="progress report of one EMU: yaml ÷ ours",
        value=_ratio(Subject.YAML, "progress", Subject.OURS),
        figures=(2, 50, 250, 500, None),
        at_least=True,
    ),
    Line(
        what="… expert ÷ ours",
        value=_ratio(Subject.EXPERT, "progress", Subject.OURS),
        figures=(5, 5, 5, 5, None),
        at_least=True,
    ),
    Line(what="… ours ÷ ours at 1 EMU", value=_growth, figures=(1, 1.2, 1.2, 1.3, None)),
    Line(
        what="set-up until all entities have states: ours ÷ bare",
        value=_ratio(Subject.OURS, "set_up", Subject.BARE),
        figures=(1.5, 1.3, 1.3, 1.3, None),
    ),
    Line(
        what="… ours ÷ bare that has actions, a route, texts, stored files and more topics, too: the limit",
        value=_ratio(Subject.OURS, "set_up", Subject.ONCE),
        figures=(1.5, 1.3, 1.3, 1.3, None),
    ),
    Line(what="memory per EMU: ours ÷ bare", value=_memory_ratio, figures=(None, 1.3, 1.3, 1.3, None)),
    Line(
        what="longest block of the event loop by a version result, all changed: ours",
        value=lambda values, shape: values[Subject.OURS, shape, "block"],
        figures=(None, 50, 50, 50, None),
        unit=" ms",
        scale=1000,
    ),
)


def _absolute(subject: Subject, what: str, shown: str) -> Line:
    nothing = (None,) * len(SIZES)
    if what == "memory":
        return Line(
            what=shown,
            value=lambda values, shape: _memory(values, subject, shape),
            figures=nothing,
            unit=" kB",
            scale=1e-3,
        )
    scale, unit = (1.0, "") if what == "writes" else (1e3, " ms")
    return Line(
        what=shown, value=lambda values, shape: values[subject, shape, what], figures=nothing, unit=unit, scale=scale
    )


ABSOLUTE: Final = (
    *(
        _absolute(subject, what, f"{shown}: {subject}")
        for what, shown, subjects in (
            ("unchanged", "version result, nothing changed", Subject),
            ("changed", "version result, everything changed", Subject),
            ("block", "longest block by that", Subject),
            ("writes", "states written by that", Subject),
            ("progress", "progress report of one EMU", (Subject.OURS, Subject.YAML, Subject.EXPERT)),
            ("stage", "report of a new stage of one EMU", (Subject.OURS, Subject.YAML, Subject.EXPERT)),
            ("set_up", "set-up", Subject),
            ("memory", "memory per EMU", Subject),
        )
        for subject in subjects
    ),
    _absolute(Subject.BARE, "versions kept", "version result, everything changed: bare, with the devices' versions"),
    Line(
        what="a version result on a documented prefix: Home Assistant's discovery",
        value=_discovery,
        figures=(None,) * len(SIZES),
        unit=" ms",
        scale=1e3,
    ),
)

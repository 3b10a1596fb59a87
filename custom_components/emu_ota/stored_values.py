"""Whether what was read from a file is what a value may hold."""

from collections.abc import Hashable
from functools import cache
from typing import Final, Union, get_args, get_origin, get_type_hints

LATEST: Final = 253402300800.0
"""Seconds since 1970 at the end of the year 9999: no date lies beyond."""


def check_types(value: Hashable) -> None:
    """Raise ValueError where a field of a dataclass is not of its type. What is inside of tuples is not looked at.

    A float has to be a time or a number that is as small.
    """
    for name, kinds in _kinds(type(value)).items():
        if not any(_is(getattr(value, name), kind) for kind in kinds):
            raise ValueError(f"{name} of a stored {type(value).__name__} is none of its kind")


@cache
def _kinds(of: type) -> dict[str, tuple[type, ...]]:
    return {
        name: tuple(get_origin(kind) or kind for kind in (get_args(hint) if get_origin(hint) is Union else (hint,)))
        for name, hint in get_type_hints(of).items()
    }


def _is(value: object, kind: type) -> bool:
    if kind is float:
        return type(value) in {int, float} and 0 <= value < LATEST  # type: ignore[operator]  # it is one of these
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)

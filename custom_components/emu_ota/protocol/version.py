"""How firmware versions compare: `<product>-v<numbers>[-suffix]`, e.g. `emu-v1.0.0` (protocol: "Data")."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
import re

MAX_VERSION_LENGTH = 255
"""Of a version: what Home Assistant keeps as a state, and short enough for its numbers to be read safely."""

VERSIONS_REMEMBERED = 256
"""A fleet runs a handful of versions, and each is held against the same few releases at every look."""

_GRAMMAR = re.compile(r"(?P<product>.+?)-v(?P<numbers>[0-9]+(?:\.[0-9]+)*)(?:-(?P<suffix>.+))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FirmwareVersion:
    """A version that the grammar knows."""

    product: str
    numbers: tuple[int, ...]
    suffix: str | None


@lru_cache(maxsize=VERSIONS_REMEMBERED)
def parse_version(text: str) -> FirmwareVersion | None:
    """Return the parts of a version, or None for one of another form, which only its exact name matches."""
    match = _GRAMMAR.fullmatch(text) if len(text) <= MAX_VERSION_LENGTH else None
    if match is None:
        return None
    numbers = tuple(int(number) for number in match["numbers"].split("."))
    return FirmwareVersion(match["product"], numbers, match["suffix"])


def product_of(text: str) -> str | None:
    """Return the product that a version is for, or None for a version of another form."""
    version = parse_version(text)
    return None if version is None else version.product


@lru_cache(maxsize=VERSIONS_REMEMBERED)
def is_newer(candidate: str, than: str) -> bool:
    """Tell whether a version is newer than another: never across products, never for what cannot be compared.

    Suffixes have no agreed order, so versions that differ in nothing else are not newer than one another.
    """
    new, old = parse_version(candidate), parse_version(than)
    if new is None or old is None or new.product != old.product:
        return False
    pairs = zip_longest(new.numbers, old.numbers, fillvalue=0)
    return next((ours > theirs for ours, theirs in pairs if ours != theirs), False)

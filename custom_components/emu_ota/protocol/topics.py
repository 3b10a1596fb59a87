"""The topic grammar, both ways (protocol: "Topics")."""

from dataclasses import dataclass
from enum import StrEnum
import unicodedata

from .errors import CommandError

MAX_LEVEL_LENGTH = 255
"""Of one level; longer ones are typing errors, and Home Assistant's unique ids have to hold the uid."""

_SEPARATOR = "/"
_OTA = "ota"
_FEWEST_LEVELS = 5  # a prefix of one level, the uid, and the three fixed ones
_REFUSED_CHARACTERS = frozenset("+#")
# Control characters and halves of surrogate pairs: MQTT forbids or warns of them, and brokers hang up on them.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs"})
# So are the code points that Unicode keeps free of characters: two at the end of each plane, and this range.
_NONCHARACTERS = range(0xFDD0, 0xFDF0)
_LAST_TWO_OF_A_PLANE = 0xFFFE


class Exchange(StrEnum):
    """The `<name>` of a topic: which of the three exchanges a message belongs to."""

    VERSION = "emu_version"
    UPGRADE = "emu_upgrade"
    PROGRESS = "emu_upgrade_result"


class Direction(StrEnum):
    """The last level of a topic: to the EMS, or from it."""

    COMMAND = "command"
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class EmsAddress:
    """Where one EMS is spoken to: the prefix of its site and its own uid."""

    prefix: str
    uid: str

    def topic(self, exchange: Exchange, direction: Direction) -> str:
        """Return the topic of one exchange with this EMS."""
        return _SEPARATOR.join((self.prefix, self.uid, _OTA, exchange, direction))


@dataclass(frozen=True, slots=True)
class OtaTopic:
    """A topic of the protocol, taken apart."""

    address: EmsAddress
    exchange: Exchange
    direction: Direction


def parse_topic(topic: str) -> OtaTopic | None:
    """Return the parts of a topic of the protocol, or None for any other topic."""
    levels = topic.split(_SEPARATOR)
    if len(levels) < _FEWEST_LEVELS:
        return None
    *prefix, uid, ota, exchange, direction = levels
    if ota != _OTA or exchange not in Exchange or direction not in Direction:
        return None
    joined = _SEPARATOR.join(prefix)
    if not is_prefix(joined) or not is_level(uid):
        return None
    return OtaTopic(EmsAddress(joined, uid), Exchange(exchange), Direction(direction))


def tenant_prefix(tenant: str) -> str:
    """Return the prefix of the platform's own topics. Raises CommandError for what is no topic level."""
    return _checked_prefix("v1/user", tenant)


def product_key_prefix(product_key: str) -> str:
    """Return the prefix of user-defined topics. Raises CommandError for what is no topic level."""
    return _checked_prefix("v1/wudun", product_key)


def is_level(text: str) -> bool:
    """Tell whether a text can stand as one level of a topic."""
    return (
        0 < len(text) <= MAX_LEVEL_LENGTH
        and _SEPARATOR not in text
        and not _REFUSED_CHARACTERS.intersection(text)
        and not any(map(_is_refused, text))
    )


def is_prefix(text: str) -> bool:
    """Tell whether a text can stand as a prefix: one level or several; `$` at its start is the broker's own."""
    return len(text) <= MAX_LEVEL_LENGTH and not text.startswith("$") and all(map(is_level, text.split(_SEPARATOR)))


def _is_refused(character: str) -> bool:
    code_point = ord(character)
    return (
        unicodedata.category(character) in _REFUSED_CATEGORIES
        or code_point in _NONCHARACTERS
        or code_point & _LAST_TWO_OF_A_PLANE == _LAST_TWO_OF_A_PLANE
    )


def _checked_prefix(scheme: str, level: str) -> str:
    prefix = f"{scheme}{_SEPARATOR}{level}"
    if not is_level(level) or not is_prefix(prefix):
        msg = "not a topic level, or too long a one"
        raise CommandError(msg)
    return prefix

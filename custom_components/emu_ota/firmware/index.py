"""From the bytes of a firmware index to its releases (docs/firmware-index.md); besides, only InvalidIndex comes out."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
import re
from typing import Final, cast

import orjson
from yarl import URL

from ..protocol.version import MAX_VERSION_LENGTH, is_newer, product_of
from .link import MAX_PACKAGE, MAX_URL, parse_link
from .release import Release, Source

FORMAT: Final = 1
"""What this module reads. A change that a reader has to know of comes with another number."""

MAX_INDEX: Final = 5 * 1024**2
"""Bytes, 5 MiB: a thousand releases with five kilobytes of notes each."""

MAX_RELEASES: Final = 1000
"""Releases of one index: one a week for twenty years, and still looked through in no time."""

MAX_NOTES: Final = 32 * 1024
"""Characters of one release's notes: more than anybody reads in a dialog."""

MAX_SUMMARY: Final = 255
"""Characters: Home Assistant cuts a summary there."""

MD5: Final = "[0-9A-Fa-f]{32}"
SHA256: Final = "[0-9A-Fa-f]{64}"
DATE: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
URL_REFERENCE: Final = (
    r"(?!(?:https?:)?//(?:[/?:]|[^/?]*@|$))"  # there is a host, with no user name in front of it
    r"(?!(?!https?://)[^/?]*:)"  # a scheme is one of these two
    r"(?:[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"  # RFC 3986, without a fragment
)
"""These are written into the JSON Schema as they stand here, so they keep to what ECMAScript understands too."""

_REQUIRED: Final = ("version", "url", "md5")
_OPTIONAL: Final = ("sha256", "size", "released", "summary", "notes", "notes_url", "min_version")
_KEYS: Final = frozenset((*_REQUIRED, *_OPTIONAL))

_LONGEST_FORM: Final = 64  # characters of a SHA-256; dates and MD5s are shorter
_MAX_LABEL: Final = 64  # characters of what a refused release is called: it stands in a list for people

# What JSON decodes to. Recursive by nature; the functions below take it apart by isinstance.
type _Json = bool | int | float | str | list[_Json] | dict[str, _Json] | None


class IndexFault(StrEnum):
    """Why a document is no index."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    WRONG_FORMAT = "wrong_format"
    NO_RELEASES = "no_releases"
    TOO_MANY_RELEASES = "too_many_releases"


class InvalidIndex(Exception):
    """The publisher's fault: the document is no index of a format that we read."""

    def __init__(self, reason: IndexFault) -> None:
        """Remember the reason; nothing of the document is quoted."""
        super().__init__(reason.value)
        self.reason = reason


class Refusal(StrEnum):
    """Why one release of an index is not offered."""

    NOT_AN_OBJECT = "not_an_object"
    UNKNOWN_KEY = "unknown_key"
    MISSING = "missing"
    WRONG_TYPE = "wrong_type"
    TOO_LONG = "too_long"
    INVALID = "invalid"
    """Of the right type, but not of a form or a value that it may have."""
    CONFLICT = "conflict"
    """The index has the version more than once, and not as the same file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRelease:
    """A release of an index that is not offered."""

    name: str
    """Its version, shortened to one printable line; where it has none, its place in the list, such as `#3`."""
    reason: Refusal
    field: str | None = None
    """Which of its keys the reason is about, shortened like the name; None where it is about the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What an index says, each in the order of the document."""

    releases: tuple[Release, ...] = ()
    refused: tuple[RefusedRelease, ...] = ()


class _Refused(Exception):
    def __init__(self, reason: Refusal, field: str | None = None) -> None:
        super().__init__(reason, field)
        self.reason = reason
        self.field = field


def parse_index(body: bytes, base: URL) -> Index:
    """Return what an index says. Raises InvalidIndex, and nothing else, whatever the bytes are.

    `base` is where the index came from, behind all redirects: relative URLs start there. Its user name, password and
    query are not handed on to them.
    """
    base = base.with_user(None).with_query(None)
    read: list[Release] = []
    refused: list[RefusedRelease] = []
    for place, item in enumerate(_items(body), start=1):
        try:
            read.append(_release(item, base))
        except _Refused as err:
            refused.append(RefusedRelease(name=_name(item, place), reason=err.reason, field=err.field))
    releases: list[Release] = []
    for version, same in _by_version(read).items():
        try:
            releases.append(_one(same))
        except _Refused as err:
            refused.append(RefusedRelease(name=_label(version), reason=err.reason, field=err.field))
    return Index(releases=tuple(releases), refused=tuple(refused))


def _items(body: bytes) -> list[_Json]:
    if len(body) > MAX_INDEX:
        raise InvalidIndex(IndexFault.TOO_LARGE)
    try:
        # Some editors put a byte order mark in front of what they save as UTF-8.
        document: _Json = orjson.loads(body.removeprefix(BOM_UTF8))
    except ValueError:
        raise InvalidIndex(IndexFault.NOT_JSON) from None
    if not isinstance(document, dict):
        raise InvalidIndex(IndexFault.NOT_AN_OBJECT)
    # To JSON 1 and 1.0 are the same number; to Python True is too.
    if isinstance(document.get("format"), bool) or document.get("format") != FORMAT:
        raise InvalidIndex(IndexFault.WRONG_FORMAT)
    releases = document.get("releases")
    if not isinstance(releases, list):
        raise InvalidIndex(IndexFault.NO_RELEASES)
    if len(releases) > MAX_RELEASES:
        raise InvalidIndex(IndexFault.TOO_MANY_RELEASES)
    return releases


def _release(item: _Json, base: URL) -> Release:
    if not isinstance(item, dict):
        raise _Refused(Refusal.NOT_AN_OBJECT)
    for key in item:
        if key not in _KEYS:
            raise _Refused(Refusal.UNKNOWN_KEY, _label(key))
    for key in _REQUIRED:
        if key not in item:
            raise _Refused(Refusal.MISSING, key)
    version = cast("str", _text(item, "version", MAX_VERSION_LENGTH))
    return Release(
        version=version,
        download_url=cast("str", _link(item, "url", base)),
        md5=cast("str", _digest(item, "md5", MD5)),
        sha256=_digest(item, "sha256", SHA256),
        size=_size(item, "size"),
        released=_date(item, "released"),
        summary=_text(item, "summary", MAX_SUMMARY, least=0) or None,
        notes=_text(item, "notes", MAX_NOTES, least=0) or None,
        url=_link(item, "notes_url", base),
        min_version=_min_version(item, "min_version", version),
        source=Source.INDEX,
    )


def _text(item: Mapping[str, _Json], key: str, longest: int, *, least: int = 1) -> str | None:
    """Return a text that may be left out, though not as null: an index says a thing or does not say it."""
    if key not in item:
        return None
    value = item[key]
    if not isinstance(value, str):
        raise _Refused(Refusal.WRONG_TYPE, key)
    if len(value) < least:
        raise _Refused(Refusal.INVALID, key)
    if len(value) > longest:
        raise _Refused(Refusal.TOO_LONG, key)
    return value


def _link(item: Mapping[str, _Json], key: str, base: URL) -> str | None:
    text = _text(item, key, MAX_URL)
    if text is None:
        return None
    if re.fullmatch(URL_REFERENCE, text) is None:
        raise _Refused(Refusal.INVALID, key)
    try:
        absolute = str(base.join(URL(text)))
        link = parse_link(absolute)
    except ValueError:  # a port or a host that there cannot be
        raise _Refused(Refusal.INVALID, key) from None
    if link is None:
        raise _Refused(Refusal.TOO_LONG if len(absolute) > MAX_URL else Refusal.INVALID, key)
    return link


def _formed(item: Mapping[str, _Json], key: str, form: str) -> str | None:
    text = _text(item, key, _LONGEST_FORM)
    if text is not None and re.fullmatch(form, text) is None:
        raise _Refused(Refusal.INVALID, key)
    return text


def _digest(item: Mapping[str, _Json], key: str, form: str) -> str | None:
    text = _formed(item, key, form)
    return None if text is None else text.lower()


def _size(item: Mapping[str, _Json], key: str) -> int | None:
    if key not in item:
        return None
    value = item[key]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Refused(Refusal.WRONG_TYPE, key)
    if not 0 < value <= MAX_PACKAGE:
        raise _Refused(Refusal.INVALID, key)
    return value


def _date(item: Mapping[str, _Json], key: str) -> date | None:
    text = _formed(item, key, DATE)
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:  # no day of the calendar
        raise _Refused(Refusal.INVALID, key) from None


def _min_version(item: Mapping[str, _Json], key: str, version: str) -> str | None:
    """Return the least version; one that nothing could reach that the release is for would hide it without a word."""
    least = _text(item, key, MAX_VERSION_LENGTH)
    if least is None:
        return None
    product = product_of(least)
    if product is None or product != product_of(version) or is_newer(least, version):
        raise _Refused(Refusal.INVALID, key)
    return least


def _by_version(releases: Iterable[Release]) -> dict[str, list[Release]]:
    found: dict[str, list[Release]] = {}
    for release in releases:
        found.setdefault(release.version, []).append(release)
    return found


def _one(same: list[Release]) -> Release:
    """Return the first of what are one and the same file; what it leaves open of that file, another may say."""
    return replace(
        same[0],
        md5=_agreed("md5", {release.md5 for release in same}),
        sha256=_agreed("sha256", {release.sha256 for release in same}),
        size=_agreed("size", {release.size for release in same}),
        min_version=_agreed("min_version", {release.min_version for release in same}),
    )


def _agreed[Value](field: str, values: set[Value]) -> Value:
    told = values - {None} or values
    if len(told) > 1:
        raise _Refused(Refusal.CONFLICT, field)
    return told.pop()


def _name(item: _Json, place: int) -> str:
    version = item.get("version") if isinstance(item, dict) else None
    return _label(version) if isinstance(version, str) and version else f"#{place}"


def _label(text: str) -> str:
    """Return a text as one short printable line."""
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return line if len(line) <= _MAX_LABEL else f"{line[: _MAX_LABEL - 1]}…"

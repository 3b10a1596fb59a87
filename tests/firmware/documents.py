"""Firmware indexes, good and bad, for the parser and the schema alike."""

from collections.abc import Mapping
from typing import Final

import orjson
from yarl import URL

from custom_components.emu_ota.firmware.index import MAX_NOTES, Refusal

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None

BASE: Final = URL("https://firmware.example.com/emu/index.json")
MD5: Final = "9e107d9d372bb6826bd81d3542a419d6"
OTHER_MD5: Final = "e4d909c290d0fb1ca068ffaddf22cbd0"
SHA256: Final = "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592"
OTHER_SHA256: Final = "ef537f25c895bfa782526529a9b63d97aa631564d5d789c2b765448c8635fb6c"


def release(**changed: Json) -> dict[str, Json]:
    """Return a release with what is required, and with whatever is named."""
    return {"version": "emu-v1.2.0", "url": "a.bin", "md5": MD5, **changed}


def without(key: str) -> dict[str, Json]:
    """Return a release that lacks a key."""
    return {name: value for name, value in release().items() if name != key}


def document(*releases: Json, **changed: Json) -> bytes:
    """Return an index."""
    return orjson.dumps({"format": 1, "releases": list(releases), **changed})


WHOLE: Final = release(
    url="packages/emu-v1.2.0.tar.gz",
    sha256=SHA256,
    size=18874368,
    released="2026-11-01",
    summary="Charges in the cold.",
    notes="## New\n\n- Charging below 5 °C\n",
    notes_url="https://example.com/notes",
    min_version="emu-v1.0.0",
)

GOOD: Final[Mapping[str, dict[str, Json]]] = {
    "only what is required": release(),
    "everything": WHOLE,
    "the shortest version": release(version="1"),
    "the longest version": release(version="v" * 255),
    "a version beyond ASCII": release(version="größe 3-v2"),
    "a version of emoji, each one character": release(version="🔋" * 255),
    "digits in upper case": release(md5=MD5.upper(), sha256=SHA256.upper()),
    "the smallest size": release(size=1),
    "the largest size": release(size=2147483648),
    "a size as JSON may write it": release(size=1.0),
    "a leap day": release(released="2028-02-29"),
    "an empty summary": release(summary=""),
    "the longest summary": release(summary="s" * 255),
    "empty notes": release(notes=""),
    "the longest notes": release(notes="n" * MAX_NOTES),
    "a minimum": release(min_version="emu-v1.0.0"),
    "a minimum that is the version": release(min_version="emu-v1.2.0"),
    "a minimum with a suffix": release(min_version="emu-v1.2.0-rc1"),
}

BAD: Final[Mapping[str, tuple[Json, Refusal, str | None]]] = {
    "null": (None, Refusal.NOT_AN_OBJECT, None),
    "a list": ([], Refusal.NOT_AN_OBJECT, None),
    "a text": ("emu-v1.2.0", Refusal.NOT_AN_OBJECT, None),
    "an empty object": ({}, Refusal.MISSING, "version"),
    "no version": (without("version"), Refusal.MISSING, "version"),
    "no url": (without("url"), Refusal.MISSING, "url"),
    "no md5": (without("md5"), Refusal.MISSING, "md5"),
    "an unknown key": (release(min_versoin="emu-v1.0.0"), Refusal.UNKNOWN_KEY, "min_versoin"),
    "a key in upper case": (release(Size=1), Refusal.UNKNOWN_KEY, "Size"),
    "an empty key": (release(**{"": 1}), Refusal.UNKNOWN_KEY, ""),
    **{f"{key} as null": (release(**{key: None}), Refusal.WRONG_TYPE, key) for key in WHOLE},
    **{f"{key} as a number": (release(**{key: 1}), Refusal.WRONG_TYPE, key) for key in WHOLE if key != "size"},
    "a version in a list": (release(version=["emu-v1.2.0"]), Refusal.WRONG_TYPE, "version"),
    "an empty version": (release(version=""), Refusal.INVALID, "version"),
    "a version that is too long": (release(version="v" * 256), Refusal.TOO_LONG, "version"),
    "31 digits": (release(md5=MD5[1:]), Refusal.INVALID, "md5"),
    "33 digits": (release(md5=MD5 + "0"), Refusal.INVALID, "md5"),
    "no digits": (release(md5="g" * 32), Refusal.INVALID, "md5"),
    "digits of another script": (release(md5="\u0663" * 32), Refusal.INVALID, "md5"),
    "digits and a line break": (release(md5=MD5 + "\n"), Refusal.INVALID, "md5"),
    "a blank in front": (release(md5=" " + MD5), Refusal.INVALID, "md5"),
    "no end of digits": (release(md5="0" * 300), Refusal.TOO_LONG, "md5"),
    "a SHA-256 that is an MD5": (release(sha256=MD5), Refusal.INVALID, "sha256"),
    "an empty SHA-256": (release(sha256=""), Refusal.INVALID, "sha256"),
    "a size as text": (release(size="1"), Refusal.WRONG_TYPE, "size"),
    "a size as true": (release(size=True), Refusal.WRONG_TYPE, "size"),
    "half a byte": (release(size=1.5), Refusal.WRONG_TYPE, "size"),
    "no byte": (release(size=0), Refusal.INVALID, "size"),
    "fewer than no bytes": (release(size=-1), Refusal.INVALID, "size"),
    "more than a package may have": (release(size=2147483649), Refusal.INVALID, "size"),
    "more than a number can hold": (release(size=1e308), Refusal.INVALID, "size"),
    "a day without hyphens": (release(released="20261101"), Refusal.INVALID, "released"),
    "a day as the week has it": (release(released="2026-W44-7"), Refusal.INVALID, "released"),
    "a day and a time": (release(released="2026-11-01T00:00:00"), Refusal.INVALID, "released"),
    "a day that does not exist": (release(released="2026-02-30"), Refusal.INVALID, "released"),
    "a year that does not exist": (release(released="0000-01-01"), Refusal.INVALID, "released"),
    "a day and a line break": (release(released="2026-11-01\n"), Refusal.INVALID, "released"),
    "a summary that is too long": (release(summary="s" * 256), Refusal.TOO_LONG, "summary"),
    "notes that are too long": (release(notes="n" * (MAX_NOTES + 1)), Refusal.TOO_LONG, "notes"),
    "an empty minimum": (release(min_version=""), Refusal.INVALID, "min_version"),
    "a minimum of another form": (release(min_version="1.0.0"), Refusal.INVALID, "min_version"),
    "an empty url": (release(url=""), Refusal.INVALID, "url"),
    "an ftp url": (release(url="ftp://example.com/a"), Refusal.INVALID, "url"),
    "a file url": (release(url="file:///etc/passwd"), Refusal.INVALID, "url"),
    "a script": (release(notes_url="javascript:alert(1)"), Refusal.INVALID, "notes_url"),
    "a scheme in disguise": (release(url="1a:b"), Refusal.INVALID, "url"),
    "a url without a host": (release(url="http:///a"), Refusal.INVALID, "url"),
    "a url with a port alone": (release(url="http://:80/a"), Refusal.INVALID, "url"),
    "a url of a scheme alone": (release(url="https://"), Refusal.INVALID, "url"),
    "a scheme without slashes": (release(url="http:a"), Refusal.INVALID, "url"),
    "another host without a host": (release(url="///a"), Refusal.INVALID, "url"),
    "a user name": (release(url="https://user@example.com/a"), Refusal.INVALID, "url"),
    "a password": (release(url="https://user:s3cret@example.com/a"), Refusal.INVALID, "url"),
    "a user name on another host": (release(url="//user@example.com/a"), Refusal.INVALID, "url"),
    "a fragment": (release(url="a.bin#b"), Refusal.INVALID, "url"),
    "a blank": (release(url="a b.bin"), Refusal.INVALID, "url"),
    "a line break": (release(url="a.bin\n"), Refusal.INVALID, "url"),
    "a NUL": (release(url="http://example.com\0/a"), Refusal.INVALID, "url"),
    "a backslash": (release(url="..\\a.bin"), Refusal.INVALID, "url"),
    "letters beyond ASCII": (release(url="größe.bin"), Refusal.INVALID, "url"),
    "a per cent sign alone": (release(url="100%"), Refusal.INVALID, "url"),
    "a url that is too long": (release(url="a" * 256), Refusal.TOO_LONG, "url"),
}

UNSAID_BY_THE_SCHEMA: Final[Mapping[str, tuple[Json, Refusal, str | None]]] = {
    "a port that there cannot be": (release(url="http://example.com:99999/"), Refusal.INVALID, "url"),
    "half an address": (release(url="http://[::1/"), Refusal.INVALID, "url"),
    "a host that has no name": (release(url="http://xn--/"), Refusal.INVALID, "url"),
    "too long when absolute": (release(url="a" * 240), Refusal.TOO_LONG, "url"),
    "a minimum of another product": (release(min_version="bms-v1.0.0"), Refusal.INVALID, "min_version"),
    "a minimum that is newer": (release(min_version="emu-v1.2.1"), Refusal.INVALID, "min_version"),
    "a minimum for what cannot be compared": (
        release(version="B10", min_version="emu-v1.0.0"),
        Refusal.INVALID,
        "min_version",
    ),
}
"""Refused, though the schema accepts them: docs/firmware-index.md lists them."""

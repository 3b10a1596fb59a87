"""Names of package files: what they say of the version, and how they stand in a URL."""

import re
from typing import Final

from ..protocol.version import MAX_VERSION_LENGTH, parse_version
from .archives import PackageKind

MAX_FILE_NAME: Final = 64
"""Characters of a name in a URL: with the path and the token it leaves a base URL 90 of the 199 that a URL may have."""

_FOLDERS = re.compile(r".*[/\\]", re.DOTALL)
# What archives are called, and the numbers that browsers give to what is fetched twice, also inside: `a.tar (1).gz`.
_ENDING = re.compile(r"(?:\.(?:tar|tgz|gz|zip|bin|img|pkg)|\s*\(\d+\))$", re.IGNORECASE)
_LOOSE_V = re.compile(r"[-_\s]+v(?=\d)")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+|\.{2,}")
_ARCHIVE_ENDINGS: Final = {
    PackageKind.ZIP: (".zip",),
    PackageKind.TAR: (".tar",),
    PackageKind.TAR_GZ: (".tar.gz", ".tgz"),
}


def propose_version(file_name: str) -> str | None:
    """Return the version that a file seems to hold by its name, or None where the name says nothing of it.

    `emu-v1.2.0.tar.gz` holds `emu-v1.2.0`, and so do `EMU_V1.2.0 (1).zip` and `emu-v1.2.0.tar (2).gz`.
    """
    if len(file_name) > MAX_VERSION_LENGTH or not file_name.isprintable():
        return None
    stem = _FOLDERS.sub("", file_name).strip()
    while (shorter := _ENDING.sub("", stem).rstrip()) != stem:
        stem = shorter
    # As it is, where it is a version as it is: how an EMU writes its product is not for us to know better.
    candidates = (stem, _LOOSE_V.sub("-v", stem.lower(), count=1))
    return next((candidate for candidate in candidates if parse_version(candidate) is not None), None)


def url_file_name(name: str, kind: PackageKind | None = None) -> str:
    """Return a name for a package in a URL, made of its version or its file's name: plain ASCII, nothing to be encoded.

    An EMS may go by the ending when it unpacks, so a known kind gets its own.
    """
    endings = () if kind is None else _ARCHIVE_ENDINGS[kind]
    ending = next((ending for ending in endings if name.lower().endswith(ending)), "")
    stem = _UNSAFE.sub("-", name.removesuffix(name[len(name) - len(ending) :])).strip(".-_")
    ending = ending or next(iter(endings), "")
    return (stem[: MAX_FILE_NAME - len(ending)].rstrip(".-_") or "package") + ending

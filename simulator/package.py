"""Demo packages: an archive with a manifest that says which version it holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
import gzip
import hashlib
import io
import random
import tarfile
from typing import IO, Final, cast
import zipfile
import zlib

import orjson

MANIFEST: Final = "manifest.json"
_PAYLOAD: Final = "firmware.bin"
_MAX_MANIFEST: Final = 64 * 1024
_EARLIEST_IN_ZIP: Final = (1980, 1, 1, 0, 0, 0)


class Archive(StrEnum):
    """The kinds of archive that a simulated EMS can unpack, named by their file name's end."""

    TAR_GZ = "tar.gz"
    ZIP = "zip"


class NotAPackage(Exception):
    """The file is no archive, or holds no manifest: unpacking fails."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a package holds."""

    version: str
    components: tuple[int, ...] | None = None
    """Codes of the components to go through, in this order; None: all that the EMU has."""


def build_package(
    version: str,
    *,
    components: Iterable[int] | None = None,
    size: int = 64 * 1024,
    archive: Archive = Archive.TAR_GZ,
) -> bytes:
    """Return a package with `size` bytes of firmware, the same bytes for the same arguments."""
    manifest: dict[str, str | list[int]] = {"version": version}
    if components is not None:
        manifest["components"] = [int(component) for component in components]
    # Random bytes do not shrink, so that the package is about as large as asked for.
    payload = random.Random(version).randbytes(size)  # noqa: S311 - no secret, and has to be repeatable
    members = {MANIFEST: orjson.dumps(manifest), _PAYLOAD: payload}
    return _zip(members) if archive is Archive.ZIP else _tar_gz(members)


def md5_of(package: bytes) -> str:
    """Return the MD5 of a package as the protocol writes it."""
    return hashlib.md5(package, usedforsecurity=False).hexdigest()


def read_package(file: IO[bytes]) -> Manifest:
    """Return the manifest of a package, read from its start; blocking. Raises NotAPackage."""
    try:
        manifest = orjson.loads(_manifest_of(file))
    except (OSError, EOFError, KeyError, ValueError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
        raise NotAPackage(type(error).__name__) from error
    version = manifest.get("version") if isinstance(manifest, dict) else None
    components = manifest.get("components") if isinstance(manifest, dict) else None
    if not isinstance(version, str):
        raise NotAPackage(MANIFEST)
    if components is None:
        return Manifest(version)
    if not isinstance(components, list) or not all(isinstance(component, int) for component in components):
        raise NotAPackage(MANIFEST)
    return Manifest(version, tuple(cast("list[int]", components)))


def _manifest_of(file: IO[bytes]) -> bytes:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as zipped, zipped.open(MANIFEST) as member:
            return member.read(_MAX_MANIFEST)
    file.seek(0)
    with tarfile.open(fileobj=file) as package:
        extracted = package.extractfile(MANIFEST)
        if extracted is None:
            raise KeyError(MANIFEST)
        with extracted:
            return extracted.read(_MAX_MANIFEST)


def _tar_gz(members: dict[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as package:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def _zip(members: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in members.items():
            package.writestr(zipfile.ZipInfo(name, _EARLIEST_IN_ZIP), content)
    return archive.getvalue()

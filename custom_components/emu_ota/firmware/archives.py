"""Which kind of archive a package is, told by its first bytes: a file's name promises nothing."""

from enum import StrEnum
import tarfile
from typing import Final
import zlib

HEAD: Final = 4096
"""Bytes of a package that tell its kind: a tar's header is in them, also packed and behind a gzip's own."""

_ZIP: Final = b"PK\x03\x04"  # of an archive's first file; one without files is no package
_GZIP: Final = b"\x1f\x8b\x08"
_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS  # zlib: "expect a gzip header"


class PackageKind(StrEnum):
    """The archives that an EMS is known to unpack."""

    ZIP = "zip"
    TAR = "tar"
    TAR_GZ = "tar.gz"


def kind_of(head: bytes) -> PackageKind | None:
    """Return the kind of the archive that begins with `head`, or None for what is none of them."""
    if head.startswith(_ZIP):
        return PackageKind.ZIP
    if head.startswith(_GZIP):
        return PackageKind.TAR_GZ if _is_tar(_unpacked(head)) else None
    return PackageKind.TAR if _is_tar(head) else None


def _unpacked(head: bytes) -> bytes:
    try:
        # Bounded, so that no bomb goes off.
        return zlib.decompressobj(_GZIP_FORMAT).decompress(head[:HEAD], tarfile.BLOCKSIZE)
    except zlib.error:
        return b""


def _is_tar(head: bytes) -> bool:
    """Tell whether a tar begins here: its header has a checksum, so this is no guess, also for the oldest tars."""
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True

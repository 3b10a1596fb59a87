"""Keeps packages as files: each under the SHA-256 of its bytes, so that the same package is there once."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
import hashlib
from itertools import count
import os
from pathlib import Path
import re
import secrets
import shutil
from threading import Lock
import time
from types import TracebackType
from typing import BinaryIO, Final, Self

from homeassistant.core import HomeAssistant

from ..const import DOMAIN, LOGGER
from .archives import HEAD, PackageKind, kind_of
from .link import MAX_PACKAGE

KEEP_FREE: Final = 128 * 1024**2
"""Bytes that no package may take: Home Assistant's own database grows on the same disk, and breaks when it is full."""

_FOLDER: Final = (DOMAIN, "packages")  # in the configuration folder
_CHUNK: Final = 1024**2  # bytes, written in one piece
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEMPORARY = re.compile(r"(?P<run>[0-9a-f]{16})-[0-9]+\.part")
# Tells the temporary files of this run of Home Assistant from what a crash of an earlier one has left behind.
_RUN: Final = secrets.token_hex(8)
_numbers = count()


class PackageRefused(Exception):
    """A package that is not kept. Nothing of it is left behind."""


class EmptyPackage(PackageRefused):
    """There is nothing in it."""


class PackageTooLarge(PackageRefused):
    """It is larger than the limit."""


class NoRoom(PackageRefused):
    """The disk is full, or does not take it for another reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPackage:
    """A package that is kept."""

    sha256: str
    """64 lower-case hexadecimal digits."""
    md5: str
    """32 lower-case hexadecimal digits."""
    size: int
    """Bytes."""
    kind: PackageKind | None
    """None: not an archive that an EMS is known to unpack."""


class PackageStore:
    """The packages of this Home Assistant."""

    def __init__(self, hass: HomeAssistant, *, limit: int = MAX_PACKAGE, keep_free: int = KEEP_FREE) -> None:
        """Take packages of up to `limit` bytes, as long as `keep_free` bytes of the disk stay free."""
        self.folder = Path(hass.config.path(*_FOLDER))
        self._hass = hass
        self._limit = limit
        self._keep_free = keep_free

    def path(self, sha256: str) -> Path:
        """Return where a package is kept. Raises ValueError for what is no SHA-256: nothing else becomes a path."""
        if not _SHA256.fullmatch(sha256):
            msg = "a SHA-256 has 64 lower-case hexadecimal digits"
            raise ValueError(msg)
        return self.folder / sha256

    async def async_exists(self, sha256: str) -> bool:
        """Tell whether a package is kept."""
        return await self._hass.async_add_executor_job(self.path(sha256).is_file)

    def store(self, source: Path) -> StoredPackage:
        """Keep a copy of a file. Blocking, for a caller that is in the executor already; raises PackageRefused."""
        incoming = _Incoming(self.folder, self._limit, self._keep_free)
        try:
            with source.open("rb") as file:
                if os.fstat(file.fileno()).st_size > self._limit:
                    raise PackageTooLarge
                while chunk := file.read(_CHUNK):
                    incoming.write(chunk)
            return incoming.keep()
        except OSError as err:
            raise NoRoom from err
        finally:
            incoming.discard()

    async def async_store(self, source: Path) -> StoredPackage:
        """Keep a copy of a file. Raises PackageRefused."""
        return await self._hass.async_add_executor_job(self.store, source)

    def writer(self) -> PackageWriter:
        """Return what keeps a package that comes in pieces."""
        return PackageWriter(self._hass, _Incoming(self.folder, self._limit, self._keep_free))

    async def async_remove(self, sha256: str) -> None:
        """Remove a package, if it is there."""
        await self._hass.async_add_executor_job(_remove, self.path(sha256))

    async def async_sweep(self, used: Collection[str], *, grace: float = 0.0) -> None:
        """Remove all packages but those with a SHA-256 in `used`, and what a crash has left behind.

        A package counts as used for `grace` seconds after it was stored: the flow that stored it may still be open.
        """
        await self._hass.async_add_executor_job(self._sweep, frozenset(used), grace)

    def _sweep(self, used: frozenset[str], grace: float) -> None:
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            temporary = _TEMPORARY.fullmatch(path.name)
            left_behind = temporary is not None and temporary["run"] != _RUN
            unused = _SHA256.fullmatch(path.name) is not None and path.name not in used
            if left_behind or (unused and time.time() - path.stat().st_mtime >= grace):
                _remove(path)


class PackageWriter:
    """Keeps a package that comes in pieces: a context that keeps nothing unless `finish` was reached."""

    def __init__(self, hass: HomeAssistant, incoming: _Incoming) -> None:
        """Begin empty."""
        self._hass = hass
        self._incoming = incoming
        self._pending = bytearray()

    async def __aenter__(self) -> Self:
        """Return itself; there is nothing on the disk yet."""
        return self

    async def write(self, piece: bytes) -> None:
        """Add a piece of any length. Raises PackageTooLarge or NoRoom."""
        # A trip to the executor costs more than writing a piece as it comes from the network.
        self._pending += piece
        if len(self._pending) >= _CHUNK:
            await self._async_flush()

    async def finish(self) -> StoredPackage:
        """Keep what was written. Raises PackageRefused."""
        await self._async_flush()
        try:
            return await self._hass.async_add_executor_job(self._incoming.keep)
        except OSError as err:
            raise NoRoom from err

    async def _async_flush(self) -> None:
        chunk, self._pending = bytes(self._pending), bytearray()
        try:
            await self._hass.async_add_executor_job(self._incoming.write, chunk)
        except OSError as err:
            raise NoRoom from err

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove what was written, unless it is kept by now: also when the task is cancelled, and again meanwhile."""
        await asyncio.shield(self._hass.async_add_executor_job(self._incoming.discard))


class _Incoming:
    """A package on its way to the disk, under a temporary name, hashed as it comes. Blocking.

    A job in the executor goes on when the task that waits for it is cancelled, so `discard` may come in the middle of
    `write`: hence the lock, and `write` after `discard` does nothing.
    """

    def __init__(self, folder: Path, limit: int, keep_free: int) -> None:
        self._folder = folder
        self._limit = limit
        self._keep_free = keep_free
        self._temporary = folder / f"{_RUN}-{next(_numbers)}.part"
        self._file: BinaryIO | None = None
        self._closed = False
        self._lock = Lock()
        self._head = b""
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        """Add a chunk. Raises PackageTooLarge, NoRoom, OSError."""
        with self._lock:
            if self._closed or not chunk:
                return
            if self._size + len(chunk) > self._limit:
                raise PackageTooLarge
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = self._temporary.open("xb")
            if shutil.disk_usage(self._folder).free < self._keep_free + len(chunk):
                raise NoRoom
            self._file.write(chunk)
            self._head = self._head or chunk[:HEAD]
            self._size += len(chunk)
            self._md5.update(chunk)
            self._sha256.update(chunk)

    def keep(self) -> StoredPackage:
        """Give it its name. Raises EmptyPackage, OSError."""
        with self._lock:
            if self._file is None or self._closed:
                raise EmptyPackage
            self._file.flush()
            os.fsync(self._file.fileno())
            sha256 = self._sha256.hexdigest()
            self._temporary.replace(self._folder / sha256)
            return StoredPackage(sha256=sha256, md5=self._md5.hexdigest(), size=self._size, kind=kind_of(self._head))

    def discard(self) -> None:
        """Close it, and remove it if it has not got its name."""
        with self._lock:
            self._closed = True
            if self._file is not None:
                with suppress(OSError):  # what the disk did not take before, it does not take now
                    self._file.close()
                _remove(self._temporary)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as err:
        LOGGER.warning("Cannot remove %s: %s", path, err)

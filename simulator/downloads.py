"""How a simulated EMS gets a package: for real over HTTP, or out of a dict."""

import asyncio
from collections.abc import Mapping
import hashlib
import io
import tempfile
from typing import IO, Final, Protocol

import aiohttp

from custom_components.emu_ota.protocol.models import DownloadStatus

from .ems import DownloadRequest, Fetched
from .package import NotAPackage, md5_of, read_package

CHUNK: Final = 64 * 1024
_SILENCE: Final = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=30)
"""A server may take as long as it likes, as long as something comes."""


class Downloads(Protocol):
    """Fetches and checks what an EMS asks for."""

    async def fetch(self, request: DownloadRequest) -> Fetched:
        """Return what the package holds, or which step failed: the download, the MD5 or the unpacking."""

    async def close(self) -> None:
        """Let go of connections."""


class MemoryDownloads:
    """Packages in memory, by their link; `fetched` counts how often each was asked for."""

    def __init__(self, packages: Mapping[str, bytes] | None = None) -> None:
        """Serve these packages; `packages` can be added to."""
        self.packages = dict(packages or {})
        self.fetched: list[str] = []

    async def fetch(self, request: DownloadRequest) -> Fetched:
        """Return what the package of a link holds."""
        self.fetched.append(request.url)
        package = self.packages.get(request.url)
        if package is None:
            return DownloadStatus.DOWNLOAD_FAILED
        return _checked(io.BytesIO(package), md5_of(package), request.md5)

    async def close(self) -> None:
        """There is nothing to let go of."""


class HttpDownloads:
    """Packages over HTTP, as a real EMS fetches them."""

    def __init__(self) -> None:
        """Connect only when something is asked for."""
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, request: DownloadRequest) -> Fetched:
        """Fetch, check and unpack a package; nothing of it stays behind."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_SILENCE)
        digest = hashlib.md5(usedforsecurity=False)
        with tempfile.TemporaryFile() as file:
            try:
                async with self._session.get(request.url, raise_for_status=True) as response:
                    async for chunk in response.content.iter_chunked(CHUNK):
                        digest.update(chunk)
                        await asyncio.to_thread(file.write, chunk)
            except aiohttp.ClientError, TimeoutError, ValueError:
                return DownloadStatus.DOWNLOAD_FAILED
            return await asyncio.to_thread(_checked, file, digest.hexdigest(), request.md5)

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _checked(file: IO[bytes], digest: str, md5: str) -> Fetched:
    if digest != md5.lower():
        return DownloadStatus.MD5_MISMATCH
    file.seek(0)
    try:
        return read_package(file)
    except NotAPackage:
        return DownloadStatus.UNPACK_FAILED

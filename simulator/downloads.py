"""How a simulated EMS gets a package: for real over HTTP, or out of a dict."""

import asyncio
from collections.abc import Mapping, Sequence
import hashlib
from http import HTTPStatus
import io
import socket
import tempfile
from typing import IO, Final, Protocol

import aiohttp

from custom_components.emu_ota.protocol.models import DownloadStatus

from .ems import DownloadRequest, Fetched
from .package import NotAPackage, read_package

CHUNK: Final = 64 * 1024
_SILENCE: Final = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=30)
"""A server may take as long as it likes, as long as something comes."""
PAUSES: Final = (1.0, 4.0, 10.0, 20.0, 40.0, 40.0)
"""Seconds before each try to go on with what broke off: nearly two minutes in all, enough for a server to restart."""
_NOT_NOW: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS})
"""Besides the server's own errors, what passes. Home Assistant's server is up, and knows no package, some seconds
before the integration is."""


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
        return _checked(io.BytesIO(package), request.md5)

    async def close(self) -> None:
        """There is nothing to let go of."""


class _NotNow(Exception):
    """The server does not go on with the file, but may do so later."""


class HttpDownloads:
    """Packages over HTTP, as a real EMS fetches them: what breaks off is gone on with, where the server has ranges.

    What does not begin at all is not tried again.
    """

    def __init__(self, *, rate: float | None = None, pauses: Sequence[float] = PAUSES) -> None:
        """Connect only when something is asked for; take `rate` bytes a second at most, where that is given."""
        self._rate = rate
        self._pauses = tuple(pauses)
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, request: DownloadRequest) -> Fetched:
        """Fetch, check and unpack a package; nothing of it stays behind."""
        if self._session is None:
            connector = None if self._rate is None else aiohttp.TCPConnector(socket_factory=_narrow_socket)
            self._session = aiohttp.ClientSession(timeout=_SILENCE, connector=connector)
        with tempfile.TemporaryFile() as file:
            try:
                await self._fetch(self._session, request.url, file)
            except aiohttp.ClientError, TimeoutError, ValueError, _NotNow:
                return DownloadStatus.DOWNLOAD_FAILED
            return await asyncio.to_thread(_checked, file, request.md5)

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _fetch(self, session: aiohttp.ClientSession, url: str, file: IO[bytes]) -> None:
        for pause in self._pauses:
            try:
                await self._fetch_rest(session, url, file)
            except aiohttp.ClientResponseError:
                raise
            except aiohttp.ClientError, TimeoutError, _NotNow:
                if not file.tell():
                    raise
                await asyncio.sleep(pause)
            else:
                return
        await self._fetch_rest(session, url, file)

    async def _fetch_rest(self, session: aiohttp.ClientSession, url: str, file: IO[bytes]) -> None:
        """Fetch what is missing of a file: all, or all from where it broke off."""
        start = file.tell()
        headers = {"Range": f"bytes={start}-"} if start else {}
        async with session.get(url, headers=headers) as response:
            if start:
                _check_rest(response, start)
                if response.status == HTTPStatus.OK:  # a server without ranges
                    file.seek(0)
                    file.truncate()
            else:
                response.raise_for_status()
            async for chunk in response.content.iter_chunked(CHUNK):
                await asyncio.to_thread(file.write, chunk)
                if self._rate is not None:
                    await asyncio.sleep(len(chunk) / self._rate)


def _narrow_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Return a socket that holds little: otherwise a slow reader's server has sent all of a file long before."""
    narrow = socket.socket(*address[:3])
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
    return narrow


def _check_rest(response: aiohttp.ClientResponse, start: int) -> None:
    """Raise _NotNow or ClientError for an answer that is neither the rest of the file nor all of it."""
    if response.status in _NOT_NOW or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _NotNow
    response.raise_for_status()
    is_rest = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
    if response.status != HTTPStatus.OK and not (response.status == HTTPStatus.PARTIAL_CONTENT and is_rest):
        raise aiohttp.ClientResponseError(response.request_info, response.history, status=response.status)


def _checked(file: IO[bytes], md5: str) -> Fetched:
    file.seek(0)
    digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))  # type: ignore[arg-type]  # typed as a raw file
    if digest.hexdigest() != md5.lower():
        return DownloadStatus.MD5_MISMATCH
    file.seek(0)
    try:
        return read_package(file)
    except NotAPackage:
        return DownloadStatus.UNPACK_FAILED

"""A package that is offered over real HTTP, and readers of every kind."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import hashlib
import logging
from pathlib import Path
import socket
from typing import Self

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from homeassistant.core import HomeAssistant
from homeassistant.helpers.http import KEY_HASS
import pytest

from custom_components.emu_ota.firmware.hosting import HostedFile, Hosting, Offer
from custom_components.emu_ota.firmware.view import WRITE_TIMEOUT, FirmwareView
from custom_components.emu_ota.protocol.fetched import Fetched

PACKAGE = hashlib.shake_128(b"package").digest(2_000_003)
"""Many chunks, the last of them odd; more than all buffers on the way to a reader that does not read."""
SHA256 = hashlib.sha256(PACKAGE).hexdigest()
NAME = "emu-v1.2.0.tar.gz"
TOKEN = "Zk3vQ0-t7_b2aYpLr5WcXg"  # as new_token makes them

type Client = TestClient[web.Request, web.Application]


@dataclass(slots=True)
class Served:
    """A package that a client can fetch."""

    client: Client
    hosting: Hosting
    path: Path
    told: list[Fetched] = field(default_factory=list)
    """What was told of the fetches, oldest first."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """The package's."""
        return f"/api/emu_ota/firmware/{TOKEN}/{NAME}"

    @property
    def last(self) -> Fetched:
        """What was told last."""
        return self.told[-1]

    def open(self, fetched: Fetched | None = None) -> Offer:
        """Open the offer, with what was fetched before."""
        file = HostedFile(path=self.path, name=NAME, size=len(PACKAGE), sha256=SHA256)
        return self.hosting.open(TOKEN, file, fetched=fetched or Fetched(), changed=self.tell)

    def tell(self, fetched: Fetched) -> None:
        """Hear of the fetches."""
        self.told.append(fetched)
        self._news.set()

    async def fetch(self, asked: str | None = None, **headers: str) -> bytes:
        """Fetch the package or a range of it."""
        if asked is not None:
            headers["Range"] = asked
        async with self.client.get(self.url, headers=headers) as response:
            assert response.status in {200, 206}
            return await response.read()

    async def settled(self) -> Fetched:
        """Return what was told last, when no request is under way any more."""
        return await self.until(lambda fetched: not fetched.running)

    async def until(self, reached: Callable[[Fetched], bool]) -> Fetched:
        """Return what was told last, when it has come so far."""
        async with asyncio.timeout(10):
            while not self.told or not reached(self.last):
                self._news.clear()
                await self._news.wait()
        return self.last


@asynccontextmanager
async def serve(
    hass: HomeAssistant, path: Path, hosting: Hosting, *, write_timeout: float = WRITE_TIMEOUT
) -> AsyncGenerator[Served]:
    """Serve a package by a view with bounds of its own, as Home Assistant would."""
    app = web.Application()
    app[KEY_HASS] = hass
    FirmwareView(hosting, write_timeout=write_timeout).register(hass, app, app.router)
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        served = Served(client, hosting, path)
        served.open()
        yield served


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged as a warning or worse, but for the event loop's own about a busy machine."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name != "asyncio"
    ]


class Reader:
    """A client that reads only when it is told to, with next to no buffer of its own."""

    def __init__(self, client: Client) -> None:
        """Be a client of the same server as another."""
        assert isinstance(client.port, int)
        self._address = ("127.0.0.1", client.port)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(0)

    async def __aenter__(self) -> Self:
        """Connect."""
        await asyncio.get_running_loop().sock_connect(self._socket, self._address)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        self._socket.close()

    async def ask(self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> None:
        """Send a request, with its path as it is."""
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{key}: {value}" for key, value in (headers or {}).items()]
        await asyncio.get_running_loop().sock_sendall(self._socket, "\r\n".join([*lines, "", ""]).encode())

    async def read(self, count: int) -> bytes:
        """Return up to that many bytes, none at the end."""
        async with asyncio.timeout(10):
            return await asyncio.get_running_loop().sock_recv(self._socket, count)

    async def status(self) -> int:
        """Return the status of the answer, having read a little of it."""
        return int((await self.read(256)).split(b" ", 2)[1])

    async def until_closed(self) -> bytes:
        """Return all that comes until the connection is closed."""
        received = b""
        while data := await self.read(65536):
            received += data
        return received

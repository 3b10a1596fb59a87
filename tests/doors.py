"""Doors in front of a broker: the ways to it, and the brokers, that mosquitto itself is not or cannot be made to be."""

import asyncio
import contextlib
import socket
import ssl
import struct
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from .mosquitto import HOST

_CONNECT: Final = 0x10
_MQTT5: Final = b"\x00\x04MQTT\x05"


class Door:
    """A TCP door to a broker that can be cut, or made to swallow what the broker says.

    With `refuses_mqtt5` it is a broker of before MQTT 5: these bytes are its answer to a CONNECT of 5 (none: it hangs
    up without a word), everything else goes through.
    """

    def __init__(self, broker_port: int, *, refuses_mqtt5: bytes | None = None) -> None:
        """Take note only; entering it opens it."""
        self.connects: list[int] = []
        """The MQTT version of each CONNECT that came: 4 is 3.1.1."""
        self.refuses_mqtt5 = refuses_mqtt5
        self.mute = False
        """Whether what the broker says is swallowed."""
        self._broker_port = broker_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Its port."""
        assert self._server is not None, "not open yet"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        """Open it on a free port."""
        self._server = await asyncio.start_server(self._came, HOST, 0)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()
        await asyncio.sleep(0.05)  # for the connections that were cut to notice

    def cut(self) -> None:
        """Reset all connections, as a router does that forgets them."""
        for writer in self._writers:
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError):
                greeting = await reader.read(4096)
                if not greeting or greeting[0] != _CONNECT:
                    return
                mqtt5 = _MQTT5 in greeting
                self.connects.append(5 if mqtt5 else 4)
                if mqtt5 and self.refuses_mqtt5 is not None:
                    writer.write(self.refuses_mqtt5)
                    await writer.drain()
                    return
                await self._let_through(greeting, reader, writer)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _let_through(self, greeting: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_broker, to_broker = await asyncio.open_connection(HOST, self._broker_port)
        self._writers.add(to_broker)
        to_broker.write(greeting)

        async def answers() -> None:
            with contextlib.suppress(OSError):
                while data := await from_broker.read(4096):
                    if not self.mute:
                        writer.write(data)
            writer.close()

        answering = asyncio.create_task(answers())
        try:
            while data := await reader.read(4096):
                to_broker.write(data)
        finally:
            self._writers.discard(to_broker)
            to_broker.close()
            await answering


class WebsocketDoor:
    """A websockets door to a broker's TCP port, under `/mqtt` or another path, with TLS where there is a context."""

    def __init__(self, broker_port: int, *, path: str = "/mqtt", context: ssl.SSLContext | None = None) -> None:
        """Take note only; entering it opens it."""
        self._broker_port = broker_port
        self._path = path
        self._context = context
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """Its port."""
        assert self._runner is not None, "not open yet"
        port: int = self._runner.addresses[0][1]
        return port

    async def __aenter__(self) -> Self:
        """Open it on a free port."""
        app = web.Application()
        app.router.add_get(self._path, self._came)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0, ssl_context=self._context).start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        assert self._runner is not None
        await self._runner.cleanup()

    async def _came(self, request: web.Request) -> web.WebSocketResponse:
        session = web.WebSocketResponse(protocols=("mqtt",))
        await session.prepare(request)
        from_broker, to_broker = await asyncio.open_connection(HOST, self._broker_port)

        async def answers() -> None:
            while data := await from_broker.read(4096):
                await session.send_bytes(data)
            await session.close()

        answering = asyncio.create_task(answers())
        try:
            async for message in session:
                to_broker.write(message.data)
        finally:
            to_broker.close()
            answering.cancel()
            await asyncio.wait([answering])
        return session

"""A web server with a firmware index, over real HTTP on the loopback interface."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDictProxy

type Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class IndexServer:
    """Answers `/index.json` as a test wants it to, and notes who asked."""

    server: TestServer
    body: bytes = b'{"format":1,"releases":[]}'
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    answer: Answer | None = None
    """In place of all of the above."""
    requests: list[CIMultiDictProxy[str]] = field(default_factory=list)
    """The headers of each request for the index, oldest first."""
    moved_to: str = "/releases/index.json"
    """Where `/moved` leads to."""
    sent: int = 0
    """Bytes of endless answers."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    resume: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """The URL of the index."""
        return self.url_of("/index.json")

    def url_of(self, path: str) -> str:
        """Return the URL of a path."""
        return str(self.server.make_url(path))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer as told to."""
        self.requests.append(request.headers)
        self.asked.set()
        if self.answer is not None:
            return await self.answer(request)
        etag = self.headers.get("ETag")
        if etag is not None and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=self.headers)
        return web.Response(body=self.body, status=self.status, headers=self.headers)

    async def wait(self, _: web.Request) -> web.StreamResponse:
        """Answer when told to resume."""
        await self.resume.wait()
        return web.Response(body=self.body, status=self.status, headers=self.headers)

    async def pour(self, request: web.Request) -> web.StreamResponse:
        """Answer without an end."""
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            while self.sent < 100 * 1024**2:
                await response.write(b" " * 65536)
                self.sent += 65536
        except ConnectionError:
            pass
        return response

    async def announce(self, request: web.Request) -> web.StreamResponse:
        """Announce 100 MB, and send them."""
        response = web.StreamResponse(headers={"Content-Length": str(100 * 1024**2)})
        await response.prepare(request)
        try:
            while self.sent < 100 * 1024**2:
                await response.write(b" " * 65536)
                self.sent += 65536
        except ConnectionError:
            pass
        return response

    async def break_off(self, request: web.Request) -> web.StreamResponse:
        """Send half of what was announced."""
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b" " * 500)
        if request.transport is not None:
            request.transport.close()
        return response


@asynccontextmanager
async def serve_index() -> AsyncGenerator[IndexServer]:
    """Serve an index until the end of the block."""
    app = web.Application()
    index = IndexServer(TestServer(app, host="127.0.0.1"))

    async def moved(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": index.moved_to})

    async def circle(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/circle")

    app.router.add_get("/index.json", index.handle)
    app.router.add_get("/releases/index.json", index.handle)
    app.router.add_get("/moved", moved)
    app.router.add_get("/circle", circle)
    await index.server.start_server(access_log=None)  # it cannot tell the time while that is frozen
    try:
        yield index
    finally:
        index.resume.set()
        await index.server.close()

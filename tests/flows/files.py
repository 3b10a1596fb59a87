"""A web server with the files that links in the tests lead to."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import hashlib
from typing import Final

from aiohttp import web
from aiohttp.test_utils import TestServer

from .uploads import TAR_GZ

PACKAGE = bytes(range(256)) * 2048
"""512 KiB: several chunks."""
PACKAGE_MD5 = hashlib.md5(PACKAGE, usedforsecurity=False).hexdigest()

LONG_NAME = "n" * 300

RESUME: Final = web.AppKey("resume", asyncio.Event)


@dataclass(slots=True)
class FileServer:
    """Serves the paths below over real HTTP on the loopback interface."""

    server: TestServer
    resume: asyncio.Event
    """Set: `/slow.bin` sends its second half."""
    requests: list[str] = field(default_factory=list)
    """The paths asked for, oldest first."""

    def url(self, path: str) -> str:
        """Return the link to a path."""
        return str(self.server.make_url(path))


async def _package(_: web.Request) -> web.Response:
    return web.Response(body=PACKAGE)


async def _archive(_: web.Request) -> web.Response:
    return web.Response(body=TAR_GZ)


async def _encoded(_: web.Request) -> web.Response:
    # What a server does that takes `.gz` for an encoding: decoded, this would be an error, or another file.
    return web.Response(body=PACKAGE, headers={"Content-Encoding": "gzip"})


async def _chunked(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(PACKAGE)
    return response


async def _promise(request: web.Request, size: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(size)})
    await response.prepare(request)
    return response


async def _slow(request: web.Request) -> web.StreamResponse:
    response = await _promise(request, len(PACKAGE))
    half = len(PACKAGE) // 2
    await response.write(PACKAGE[:half])
    await request.app[RESUME].wait()
    await response.write(PACKAGE[half:])
    return response


async def _truncated(request: web.Request) -> web.StreamResponse:
    response = await _promise(request, len(PACKAGE))
    await response.write(PACKAGE[:1000])
    if request.transport is not None:
        request.transport.close()
    return response


async def _huge(request: web.Request) -> web.StreamResponse:
    response = await _promise(request, 3 * 1024**3)
    await response.write(PACKAGE)
    return response


async def _page(_: web.Request) -> web.Response:
    return web.Response(text="<html>Please log in</html>", content_type="text/html")


async def _empty(_: web.Request) -> web.Response:
    return web.Response(body=b"")


async def _moved(_: web.Request) -> web.Response:
    raise web.HTTPFound("/package.bin")


async def _moved_far(_: web.Request) -> web.Response:
    raise web.HTTPFound(f"/{LONG_NAME}")


@asynccontextmanager
async def serve_files() -> AsyncGenerator[FileServer]:
    """Serve files until the end of the block."""
    app = web.Application()
    app[RESUME] = asyncio.Event()
    files = FileServer(TestServer(app, host="127.0.0.1"), app[RESUME])

    @web.middleware
    async def note(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        files.requests.append(request.path)
        return await handler(request)

    app.middlewares.append(note)
    app.add_routes(
        [
            web.get("/package.bin", _package),
            web.get(f"/{LONG_NAME}", _package),
            web.get("/download", _archive),
            web.get("/encoded.tar.gz", _encoded),
            web.get("/chunked.bin", _chunked),
            web.get("/slow.bin", _slow),
            web.get("/truncated.bin", _truncated),
            web.get("/huge.bin", _huge),
            web.get("/page", _page),
            web.get("/empty.bin", _empty),
            web.get("/moved", _moved),
            web.get("/moved-far", _moved_far),
        ]
    )
    await files.server.start_server()
    try:
        yield files
    finally:
        files.resume.set()
        await files.server.close()

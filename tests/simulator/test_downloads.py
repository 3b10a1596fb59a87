"""Downloads that break off, and how a simulated EMS goes on with them."""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
import time

from aiohttp import web
from aiohttp.test_utils import TestServer
import pytest

from custom_components.emu_ota.protocol.models import DownloadStatus
from simulator.downloads import HttpDownloads
from simulator.ems import DownloadRequest, Fetched
from simulator.package import Manifest, build_package, md5_of

VERSION = "emu-v1.2.0"
PACKAGE = build_package(VERSION, size=300_000)
SOON = (0.0, 0.0, 0.0)

type Script = list[web.StreamResponse | str]


@dataclass
class Server:
    """Answers each request as the script says; when that has ended, properly."""

    script: Script = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    """Where each request wanted the package to begin, oldest first."""
    url: str = ""
    _turns: Iterator[web.StreamResponse | str] | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer in full, or only with a part of it, or with something else."""
        self.starts.append(request.http_range.start or 0)
        self._turns = self._turns or iter(self.script)
        turn = next(self._turns, "all")
        if isinstance(turn, web.StreamResponse):
            return turn
        start = 0 if turn == "no ranges" else self.starts[-1]
        return await self._send(request, start, cut=turn == "cut")

    async def _send(self, request: web.Request, start: int, *, cut: bool) -> web.StreamResponse:
        content = PACKAGE[start:]
        response = web.StreamResponse(status=206 if start else 200)
        response.content_length = len(content)
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(PACKAGE) - 1}/{len(PACKAGE)}"
        await response.prepare(request)
        await response.write(content[:100_000] if cut else content)
        if cut and request.transport is not None:
            request.transport.close()
        return response


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    """Serve the package."""
    server, app = Server(), web.Application()
    app.router.add_get("/package", server.handle)
    async with TestServer(app, host="127.0.0.1") as running:
        server.url = str(running.make_url("/package"))
        yield server


async def fetched(url: str, *, md5: str | None = None, downloads: HttpDownloads | None = None) -> Fetched:
    """Fetch the package as an EMS would."""
    downloads = downloads or HttpDownloads(pauses=SOON)
    try:
        return await downloads.fetch(DownloadRequest(1, url, md5 or md5_of(PACKAGE)))
    finally:
        await downloads.close()


async def test_what_broke_off_is_gone_on_with_from_where_it_was(server: Server) -> None:
    server.script = ["cut", "cut"]
    assert await fetched(server.url) == Manifest(VERSION)
    first, second, third = server.starts
    assert first == 0 < second <= 100_000 < third  # what was on its way may be lost


async def test_a_server_without_ranges_is_asked_for_all_of_it_anew(server: Server) -> None:
    server.script = ["cut", "no ranges"]
    assert await fetched(server.url) == Manifest(VERSION)
    assert server.starts[0] == 0 < server.starts[1]


@pytest.mark.parametrize("status", [404, 429, 500, 503])
async def test_a_server_that_is_not_itself_yet_is_asked_again(server: Server, status: int) -> None:
    server.script = ["cut", web.Response(status=status)]
    assert await fetched(server.url) == Manifest(VERSION)
    assert len(server.starts) == 3


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=403),
        web.Response(status=410),
        web.Response(status=416),
        web.Response(status=204),
        web.Response(status=206, body=b"?"),
        web.Response(status=206, body=b"?", headers={"Content-Range": "bytes 7-7/8"}),
    ],
    ids=["forbidden", "gone", "not satisfiable", "nothing", "no range", "another range"],
)
async def test_any_other_answer_to_going_on_fails_the_download(server: Server, answer: web.Response) -> None:
    server.script = ["cut", answer]
    assert await fetched(server.url) is DownloadStatus.DOWNLOAD_FAILED
    assert len(server.starts) == 2


@pytest.mark.parametrize("status", [403, 404, 500, 503])
async def test_what_does_not_begin_is_not_tried_again(server: Server, status: int) -> None:
    server.script = [web.Response(status=status)]
    assert await fetched(server.url) is DownloadStatus.DOWNLOAD_FAILED
    assert server.starts == [0]


async def test_a_line_that_breaks_again_and_again_fails_in_the_end(server: Server) -> None:
    server.script = ["cut", web.Response(status=503), web.Response(status=503), web.Response(status=503), "all"]
    assert await fetched(server.url) is DownloadStatus.DOWNLOAD_FAILED
    assert len(server.starts) == 1 + len(SOON)


async def test_the_md5_is_that_of_the_whole_file_also_in_parts(server: Server) -> None:
    server.script = ["cut"]
    assert await fetched(server.url, md5="0" * 32) is DownloadStatus.MD5_MISMATCH


async def test_a_download_can_be_slowed_down(server: Server) -> None:
    started = time.monotonic()
    assert await fetched(server.url, downloads=HttpDownloads(rate=1_000_000)) == Manifest(VERSION)
    assert time.monotonic() - started >= 0.25

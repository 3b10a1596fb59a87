"""A small HTTP server of packages, on the loopback interface."""

from pathlib import Path
from typing import Self

from aiohttp import web


class PackageServer:
    """Serves the files of a folder (GET, HEAD, ranges)."""

    host = "127.0.0.1"

    def __init__(self, directory: Path, port: int = 0) -> None:
        """Serve `directory`; port 0: any free one, known once it is started."""
        self.port = port
        self._directory = directory
        self._runner: web.AppRunner | None = None

    def url(self, name: str) -> str:
        """Return the link to a file of the folder."""
        return f"http://{self.host}:{self.port}/{name}"

    async def start(self) -> None:
        """Begin to serve. Raises OSError when the port is taken."""
        application = web.Application()
        application.router.add_static("/", self._directory)
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """End it."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        await self.stop()

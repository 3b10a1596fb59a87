"""Memory and speed of keeping and serving a large package: `.venv/bin/python -m benchmarks.packages`.

Everything is real: files, hashes, Home Assistant's event loop and executor, the view, a socket on the loopback
interface, readers in processes of their own. Linux only.
"""

import argparse
import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
import os
from pathlib import Path
import sys
import tempfile
from threading import Event, Thread
import time
from typing import Final, Self

from aiohttp import web
from homeassistant.core import HomeAssistant
from homeassistant.helpers.http import KEY_HASS

from custom_components.emu_ota.firmware.hosting import HostedFile, Hosting, new_token
from custom_components.emu_ota.firmware.packages import PackageStore, StoredPackage
from custom_components.emu_ota.firmware.view import FirmwareView
from custom_components.emu_ota.protocol.fetched import Fetched

MB: Final = 1024 * 1024
PIECE: Final = 64 * 1024  # as they come from the network
NAME: Final = "package.tar.gz"
READER: Final = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1]) as response:
    size = 0
    while piece := response.read(1 << 16):
        size += len(piece)
sys.exit(size != int(sys.argv[2]))
"""


class Memory:
    """The most memory that this process had at once, in bytes, above what it had at the beginning."""

    def __init__(self) -> None:
        """Begin to look."""
        self.added = 0
        self._before = resident()
        self._stop = Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        """Look at it, every 5 ms."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.005):
            self.added = max(self.added, resident() - self._before)


def resident() -> int:
    """Return the memory of this process, in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def measure(what: str, size: int, work: Callable[[], Awaitable[object]]) -> int:
    """Do something with so many bytes, print what it took, and return the memory added."""
    started = time.perf_counter()
    with Memory() as memory:
        await work()
    seconds = time.perf_counter() - started
    print(f"{what:<40} {memory.added / MB:6.1f} MB added   {size / MB / seconds:6.0f} MB/s", flush=True)
    return memory.added


def make(path: Path, size: int) -> None:
    """Write a file that cannot be packed, and that begins differently for each size."""
    block = os.urandom(MB)
    with path.open("wb") as file:
        file.write(size.to_bytes(8))
        left = size - 8
        while left:
            left -= file.write(block[:left])


@asynccontextmanager
async def serving(hass: HomeAssistant, hosting: Hosting) -> AsyncGenerator[str]:
    """Serve what is offered, and give the beginning of its URLs."""
    app = web.Application()
    app[KEY_HASS] = hass
    FirmwareView(hosting).register(hass, app, app.router)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def fetch(base: str, hosting: Hosting, store: PackageStore, package: StoredPackage, times: int) -> None:
    """Have a package fetched by so many readers at once, each with a token of its own. Raises RuntimeError."""
    path = store.path(package.sha256)
    file = HostedFile(path=path, name=NAME, size=package.size, sha256=package.sha256)
    tokens = [new_token() for _ in range(times)]
    for token in tokens:
        hosting.open(token, file, fetched=Fetched(), changed=lambda _: None)
    readers = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            READER,
            f"{base}{FirmwareView.url}".format(token=token, file_name=NAME),
            str(file.size),
        )
        for token in tokens
    ]
    if any([await reader.wait() for reader in readers]):
        raise RuntimeError("a reader did not get all of it")
    for token in tokens:
        hosting.close(token)


async def mirror(store: PackageStore, source: Path) -> StoredPackage:
    """Keep a package that comes in pieces, as from the network."""
    async with store.writer() as writer:
        with source.open("rb") as file:
            while piece := file.read(PIECE):
                await writer.write(piece)
        return await writer.finish()


async def main(size: int, folder: Path) -> int:
    """Measure everything, and return the most memory that anything added."""
    hass = HomeAssistant(str(folder))
    store, hosting = PackageStore(hass), Hosting(hass)
    small, large = folder / "small", folder / "large"
    make(small, 4 * MB)
    make(large, size)
    try:
        async with serving(hass, hosting) as base:
            # Once with little, so that what is loaded only once is loaded.
            await mirror(store, small)
            await fetch(base, hosting, store, await store.async_store(small), 1)
            package = await store.async_store(small)
            print(f"A package of {size / MB:.0f} MB; {resident() / MB:.0f} MB resident before", flush=True)

            async def keep() -> None:
                nonlocal package
                package = await store.async_store(large)

            added = [
                await measure("keep an upload (copy, MD5, SHA-256)", size, keep),
                await measure("keep a mirrored link, piece by piece", size, lambda: mirror(store, large)),
                await measure("serve it to one EMS", size, lambda: fetch(base, hosting, store, package, 1)),
                await measure(
                    "serve it to ten EMSs at once", 10 * size, lambda: fetch(base, hosting, store, package, 10)
                ),
            ]
    finally:
        await hass.async_stop(force=True)
    return max(added)


if __name__ == "__main__":
    command_line = argparse.ArgumentParser(description="Memory and speed of keeping and serving a large package.")
    command_line.add_argument("--size", type=int, default=500, metavar="MB", help="of the package (%(default)s)")
    command_line.add_argument("--limit", type=float, default=20, metavar="MB", help="that fails (%(default)s)")
    options = command_line.parse_args()
    with tempfile.TemporaryDirectory(prefix="emu-ota-benchmark-") as temporary:
        most = asyncio.run(main(options.size * MB, Path(temporary)))
    if most >= options.limit * MB:
        sys.exit(f"{most / MB:.1f} MB are more than {options.limit:g} MB.")

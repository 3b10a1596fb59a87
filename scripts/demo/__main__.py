"""Starts the site, keeps it running, ends it."""

import argparse
import asyncio
import contextlib
import os
from pathlib import Path
import signal
import sys

import aiohttp

from .api import PASSWORD, USER, ApiError
from .home_assistant import ROOT
from .processes import ProgramError
from .run import keep_running, start


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        prog="scripts/develop",
        description="Starts a simulated site (one EMS, three EMUs) and a Home Assistant that knows it.",
    )
    port = int(os.environ.get("EMU_OTA_PORT", "8123"))
    parser.add_argument("--port", type=int, default=port, help="where Home Assistant listens (EMU_OTA_PORT, or 8123)")
    folder = ROOT / ".develop"
    parser.add_argument(
        "--folder", type=Path, default=folder, help="where everything is kept (.develop in the checkout)"
    )
    parser.add_argument("--speed", type=float, default=2.0, help="how much faster than a real site the EMUs are (2)")
    return parser.parse_args()


async def main(port: int, folder: Path, speed: float) -> None:
    """Run the site until SIGINT, SIGTERM or a closed terminal."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as running:
        print("Starting ...", flush=True)
        starting = asyncio.create_task(start(port, folder, speed, running))
        asked = asyncio.create_task(stop.wait())
        await asyncio.wait([starting, asked], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.wait([starting])
            return
        site, core = starting.result()
        print(
            f"\n  http://127.0.0.1:{port}/config/updates\n"
            f"  user {USER}, password {PASSWORD}\n\n"
            f"Logs and state are in {folder}; remove it to begin anew. Ctrl-C ends everything.",
            flush=True,
        )
        await keep_running(site, core, stop)
        print("Stopping ...", flush=True)


if __name__ == "__main__":
    options = arguments()
    home = options.folder.resolve()
    home.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(main(options.port, home, options.speed))
    except (ProgramError, ApiError, TimeoutError, aiohttp.ClientError) as error:
        sys.exit(str(error) or "It did not start in time.")

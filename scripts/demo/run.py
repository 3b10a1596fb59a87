"""The whole site, from its start to its end."""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

import aiohttp

from . import home_assistant
from .api import HomeAssistantApi
from .processes import Program, ProgramError, is_free, listens
from .site import Ports, introduce, simulator

START_TIMEOUT: Final = 120
"""Seconds until the site must be up; it takes about 10 where everything is installed."""


async def start(port: int, folder: Path, speed: float, running: contextlib.AsyncExitStack) -> tuple[Program, Program]:
    """Start simulator and Home Assistant, and introduce them; what runs is ended with the stack."""
    ports = Ports.of(folder)
    taken = [*ports.taken(), *([] if is_free(port) else [port])]
    if taken:
        raise ProgramError("Port", f"{taken[0]} is taken, by another scripts/develop? --port moves Home Assistant.")
    config = folder / "config"
    home_assistant.seed(config, port)
    site, core = simulator(folder, ports, speed), home_assistant.program(config)

    def still_there() -> None:
        site.check()
        core.check()

    async with asyncio.timeout(START_TIMEOUT), aiohttp.ClientSession() as session:
        running.push_async_callback(site.stop)
        await site.start()
        while not await listens(ports.broker):
            still_there()
            await asyncio.sleep(0.1)
        running.push_async_callback(core.stop)
        await core.start()
        api = HomeAssistantApi(session, f"http://127.0.0.1:{port}")
        await api.wait_until_up(still_there)
        await api.login()
        await api.wait_until_running()
        await introduce(api, ports)
    return site, core


async def keep_running(site: Program, core: Program, stop: asyncio.Event) -> None:
    """Return when asked to stop; raises ProgramError when a program ends by itself."""
    while True:
        asked = asyncio.create_task(stop.wait())
        ended = [asyncio.create_task(program.wait()) for program in (site, core)]
        await asyncio.wait([asked, *ended], return_when=asyncio.FIRST_COMPLETED)
        for task in (asked, *ended):
            task.cancel()
        if stop.is_set():
            return
        site.check()
        if ended[1].result() != home_assistant.RESTART:
            core.check()
        print("Home Assistant starts again.", flush=True)
        await core.start()

"""A site of three EMSs, and the newest Home Assistant, which knows their broker and nothing of them."""

import asyncio
from collections.abc import AsyncGenerator
import contextlib
from dataclasses import dataclass
import json
import os
from pathlib import Path
import re
import sys

import aiohttp
import aiomqtt

from scripts.demo import home_assistant
from scripts.demo.api import HomeAssistantApi
from scripts.demo.home_assistant import ROOT
from scripts.demo.processes import Program, free_port, listens
from scripts.demo.site import CONFIG_FLOW

NEWEST = ROOT / ".venv-newest"
PRODUCT_KEY = "demo"
GOOD = "iYRkfVpi77"
"""The uid of an EMS that upgrades its EMU."""
BAD = "wL9cRh30Ye"
"""The uid of an EMS that cannot unpack what it gets first, nor the second time."""
NEW = "mD4qZs81Tb"
"""The uid of an EMS that nobody adds by hand."""
OLD_VERSION = "emu-v1.0.0"
SPEED = 24
"""Times as fast as a real site: an EMU is at it for 8 s, and Home Assistant asks every 5 s how far it is."""
START_TIMEOUT = 120


@dataclass(frozen=True, slots=True)
class Site:
    """Where it is, and what Home Assistant has to say."""

    url: str
    log: Path
    broker: int
    """Port of the broker that all of them are on."""

    def complaints(self) -> list[str]:
        """Return the warnings and errors about the integration in Home Assistant's log, deprecations too."""
        # The checkout may be in a folder that is called like us.
        lines = self.log.read_text(encoding="utf-8").replace(str(ROOT), "").splitlines()
        about_us = [line for line in lines if "emu_ota" in line and re.search(" (WARNING|ERROR|CRITICAL) ", line)]
        # It says so of everything that is not its own.
        return [line for line in about_us if "which has not been tested by Home Assistant" not in line]

    async def ask(self, uid: str) -> None:
        """Ask an EMS for its versions, as somebody else on the broker does."""
        question = {"mid": "m", "timestamp": 1, "type": "emu_version", "data": {}}
        async with aiomqtt.Client("127.0.0.1", self.broker) as somebody:
            await somebody.publish(f"v1/wudun/{PRODUCT_KEY}/{uid}/ota/emu_version/command", json.dumps(question))


@contextlib.asynccontextmanager
async def run_site(folder: Path) -> AsyncGenerator[Site]:
    """Run the site; its programs end with the context."""
    config, port, broker = folder / "config", free_port(), free_port()
    home_assistant.seed(config, port)
    core = home_assistant.program(config, str(NEWEST / "bin" / "python"))
    systems = simulator(folder, broker)

    def still_there() -> None:
        systems.check()
        core.check()

    async with contextlib.AsyncExitStack() as running, asyncio.timeout(START_TIMEOUT) as starting:
        for program in (systems, core):
            running.push_async_callback(program.stop)
            await program.start()
        url = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession() as session:
            while not await listens(broker):
                still_there()
                await asyncio.sleep(0.1)
            api = HomeAssistantApi(session, url)
            await api.wait_until_up(still_there)
            await api.login()
            await api.wait_until_running()
            other = {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"}
            await api.run_flow(
                CONFIG_FLOW,
                {"handler": "mqtt"},
                {"broker": "127.0.0.1", "port": broker, "protocol": "5", "other_settings": other},
            )
        starting.reschedule(None)
        yield Site(url, core.log, broker)
        still_there()


def simulator(folder: Path, port: int) -> Program:
    """Return the three EMSs with their broker, not yet started. Each has one EMU, the EMU 2."""
    command = [sys.executable, "-m", "simulator", "--broker", "--port", str(port), "--product-key", PRODUCT_KEY]
    command += ["--ems", GOOD, "--ems", BAD, "--ems", NEW, "--emus", "1", "--firmware", OLD_VERSION]
    command += ["--fault", f"unpack_failed@{BAD}*2", "--speed", str(SPEED)]
    return Program("The simulator", command, folder=ROOT, log=folder / "simulator.log", env=os.environ)

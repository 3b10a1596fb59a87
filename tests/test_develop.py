"""`scripts/develop`, as a newcomer starts it: twice, with a real Home Assistant."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from pathlib import Path
import signal
import socket
import sys

import aiohttp
import pytest

from scripts.demo.api import HomeAssistantApi

ROOT = Path(__file__).parents[1]
START_TIMEOUT = 60
STOP_TIMEOUT = 30

pytestmark = pytest.mark.usefixtures("socket_enabled")


def listens(port: int) -> bool:
    """Return whether somebody is there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def site(folder: Path, port: int, end: signal.Signals) -> AsyncIterator[None]:
    """Run the site until it is up; end it with a signal, and see that it ended well and left nobody behind."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scripts.demo", "--port", str(port), "--folder", str(folder),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(START_TIMEOUT):
            while "Ctrl-C" not in said:
                line = (await process.stdout.readline()).decode()
                assert line, said
                said += line
        assert f"http://127.0.0.1:{port}" in said
        yield
    finally:
        process.send_signal(end)
        async with asyncio.timeout(STOP_TIMEOUT):
            said += (await process.stdout.read()).decode()
            code = await process.wait()
    assert code == 0, said
    ports = json.loads((folder / "ports.json").read_text(encoding="utf-8"))
    assert [number for number in (port, *ports.values()) if listens(number)] == []


async def firmware(port: int) -> dict[str, tuple[str, object, object]]:
    """Return state, installed and latest version of every update, by its entity id."""
    async with aiohttp.ClientSession() as session:
        api = await HomeAssistantApi(session, f"http://127.0.0.1:{port}").login()
        return {
            state["entity_id"]: (
                state["state"],
                state["attributes"].get("installed_version"),
                state["attributes"].get("latest_version"),
            )
            for state in await api.states()
            if state["entity_id"].startswith("update.")
        }


async def test_one_command_shows_an_update_to_install_and_shows_it_again_the_next_time(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    """Two EMUs can be upgraded, the third is offline; Ctrl-C and SIGTERM end everything."""
    wanted = {
        "update.iyrkfvpi77_emu_2_firmware": ("on", "emu-v1.0.0", "emu-v1.2.0"),
        "update.iyrkfvpi77_emu_3_firmware": ("on", "emu-v1.0.0", "emu-v1.2.0"),
        "update.iyrkfvpi77_emu_4_firmware": ("unavailable", None, None),
    }
    async with site(tmp_path, unused_tcp_port, signal.SIGINT):
        assert await settled(unused_tcp_port, wanted) == wanted
    ports = (tmp_path / "ports.json").read_text(encoding="utf-8")
    async with site(tmp_path, unused_tcp_port, signal.SIGTERM):
        assert await settled(unused_tcp_port, wanted) == wanted
    assert (tmp_path / "ports.json").read_text(encoding="utf-8") == ports


async def settled(port: int, wanted: object) -> object:
    """Return the updates once they are as wanted, or as they are after a while."""
    for _ in range(20):
        if (seen := await firmware(port)) == wanted:
            break
        await asyncio.sleep(0.5)
    return seen

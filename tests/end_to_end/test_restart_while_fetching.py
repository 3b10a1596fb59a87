"""A real Home Assistant restarts while an EMS downloads a package from it: the download goes on, and all ends well."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from scripts.demo import home_assistant
from scripts.demo.api import HomeAssistantApi
from scripts.demo.processes import Program
from scripts.demo.site import DOMAIN, SUBENTRY_FLOW, Ports, introduce, simulator
from simulator.package import build_package

NEW: Final = "emu-v1.3.0"
SIZE: Final = 3_000_000
RATE: Final = 300_000
"""Bytes per second: ten seconds for the package."""
OPTIONS_FLOW: Final = "/api/config/config_entries/options/flow"
UPDATE: Final = "update.iyrkfvpi77_emu_2_firmware"

pytestmark = pytest.mark.usefixtures("socket_enabled")


@dataclass
class Plant:
    """A simulated site, and a Home Assistant that knows it."""

    url: str
    folder: Path
    session: aiohttp.ClientSession
    core: Program
    api: HomeAssistantApi

    async def start_core(self) -> None:
        """Start Home Assistant, and log in."""
        await self.core.start()
        self.api = HomeAssistantApi(self.session, self.url)
        await self.api.wait_until_up(self.core.check)
        await self.api.login()

    async def post(self, path: str, body: object) -> dict[str, object]:
        """Ask for something, and return the answer."""
        headers = {"Authorization": f"Bearer {self.api.tokens['access_token']}"}
        how = {"data": body} if isinstance(body, aiohttp.FormData) else {"json": body}
        async with self.session.post(self.url + path, headers=headers, **how) as response:
            assert response.status == 200, (path, await response.text())
            answer: dict[str, object] = await response.json()
            return answer

    async def until(self, met: Callable[[Mapping[str, object]], bool]) -> None:
        """Look at the attributes of EMU 2's update until they are as wanted."""
        while True:
            attributes = [state["attributes"] for state in await self.api.states() if state["entity_id"] == UPDATE]
            if attributes and met(attributes[0]):
                return
            await asyncio.sleep(0.2)

    async def upload(self, content: bytes) -> None:
        """Add firmware by a file, as a person does."""
        entry = await self.api.loaded_entry(DOMAIN)
        await self.api.run_flow(
            OPTIONS_FLOW,
            {"handler": entry["entry_id"]},
            {"download_base_url": self.url, "max_parallel": 4, "queue_timeout": 120},
        )
        form = aiohttp.FormData()
        form.add_field("file", content, filename=f"{NEW}.tar.gz", content_type="application/gzip")
        uploaded = await self.post("/api/file_upload", form)
        flow = await self.post(SUBENTRY_FLOW, {"handler": [entry["entry_id"], "firmware"]})
        step = f"{SUBENTRY_FLOW}/{flow['flow_id']}"
        await self.post(step, {"next_step_id": "upload"})
        done = await self.post(step, {"package": uploaded["file_id"], "version": NEW})
        assert done["type"] == "create_entry", done

    def said(self) -> str:
        """Return what the simulator has said so far."""
        return (self.folder / "simulator.log").read_text(encoding="utf-8")

    def history(self) -> list[dict[str, object]]:
        """Return what is stored of the upgrades that have ended."""
        (file,) = (self.folder / "config" / ".storage").glob(f"{DOMAIN}.*.history")
        upgrades: list[dict[str, object]] = json.loads(file.read_text(encoding="utf-8"))["data"]["upgrades"]
        return upgrades


@pytest.fixture
async def plant(tmp_path: Path, unused_tcp_port: int) -> AsyncGenerator[Plant]:
    """Run a site whose EMS downloads slowly."""
    ports, config = Ports.of(tmp_path), tmp_path / "config"
    home_assistant.seed(config, unused_tcp_port)
    site = simulator(tmp_path, ports, 20, "--revision", "C", "--download-rate", str(RATE))
    core = home_assistant.program(config)
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{unused_tcp_port}"
        plant = Plant(url, tmp_path, session, core, HomeAssistantApi(session, url))
        try:
            await site.start()
            await plant.start_core()
            await plant.api.wait_until_running()
            await introduce(plant.api, ports)
            yield plant
        finally:
            await core.stop()
            await site.stop()


async def test_a_download_that_a_restart_cuts_goes_on_where_it_was_and_the_upgrade_succeeds(plant: Plant) -> None:
    """With a range request to the very same link; the order is not sent a second time."""
    package = build_package(NEW, size=SIZE)
    async with asyncio.timeout(120):
        await plant.upload(package)
        await plant.until(lambda attributes: attributes["latest_version"] == NEW)
        install = asyncio.create_task(plant.post("/api/services/update/install", {"entity_id": UPDATE}))
        while "fetching order 1" not in plant.said():  # noqa: ASYNC110 - polls another process
            await asyncio.sleep(0.1)
        await asyncio.sleep(3)
        await plant.core.stop()
        await plant.start_core()
        await asyncio.wait([install])
        assert install.exception() is not None, "the connection was cut"
        await plant.until(lambda attributes: attributes["installed_version"] == NEW)
        await plant.until(lambda attributes: not attributes["in_progress"])
    await plant.core.stop()
    (upgrade,) = plant.history()
    assert (upgrade["outcome"], upgrade["reason"]) == ("succeeded", None)
    fetched = upgrade["fetched"]
    assert isinstance(fetched, dict)
    assert fetched["whole"]
    assert fetched["requests"] >= 2
    assert len(package) < fetched["sent"] < 1.5 * len(package), "it did not begin anew"
    assert "order 2" not in plant.said()

"""What the demonstration site consists of, and how Home Assistant gets to know it."""

from dataclasses import asdict, dataclass
import json
import os
from pathlib import Path
import sys
from typing import Final, Self

from .api import ApiError, HomeAssistantApi
from .home_assistant import ROOT
from .processes import Program, free_port, is_free

DOMAIN: Final = "emu_ota"
PRODUCT_KEY: Final = "demo"
DEVICE_UID: Final = "iYRkfVpi77"
EMUS: Final = 3
OFFLINE: Final = 4
"""The last of the EMUs, which count from 2."""
OLD_VERSION: Final = "emu-v1.0.0"
NEW_VERSION: Final = "emu-v1.2.0"
RELEASE_NOTES: Final = """\
## What is new

- Charges at full power again after a long grid outage
- Reports the state of charge every second
- Communication boards recover from a short circuit by themselves

The EMU restarts at the end of the upgrade and is offline for about half a minute.
"""

CONFIG_FLOW: Final = "/api/config/config_entries/flow"
SUBENTRY_FLOW: Final = "/api/config/config_entries/subentries/flow"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Where the site's own programs listen: chosen once, since Home Assistant remembers them."""

    broker: int
    packages: int

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Return the ports of the site in this folder; a new site gets free ones."""
        file = folder / "ports.json"
        if file.exists():
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        ports = cls(broker=free_port(), packages=free_port())
        file.write_text(json.dumps(asdict(ports)), encoding="utf-8")
        return ports

    def taken(self) -> list[int]:
        """Return those that somebody else listens on."""
        return [port for port in (self.broker, self.packages) if not is_free(port)]


def simulator(folder: Path, ports: Ports, speed: float, *more: str) -> Program:
    """Return the simulated site with its broker and its package server, not yet started; `more` are options of it."""
    command = [sys.executable, "-m", "simulator", "--broker", "--port", str(ports.broker)]
    command += ["--product-key", PRODUCT_KEY, "--ems", DEVICE_UID]
    command += ["--emus", str(EMUS), "--offline", str(OFFLINE), "--firmware", OLD_VERSION]
    command += ["--serve-port", str(ports.packages), "--package", NEW_VERSION]
    command += ["--speed", str(speed), "--state", str(folder / "simulator.json"), *more]
    return Program("The simulator", command, folder=ROOT, log=folder / "simulator.log", env=os.environ)


async def introduce(api: HomeAssistantApi, ports: Ports) -> None:
    """Add what is missing in Home Assistant: its connection to the broker, the EMS, a newer release.

    Everything goes through the flows that a person would go through.
    """
    if not await api.entries("mqtt"):
        other = {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"}
        broker = {"broker": "127.0.0.1", "port": ports.broker, "protocol": "5", "other_settings": other}
        await api.run_flow(CONFIG_FLOW, {"handler": "mqtt"}, broker)
    if not await api.entries(DOMAIN):
        await api.run_flow(
            CONFIG_FLOW,
            {"handler": DOMAIN},
            {"next_step_id": "home_assistant"},
            {"next_step_id": "product_key"},
            {"product_key": PRODUCT_KEY, "device_uid": DEVICE_UID},
        )
    entry = await api.loaded_entry(DOMAIN)
    if not await _has_release(api, entry["entry_id"]):
        release = {
            "download_url": f"http://127.0.0.1:{ports.packages}/{NEW_VERSION}.tar.gz",
            "version": NEW_VERSION,
            "release_notes": RELEASE_NOTES,
        }
        handler = {"handler": [entry["entry_id"], "firmware"]}
        await api.run_flow(SUBENTRY_FLOW, handler, {"next_step_id": "link"}, release)
        if not await _has_release(api, entry["entry_id"]):
            raise ApiError("The release", "was not added")


async def _has_release(api: HomeAssistantApi, entry_id: str) -> bool:
    return any(subentry["subentry_type"] == "firmware" for subentry in await api.subentries(entry_id))

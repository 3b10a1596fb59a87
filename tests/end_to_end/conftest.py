"""What the tests over a real broker share."""

from collections.abc import AsyncGenerator
from pathlib import Path

from homeassistant.core import HomeAssistant
import pytest

from custom_components.emu_ota.const import DOMAIN
from simulator.package import build_package
from simulator.package_server import PackageServer
from tests.mosquitto import Mosquitto

NEW = "emu-v1.2.0"
PACKAGE = f"{NEW}.tar.gz"


@pytest.fixture
async def mosquitto(hass: HomeAssistant, socket_enabled: None) -> AsyncGenerator[Mosquitto]:
    """Run a broker that outlives the entries that use it."""
    with Mosquitto() as broker:
        yield broker
        for domain in (DOMAIN, "mqtt"):
            for entry in hass.config_entries.async_loaded_entries(domain):
                await hass.config_entries.async_unload(entry.entry_id)


@pytest.fixture
async def package_server(socket_enabled: None, tmp_path: Path) -> AsyncGenerator[PackageServer]:
    """Serve the package of the newer release."""
    (tmp_path / PACKAGE).write_bytes(build_package(NEW))
    async with PackageServer(tmp_path) as server:
        yield server

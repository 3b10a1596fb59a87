"""What the tests of kept and offered packages share."""

from pathlib import Path

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.emu_ota.firmware.view import async_setup_hosting

from .served import PACKAGE, Served


@pytest.fixture(autouse=True)
def _loopback(socket_enabled: None) -> None:
    """Allow connections to the loopback interface before anything opens a socket."""


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Give every test a configuration folder of its own."""
    return hass_tmp_config_dir


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return the file of the package."""
    path = tmp_path / "package"
    path.write_bytes(PACKAGE)
    return path


@pytest.fixture
async def served(hass: HomeAssistant, package: Path, hass_client_no_auth: ClientSessionGenerator) -> Served:
    """Offer the package on Home Assistant's own server, which bans after a single failed login."""
    assert await async_setup_component(hass, "http", {"http": {"login_attempts_threshold": 1}})
    hosting = async_setup_hosting(hass)
    served = Served(await hass_client_no_auth(), hosting, package)
    served.open()
    return served

"""What the tests of the flows share."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
import tempfile
from typing import cast

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowManager
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.emu_ota import connection
from custom_components.emu_ota.const import CONF_CONNECTION, CONF_PREFIX, DOMAIN
from simulator.memory import MemoryBroker, MemoryTransport
from tests.mosquitto import Mosquitto

from .files import FileServer, serve_files
from .reconfigure_flow import USERS
from .site import PREFIX, UID, SimulatedSite, site_in_memory
from .texts import assert_texts
from .uploads import Uploads

type HandleStep = Callable[[object, object, str, object], Awaitable[ConfigFlowResult]]


@pytest.fixture(autouse=True)
def _loopback(socket_enabled: None) -> None:
    """Allow connections to the loopback interface before anything opens a socket."""


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Give every test a configuration folder of its own."""
    return hass_tmp_config_dir


@pytest.fixture(autouse=True)
def _every_result_has_its_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test in which a flow shows something that has no text."""
    # The one place that sees every result, of every kind of flow.
    handle = cast("HandleStep", FlowManager._async_handle_step)  # noqa: SLF001 - Home Assistant has no public one

    async def checked(manager: object, flow: object, step_id: str, user_input: object) -> ConfigFlowResult:
        result = await handle(manager, flow, step_id, user_input)
        if type(flow).__module__.startswith("custom_components.emu_ota"):
            assert_texts(flow, result)
        return result

    monkeypatch.setattr(FlowManager, "_async_handle_step", checked)


@pytest.fixture
async def files() -> AsyncGenerator[FileServer]:
    """Serve files for links."""
    async with serve_files() as server:
        yield server


@pytest.fixture
def upload(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Uploads:
    """Upload files; each comes back as its id."""
    # Home Assistant takes one folder for all uploads, and clears what it finds there: that of other tests at work.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Uploads(hass, hass_client)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    """Return a broker in memory that entries with the connection `memory` use."""
    broker = MemoryBroker()
    monkeypatch.setitem(connection.TRANSPORTS, "memory", lambda _hass, _data: MemoryTransport(broker))
    return broker


@pytest.fixture
def broker() -> Generator[Mosquitto]:
    """Run a real broker that anybody may use."""
    with Mosquitto() as mosquitto:
        yield mosquitto


@pytest.fixture
def strict() -> Generator[Mosquitto]:
    """Run a second broker, which wants an account."""
    with Mosquitto(users=USERS) as mosquitto:
        yield mosquitto


@pytest.fixture
async def everything_is_unloaded(hass: HomeAssistant, broker: Mosquitto) -> AsyncGenerator[None]:
    """Let go of the brokers before they end."""
    yield
    for domain in (DOMAIN, "mqtt"):
        for entry in hass.config_entries.async_loaded_entries(domain):
            await hass.config_entries.async_unload(entry.entry_id)


@pytest.fixture
async def site(memory: MemoryBroker) -> AsyncGenerator[SimulatedSite]:
    """Run the EMSs UID and OTHER_UID on the broker in memory."""
    async with site_in_memory(memory) as site:
        yield site


@pytest.fixture
async def entry(hass: HomeAssistant, site: SimulatedSite) -> MockConfigEntry:
    """Return an entry that is loaded, with the EMS UID."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=PREFIX,
        data={CONF_CONNECTION: "memory", CONF_PREFIX: PREFIX},
        subentries_data=[
            {"subentry_type": "ems", "title": "Cellar", "unique_id": UID, "data": {"device_uid": UID}},
        ],
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry

"""An entry is given another connection while it upgrades: the upgrades go on over the new one, each ordered once."""

import asyncio
from collections.abc import Generator, Mapping
from datetime import timedelta

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.protocol.topics import EmsAddress
from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport
from simulator.downloads import HttpDownloads
from simulator.ems import EmsSettings, SimulatedEms
from simulator.emu import SimulatedEmu
from simulator.package import build_package, md5_of
from simulator.package_server import PackageServer
from simulator.site import LiveSite
from simulator.timings import FAST, Timings
from simulator.wire import Revision
from tests.mosquitto import Mosquitto

from .conftest import NEW, PACKAGE

UID = "iYRkfVpi77"
PREFIX = "v1/wudun/key77"
REFRESH = f"button.{UID.lower()}_refresh"
ORDER_TOPIC = f"{PREFIX}/{UID}/ota/emu_upgrade/command"
OWN = {"connection": "broker", "client_id": "the-entry", "prefix": PREFIX}
ADVANCED = {"transport": "tcp", "ws_path": "/mqtt", "client_id": "the-entry", "verify_certificate": True}
SLOW = Timings(**{name: getattr(FAST, name) for name in FAST.__slots__} | {"transfer": 1.5})

# An EMS that tells success by a bit of its own: what it says while we are away is not missed.
SETTINGS = EmsSettings(revision=Revision.C, timings=SLOW)


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Allow for the timer that Home Assistant's own MQTT client leaves behind."""
    return True


@pytest.fixture
def other_broker(mosquitto: Mosquitto) -> Generator[Mosquitto]:
    """Run a second broker, by which the EMSs of the first can be reached too."""
    bridge = ["connection site", f"address {mosquitto.host}:{mosquitto.port}", "topic # both 1", "notifications false"]
    with Mosquitto(options=bridge) as broker:
        yield broker


async def reconfigure(hass: HomeAssistant, entry: ConfigEntry, step: str, typed: Mapping[str, object]) -> None:
    """Give the entry another connection as a person does."""
    flow = hass.config_entries.flow
    result = await flow.async_init(DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id})
    result = await flow.async_configure(result["flow_id"], {"next_step_id": step})
    if result["step_id"] == "broker":
        result = await flow.async_configure(result["flow_id"], dict(typed))
    assert result["step_id"] == "reconfigure_topics", result.get("errors")
    result = await flow.async_configure(result["flow_id"], {"prefix": PREFIX})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful"), result.get("errors")


def state_of(hass: HomeAssistant, device_id: int, key: str) -> str | None:
    """Return the state of a sensor of an EMU, None while it has none."""
    entity_id = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{UID}_{device_id}_{key}")
    state = None if entity_id is None else hass.states.get(entity_id)
    return None if state is None else state.state


def install(hass: HomeAssistant, device_id: int) -> asyncio.Future[object]:
    """Press *Install* on an EMU, and return what waits for the outcome."""
    target = {"entity_id": f"update.{UID.lower()}_emu_{device_id}_firmware"}
    return asyncio.ensure_future(hass.services.async_call("update", "install", {}, blocking=True, target=target))


async def until(hass: HomeAssistant, entry: ConfigEntry, wanted: set[tuple[int, str, str]]) -> None:
    """Wait until EMUs have come to what is wanted of them: number, sensor and state of each."""
    async with asyncio.timeout(40):
        while any(state_of(hass, device_id, key) != state for device_id, key, state in wanted):
            # What is asked every 5 s and every 10 s is asked more often here: the site is as many times faster.
            async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=5.5))
            if entry.state is ConfigEntryState.LOADED:
                await hass.services.async_call("button", "press", {}, target={"entity_id": REFRESH})
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("way", ["settings", "home_assistant", "other_broker"])
async def test_upgrades_go_on_over_another_connection_and_are_ordered_once(  # noqa: PLR0913, PLR0917 - a whole site
    hass: HomeAssistant,
    mosquitto: Mosquitto,
    other_broker: Mosquitto,
    package_server: PackageServer,
    mock_hass_config: None,
    way: str,
) -> None:
    """One EMU is being upgraded, the other waits for its turn; the EMS goes on in the meantime."""
    data = {"broker": mosquitto.host, "port": mosquitto.port, "protocol": "5"}
    mqtt = MockConfigEntry(domain="mqtt", version=2, minor_version=1, data=data)
    mqtt.add_to_hass(hass)
    assert await hass.config_entries.async_setup(mqtt.entry_id)
    own: dict[str, object] = {"host": mosquitto.host, "port": mosquitto.port, "tls": False}
    link = {"kind": "link", "download_url": package_server.url(PACKAGE), "md5": md5_of(build_package(NEW))}
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=PREFIX,
        data=OWN | own,
        subentries_data=[
            {"subentry_type": "ems", "title": UID, "unique_id": UID, "data": {"device_uid": UID}},
            {"subentry_type": "firmware", "title": NEW, "unique_id": NEW, "data": link | {"version": NEW}},
        ],
    )
    entry.add_to_hass(hass)
    ems = SimulatedEms(EmsAddress(PREFIX, UID), [SimulatedEmu(2), SimulatedEmu(3)], SETTINGS)
    settings = BrokerSettings(host=mosquitto.host, port=mosquitto.port, client_id="simulated-ems")
    site = LiveSite(BrokerTransport(settings, keep_session=False), [ems], HttpDownloads())
    await site.start()
    try:
        assert await hass.config_entries.async_setup(entry.entry_id)
        await until(hass, entry, {(2, "status", "running"), (3, "status", "running")})
        installs = [install(hass, 2)]
        await until(hass, entry, {(2, "upgrade_stage", "transferring")})
        installs.append(install(hass, 3))
        await until(hass, entry, {(2, "upgrade_stage", "transferring"), (3, "upgrade_stage", "queued")})

        changed = {"keepalive": 30, "client_id": "another" if way == "other_broker" else "the-entry"}
        port = other_broker.port if way == "other_broker" else mosquitto.port
        step = "home_assistant" if way == "home_assistant" else "broker"
        await reconfigure(hass, entry, step, own | {"port": port, "advanced": ADVANCED | changed})

        await until(hass, entry, {(2, "last_upgrade", "succeeded"), (3, "last_upgrade", "succeeded")})
        for each in installs:
            with pytest.raises(HomeAssistantError) as interrupted:
                await each
            assert interrupted.value.translation_key == "upgrade_interrupted"
    finally:
        await site.stop()
    assert [ems.emu(device_id).version for device_id in (2, 3)] == [NEW, NEW]
    sent = [line for line in mosquitto.log.splitlines() if "to simulated-ems" in line and ORDER_TOPIC in line]
    assert len(sent) == 2
    assert entry.data["connection"] == step

"""From the config flow to the version read back, over both transports and with all three topic schemes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from homeassistant.config_entries import SOURCE_USER, ConfigEntry
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.data_entry_flow import FlowResultType
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
from simulator.package import md5_of
from simulator.package_server import PackageServer
from simulator.site import LiveSite
from simulator.timings import FAST
from simulator.wire import Revision
from tests.mosquitto import Mosquitto

from .conftest import NEW, PACKAGE

UID = "iYRkfVpi77"
OLD = "emu-v1.0.0"
SCHEMES = {
    "tenant": ("acme", "v1/user/acme", Revision.B),
    "product_key": ("key77", "v1/wudun/key77", Revision.C),
    "prefix": ("plants/north/7", "plants/north/7", Revision.D),
}


@pytest.fixture
def expected_lingering_timers(request: pytest.FixtureRequest) -> bool:
    """Allow for the timer that Home Assistant's own MQTT client leaves behind."""
    return True


@asynccontextmanager
async def live_site(broker: Mosquitto, prefix: str, revision: Revision) -> AsyncGenerator[SimulatedEms]:
    """Run one EMS with two EMUs on the broker."""
    ems = SimulatedEms(
        EmsAddress(prefix, UID), [SimulatedEmu(2), SimulatedEmu(3)], EmsSettings(revision=revision, timings=FAST)
    )
    settings = BrokerSettings(host=broker.host, port=broker.port, client_id="simulated-ems")
    site = LiveSite(BrokerTransport(settings, keep_session=False), [ems], HttpDownloads())
    await site.start()
    try:
        yield ems
    finally:
        await site.stop()


async def configure(hass: HomeAssistant, broker: Mosquitto, connection: str, scheme: str) -> ConfigEntry:
    """Go through the config flow as a user does."""
    flow = hass.config_entries.flow
    result = await flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    result = await flow.async_configure(result["flow_id"], {"next_step_id": connection})
    if connection == "broker":
        data = {"host": broker.host, "port": broker.port, "tls": False}
        advanced = {"transport": "tcp", "ws_path": "/mqtt", "keepalive": 60, "verify_certificate": True}
        result = await flow.async_configure(result["flow_id"], {**data, "advanced": advanced})
    assert result["type"] is FlowResultType.MENU
    result = await flow.async_configure(result["flow_id"], {"next_step_id": scheme})
    value = SCHEMES[scheme][0]
    result = await flow.async_configure(result["flow_id"], {scheme: value, "device_uid": UID})
    assert result["type"] is FlowResultType.CREATE_ENTRY, result.get("errors")
    await hass.async_block_till_done()
    entry: ConfigEntry = result["result"]
    return entry


async def add_release(hass: HomeAssistant, entry: ConfigEntry, url: str) -> None:
    """Add a firmware release by its link; its MD5 is computed by fetching the file."""
    flow = hass.config_entries.subentries
    result = await flow.async_init((entry.entry_id, "firmware"), context={"source": SOURCE_USER})
    result = await flow.async_configure(result["flow_id"], {"next_step_id": "link"})
    result = await flow.async_configure(result["flow_id"], {"download_url": url, "version": NEW})
    async with asyncio.timeout(10):
        while result["type"] is not FlowResultType.CREATE_ENTRY:
            assert result["type"] in {FlowResultType.SHOW_PROGRESS, FlowResultType.SHOW_PROGRESS_DONE}, result
            await asyncio.sleep(0.05)
            result = await flow.async_configure(result["flow_id"])
    await asyncio.sleep(0)


async def update_to_install(hass: HomeAssistant) -> State:
    """Wait until the EMU has appeared and its update is there; return its state."""
    found: asyncio.Future[State] = hass.loop.create_future()

    @callback
    def changed(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and state.entity_id == "update.iyrkfvpi77_emu_2_firmware" and state.state == "on":
            found.set_result(state)

    end = hass.bus.async_listen(EVENT_STATE_CHANGED, changed)
    present = hass.states.get("update.iyrkfvpi77_emu_2_firmware")
    try:
        if present is not None and present.state == "on":
            return present
        async with asyncio.timeout(10):
            return await found
    finally:
        end()


def entity_id_of(hass: HomeAssistant, platform: str, key: str) -> str:
    """Return the id of an entity of the EMU 2, or of the EMS."""
    registry = er.async_get(hass)
    found = registry.async_get_entity_id(platform, DOMAIN, f"{UID}_2_{key}") or registry.async_get_entity_id(
        platform, DOMAIN, f"{UID}_{key}"
    )
    assert found is not None
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("connection", ["home_assistant", "broker"])
async def test_an_ems_is_added_and_its_emu_upgraded(  # noqa: PLR0913, PLR0917 - what a whole way needs
    hass: HomeAssistant,
    mosquitto: Mosquitto,
    package_server: PackageServer,
    mock_hass_config: None,
    tmp_path: Path,
    connection: str,
    scheme: str,
) -> None:
    """The EMS fetches the package for real, and success is what it reports afterwards."""
    _, prefix, revision = SCHEMES[scheme]
    if connection == "home_assistant":
        data = {"broker": mosquitto.host, "port": mosquitto.port, "protocol": "5"}
        mqtt = MockConfigEntry(domain="mqtt", version=2, minor_version=1, data=data)
        mqtt.add_to_hass(hass)
        assert await hass.config_entries.async_setup(mqtt.entry_id)
    async with live_site(mosquitto, prefix, revision) as ems:
        entry = await configure(hass, mosquitto, connection, scheme)
        assert entry.title == prefix
        await add_release(hass, entry, package_server.url(PACKAGE))
        state = await update_to_install(hass)
        assert (state.attributes["installed_version"], state.attributes["latest_version"]) == (OLD, NEW)
        release = next(iter(entry.get_subentries_of_type("firmware")))
        assert release.data["md5"] == md5_of((tmp_path / PACKAGE).read_bytes())

        stages = await install(hass)

        assert hass.states.is_state(entity_id_of(hass, "sensor", "last_upgrade"), "succeeded")
        after = hass.states.get(entity_id_of(hass, "update", "firmware"))
        assert after is not None
        assert (after.state, after.attributes["installed_version"], after.attributes["in_progress"]) == (
            "off",
            NEW,
            False,
        )
        assert ems.emu(2).version == NEW
        assert ems.emu(3).version == OLD
        assert {"ordered", "transferring"} <= set(stages)
        assert stages[-1] == "idle"


async def install(hass: HomeAssistant) -> list[str]:
    """Press *Install* and wait for the outcome; return the stages that were seen, in order."""
    target = {"entity_id": entity_id_of(hass, "update", "firmware")}
    refresh = {"entity_id": entity_id_of(hass, "button", "refresh")}
    action = asyncio.ensure_future(hass.services.async_call("update", "install", {}, blocking=True, target=target))
    stages: list[str] = []
    async with asyncio.timeout(30):
        while not action.done():
            # What is asked every 5 s and every 10 s is asked more often here: the site is as many times faster.
            async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=5.5))
            await hass.services.async_call("button", "press", {}, target=refresh)
            await asyncio.sleep(0.1)
            state = hass.states.get(entity_id_of(hass, "sensor", "upgrade_stage"))
            if state is not None and state.state not in stages[-1:]:
                stages.append(state.state)
    await action
    await asyncio.sleep(0.1)
    stage = hass.states.get(entity_id_of(hass, "sensor", "upgrade_stage"))
    return [*stages, "" if stage is None else stage.state]

"""A running upgrade goes on over a reload of Home Assistant's MQTT or of the entry, and a restart of the broker."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
import json
from pathlib import Path

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange
from custom_components.emu_ota.transport import Received
from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport
from simulator.package_server import PackageServer
from tests.mosquitto import Mosquitto

from .conftest import NEW, PACKAGE
from .test_main_job import SCHEMES, UID, add_release, configure, entity_id_of, live_site, update_to_install

type Disturb = Callable[[HomeAssistant, Mosquitto], Awaitable[None]]


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Allow for the timer that Home Assistant's own MQTT client leaves behind."""
    return True


async def reload(hass: HomeAssistant, domain: str) -> None:
    """Reload the entry of an integration."""
    (entry,) = hass.config_entries.async_entries(domain)
    assert await hass.config_entries.async_reload(entry.entry_id)


async def reload_mqtt(hass: HomeAssistant, _: Mosquitto) -> None:
    await reload(hass, "mqtt")


async def reload_entry(hass: HomeAssistant, _: Mosquitto) -> None:
    await reload(hass, DOMAIN)


async def restart_broker(_: HomeAssistant, broker: Mosquitto) -> None:
    await asyncio.to_thread(broker.restart)


async def until(hass: HomeAssistant, met: Callable[[], bool]) -> None:
    """Wait for something, while Home Assistant's timers go as much faster as the site does."""
    async with asyncio.timeout(60):
        while not met():
            async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=5.5))
            refresh = {"entity_id": entity_id_of(hass, "button", "refresh")}
            await hass.services.async_call("button", "press", {}, target=refresh)
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("stage", ["ordered", "transferring", "restarting"])
@pytest.mark.parametrize(
    ("connection", "disturb"),
    [
        pytest.param("home_assistant", reload_mqtt, id="reload of MQTT"),
        pytest.param("home_assistant", restart_broker, id="restart of the broker, Home Assistant's MQTT"),
        pytest.param("broker", restart_broker, id="restart of the broker, own connection"),
        pytest.param("broker", reload_entry, id="reload of the entry"),
    ],
)
async def test_a_running_upgrade_goes_on_and_is_ordered_once(  # noqa: PLR0913, PLR0917 - what a whole way needs
    hass: HomeAssistant,
    mosquitto: Mosquitto,
    package_server: PackageServer,
    mock_hass_config: None,
    tmp_path: Path,
    connection: str,
    disturb: Disturb,
    stage: str,
) -> None:
    _, prefix, revision = SCHEMES["product_key"]
    if connection == "home_assistant":
        data = {"broker": mosquitto.host, "port": mosquitto.port, "protocol": "5"}
        # Without a birth message: Home Assistant would publish it some time after a reconnect, and fail at the end.
        options: dict[str, object] = {"birth_message": {}}
        mqtt = MockConfigEntry(domain="mqtt", version=2, minor_version=1, data=data, options=options)
        mqtt.add_to_hass(hass)
        assert await hass.config_entries.async_setup(mqtt.entry_id)
    orders: list[str] = []
    listener = BrokerTransport(
        BrokerSettings(host=mosquitto.host, port=mosquitto.port, client_id="listener"), keep_session=True
    )

    def heard(received: Received) -> None:
        orders.append(json.loads(received.payload)["mid"])

    await listener.async_subscribe(EmsAddress(prefix, UID).topic(Exchange.UPGRADE, Direction.COMMAND), heard)
    await listener.async_start()
    try:
        async with live_site(mosquitto, prefix, revision) as ems:
            entry: ConfigEntry = await configure(hass, mosquitto, connection, "product_key")
            await add_release(hass, entry, package_server.url(PACKAGE))
            await update_to_install(hass)
            target = {"entity_id": entity_id_of(hass, "update", "firmware")}
            action = asyncio.ensure_future(
                hass.services.async_call("update", "install", {}, blocking=True, target=target)
            )
            sensor = entity_id_of(hass, "sensor", "upgrade_stage")
            await until(hass, lambda: hass.states.is_state(sensor, stage))
            await disturb(hass, mosquitto)
            outcome = entity_id_of(hass, "sensor", "last_upgrade")
            await until(hass, lambda: hass.states.is_state(outcome, "succeeded"))
            await asyncio.wait([action])
            assert action.exception() is None or disturb is reload_entry
            assert ems.emu(2).version == NEW
    finally:
        await listener.async_stop()
    assert len(orders) == 1

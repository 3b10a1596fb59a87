"""A hostile broker: nothing raises, nothing floods the log, and what is not well-formed changes nothing."""

import asyncio
import json
import logging
import os
from random import Random

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange
from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport
from simulator.memory import MemoryBroker
from tests.end_to_end.test_main_job import OLD, SCHEMES, UID, configure, live_site
from tests.mosquitto import Mosquitto
from tests.site.on_disk import WorldOnDisk
from tests.site.world import async_make_world

from .hostile_messages import HostileMessages
from .hostile_site import HostileSite, Lines, end_in_peace, hostile_ems

LOGGER = logging.getLogger(__name__)
SEED = 20261126
MESSAGES = "EMU_OTA_HOSTILE_MESSAGES"
"""An environment variable with how many there are, for the benchmark that delivers a million."""


@pytest.fixture
def hass_storage() -> dict[str, object]:
    """Leave Home Assistant's storage as it is: what this stands for otherwise keeps all that was ever written."""
    return {}


@pytest.fixture(autouse=True)
def _no_records(caplog: pytest.LogCaptureFixture) -> None:
    """Have nothing of Home Assistant's logged but warnings: pytest keeps it, which would look like a leak."""
    for logger in ("asyncio", "homeassistant"):
        caplog.set_level(logging.WARNING, logger)


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Allow for the timer that Home Assistant's own MQTT client leaves behind."""
    return True


async def test_a_great_many_hostile_messages(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, broker: MemoryBroker
) -> None:
    world = await async_make_world(hass, freezer, broker, [hostile_ems()], kind=WorldOnDisk)
    site = HostileSite(world, SEED)
    await site.attack(int(os.environ.get(MESSAGES, "100000")))
    for line in site.verdict():
        LOGGER.info(line)
    await end_in_peace(site)
    await world.site.stop()


@pytest.mark.parametrize("connection_kind", ["home_assistant", "broker"])
async def test_hostile_messages_over_a_real_broker(
    hass: HomeAssistant, mosquitto: Mosquitto, mock_hass_config: None, connection_kind: str
) -> None:
    """None of thousands that are not well-formed does anything; one that is, after all of them, does."""
    if connection_kind == "home_assistant":
        data = {"broker": mosquitto.host, "port": mosquitto.port, "protocol": "5"}
        mqtt = MockConfigEntry(domain="mqtt", version=2, minor_version=1, data=data)
        mqtt.add_to_hass(hass)
        assert await hass.config_entries.async_setup(mqtt.entry_id)
    _, prefix, revision = SCHEMES["tenant"]
    async with live_site(mosquitto, prefix, revision):
        await configure(hass, mosquitto, connection_kind, "tenant")
        statuses = [f"sensor.{UID.lower()}_emu_{device_id}_status" for device_id in (2, 3)]
        while not all(hass.states.is_state(status, "running") for status in statuses):  # noqa: ASYNC110 - of a real EMS
            await asyncio.sleep(0.1)
        await hass.async_block_till_done()
        lines = Lines()
        logging.getLogger().addHandler(lines)
        changed: list[State | None] = []
        sent = asyncio.Event()

        @callback
        def note(event: Event[EventStateChangedData]) -> None:
            changed.append(event.data["new_state"])
            sent.set()

        hass.bus.async_listen("state_changed", note)
        address = EmsAddress(prefix, UID)
        messages = HostileMessages(Random(SEED), address, (2, 3), (OLD,))  # noqa: S311 - no secret
        settings = BrokerSettings(host=mosquitto.host, port=mosquitto.port, client_id="hostile")
        peer = BrokerTransport(settings, keep_session=False)
        await peer.async_start()
        try:
            for _ in range(60):
                hostile = [messages.broken() for _ in range(50)]
                await asyncio.gather(*(peer.async_publish(each.topic, each.payload) for each in hostile))
            assert changed == []
            report = {"device_id": 2, "status": 3, "emu_product_sn": OLD}
            sound = json.dumps({"data": report}).encode()
            await peer.async_publish(address.topic(Exchange.PROGRESS, Direction.RESULT), sound)
            async with asyncio.timeout(10):
                await sent.wait()
        finally:
            await peer.async_stop()
            logging.getLogger().removeHandler(lines)
    assert {state.state for state in changed if state is not None} == {"fault"}
    assert lines.errors == []
    assert lines.loud == []

"""The way through Home Assistant's own MQTT, with a real broker behind it."""

import asyncio
from datetime import timedelta

from homeassistant.components.mqtt import is_connected
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.transport.home_assistant import START_TIMEOUT
from tests.mosquitto import Mosquitto

from .entry_flow import async_choose, async_send, async_start, async_through_topics_menu
from .forms import fields
from .site import OTHER_UID, PREFIX, UID, site_on


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Pass over the timers that Home Assistant's MQTT leaves behind when its entry is unloaded."""
    return True


@pytest.fixture
async def mqtt(hass: HomeAssistant, mock_hass_config: None, broker: Mosquitto) -> MockConfigEntry:
    """Set Home Assistant's MQTT up."""
    data = {"broker": broker.host, "port": broker.port, "protocol": "5", "discovery": False}
    entry = MockConfigEntry(domain="mqtt", version=2, minor_version=1, data=data)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


async def test_it_is_offered_where_it_is_set_up(hass: HomeAssistant, mqtt: MockConfigEntry) -> None:
    assert (await async_start(hass))["menu_options"] == ["home_assistant", "broker"]


async def test_it_is_not_offered_where_it_is_not(hass: HomeAssistant) -> None:
    assert (await async_start(hass))["menu_options"] == ["broker"]
    MockConfigEntry(domain="mqtt", disabled_by=ConfigEntryDisabler.USER).add_to_hass(hass)
    assert (await async_start(hass))["menu_options"] == ["broker"]


@pytest.mark.parametrize(
    ("scheme", "typed", "prefix"),
    [("tenant", "acme", "v1/user/acme"), ("product_key", "demo", "v1/wudun/demo"), ("prefix", "roof/ems", "roof/ems")],
)
async def test_an_ems_that_answers_makes_an_entry(  # noqa: PLR0913, PLR0917 - fixtures and a table
    hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry, scheme: str, typed: str, prefix: str
) -> None:
    menu = await async_choose(hass, await async_start(hass), "home_assistant")
    form = await async_through_topics_menu(hass, menu, scheme)
    async with site_on(broker, prefix):
        result = await async_send(hass, form, {scheme: typed, "device_uid": UID})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
    entry = result["result"]
    assert entry.state is ConfigEntryState.LOADED
    assert entry.title == prefix
    assert entry.data == {"connection": "home_assistant", "prefix": prefix}
    (subentry,) = entry.subentries.values()
    assert (subentry.subentry_type, subentry.title, subentry.unique_id) == ("ems", UID, UID)


async def test_a_silent_ems_is_told_and_added_all_the_same(
    hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry
) -> None:
    menu = await async_choose(hass, await async_start(hass), "home_assistant")
    form = await async_through_topics_menu(hass, menu, "prefix")
    async with site_on(broker) as site:
        site.silence(UID)
        typed = {"prefix": PREFIX, "device_uid": UID}
        waiting = hass.async_create_task(async_send(hass, form, typed))
        await site.async_wait_in_vain(hass)
        result = await waiting
        assert result["errors"] == {"device_uid": "no_answer"}
        assert fields(result) == {"prefix", "device_uid", "add_anyway"}
        result = await async_send(hass, result, {**typed, "add_anyway": True})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()


async def _async_until(hass: HomeAssistant, *, connected: bool) -> None:
    async with asyncio.timeout(10):
        while is_connected(hass) is not connected:  # noqa: ASYNC110 - Home Assistant tells of changes only
            await asyncio.sleep(0.01)


async def test_a_broker_that_is_down_is_told(hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry) -> None:
    menu = await async_choose(hass, await async_start(hass), "home_assistant")
    form = await async_through_topics_menu(hass, menu, "prefix")
    await _async_until(hass, connected=True)
    broker.stop()
    await _async_until(hass, connected=False)
    typed = {"prefix": PREFIX, "device_uid": UID}
    waiting = hass.async_create_task(async_send(hass, form, typed))
    await asyncio.sleep(0.1)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=START_TIMEOUT))
    result = await waiting
    assert result["step_id"] == "prefix"
    assert result["errors"] == {"base": "cannot_connect"}
    broker.start()
    await hass.config_entries.async_reload(mqtt.entry_id)  # sooner than it would try again by itself
    async with site_on(broker):
        result = await async_send(hass, result, typed)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()


async def test_the_same_prefix_again_is_refused(hass: HomeAssistant, mqtt: MockConfigEntry) -> None:
    data = {"connection": "home_assistant", "prefix": PREFIX}
    ems = {"subentry_type": "ems", "title": "x", "unique_id": OTHER_UID, "data": {"device_uid": OTHER_UID}}
    MockConfigEntry(domain=DOMAIN, data=data, subentries_data=[ems]).add_to_hass(hass)
    menu = await async_choose(hass, await async_start(hass), "home_assistant")
    form = await async_through_topics_menu(hass, menu, "prefix")
    result = await async_send(hass, form, {"prefix": PREFIX, "device_uid": UID})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_mqtt_that_is_not_loaded_aborts(hass: HomeAssistant, mqtt: MockConfigEntry) -> None:
    menu = await async_start(hass)
    assert await hass.config_entries.async_unload(mqtt.entry_id)
    result = await async_choose(hass, menu, "home_assistant")
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "mqtt_unavailable"


async def test_mqtt_that_is_gone_in_the_middle_aborts(hass: HomeAssistant, mqtt: MockConfigEntry) -> None:
    menu = await async_choose(hass, await async_start(hass), "home_assistant")
    form = await async_through_topics_menu(hass, menu, "prefix")
    assert await hass.config_entries.async_remove(mqtt.entry_id)
    result = await async_send(hass, form, {"prefix": PREFIX, "device_uid": UID})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "mqtt_unavailable"

"""Entries that are there already, for the flows that change them."""

import asyncio
from collections.abc import Callable

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.emu_ota.const import DOMAIN
from tests.mosquitto import Mosquitto

from .site import PREFIX, UID


def an_entry(hass: HomeAssistant, data: dict[str, object], *uids: str, prefix: str = PREFIX) -> MockConfigEntry:
    """Return an entry that is not set up yet, with the EMS UID unless others are named."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=prefix,
        data={**data, "prefix": prefix},
        subentries_data=[
            {"subentry_type": "ems", "title": uid, "unique_id": uid, "data": {"device_uid": uid}}
            for uid in uids or (UID,)
        ],
    )
    entry.add_to_hass(hass)
    return entry


def own_connection(broker: Mosquitto, **more: object) -> dict[str, object]:
    """Return the data of an own connection to a broker."""
    return {
        "connection": "broker",
        "host": broker.host,
        "port": broker.port,
        "tls": False,
        "transport": "tcp",
        "ws_path": "/mqtt",
        "client_id": "the-entry",
        "keepalive": 60,
        "verify_certificate": True,
        **more,
    }


async def async_set_up_mqtt(hass: HomeAssistant, broker: Mosquitto, *, discovery: bool = False) -> MockConfigEntry:
    """Set Home Assistant's MQTT up; the test needs `mock_hass_config`."""
    data = {"broker": broker.host, "port": broker.port, "protocol": "5", "discovery": discovery}
    entry = MockConfigEntry(domain="mqtt", version=2, minor_version=1, data=data)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


async def async_becomes_true(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - whatever it is, it need not tell
            await asyncio.sleep(0.02)


def assert_saved(result: ConfigFlowResult, reason: str) -> None:
    """Assert that a flow has changed its entry, and says so in Home Assistant's own words."""
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == reason
    assert result["translation_domain"] == "homeassistant"

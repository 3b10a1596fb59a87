"""The flow that changes an entry, as a person walks through it."""

from collections.abc import Mapping

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.emu_ota.transport.broker import BrokerSettings
from tests.mosquitto import Mosquitto

from .entries import an_entry, assert_saved
from .entry_flow import async_choose, async_send
from .forms import suggested
from .site import PREFIX, UID

OTHER_PREFIX = "v1/user/acme"
USERS = {"landlord": "s3cret", "tenant": "0ther"}
UNCHANGED = "__**password_not_changed**__"


def settings_of(broker: Mosquitto) -> BrokerSettings:
    """Return the connection of the site to a broker that wants an account."""
    return BrokerSettings(host=broker.host, port=broker.port, client_id="the site", username="tenant", password="0ther")


async def async_loaded(hass: HomeAssistant, data: dict[str, object], *uids: str) -> MockConfigEntry:
    """Return an entry that is loaded and connected."""
    entry = an_entry(hass, data, *uids)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert entry.runtime_data.transport.connected
    return entry


async def async_menu(hass: HomeAssistant, entry: MockConfigEntry) -> ConfigFlowResult:
    """Start to change an entry; a menu comes first."""
    menu: ConfigFlowResult = await entry.start_reconfigure_flow(hass)
    assert menu["type"] is FlowResultType.MENU
    assert menu["step_id"] == "reconfigure"
    assert menu["description_placeholders"] == {"prefix": entry.data["prefix"]}
    return menu


async def async_broker_form(hass: HomeAssistant, entry: MockConfigEntry) -> ConfigFlowResult:
    """Go on to the form for an own connection."""
    form = await async_choose(hass, await async_menu(hass, entry), "broker")
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "broker")
    return form


async def async_topics_form(
    hass: HomeAssistant, entry: MockConfigEntry, typed: Mapping[str, object] | None = None
) -> ConfigFlowResult:
    """Go on to the form for the topics, with a connection that is the old one unless told otherwise."""
    form = await async_broker_form(hass, entry)
    form = await async_send(hass, form, suggested(form) if typed is None else typed)
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "reconfigure_topics")
    return form


async def async_saved(hass: HomeAssistant, form: ConfigFlowResult, prefix: str = PREFIX) -> None:
    """Send the last form, and let the entry come back."""
    assert_saved(await async_send(hass, form, {"prefix": prefix}), "reconfigure_successful")
    await hass.async_block_till_done()


def answers(entry: MockConfigEntry, uid: str = UID) -> bool:
    """Tell whether an EMS answers over the entry's connection."""
    return bool(entry.runtime_data.systems[uid].coordinator.available)

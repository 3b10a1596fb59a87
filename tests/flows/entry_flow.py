"""The entry flow as a person walks through it."""

from collections.abc import Mapping

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.emu_ota.const import DOMAIN
from tests.mosquitto import Mosquitto

ADVANCED: dict[str, object] = {
    "transport": "tcp",
    "ws_path": "/mqtt",
    "keepalive": 60.0,
    "verify_certificate": True,
}
"""What the section holds when nobody opens it; the frontend has only floats."""


def typed_for(broker: Mosquitto, advanced: Mapping[str, object] | None = None, **typed: object) -> dict[str, object]:
    """Return what a person types to get to a broker."""
    form: dict[str, object] = {"host": broker.host, "port": float(broker.port), "tls": False}
    return {**form, **typed, "advanced": {**ADVANCED, **(advanced or {})}}


async def async_choose(hass: HomeAssistant, flow: ConfigFlowResult, option: str) -> ConfigFlowResult:
    """Choose an option of a menu."""
    return await hass.config_entries.flow.async_configure(flow["flow_id"], {"next_step_id": option})


async def async_send(hass: HomeAssistant, flow: ConfigFlowResult, typed: Mapping[str, object]) -> ConfigFlowResult:
    """Send a form."""
    return await hass.config_entries.flow.async_configure(flow["flow_id"], dict(typed))


async def async_start(hass: HomeAssistant) -> ConfigFlowResult:
    """Start the flow; it shows its menu."""
    menu = await hass.config_entries.flow.async_init(DOMAIN, context={"source": "user"})
    assert menu["type"] is FlowResultType.MENU
    assert menu["step_id"] == "user"
    return menu


async def async_to_broker(hass: HomeAssistant) -> ConfigFlowResult:
    """Go on to the form for the broker."""
    form = await async_choose(hass, await async_start(hass), "broker")
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "broker"
    return form


async def async_to_topics(
    hass: HomeAssistant, broker: Mosquitto, scheme: str, advanced: Mapping[str, object] | None = None
) -> ConfigFlowResult:
    """Go on to the form for the topics of one scheme, by way of a broker."""
    menu = await async_send(hass, await async_to_broker(hass), typed_for(broker, advanced))
    return await async_through_topics_menu(hass, menu, scheme)


async def async_through_topics_menu(hass: HomeAssistant, menu: ConfigFlowResult, scheme: str) -> ConfigFlowResult:
    """Choose one scheme of topics."""
    assert menu["type"] is FlowResultType.MENU
    assert menu["step_id"] == "topics"
    assert menu["menu_options"] == ["tenant", "product_key", "prefix"]
    form = await async_choose(hass, menu, scheme)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == scheme
    return form

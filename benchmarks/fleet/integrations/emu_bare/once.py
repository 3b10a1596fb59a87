"""What ours does once, whatever the number of its EMUs, with nothing behind it: what that costs in Home Assistant."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from aiohttp import web
from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.helpers import config_validation as cv, service
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.http import HomeAssistantView
from homeassistant.helpers.storage import Store
from homeassistant.helpers.translation import async_load_integrations
import probatio

from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange, parse_topic

from .emus import DOMAIN

OURS: Final = "emu_ota"
FILES: Final = ("known", "active", "history", "index")
ASK_AFTER: Final = 1.0
TOPICS: Final = (
    (Exchange.PROGRESS, Direction.RESULT),
    (Exchange.UPGRADE, Direction.RESULT),
    (Exchange.UPGRADE, Direction.COMMAND),
)


class BareView(HomeAssistantView):
    """A route."""

    url = "/api/emu_bare"
    name = "api:emu_bare"
    requires_auth = False

    async def get(self, _: web.Request) -> web.Response:
        """Find nothing."""
        return web.Response(status=404)


async def async_do_once(hass: HomeAssistant, topics: Iterable[str]) -> None:
    """Have actions, a route, texts, stored files, and three more topics per EMS; `topics` are its version results."""
    for name in ("upgrade", "cancel"):
        service.async_register_platform_entity_service(
            hass,
            DOMAIN,
            name,
            entity_domain="update",
            schema={probatio.Required("download_url"): cv.string, probatio.Required("md5"): cv.string},
            func="async_press",
            admin_only=True,
        )
    for name in ("get_history", "test_download"):
        schema = probatio.Schema(
            {probatio.Optional("entity_id"): cv.entity_ids, probatio.Optional("start"): cv.datetime}
        )
        service.async_register_admin_service(hass, DOMAIN, name, _do_nothing, schema=schema)
    hass.http.register_view(BareView)
    await async_load_integrations(hass, {OURS})
    for name in FILES:
        await Store[dict[str, str]](hass, 1, f"emu_bare.{name}").async_load()
    for topic in topics:
        for exchange, direction in TOPICS:
            other = _address(topic).topic(exchange, direction)
            await mqtt.async_subscribe(hass, other, _hear_nothing, qos=1, encoding=None)


@callback
def ask_later(hass: HomeAssistant, topics: Iterable[str]) -> None:
    """Ask each EMS for the versions of its EMUs, as soon as Home Assistant has collected and made its subscriptions."""

    async def async_ask(_: datetime) -> None:
        for topic in topics:
            question = _address(topic).topic(Exchange.VERSION, Direction.COMMAND)
            await mqtt.async_publish(hass, question, b"{}", qos=1)

    async_call_later(hass, ASK_AFTER, async_ask)


def _address(topic: str) -> EmsAddress:
    parts = parse_topic(topic)
    if parts is None:
        raise ValueError(f"{topic} is no topic of the protocol")
    return parts.address


@callback
def _do_nothing(_: ServiceCall) -> None:
    """An action that nobody takes."""


@callback
def _hear_nothing(_: mqtt.ReceiveMessage) -> None:
    """A topic on which nothing comes."""

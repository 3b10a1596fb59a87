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

from .emus import DOMAIN

OURS: Final = "emu_ota"
FILES: Final = ("known", "active", "history", "index")
ASK_AFTER: Final = 1.0
TOPICS: Final = ("emu_upgrade_result", "emu_upgrade")


class BareView(HomeAssistantView):
    """A route."""

    url = "/api/emu_bare"
    name = "api:emu_bare"
    requires_auth = False

    async def get(self, _: web.Request) -> web.Response:
        """Find nothing."""
        return web.Response(status=404)


async def async_do_once(hass: HomeAssistant, topics: Iterable[str]) -> None:
    """Have actions, a route, texts, stored files, and three more topics of each EMS, and ask each EMS."""
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
        system = topic.removesuffix("/emu_version/result")
        for other in TOPICS:
            await mqtt.async_subscribe(hass, f"{system}/{other}/result", _hear_nothing, qos=1, encoding=None)
        await mqtt.async_subscribe(hass, f"{system}/emu_upgrade/command", _hear_nothing, qos=1, encoding=None)


@callback
def ask_later(hass: HomeAssistant, topics: Iterable[str]) -> None:
    """Ask each EMS for the versions of its EMUs, as soon as Home Assistant has collected and made its subscriptions."""

    async def async_ask(_: datetime) -> None:
        for topic in topics:
            await mqtt.async_publish(hass, topic.removesuffix("result") + "command", b"{}", qos=1)

    async_call_later(hass, ASK_AFTER, async_ask)


@callback
def _do_nothing(_: ServiceCall) -> None:
    """An action that nobody takes."""


@callback
def _hear_nothing(_: mqtt.ReceiveMessage) -> None:
    """A topic on which nothing comes."""

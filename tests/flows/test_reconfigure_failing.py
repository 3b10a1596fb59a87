"""What keeps the connection of an entry from being changed is told, and nothing is saved."""

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.emu_ota.protocol.topics import EmsAddress
from custom_components.emu_ota.transport.broker import BrokerTransport
from tests.mosquitto import Mosquitto, free_port

from .entries import an_entry, async_set_up_mqtt, own_connection
from .entry_flow import async_choose, async_send, typed_for
from .forms import suggested
from .reconfigure_flow import (
    OTHER_PREFIX,
    UNCHANGED,
    USERS,
    async_broker_form,
    async_loaded,
    async_menu,
    async_saved,
    async_topics_form,
    settings_of,
)
from .site import OTHER_UID, PREFIX, UID, running_site, site_on

pytestmark = pytest.mark.usefixtures("everything_is_unloaded")


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Pass over the timers that Home Assistant's MQTT leaves behind when its entry is unloaded."""
    return True


async def test_what_is_wrong_with_the_connection_is_told_until_it_works(hass: HomeAssistant, strict: Mosquitto) -> None:
    entry = await async_loaded(hass, own_connection(strict, username="landlord", password="s3cret"))
    an_entry(hass, own_connection(strict, client_id="taken"), "x", prefix="another")
    before = dict(entry.data)
    form = await async_broker_form(hass, entry)
    for error, typed in [
        ({"base": "cannot_connect"}, typed_for(strict, host=" ")),
        ({"base": "cannot_connect"}, typed_for(strict, port=float(free_port()))),
        ({"base": "tls_error"}, typed_for(strict, tls=True)),
        ({"base": "invalid_auth"}, typed_for(strict, username="landlord", password="wr0ng")),
        ({"base": "invalid_certificate"}, typed_for(strict, {"ca_certificate": "0" * 32})),
        ({"advanced": "client_id_in_use"}, typed_for(strict, {"client_id": "taken"})),
    ]:
        form = await async_send(hass, form, typed)
        assert form["step_id"] == "broker"
        assert form["errors"] == error
        assert suggested(form) == typed
    assert entry.data == before
    assert entry.runtime_data.transport.connected
    typed = typed_for(strict, {"client_id": "the-entry"}, username="landlord", password=UNCHANGED)
    assert (await async_send(hass, form, typed))["step_id"] == "reconfigure_topics"


async def test_topics_that_the_broker_refuses_are_told(hass: HomeAssistant) -> None:
    refused = [f"{OTHER_PREFIX}/{UID}/ota/emu_version/result"]
    with Mosquitto(users=USERS, refused_subscriptions=refused) as broker:
        entry = await async_loaded(hass, own_connection(broker, username="landlord", password="s3cret"))
        form = await async_topics_form(hass, entry)
        form = await async_send(hass, form, {"prefix": OTHER_PREFIX})
        assert form["errors"] == {"base": "not_authorized"}
        async with running_site(BrokerTransport(settings_of(broker)), [EmsAddress(PREFIX, UID)]):
            await async_saved(hass, form)
        assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_broker_that_is_gone_by_now_is_told(hass: HomeAssistant, broker: Mosquitto) -> None:
    entry = await async_loaded(hass, own_connection(broker))
    form = await async_topics_form(hass, entry)
    broker.stop()
    form = await async_send(hass, form, {"prefix": PREFIX})
    assert form["errors"] == {"base": "cannot_connect"}
    broker.start()
    async with site_on(broker):
        await async_saved(hass, form)


async def test_what_another_entry_has_already_aborts(hass: HomeAssistant, broker: Mosquitto) -> None:
    entry = await async_loaded(hass, own_connection(broker))
    an_entry(hass, own_connection(broker, client_id="other"), OTHER_UID, prefix=OTHER_PREFIX)
    before = dict(entry.data)
    result = await async_send(hass, await async_topics_form(hass, entry), {"prefix": OTHER_PREFIX})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert entry.data == before


async def test_what_another_entry_has_got_while_we_asked_aborts(hass: HomeAssistant, broker: Mosquitto) -> None:
    entry = await async_loaded(hass, own_connection(broker))
    form = await async_topics_form(hass, entry)
    async with site_on(broker, OTHER_PREFIX) as site:
        site.silence(UID)
        waiting = hass.async_create_task(async_send(hass, form, {"prefix": OTHER_PREFIX}))
        await site.heard.wait()
        an_entry(hass, own_connection(broker, client_id="other"), OTHER_UID, prefix=OTHER_PREFIX)
        await site.async_wait_in_vain(hass)
        assert (await waiting)["reason"] == "already_configured"


async def test_mqtt_that_is_not_loaded_aborts(hass: HomeAssistant, mock_hass_config: None, broker: Mosquitto) -> None:
    mqtt = await async_set_up_mqtt(hass, broker)
    entry = await async_loaded(hass, own_connection(broker))
    menu, other = await async_menu(hass, entry), await async_menu(hass, entry)
    form = await async_choose(hass, other, "home_assistant")
    assert await hass.config_entries.async_unload(mqtt.entry_id)
    results = [await async_choose(hass, menu, "home_assistant")]
    assert await hass.config_entries.async_remove(mqtt.entry_id)
    results.append(await async_send(hass, form, {"prefix": PREFIX}))
    for result in results:
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "mqtt_unavailable")
    assert entry.data["connection"] == "broker"

"""The broker refuses the credentials of an entry, and a person tells the right ones."""

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.emu_ota.const import DOMAIN
from tests.mosquitto import Mosquitto

from .entries import an_entry, assert_saved, async_becomes_true, own_connection
from .entry_flow import async_send
from .forms import fields, suggested
from .site import PREFIX

OLD = {"username": "landlord", "password": "old-s3cret"}
NEW = {"username": "landlord", "password": "new-s3cret"}
USERS = {NEW["username"]: NEW["password"]}


def state_of(entry: MockConfigEntry) -> ConfigEntryState:
    """Return the state of an entry, looked up anew."""
    state: ConfigEntryState = entry.state
    return state


async def async_the_form(hass: HomeAssistant) -> ConfigFlowResult:
    """Return the form that asks for the credentials, which has come up by itself."""
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["source"] == "reauth"
    form = await hass.config_entries.flow.async_configure(flow["flow_id"])
    assert form["step_id"] == "reauth_confirm"
    return form


async def test_refused_credentials_at_the_start_are_asked_for_until_they_are_right(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    with Mosquitto(users=USERS) as broker:
        entry = an_entry(hass, own_connection(broker, **OLD))
        before = dict(entry.data)
        assert not await hass.config_entries.async_setup(entry.entry_id)
        assert state_of(entry) is ConfigEntryState.SETUP_ERROR
        form = await async_the_form(hass)
        assert fields(form) == {"username", "password"}
        assert suggested(form) == {"username": "landlord"}
        assert form["description_placeholders"] == {
            "broker": f"{broker.host}:{broker.port}",
            "prefix": PREFIX,
            "name": PREFIX,
        }
        wrong = {"username": "landlord", "password": "wr0ng"}
        form = await async_send(hass, form, wrong)
        assert form["errors"] == {"base": "invalid_auth"}
        assert suggested(form) == wrong
        broker.stop()
        form = await async_send(hass, form, NEW)
        assert form["errors"] == {"base": "cannot_connect"}
        broker.start()
        assert entry.data == before
        assert_saved(await async_send(hass, form, NEW | {"username": " landlord "}), "reauth_successful")
        await hass.async_block_till_done()
        assert state_of(entry) is ConfigEntryState.LOADED
        assert entry.data == before | NEW
        assert len(entry.subentries) == 1
        assert hass.config_entries.flow.async_progress() == []
        assert await hass.config_entries.async_unload(entry.entry_id)
    for secret in ("s3cret", "wr0ng", "landlord"):
        assert secret not in caplog.text


async def test_the_client_id_of_the_entry_is_tried_where_a_broker_may_let_in_no_other(hass: HomeAssistant) -> None:
    with Mosquitto(users=USERS, options=["clientid_prefixes the-"]) as broker:
        entry = an_entry(hass, own_connection(broker, **OLD))
        assert not await hass.config_entries.async_setup(entry.entry_id)
        assert_saved(await async_send(hass, await async_the_form(hass), NEW), "reauth_successful")
        await hass.async_block_till_done()
        assert state_of(entry) is ConfigEntryState.LOADED
        assert await hass.config_entries.async_unload(entry.entry_id)


async def test_it_is_tried_as_well_once_the_broker_has_turned_the_entry_away(
    hass: HomeAssistant, broker: Mosquitto
) -> None:
    """The entry is loaded, but not connected: nobody is disturbed."""
    entry = an_entry(hass, own_connection(broker, **OLD))
    assert await hass.config_entries.async_setup(entry.entry_id)
    broker.stop()
    with Mosquitto(users=USERS, options=["clientid_prefixes the-"], port=broker.port) as changed:
        await async_becomes_true(hass.config_entries.flow.async_progress)
        form = await async_the_form(hass)
        form = await async_send(hass, form, OLD)
        assert form["errors"] == {"base": "invalid_auth"}
        assert_saved(await async_send(hass, form, NEW), "reauth_successful")
        await hass.async_block_till_done()
        assert entry.runtime_data.transport.connected
        assert "as emu_ota_" not in changed.log
        assert await hass.config_entries.async_unload(entry.entry_id)


async def test_credentials_that_are_refused_later_are_asked_for_once(hass: HomeAssistant, broker: Mosquitto) -> None:
    entry = an_entry(hass, own_connection(broker, **OLD))
    assert await hass.config_entries.async_setup(entry.entry_id)
    broker.stop()
    with Mosquitto(users=USERS, port=broker.port) as changed:
        await async_becomes_true(lambda: changed.log.count("not authorised") >= 2)
        await hass.async_block_till_done()
        form = await async_the_form(hass)
        assert state_of(entry) is ConfigEntryState.LOADED
        assert not entry.runtime_data.transport.connected
        assert_saved(await async_send(hass, form, NEW), "reauth_successful")
        await hass.async_block_till_done()
        assert state_of(entry) is ConfigEntryState.LOADED
        assert entry.runtime_data.transport.connected
        assert await hass.config_entries.async_unload(entry.entry_id)


async def test_the_question_ends_when_the_broker_lets_the_entry_in_again(
    hass: HomeAssistant, broker: Mosquitto, issue_registry: ir.IssueRegistry
) -> None:
    """Its owner has mended the account there: there is nothing to ask any more."""
    entry = an_entry(hass, own_connection(broker, **OLD))
    assert await hass.config_entries.async_setup(entry.entry_id)
    broker.stop()
    with Mosquitto(users=USERS, port=broker.port):
        await async_becomes_true(hass.config_entries.flow.async_progress)
        assert len(issue_registry.issues) == 1
    broker.start()
    await async_becomes_true(lambda: entry.runtime_data.transport.connected)
    assert hass.config_entries.flow.async_progress() == []
    assert not issue_registry.issues
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_broker_that_is_only_gone_is_no_reason_to_ask(hass: HomeAssistant, broker: Mosquitto) -> None:
    entry = an_entry(hass, own_connection(broker, **OLD))
    assert await hass.config_entries.async_setup(entry.entry_id)
    transport = entry.runtime_data.transport
    broker.stop()
    await async_becomes_true(lambda: not transport.connected)
    broker.start()
    await async_becomes_true(lambda: transport.connected)
    assert hass.config_entries.flow.async_progress() == []
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_credentials_can_be_taken_away(hass: HomeAssistant, broker: Mosquitto) -> None:
    with Mosquitto(users=USERS) as strict:
        entry = an_entry(hass, own_connection(strict, **OLD))
        assert not await hass.config_entries.async_setup(entry.entry_id)
        form = await async_the_form(hass)
        strict.stop()
        with Mosquitto(port=strict.port):
            assert_saved(await async_send(hass, form, {}), "reauth_successful")
            await hass.async_block_till_done()
            assert entry.data == own_connection(strict) | {"prefix": PREFIX}
            assert state_of(entry) is ConfigEntryState.LOADED
            assert await hass.config_entries.async_unload(entry.entry_id)

"""The connection of an entry is changed: it has to work, and devices and history stay."""

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, device_registry as dr, entity_registry as er
import probatio
import pytest

from custom_components.emu_ota.protocol.topics import EmsAddress
from custom_components.emu_ota.transport.broker import BrokerTransport
from tests.doors import Door
from tests.mosquitto import Mosquitto, free_port

from .entries import an_entry, assert_saved, async_becomes_true, async_set_up_mqtt, own_connection
from .entry_flow import async_choose, async_send, typed_for
from .forms import fields, suggested
from .reconfigure_flow import (
    OTHER_PREFIX,
    UNCHANGED,
    USERS,
    answers,
    async_broker_form,
    async_loaded,
    async_menu,
    async_saved,
    async_topics_form,
    settings_of,
)
from .site import OTHER_UID, PREFIX, UID, SimulatedSite, running_site, site_on

pytestmark = pytest.mark.usefixtures("everything_is_unloaded")


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Pass over the timers that Home Assistant's MQTT leaves behind when its entry is unloaded."""
    return True


# What is shown


async def test_the_form_shows_what_is_stored_but_no_secret(hass: HomeAssistant, strict: Mosquitto) -> None:
    stored = own_connection(strict, username="landlord", password="s3cret", keepalive=30)
    entry = await async_loaded(hass, stored | {"client_key": "-----BEGIN PRIVATE KEY-----"})
    form = await async_broker_form(hass, entry)
    shown = typed_for(strict, {"client_id": "the-entry", "keepalive": 30}, username="landlord", password=UNCHANGED)
    assert suggested(form) == shown
    schema = form["data_schema"]
    assert schema is not None
    told = str(probatio.to_field_list(schema, custom_serializer=cv.custom_serializer))
    assert "landlord" in told
    assert "s3cret" not in told
    assert "BEGIN" not in told
    assert "keep_certificates" in told


async def test_certificates_that_are_not_there_cannot_be_kept(hass: HomeAssistant, broker: Mosquitto) -> None:
    form = await async_broker_form(hass, await async_loaded(hass, own_connection(broker)))
    schema = form["data_schema"]
    assert schema is not None
    assert "keep_certificates" not in str(probatio.to_field_list(schema, custom_serializer=cv.custom_serializer))


async def test_only_ways_that_are_there_can_be_chosen(
    hass: HomeAssistant, mock_hass_config: None, broker: Mosquitto
) -> None:
    entry = await async_loaded(hass, own_connection(broker))
    assert (await async_menu(hass, entry))["menu_options"] == ["broker"]
    await async_set_up_mqtt(hass, broker)
    assert (await async_menu(hass, entry))["menu_options"] == ["home_assistant", "broker"]


async def test_the_form_of_an_entry_without_an_own_connection_is_empty(
    hass: HomeAssistant, mock_hass_config: None, broker: Mosquitto
) -> None:
    await async_set_up_mqtt(hass, broker)
    entry = await async_loaded(hass, {"connection": "home_assistant"})
    assert suggested(await async_broker_form(hass, entry)) == {"advanced": {}}


# What is saved


async def test_an_entry_moves_to_another_broker_with_its_devices(
    hass: HomeAssistant, broker: Mosquitto, strict: Mosquitto
) -> None:
    entry = await async_loaded(hass, own_connection(broker))
    async with site_on(broker):
        await async_becomes_true(lambda: answers(entry))
        await hass.async_block_till_done()
    devices = {device.id for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)}
    entities = {each.entity_id for each in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)}
    assert len(devices) == 2
    subentries = dict(entry.subentries)
    async with running_site(BrokerTransport(settings_of(strict)), [EmsAddress(PREFIX, UID)]):
        typed = typed_for(strict, {"client_id": "the-entry"}, username="landlord", password="s3cret")
        form = await async_topics_form(hass, entry, typed)
        assert suggested(form) == {"prefix": PREFIX}
        assert fields(form) == {"prefix"}
        before = dict(entry.data)
        await async_saved(hass, form)
        assert entry.data == before | {"port": strict.port, "username": "landlord", "password": "s3cret"}
        assert entry.state is ConfigEntryState.LOADED
        await async_becomes_true(lambda: answers(entry))
    assert entry.title == PREFIX
    assert dict(entry.subentries) == subentries
    assert {device.id for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)} == devices
    after = {each.entity_id for each in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)}
    assert after == entities
    assert hass.config_entries.flow.async_progress() == []


async def test_an_entry_moves_to_the_mqtt_of_home_assistant_and_back(
    hass: HomeAssistant, mock_hass_config: None, broker: Mosquitto
) -> None:
    await async_set_up_mqtt(hass, broker)
    entry = await async_loaded(hass, own_connection(broker))
    own = dict(entry.data)
    async with site_on(broker):
        form = await async_choose(hass, await async_menu(hass, entry), "home_assistant")
        assert form["step_id"] == "reconfigure_topics"
        await async_saved(hass, form)
        assert entry.data == {"connection": "home_assistant", "prefix": PREFIX}
        await async_becomes_true(lambda: answers(entry))
        await async_saved(hass, await async_topics_form(hass, entry, typed_for(broker, {"client_id": "the-entry"})))
        assert entry.data == own
        await async_becomes_true(lambda: answers(entry))


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"username": "landlord", "password": UNCHANGED}, {"username": "landlord", "password": "s3cret"}),
        ({"username": "landlord", "password": ""}, {"username": "landlord", "password": "s3cret"}),
        ({"username": "landlord"}, {"username": "landlord", "password": "s3cret"}),
        ({"username": "tenant", "password": "0ther"}, {"username": "tenant", "password": "0ther"}),
        ({"username": "landlord", "password": " b "}, {"username": "landlord", "password": " b "}),
        ({"username": "", "password": UNCHANGED}, {}),
        ({}, {}),
    ],
)
async def test_a_password_stays_unless_another_is_typed_or_its_user_removed(
    hass: HomeAssistant, broker: Mosquitto, typed: dict[str, object], kept: dict[str, object]
) -> None:
    """The broker lets in anybody, so that only what is kept counts."""
    entry = await async_loaded(hass, own_connection(broker, username="landlord", password="s3cret"))
    async with site_on(broker):
        form = await async_topics_form(hass, entry, typed_for(broker, {"client_id": "the-entry"}, **typed))
        await async_saved(hass, form)
    assert entry.data == own_connection(broker) | {"prefix": PREFIX} | kept


async def test_another_prefix_is_taken_over_by_the_title(hass: HomeAssistant, broker: Mosquitto) -> None:
    entry = await async_loaded(hass, own_connection(broker))
    form = await async_topics_form(hass, entry)
    async with site_on(broker, OTHER_PREFIX):
        await async_saved(hass, form, f" {OTHER_PREFIX} ")
        assert (entry.title, entry.data["prefix"]) == (OTHER_PREFIX, OTHER_PREFIX)
        await async_becomes_true(lambda: answers(entry))


async def test_a_title_that_a_person_chose_stays(hass: HomeAssistant, broker: Mosquitto) -> None:
    entry = await async_loaded(hass, own_connection(broker))
    hass.config_entries.async_update_entry(entry, title="Roof")
    form = await async_topics_form(hass, entry)
    async with site_on(broker, OTHER_PREFIX):
        await async_saved(hass, form, OTHER_PREFIX)
    assert (entry.title, entry.data["prefix"]) == ("Roof", OTHER_PREFIX)


async def test_an_entry_whose_broker_is_gone_can_be_moved(hass: HomeAssistant, broker: Mosquitto) -> None:
    entry = an_entry(hass, own_connection(broker, port=free_port()))
    assert not await hass.config_entries.async_setup(entry.entry_id)
    typed = typed_for(broker, {"client_id": "the-entry"})
    async with site_on(broker):
        await async_saved(hass, await async_topics_form(hass, entry, typed))
    assert entry.state is ConfigEntryState.LOADED
    # Nobody is connected with it, so the one that was typed is tried: a broker may let in no other.
    assert broker.log.count("as the-entry (") == 3


async def test_new_credentials_also_answer_the_question_for_them(hass: HomeAssistant, strict: Mosquitto) -> None:
    entry = an_entry(hass, own_connection(strict, username="landlord", password="old"))
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert [flow["context"]["source"] for flow in hass.config_entries.flow.async_progress()] == ["reauth"]
    typed = typed_for(strict, {"client_id": "the-entry"}, username="landlord", password="s3cret")
    form = await async_topics_form(hass, entry, typed)
    async with running_site(BrokerTransport(settings_of(strict)), [EmsAddress(PREFIX, UID)]):
        await async_saved(hass, form)
    assert entry.state is ConfigEntryState.LOADED
    assert hass.config_entries.flow.async_progress() == []


# Whom it asks, and who is disturbed


async def test_one_ems_that_answers_is_enough(hass: HomeAssistant, broker: Mosquitto) -> None:
    entry = await async_loaded(hass, own_connection(broker), "silent", UID, OTHER_UID)
    form = await async_topics_form(hass, entry)
    async with site_on(broker):
        await async_saved(hass, form)


async def test_an_ems_that_may_not_be_heard_or_asked_does_not_stand_in_the_way_of_one_that_may(
    hass: HomeAssistant,
) -> None:
    with Mosquitto(
        users=USERS,
        refused_subscriptions=[f"{OTHER_PREFIX}/deaf/ota/emu_version/result"],
        refused_messages=[f"{OTHER_PREFIX}/mute/ota/emu_version/command"],
    ) as broker:
        data = own_connection(broker, username="landlord", password="s3cret")
        entry = await async_loaded(hass, data, "deaf", UID, "mute")
        form = await async_topics_form(hass, entry)
        async with running_site(BrokerTransport(settings_of(broker)), [EmsAddress(OTHER_PREFIX, UID)]):
            await async_saved(hass, form, OTHER_PREFIX)
        assert await hass.config_entries.async_unload(entry.entry_id)


async def test_an_entry_without_any_ems_asks_none(hass: HomeAssistant, broker: Mosquitto) -> None:
    entry = await async_loaded(hass, own_connection(broker))
    (subentry_id,) = entry.subentries
    assert hass.config_entries.async_remove_subentry(entry, subentry_id)
    await hass.async_block_till_done()
    await async_saved(hass, await async_topics_form(hass, entry))


async def test_silence_is_told_and_saved_all_the_same(hass: HomeAssistant, broker: Mosquitto) -> None:
    entry = await async_loaded(hass, own_connection(broker))
    form = await async_topics_form(hass, entry)
    async with site_on(broker, OTHER_PREFIX) as site:
        site.silence(UID)
        form = await _async_in_vain(hass, form, site)
        assert form["errors"] == {"prefix": "no_answer"}
        assert fields(form) == {"prefix", "add_anyway"}
        assert suggested(form) == {"prefix": OTHER_PREFIX}
        assert entry.data["prefix"] == PREFIX
        typed = {"prefix": OTHER_PREFIX, "add_anyway": True}
        assert_saved(await async_send(hass, form, typed), "reconfigure_successful")
        await hass.async_block_till_done()
    assert entry.data["prefix"] == OTHER_PREFIX


async def _async_in_vain(hass: HomeAssistant, form: ConfigFlowResult, site: SimulatedSite) -> ConfigFlowResult:
    waiting = hass.async_create_task(async_send(hass, form, {"prefix": OTHER_PREFIX}))
    await site.async_wait_in_vain(hass)
    return await waiting


async def test_a_trial_never_takes_the_client_id_of_the_entry_at_work(hass: HomeAssistant, broker: Mosquitto) -> None:
    entry = await async_loaded(hass, own_connection(broker))
    form = await async_topics_form(hass, entry)
    form = await async_send(hass, form, {"prefix": "no/+/prefix"})
    assert form["errors"] == {"prefix": "invalid_topic"}
    assert broker.log.count("as the-entry (") == 1
    assert entry.runtime_data.transport.connected
    async with site_on(broker):
        await async_saved(hass, form)
    assert broker.log.count("as the-entry (") == 2


async def test_nor_that_of_the_entry_that_is_just_connecting(hass: HomeAssistant, broker: Mosquitto) -> None:
    async with Door(broker.port) as door:
        door.mute = True
        entry = an_entry(hass, own_connection(broker, port=door.port))
        setup = hass.async_create_task(hass.config_entries.async_setup(entry.entry_id))
        await async_becomes_true(lambda: "as the-entry (" in broker.log)
        assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS
        await async_topics_form(hass, entry, typed_for(broker, {"client_id": "the-entry"}))
        assert broker.log.count("as the-entry (") == 1
        assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS
        door.mute = False
        door.cut()
        assert await setup


@pytest.mark.parametrize(
    ("typed", "prefix", "forgotten"),
    [
        ({"keepalive": 30.0}, PREFIX, False),
        ({"client_id": "another"}, PREFIX, True),
        ({}, OTHER_PREFIX, True),
    ],
)
async def test_a_session_that_is_left_is_forgotten_and_one_that_is_not_is_kept(
    hass: HomeAssistant, broker: Mosquitto, typed: dict[str, object], prefix: str, *, forgotten: bool
) -> None:
    entry = await async_loaded(hass, own_connection(broker))
    form = await async_topics_form(hass, entry, typed_for(broker, {"client_id": "the-entry", **typed}))
    async with site_on(broker, prefix):
        await async_saved(hass, form, prefix)
        await async_becomes_true(lambda: answers(entry))
    # c1: a clean start, by which the broker forgets what it has kept for this client id.
    assert broker.log.count("as the-entry (p5, c1") == forgotten

"""The forms for the topics and the first EMS, over a real broker."""

import asyncio

from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange
from tests.mosquitto import Mosquitto

from .entry_flow import async_send, async_to_topics
from .forms import fields, suggested
from .site import OTHER_UID, PREFIX, UID, site_on

# What is typed into the field of a scheme, and the prefix that it means.
SCHEMES = [
    ("tenant", "acme", "v1/user/acme"),
    ("product_key", "demo", "v1/wudun/demo"),
    ("prefix", "site 7/roof/ems", "site 7/roof/ems"),
]


@pytest.mark.parametrize(("scheme", "typed", "prefix"), SCHEMES)
async def test_an_ems_that_answers_makes_an_entry(
    hass: HomeAssistant, broker: Mosquitto, scheme: str, typed: str, prefix: str
) -> None:
    form = await async_to_topics(hass, broker, scheme)
    assert fields(form) == {scheme, "device_uid"}
    async with site_on(broker, prefix):
        result = await async_send(hass, form, {scheme: f" {typed} ", "device_uid": f" {UID} "})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        entry = result["result"]
        assert entry.state is ConfigEntryState.LOADED
    assert entry.title == prefix
    assert entry.data["prefix"] == prefix
    assert entry.options == {}
    (subentry,) = entry.subentries.values()
    assert (subentry.subentry_type, subentry.title, subentry.unique_id) == ("ems", UID, UID)
    assert subentry.data == {"device_uid": UID}


LEVELS = ["", " ", "a/b", "/a", "a/", "+", "a#", "a\0b", "a\nb", "l" * 256]
PREFIXES = ["", " ", "a//b", "/a", "a/", "a/+", "#", "a\0b", "a\nb", "$SYS/a", "p" * 256]


@pytest.mark.parametrize(
    ("scheme", "wrong"),
    [
        *(("tenant", text) for text in (*LEVELS, "t" * 250)),
        *(("product_key", text) for text in (*LEVELS, "k" * 250)),
        *(("prefix", text) for text in PREFIXES),
    ],
)
async def test_what_cannot_be_part_of_a_topic_is_told_at_its_field(
    hass: HomeAssistant, broker: Mosquitto, scheme: str, wrong: str
) -> None:
    typed = {scheme: wrong, "device_uid": UID}
    result = await async_send(hass, await async_to_topics(hass, broker, scheme), typed)
    assert result["step_id"] == scheme
    assert result["errors"] == {scheme: "invalid_topic"}
    assert suggested(result) == typed
    result = await async_send(hass, result, typed | {"device_uid": "a/b"})
    assert result["errors"] == {scheme: "invalid_topic", "device_uid": "invalid_topic"}


@pytest.mark.parametrize("uid", LEVELS)
async def test_a_uid_that_is_no_topic_level_is_told(hass: HomeAssistant, broker: Mosquitto, uid: str) -> None:
    result = await async_to_topics(hass, broker, "prefix")
    result = await async_send(hass, result, {"prefix": PREFIX, "device_uid": uid})
    assert result["errors"] == {"device_uid": "invalid_topic"}
    async with site_on(broker):
        result = await async_send(hass, result, {"prefix": PREFIX, "device_uid": UID})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()


async def test_a_silent_ems_can_be_woken_up(hass: HomeAssistant, broker: Mosquitto) -> None:
    form = await async_to_topics(hass, broker, "prefix")
    async with site_on(broker) as site:
        site.silence(UID)
        typed = {"prefix": PREFIX, "device_uid": UID}
        waiting = hass.async_create_task(async_send(hass, form, typed))
        await site.async_wait_in_vain(hass)
        result = await waiting
        assert result["step_id"] == "prefix"
        assert result["errors"] == {"device_uid": "no_answer"}
        assert fields(result) == {"prefix", "device_uid", "add_anyway"}
        assert suggested(result) == typed
        site.speak(UID)
        result = await async_send(hass, result, {**typed, "add_anyway": False})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()


async def test_a_silent_ems_is_added_all_the_same_where_that_is_wanted(hass: HomeAssistant, broker: Mosquitto) -> None:
    form = await async_to_topics(hass, broker, "prefix")
    async with site_on(broker) as site:
        site.silence(UID)
        typed = {"prefix": PREFIX, "device_uid": UID}
        waiting = hass.async_create_task(async_send(hass, form, typed))
        await site.async_wait_in_vain(hass)
        result = await async_send(hass, await waiting, {**typed, "add_anyway": True})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        assert result["result"].state is ConfigEntryState.LOADED


async def test_a_refused_subscription_is_told(hass: HomeAssistant) -> None:
    refused = EmsAddress(PREFIX, OTHER_UID).topic(Exchange.VERSION, Direction.RESULT)
    with Mosquitto(refused_subscriptions=[refused]) as broker:
        form = await async_to_topics(hass, broker, "prefix")
        typed = {"prefix": PREFIX, "device_uid": OTHER_UID}
        result = await async_send(hass, form, typed)
        assert result["errors"] == {"base": "not_authorized"}
        assert suggested(result) == typed
        assert "add_anyway" not in fields(result)
        async with site_on(broker):
            result = await async_send(hass, result, {"prefix": PREFIX, "device_uid": UID})
            assert result["type"] is FlowResultType.CREATE_ENTRY
            await hass.async_block_till_done()


async def test_a_broker_that_is_gone_by_now_is_told(hass: HomeAssistant, broker: Mosquitto) -> None:
    form = await async_to_topics(hass, broker, "prefix")
    broker.stop()
    typed = {"prefix": PREFIX, "device_uid": UID}
    result = await async_send(hass, form, typed)
    assert result["step_id"] == "prefix"
    assert result["errors"] == {"base": "cannot_connect"}
    broker.start()
    async with site_on(broker):
        result = await async_send(hass, result, typed)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()


def _configured(broker: Mosquitto, prefix: str, uid: str, other: dict[str, object] | None = None) -> MockConfigEntry:
    data = {"connection": "broker", "prefix": prefix, "host": broker.host, "port": broker.port, "client_id": "a"}
    return MockConfigEntry(
        domain=DOMAIN,
        data=data | (other or {}),
        disabled_by=ConfigEntryDisabler.USER,  # it need not run to be in the way
        subentries_data=[{"subentry_type": "ems", "title": uid, "unique_id": uid, "data": {"device_uid": uid}}],
    )


@pytest.mark.parametrize(
    ("prefix", "uid"), [(PREFIX, OTHER_UID), ("another/prefix", UID)], ids=["connection and prefix", "uid"]
)
async def test_what_is_configured_already_is_not_configured_again(
    hass: HomeAssistant, broker: Mosquitto, prefix: str, uid: str
) -> None:
    _configured(broker, prefix, uid).add_to_hass(hass)
    form = await async_to_topics(hass, broker, "prefix")
    result = await async_send(hass, form, {"prefix": PREFIX, "device_uid": UID})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


@pytest.mark.parametrize("other", [{"prefix": "another/prefix"}, {"port": 1}, {"host": "192.0.2.1"}])
async def test_another_prefix_or_another_broker_is_another_entry(
    hass: HomeAssistant, broker: Mosquitto, other: dict[str, object]
) -> None:
    _configured(broker, PREFIX, OTHER_UID, other).add_to_hass(hass)
    form = await async_to_topics(hass, broker, "prefix")
    async with site_on(broker):
        result = await async_send(hass, form, {"prefix": PREFIX, "device_uid": UID})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()


async def test_of_two_flows_for_one_ems_one_is_aborted(hass: HomeAssistant, broker: Mosquitto) -> None:
    forms = [await async_to_topics(hass, broker, "prefix"), await async_to_topics(hass, broker, "prefix")]
    async with site_on(broker):
        typed = {"prefix": PREFIX, "device_uid": UID}
        results = await asyncio.gather(*(async_send(hass, form, typed) for form in forms))
        await hass.async_block_till_done()
    assert {result["type"] for result in results} == {FlowResultType.CREATE_ENTRY, FlowResultType.ABORT}
    assert {result.get("reason") for result in results} == {None, "already_configured"}
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1

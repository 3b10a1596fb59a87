"""An EMS is added to an entry, and renamed."""

import asyncio

from homeassistant.config_entries import ConfigSubentry, SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.emu_ota.const import CONF_CONNECTION, CONF_PREFIX, DOMAIN
from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange
from simulator.memory import MemoryBroker

from .forms import fields, suggested
from .site import OTHER_UID, PREFIX, UID, SimulatedSite

RESULTS = EmsAddress(PREFIX, OTHER_UID).topic(Exchange.VERSION, Direction.RESULT)


async def _start(hass: HomeAssistant, entry: MockConfigEntry) -> SubentryFlowResult:
    return await hass.config_entries.subentries.async_init((entry.entry_id, "ems"), context={"source": "user"})


async def _send(hass: HomeAssistant, flow: SubentryFlowResult, **typed: object) -> SubentryFlowResult:
    return await hass.config_entries.subentries.async_configure(flow["flow_id"], typed)


def _added(entry: MockConfigEntry) -> ConfigSubentry:
    subentry: ConfigSubentry
    (subentry,) = (subentry for subentry in entry.subentries.values() if subentry.unique_id != UID)
    return subentry


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ({"device_uid": OTHER_UID}, OTHER_UID),
        ({"device_uid": f"  {OTHER_UID} ", "name": " Barn "}, "Barn"),
        ({"device_uid": OTHER_UID, "name": "  "}, OTHER_UID),
    ],
)
async def test_an_ems_that_answers_is_added(
    hass: HomeAssistant, entry: MockConfigEntry, typed: dict[str, str], title: str
) -> None:
    flow = await _start(hass, entry)
    assert flow["type"] is FlowResultType.FORM
    assert flow["step_id"] == "user"
    assert flow["errors"] == {}
    result = await _send(hass, flow, **typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    added = _added(entry)
    assert (added.title, added.unique_id, added.subentry_type) == (title, OTHER_UID, "ems")
    assert added.data == {"device_uid": OTHER_UID}


async def test_a_silent_ems_is_added_after_it_speaks(
    hass: HomeAssistant, entry: MockConfigEntry, site: SimulatedSite
) -> None:
    flow = await _start(hass, entry)
    site.silence(OTHER_UID)
    waiting = hass.async_create_task(_send(hass, flow, device_uid=OTHER_UID, name="Barn"))
    await site.async_wait_in_vain(hass)
    result = await waiting
    assert result["errors"] == {"device_uid": "no_answer"}
    assert suggested(result) == {"device_uid": OTHER_UID, "name": "Barn"}
    site.speak(OTHER_UID)
    result = await _send(hass, result, device_uid=OTHER_UID, name="Barn", add_anyway=False)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert _added(entry).title == "Barn"


async def test_a_silent_ems_is_added_all_the_same_where_that_is_wanted(
    hass: HomeAssistant, entry: MockConfigEntry, site: SimulatedSite
) -> None:
    flow = await _start(hass, entry)
    assert "add_anyway" not in fields(flow)
    site.silence(OTHER_UID)
    waiting = hass.async_create_task(_send(hass, flow, device_uid=OTHER_UID))
    await site.async_wait_in_vain(hass)
    result = await waiting
    assert "add_anyway" in fields(result)
    result = await _send(hass, result, device_uid=OTHER_UID, add_anyway=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert _added(entry).unique_id == OTHER_UID


@pytest.mark.parametrize("uid", ["", "  ", "a/b", "/a", "a/", "+", "a#", "a\0b", "a\nb", "u" * 256])
async def test_a_uid_that_is_no_topic_level_is_refused(hass: HomeAssistant, entry: MockConfigEntry, uid: str) -> None:
    flow = await _start(hass, entry)
    result = await _send(hass, flow, device_uid=uid)
    assert result["errors"] == {"device_uid": "invalid_topic"}
    assert "add_anyway" not in fields(result)
    result = await _send(hass, result, device_uid=OTHER_UID)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize("suffix", ["_0", "_2", "_-7", "_1000"])
async def test_a_uid_that_reads_like_an_emu_of_another_ems_is_refused(
    hass: HomeAssistant, entry: MockConfigEntry, suffix: str
) -> None:
    """The two would share a device: `a_2` with the EMU 2 of `a`."""
    flow = await _start(hass, entry)
    result = await _send(hass, flow, device_uid=f"{UID}{suffix}")
    assert result["errors"] == {"device_uid": "uid_like_emu"}
    result = await _send(hass, result, device_uid=OTHER_UID)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_lost_connection_is_told_and_can_be_waited_for(
    hass: HomeAssistant, entry: MockConfigEntry, memory: MemoryBroker
) -> None:
    flow = await _start(hass, entry)
    memory.connected = False
    result = await _send(hass, flow, device_uid=OTHER_UID)
    assert result["errors"] == {"base": "cannot_connect"}
    memory.connected = True
    result = await _send(hass, result, device_uid=OTHER_UID)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_refused_subscription_is_told_and_can_be_allowed(
    hass: HomeAssistant, entry: MockConfigEntry, memory: MemoryBroker
) -> None:
    flow = await _start(hass, entry)
    memory.refused.add(RESULTS)
    result = await _send(hass, flow, device_uid=OTHER_UID)
    assert result["errors"] == {"base": "not_authorized"}
    memory.refused.remove(RESULTS)
    result = await _send(hass, result, device_uid=OTHER_UID)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("payload", "retained"),
    [
        (b'{"data": [{"device_id": 2, "status": 1}]}', True),
        (b'{"data": [{"device_id": 2, "status": 1}], "reply": "somebody-else"}', False),
        (b"no JSON", False),
    ],
    ids=["retained", "of another request", "malformed"],
)
async def test_what_is_no_answer_to_us_is_none(  # noqa: PLR0913, PLR0917 - fixtures and a table
    hass: HomeAssistant,
    entry: MockConfigEntry,
    memory: MemoryBroker,
    site: SimulatedSite,
    payload: bytes,
    retained: bool,  # noqa: FBT001 - a column of the table
) -> None:
    flow = await _start(hass, entry)
    site.silence(OTHER_UID)
    if retained:
        memory.publish(RESULTS, payload, retained=True)
    waiting = hass.async_create_task(_send(hass, flow, device_uid=OTHER_UID))
    await site.heard.wait()
    if not retained:
        memory.publish(RESULTS, payload)
    await site.async_wait_in_vain(hass)
    assert (await waiting)["errors"] == {"device_uid": "no_answer"}


async def test_an_ems_of_any_entry_cannot_be_added_again(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    other = MockConfigEntry(
        domain=DOMAIN,
        data={CONF_CONNECTION: "memory", CONF_PREFIX: "v1/user/other"},
        subentries_data=[
            {"subentry_type": "ems", "title": "x", "unique_id": OTHER_UID, "data": {"device_uid": OTHER_UID}}
        ],
    )
    other.add_to_hass(hass)
    for uid in (UID, OTHER_UID):
        result = await _send(hass, await _start(hass, entry), device_uid=uid)
        assert result["type"] is FlowResultType.ABORT
        assert result["reason"] == "already_configured"


async def test_of_two_flows_for_one_ems_one_is_aborted(
    hass: HomeAssistant, entry: MockConfigEntry, site: SimulatedSite
) -> None:
    flows = [await _start(hass, entry), await _start(hass, entry)]
    results = await asyncio.gather(*(_send(hass, flow, device_uid=OTHER_UID) for flow in flows))
    assert {result["type"] for result in results} == {FlowResultType.CREATE_ENTRY, FlowResultType.ABORT}
    assert {result.get("reason") for result in results} == {None, "already_configured"}
    assert _added(entry).unique_id == OTHER_UID


async def test_the_flow_needs_a_loaded_entry(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    flow = await _start(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    for result in (await _send(hass, flow, device_uid=OTHER_UID), await _start(hass, entry)):
        assert result["type"] is FlowResultType.ABORT
        assert result["reason"] == "entry_not_loaded"


@pytest.mark.parametrize(("typed", "title"), [({"name": " Barn "}, "Barn"), ({"name": ""}, UID), ({}, UID)])
async def test_an_ems_gets_another_name(
    hass: HomeAssistant, entry: MockConfigEntry, typed: dict[str, str], title: str
) -> None:
    (subentry,) = entry.subentries.values()
    flow = await entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    assert flow["step_id"] == "reconfigure"
    assert fields(flow) == {"name"}
    assert suggested(flow) == {"name": "Cellar"}
    result = await _send(hass, flow, **typed)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    (renamed,) = entry.subentries.values()
    assert (renamed.title, renamed.unique_id, renamed.data) == (title, UID, {"device_uid": UID})


async def test_renaming_needs_a_loaded_entry(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    (subentry,) = entry.subentries.values()
    flow = await entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    await hass.config_entries.async_unload(entry.entry_id)
    result = await _send(hass, flow, name="Barn")
    assert result["reason"] == "entry_not_loaded"
    assert entry.subentries[subentry.subentry_id].title == "Cellar"

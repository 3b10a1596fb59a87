"""An EMS that answers somebody on Home Assistant's broker is offered, once, and set up with one click."""

import json
import logging

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.emu_ota.const import DOMAIN
from simulator.memory import MemoryBroker
from tests.mosquitto import Mosquitto

from .entries import an_entry, async_set_up_mqtt, own_connection
from .entry_flow import async_send
from .site import OTHER_UID, PREFIX, UID

TENANT = "v1/user/acme"
OVER_MQTT: dict[str, object] = {"connection": "home_assistant"}


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Pass over the timers that Home Assistant's MQTT leaves behind when its entry is unloaded."""
    return True


@pytest.fixture
async def mqtt(hass: HomeAssistant, mock_hass_config: None, broker: Mosquitto) -> MockConfigEntry:
    """Set Home Assistant's MQTT up, with its discovery."""
    return await async_set_up_mqtt(hass, broker, discovery=True)


def report(device_id: int = 2) -> dict[str, object]:
    """Return what an EMS says of one EMU."""
    return {"device_id": device_id, "status": 1, "emu_product_sn": "emu-v1.0.0"}


def answer(*reports: object) -> str:
    """Return an EMS's answer."""
    return json.dumps({"mid": "m", "timestamp": 1, "data": list(reports)})


NORMAL = answer(report())


def heard(
    payload: str | bytes = NORMAL,
    *,
    prefix: str = PREFIX,
    uid: str = UID,
    topic: str | None = None,
    retain: bool = False,
) -> MqttServiceInfo:
    """Return what Home Assistant's MQTT hands over."""
    return MqttServiceInfo(
        topic=topic or f"{prefix}/{uid}/ota/emu_version/result",
        payload=payload,
        qos=0,
        retain=retain,
        subscribed_topic="v1/wudun/+/+/ota/emu_version/result",
        timestamp=0,
    )


async def async_hear(hass: HomeAssistant, message: MqttServiceInfo) -> ConfigFlowResult:
    """Hand a message to the integration, as Home Assistant's MQTT does."""
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": "mqtt"}, data=message)


def assert_aborted(result: ConfigFlowResult, reason: str) -> None:
    """Assert that a flow has ended, and why."""
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == reason


async def test_a_further_ems_on_a_prefix_that_is_configured_becomes_a_subentry(
    hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry
) -> None:
    entry = an_entry(hass, OVER_MQTT, OTHER_UID)
    assert await hass.config_entries.async_setup(entry.entry_id)
    form = await async_hear(hass, heard())
    result = await async_send(hass, form, {})
    assert_aborted(result, "ems_added")
    assert result["description_placeholders"] == {"entry": PREFIX}
    await hass.async_block_till_done()
    assert [subentry.unique_id for subentry in entry.subentries.values()] == [OTHER_UID, UID]
    assert set(entry.runtime_data.systems) == {OTHER_UID, UID}
    assert hass.config_entries.async_entries(DOMAIN) == [entry]


async def test_the_same_prefix_on_another_broker_is_another_entry(
    hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry
) -> None:
    an_entry(hass, own_connection(broker), OTHER_UID)
    result = await async_send(hass, await async_hear(hass, heard()), {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


# Whatever the payload is: that an EMS is known is told before anybody looks at it.
@pytest.mark.parametrize("payload", [answer(report()), "garbage"])
@pytest.mark.parametrize("prefix", [PREFIX, TENANT])
async def test_an_ems_of_any_entry_is_left_alone(
    hass: HomeAssistant, broker: Mosquitto, payload: str, prefix: str
) -> None:
    entry = an_entry(hass, own_connection(broker), OTHER_UID, UID)
    before = entry.as_dict()
    assert_aborted(await async_hear(hass, heard(payload, prefix=prefix)), "already_configured")
    assert entry.as_dict() == before
    assert hass.config_entries.flow.async_progress() == []


@pytest.mark.parametrize(
    "message",
    [
        heard("garbage"),
        heard(""),
        heard("[]"),
        heard("{}"),
        heard('{"data": {}}'),
        heard(answer("garbage", {"device_id": "x"})),
        heard(b"\xff\xfe"),
        heard(retain=True),
        heard(topic=f"{PREFIX}/{UID}/ota/emu_version/command"),
        heard(topic=f"{PREFIX}/{UID}/ota/emu_upgrade/result"),
        heard(topic=f"{PREFIX}//ota/emu_version/result"),
        heard(topic=f"{PREFIX}/{UID}/ota/other/result"),
        heard(uid="u" * 256),
    ],
)
async def test_what_is_no_answer_of_an_ems_starts_nothing(
    hass: HomeAssistant, message: MqttServiceInfo, caplog: pytest.LogCaptureFixture
) -> None:
    assert_aborted(await async_hear(hass, message), "invalid_discovery_info")
    assert hass.config_entries.flow.async_progress() == []
    ours = [record for record in caplog.records if record.name.startswith("custom_components.emu_ota")]
    assert [record.message for record in ours if record.levelno > logging.DEBUG] == []


async def test_an_answer_that_is_odd_in_part_still_counts(hass: HomeAssistant) -> None:
    form = await async_hear(hass, heard(answer(report(2), "garbage", report(3), report(3)).encode()))
    assert form["description_placeholders"] == {"device_uid": UID, "prefix": PREFIX, "emus": "2"}


async def test_an_ems_that_goes_on_answering_is_offered_once(hass: HomeAssistant) -> None:
    await async_hear(hass, heard())
    assert_aborted(await async_hear(hass, heard(answer(report(), report(3)))), "already_in_progress")
    assert_aborted(await async_hear(hass, heard("garbage")), "already_in_progress")
    assert (await async_hear(hass, heard(uid=OTHER_UID)))["type"] is FlowResultType.FORM
    assert len(hass.config_entries.flow.async_progress()) == 2


@pytest.mark.parametrize(
    ("known", "found", "reason"),
    [
        ("plant", "plant_2", "uid_like_emu"),
        ("plant_2", "plant", "uid_like_emu"),
        ("plant", "plant_02", "ems_added"),
        ("plant", "plant_2b", "ems_added"),
        ("plant", "plant2", "ems_added"),
        ("plant_1", "plant_2", "ems_added"),
        ("plant", "plant_2_3", "ems_added"),
    ],
)
async def test_one_that_reads_like_an_emu_of_another_ems_is_not_added_to_its_entry(  # noqa: PLR0913, PLR0917 - fixtures and a table
    hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry, known: str, found: str, reason: str
) -> None:
    entry = an_entry(hass, OVER_MQTT, known)
    assert_aborted(await async_send(hass, await async_hear(hass, heard(uid=found)), {}), reason)
    uids = {ems.unique_id for ems in entry.subentries.values()}
    assert uids == ({known} if reason == "uid_like_emu" else {known, found})


async def test_an_ignored_one_stays_ignored(hass: HomeAssistant, mqtt: MockConfigEntry) -> None:
    await async_hear(hass, heard())
    ignored = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "ignore"}, data={"unique_id": UID, "title": UID}
    )
    assert ignored["type"] is FlowResultType.CREATE_ENTRY
    assert hass.config_entries.flow.async_progress() == []
    for payload in (answer(report()), answer(report(), report(3)), "garbage"):
        assert_aborted(await async_hear(hass, heard(payload)), "already_configured")
    result = await async_send(hass, await async_hear(hass, heard(uid=OTHER_UID)), {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert await hass.config_entries.async_remove(ignored["result"].entry_id)


async def test_an_ems_that_was_removed_is_offered_again(hass: HomeAssistant, mqtt: MockConfigEntry) -> None:
    result = await async_send(hass, await async_hear(hass, heard()), {})
    await hass.async_block_till_done()
    entry = result["result"]
    (subentry_id,) = entry.subentries
    hass.config_entries.async_remove_subentry(entry, subentry_id)
    await hass.async_block_till_done()
    assert_aborted(await async_send(hass, await async_hear(hass, heard()), {}), "ems_added")
    await hass.async_block_till_done()


async def test_an_offer_ends_when_the_ems_is_added_by_hand(
    hass: HomeAssistant, memory: MemoryBroker, entry: MockConfigEntry
) -> None:
    await async_hear(hass, heard(uid=OTHER_UID))
    other = await async_hear(hass, heard(uid="another"))
    form = await hass.config_entries.subentries.async_init((entry.entry_id, "ems"), context={"source": "user"})
    result = await hass.config_entries.subentries.async_configure(form["flow_id"], {"device_uid": OTHER_UID})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert [flow["flow_id"] for flow in hass.config_entries.flow.async_progress()] == [other["flow_id"]]


async def test_an_ems_that_was_added_in_the_meantime_is_not_added_again(
    hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry
) -> None:
    form = await async_hear(hass, heard())
    an_entry(hass, own_connection(broker))
    assert_aborted(await async_send(hass, form, {}), "already_configured")


async def test_mqtt_that_is_gone_aborts(hass: HomeAssistant, mqtt: MockConfigEntry) -> None:
    form = await async_hear(hass, heard())
    assert await hass.config_entries.async_unload(mqtt.entry_id)
    assert_aborted(await async_send(hass, form, {}), "mqtt_unavailable")

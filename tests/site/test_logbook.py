"""What the logbook tells of an upgrade."""

from typing import cast

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import async_wait_recording_done
from pytest_homeassistant_custom_component.typing import RecorderInstanceContextManager, WebSocketGenerator

from custom_components.emu_ota.const import DOMAIN
from simulator.faults import Fault

from .world import World


@pytest.fixture
def mock_recorder_before_hass(async_test_recorder: RecorderInstanceContextManager) -> None:
    """Have a recorder from the beginning."""


async def test_the_logbook_tells_each_step_in_words(
    recorder_mock: object, hass: HomeAssistant, world: World, hass_ws_client: WebSocketGenerator
) -> None:
    """Each is an entry with the name of the EMU's event, and a type that has its words in the frontend."""
    assert await async_setup_component(hass, "logbook", {})
    began = dt_util.utcnow()
    await world.pass_time(2)
    await world.ended(await world.install())
    world.ems.faults.on(Fault.UNPACK_FAILED, 3)
    await world.ended(await world.install(3))
    await world.pass_time(2)
    await async_wait_recording_done(hass)
    client = await hass_ws_client(hass)
    entity_ids = [world.entity_id("event", "upgrade", device_id) for device_id in (2, 3)]
    await client.send_json_auto_id(
        {"type": "logbook/get_events", "start_time": began.isoformat(), "entity_ids": entity_ids}
    )
    answer = await client.receive_json()
    entries = cast("list[dict[str, object]]", answer["result"])
    told = [(each["entity_id"], cast("dict[str, str]", each["attributes"])["event_type"]) for each in entries]
    assert told == [
        *((entity_ids[0], step) for step in ("queued", "started", "succeeded")),
        *((entity_ids[1], step) for step in ("queued", "started", "failed")),
    ]
    texts = await async_get_translations(hass, "en", "entity", [DOMAIN])
    words = {
        step: texts[f"component.{DOMAIN}.entity.event.upgrade.state_attributes.event_type.state.{step}"]
        for _, step in told
    }
    assert words == {"queued": "Queued", "started": "Started", "succeeded": "Succeeded", "failed": "Failed"}


async def test_the_logbook_tells_outcome_and_stages(
    recorder_mock: object, hass: HomeAssistant, world: World, hass_ws_client: WebSocketGenerator
) -> None:
    assert await async_setup_component(hass, "logbook", {})
    began = dt_util.utcnow()
    await world.pass_time(2)
    await world.ended(await world.install(), step=1)
    await world.pass_time(2)
    await async_wait_recording_done(hass)
    client = await hass_ws_client(hass)
    entity_ids = [world.entity_id("sensor", key) for key in ("last_upgrade", "upgrade_stage")]
    await client.send_json_auto_id(
        {"type": "logbook/get_events", "start_time": began.isoformat(), "entity_ids": entity_ids}
    )
    answer = await client.receive_json()
    entries = cast("list[dict[str, str]]", answer["result"])
    outcomes = [each["state"] for each in entries if each["entity_id"] == entity_ids[0]]
    stages = [each["state"] for each in entries if each["entity_id"] == entity_ids[1]]
    assert outcomes == ["succeeded"]
    assert stages[0] == "ordered"  # its turn has come at once
    assert {"transferring", "restarting"} <= set(stages)
    assert stages[-1] == "idle"

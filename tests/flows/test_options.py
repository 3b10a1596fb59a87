"""The options of an entry are changed in place."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .forms import fields, suggested


async def test_options_are_saved_as_whole_numbers(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    runtime = entry.runtime_data
    flow = await hass.config_entries.options.async_init(entry.entry_id)
    assert flow["type"] is FlowResultType.FORM
    assert flow["step_id"] == "init"
    assert fields(flow) == {"max_parallel", "queue_timeout"}
    typed = {"max_parallel": 2.0, "queue_timeout": 30.0}
    result = await hass.config_entries.options.async_configure(flow["flow_id"], typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {"max_parallel": 2, "queue_timeout": 30}
    assert all(type(value) is int for value in entry.options.values())
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data is runtime  # no reload
    assert suggested(await hass.config_entries.options.async_init(entry.entry_id)) == typed


async def test_options_have_their_defaults(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    flow = await hass.config_entries.options.async_init(entry.entry_id)
    await hass.config_entries.options.async_configure(flow["flow_id"], {})
    assert entry.options == {"max_parallel": 4, "queue_timeout": 120}


@pytest.mark.parametrize(
    "wrong", [{"max_parallel": 0}, {"max_parallel": 101}, {"queue_timeout": 0}, {"queue_timeout": 7 * 24 * 60 + 1}]
)
async def test_options_outside_their_range_are_refused(
    hass: HomeAssistant, entry: MockConfigEntry, wrong: dict[str, int]
) -> None:
    flow = await hass.config_entries.options.async_init(entry.entry_id)
    with pytest.raises(InvalidData):
        await hass.config_entries.options.async_configure(flow["flow_id"], wrong)
    await hass.config_entries.options.async_configure(flow["flow_id"], {"max_parallel": 100, "queue_timeout": 1})
    assert entry.options == {"max_parallel": 100, "queue_timeout": 1}

"""The flow for firmware as a person walks through it."""

from pathlib import Path

from homeassistant.config_entries import ConfigSubentry, SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

VERSION = "emu-v1.2.0"


async def async_start(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> SubentryFlowResult:
    """Go on to the form for one kind of release."""
    menu = await hass.config_entries.subentries.async_init((entry.entry_id, "firmware"), context={"source": "user"})
    assert menu["type"] is FlowResultType.MENU
    assert menu["step_id"] == "user"
    assert menu["menu_options"] == ["upload", "link"]
    form = await hass.config_entries.subentries.async_configure(menu["flow_id"], {"next_step_id": kind})
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == kind
    return form


async def async_send(hass: HomeAssistant, flow: SubentryFlowResult, **typed: object) -> SubentryFlowResult:
    """Fill in the form, and wait for the file to be fetched where it is."""
    result = await hass.config_entries.subentries.async_configure(flow["flow_id"], typed)
    return await async_fetched(hass, result) if result["type"] is FlowResultType.SHOW_PROGRESS else result


async def async_fetched(hass: HomeAssistant, result: SubentryFlowResult) -> SubentryFlowResult:
    """Wait for the file to be fetched."""
    assert result["step_id"] == result["progress_action"] == "fetch"
    assert result["description_placeholders"] == {"host": "127.0.0.1"}
    await hass.async_block_till_done()
    return await hass.config_entries.subentries.async_configure(result["flow_id"])


def releases(entry: MockConfigEntry) -> list[ConfigSubentry]:
    """Return the releases of an entry."""
    return [subentry for subentry in entry.subentries.values() if subentry.subentry_type == "firmware"]


def the_release(entry: MockConfigEntry) -> ConfigSubentry:
    """Return the only one."""
    (release,) = releases(entry)
    return release


def packages(hass: HomeAssistant) -> dict[str, bytes]:
    """Return the files that are kept, by name."""
    folder = Path(hass.config.path("emu_ota", "packages"))
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}

"""The options of an entry are changed in place."""

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .forms import fields, suggested
from .texts import ENGLISH

NUMBERS = {"max_parallel": 4, "queue_timeout": 120}
BASE = "http://192.0.2.7:8123"


async def _start(hass: HomeAssistant, entry: MockConfigEntry) -> ConfigFlowResult:
    flow = await hass.config_entries.options.async_init(entry.entry_id)
    assert flow["type"] is FlowResultType.FORM
    assert flow["step_id"] == "init"
    return flow


async def _send(hass: HomeAssistant, flow: ConfigFlowResult, **typed: object) -> ConfigFlowResult:
    return await hass.config_entries.options.async_configure(flow["flow_id"], typed)


def _example(base: str) -> str:
    return f"{base}/api/emu_ota/firmware/0123456789abcdefghijkl/emu-v1.2.0.tar.gz"


def _warnings(*keys: str) -> str:
    """Return what is shown of warnings."""
    selectors = ENGLISH["selector"]
    assert isinstance(selectors, dict)
    warnings = selectors["download_warning"]
    assert isinstance(warnings, dict)
    texts = warnings["options"]
    assert isinstance(texts, dict)
    return "".join(f"\n\n⚠️ {texts[key]}" for key in keys)


async def test_options_are_saved_as_whole_numbers(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    runtime = entry.runtime_data
    flow = await _start(hass, entry)
    assert fields(flow) == {"download_base_url", "index_url", "max_parallel", "queue_timeout"}
    typed = {"max_parallel": 2.0, "queue_timeout": 30.0}
    result = await _send(hass, flow, **typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {"max_parallel": 2, "queue_timeout": 30}
    assert all(type(value) is int for value in entry.options.values())
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data is runtime  # no reload
    assert suggested(await _start(hass, entry)) == typed


async def test_options_have_their_defaults(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await _send(hass, await _start(hass, entry))
    assert entry.options == NUMBERS


@pytest.mark.parametrize(
    "wrong", [{"max_parallel": 0}, {"max_parallel": 101}, {"queue_timeout": 0}, {"queue_timeout": 7 * 24 * 60 + 1}]
)
async def test_options_outside_their_range_are_refused(
    hass: HomeAssistant, entry: MockConfigEntry, wrong: dict[str, int]
) -> None:
    flow = await _start(hass, entry)
    with pytest.raises(InvalidData):
        await _send(hass, flow, **wrong)
    await _send(hass, flow, max_parallel=100, queue_timeout=1)
    assert entry.options == {"max_parallel": 100, "queue_timeout": 1}


async def test_addresses_are_saved_and_emptied(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    # Port 9 discards: the index is asked, and nobody answers.
    typed = {"download_base_url": BASE, "index_url": "http://127.0.0.1:9/index.json"}
    await _send(hass, await _start(hass, entry), **{field: f" {address} " for field, address in typed.items()})
    assert entry.options == NUMBERS | typed
    await hass.async_block_till_done()
    flow = await _start(hass, entry)
    assert suggested(flow) == NUMBERS | typed
    await _send(hass, flow, index_url=" ")
    assert entry.options == NUMBERS


@pytest.mark.parametrize("field", ["download_base_url", "index_url"])
@pytest.mark.parametrize("wrong", ["192.0.2.7:8123", "ftp://192.0.2.7", "http://", "http://192.0.2.7:99999", "x"])
async def test_what_is_no_web_address_is_told_at_its_field_and_can_be_corrected(
    hass: HomeAssistant, entry: MockConfigEntry, field: str, wrong: str
) -> None:
    right = {"download_base_url": BASE, "max_parallel": 7}
    result = await _send(hass, await _start(hass, entry), **right | {field: wrong})
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {field: "invalid_url"}
    assert suggested(result) == NUMBERS | right | {field: wrong}
    assert entry.options == {}
    assert (await _send(hass, result, **right))["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == NUMBERS | right


async def test_the_form_shows_the_link_that_an_ems_gets_by_default(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await hass.config.async_update(internal_url="http://192.0.2.1:8123")
    flow = await _start(hass, entry)
    assert flow["description_placeholders"] == {"example": _example("http://192.0.2.1:8123"), "warnings": ""}


async def test_the_form_says_that_there_is_no_address(
    hass: HomeAssistant, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With a certificate of its own Home Assistant does not guess under which name it is reached.
    monkeypatch.setattr(hass.config.api, "use_ssl", True)
    flow = await _start(hass, entry)
    assert flow["description_placeholders"] == {"example": "-", "warnings": _warnings("no_address")}


@pytest.mark.parametrize(
    ("address", "base", "warnings"),
    [
        (f"{BASE}/", BASE, ()),
        ("http://127.0.0.1:8123", "http://127.0.0.1:8123", ("loopback",)),
        ("https://homeassistant.local", "https://homeassistant.local", ("https", "mdns")),
        ("http://172.30.32.1/" + "p" * 100, "http://172.30.32.1/" + "p" * 100, ("container", "long")),
    ],
)
async def test_an_address_is_never_refused_only_warned_of(
    hass: HomeAssistant, entry: MockConfigEntry, address: str, base: str, warnings: tuple[str, ...]
) -> None:
    result = await _send(hass, await _start(hass, entry), download_base_url=address)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["download_base_url"] == address
    flow = await _start(hass, entry)
    assert flow["description_placeholders"] == {"example": _example(base), "warnings": _warnings(*warnings)}


async def test_after_an_error_the_form_shows_the_link_by_what_was_typed(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    result = await _send(hass, await _start(hass, entry), download_base_url=BASE, index_url="x")
    assert result["description_placeholders"] == {"example": _example(BASE), "warnings": ""}
    result = await _send(hass, result, download_base_url="x")
    assert result["description_placeholders"] == {"example": "-", "warnings": _warnings("unusable")}

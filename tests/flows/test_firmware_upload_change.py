"""A release that was uploaded is changed."""

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, UnknownFlow
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .firmware_flow import VERSION, async_send, async_start, packages, the_release
from .forms import fields, suggested
from .uploads import NO_ARCHIVE, TAR, ZIP, Uploads, data, sha256, slow_disk


@pytest.fixture
async def release(hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads) -> ConfigSubentry:
    """Return a release that was uploaded."""
    flow = await async_start(hass, entry, "upload")
    typed = {"package": await upload(ZIP, "emu.zip"), "version": VERSION, "release_notes": "Faster"}
    await async_send(hass, flow, **typed)
    await hass.async_block_till_done()
    return the_release(entry)


async def test_notes_and_version_change_without_another_upload(
    hass: HomeAssistant, entry: MockConfigEntry, release: ConfigSubentry
) -> None:
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    assert flow["step_id"] == "reconfigure_upload"
    assert fields(flow) == {"package", "version", "release_notes", "release_url"}
    assert suggested(flow) == {"version": VERSION, "release_notes": "Faster"}
    result = await async_send(hass, flow, version="emu-v1.2.1", release_url="https://example.com/notes")
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    changed = the_release(entry)
    assert (changed.subentry_id, changed.title) == (release.subentry_id, "emu-v1.2.1")
    assert changed.unique_id == "firmware:emu-v1.2.1"
    told = {"version": "emu-v1.2.1", "release_url": "https://example.com/notes"}
    assert changed.data == data(ZIP, "emu.zip", **told)
    await hass.async_block_till_done()
    assert packages(hass) == {sha256(ZIP): ZIP}


async def test_another_file_takes_the_place_of_the_old_one(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads, release: ConfigSubentry
) -> None:
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    result = await async_send(hass, flow, package=await upload(TAR, "emu.tar"), version=VERSION)
    assert result["reason"] == "reconfigure_successful"
    assert the_release(entry).data == data(TAR, "emu.tar")
    await hass.async_block_till_done()
    assert packages(hass) == {sha256(TAR): TAR}


async def test_a_change_that_is_refused_or_given_up_changes_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads, release: ConfigSubentry
) -> None:
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    typed = {"package": await upload(NO_ARCHIVE), "version": VERSION}
    result = await async_send(hass, flow, **typed)
    assert result["step_id"] == "reconfigure_upload"
    assert result["errors"] == {"package": "unknown_archive"}
    result = await async_send(hass, result, **typed | {"version": " "}, add_anyway=True)
    assert result["errors"] == {"version": "invalid_version"}
    hass.config_entries.subentries.async_abort(flow["flow_id"])
    await hass.async_block_till_done()
    assert the_release(entry).data == data(ZIP, "emu.zip", release_notes="Faster")
    assert packages(hass) == {sha256(ZIP): ZIP}


async def test_another_file_that_was_chosen_can_be_taken_back(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads, release: ConfigSubentry
) -> None:
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    result = await async_send(hass, flow, package=await upload(NO_ARCHIVE), version=VERSION)
    assert result["errors"] == {"package": "unknown_archive"}
    result = await async_send(hass, result, version=VERSION, release_notes="Slower")
    assert result["reason"] == "reconfigure_successful"
    assert the_release(entry).data == data(ZIP, "emu.zip", release_notes="Slower")
    await hass.async_block_till_done()
    assert packages(hass) == {sha256(ZIP): ZIP}


async def test_a_version_cannot_become_that_of_another(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads, release: ConfigSubentry
) -> None:
    flow = await async_start(hass, entry, "upload")
    await async_send(hass, flow, package=await upload(TAR), version="emu-v2.0.0")
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    result = await async_send(hass, flow, version="emu-v2.0.0")
    assert result["errors"] == {"version": "version_exists"}
    result = await async_send(hass, result, version=VERSION)
    assert result["reason"] == "reconfigure_successful"


async def test_changing_needs_a_loaded_entry(
    hass: HomeAssistant, entry: MockConfigEntry, release: ConfigSubentry
) -> None:
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    await hass.config_entries.async_unload(entry.entry_id)
    result = await async_send(hass, flow, version="emu-v2.0.0")
    assert result["reason"] == "entry_not_loaded"
    assert the_release(entry).title == VERSION


async def test_closing_the_dialog_while_another_file_is_stored_changes_nothing(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    upload: Uploads,
    release: ConfigSubentry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    package = await upload(TAR, "emu.tar")
    storing, go_on = slow_disk(monkeypatch)
    step = hass.async_create_task(async_send(hass, flow, package=package, version=VERSION))
    assert await hass.async_add_executor_job(storing.wait, 10)
    hass.config_entries.subentries.async_abort(flow["flow_id"])
    go_on.set()
    with pytest.raises(UnknownFlow):
        await step
    await hass.async_block_till_done()
    assert the_release(entry).data == data(ZIP, "emu.zip", release_notes="Faster")
    assert packages(hass) == {sha256(ZIP): ZIP}

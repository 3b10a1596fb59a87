"""A release is added by uploading its package."""

import asyncio
from collections.abc import Callable
import os
from pathlib import Path
import shutil

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, UnknownFlow
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .firmware_flow import VERSION, async_send, async_start, packages, releases, the_release
from .forms import fields, suggested
from .uploads import NO_ARCHIVE, TAR, TAR_GZ, ZIP, Uploads, data, sha256, slow_disk

MISSING = "0" * 32  # an id of the right form


@pytest.mark.parametrize(
    ("content", "name", "file_name"),
    [
        pytest.param(ZIP, "emu-v1.2.0.zip", "emu-v1.2.0.zip", id="zip"),
        pytest.param(TAR, "EMU V1.2.0.tar", "EMU-V1.2.0.tar", id="tar"),
        pytest.param(TAR_GZ, "firmware.tgz", "firmware.tgz", id="tgz"),
        pytest.param(TAR_GZ, "firmware", "firmware.tar.gz", id="without the ending that an EMS may go by"),
    ],
)
async def test_an_uploaded_package_is_kept(  # noqa: PLR0913, PLR0917 - fixtures and a table
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads, content: bytes, name: str, file_name: str
) -> None:
    flow = await async_start(hass, entry, "upload")
    assert fields(flow) == {"package", "version", "release_notes", "release_url"}
    result = await async_send(
        hass,
        flow,
        package=await upload(content, name),
        version=f" {VERSION} ",
        release_notes="# New\n\n* faster",
        release_url="https://example.com/notes",
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    release = the_release(entry)
    assert (release.title, release.unique_id) == (VERSION, f"firmware:{VERSION}")
    told = {"release_notes": "# New\n\n* faster", "release_url": "https://example.com/notes"}
    assert release.data == data(content, file_name, **told)
    await hass.async_block_till_done()
    assert packages(hass) == {sha256(content): content}


async def test_the_version_is_proposed_from_the_name_of_the_file(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads
) -> None:
    package = await upload(ZIP, "EMU_V1.2.0 (1).zip")
    result = await async_send(hass, await async_start(hass, entry, "upload"), package=package, release_notes="Faster")
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "version"
    assert not result["errors"]
    assert result["description_placeholders"] == {"file_name": "EMU_V1.2.0 (1).zip"}
    assert suggested(result) == {"version": VERSION}
    assert not releases(entry)
    result = await async_send(hass, result, version=VERSION)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert the_release(entry).data == data(ZIP, "EMU_V1.2.0-1.zip", release_notes="Faster")
    await hass.async_block_till_done()
    assert packages(hass) == {sha256(ZIP): ZIP}


async def test_a_proposed_version_can_be_changed(hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads) -> None:
    package = await upload(ZIP, "emu-v1.2.0.zip")
    result = await async_send(hass, await async_start(hass, entry, "upload"), package=package)
    result = await async_send(hass, result, version="emu-v1.2.0-beta")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert the_release(entry).title == "emu-v1.2.0-beta"


async def test_where_the_name_of_the_file_tells_nothing_a_version_has_to_be_entered(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads
) -> None:
    package = await upload(ZIP, "firmware.zip")
    result = await async_send(hass, await async_start(hass, entry, "upload"), package=package, version=" ")
    assert result["step_id"] == "version"
    assert not result["errors"]
    assert suggested(result) == {"version": ""}
    for wrong in (" ", "v" * 256):
        result = await async_send(hass, result, version=wrong)
        assert result["step_id"] == "version"
        assert result["errors"] == {"version": "invalid_version"}
    result = await async_send(hass, result, version=VERSION)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_proposed_version_that_is_there_already_is_told_at_once(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads
) -> None:
    flow = await async_start(hass, entry, "upload")
    await async_send(hass, flow, package=await upload(ZIP), version=VERSION)
    package = await upload(TAR, "emu-v1.2.0.tar")
    result = await async_send(hass, await async_start(hass, entry, "upload"), package=package)
    assert result["step_id"] == "version"
    assert result["errors"] == {"version": "version_exists"}
    assert suggested(result) == {"version": VERSION}
    result = await async_send(hass, result, version="emu-v1.3.0")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert packages(hass) == {sha256(ZIP): ZIP, sha256(TAR): TAR}


@pytest.mark.parametrize(
    ("wrong", "errors"),
    [
        ({"version": "v" * 256}, {"version": "invalid_version"}),
        ({"version": "emu-v1.1.0"}, {"version": "version_exists"}),
        ({"release_url": "javascript:alert(1)"}, {"release_url": "invalid_url"}),
        (
            {"version": "emu-v1.1.0", "release_url": "example.com"},
            {"version": "version_exists", "release_url": "invalid_url"},
        ),
    ],
)
async def test_bad_input_is_told_at_its_field_and_can_be_corrected_without_another_upload(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    upload: Uploads,
    wrong: dict[str, str],
    errors: dict[str, str],
) -> None:
    flow = await async_start(hass, entry, "upload")
    await async_send(hass, flow, package=await upload(TAR), version="emu-v1.1.0")
    right = {"package": await upload(ZIP, "emu.zip"), "version": VERSION, "release_notes": "Faster"}
    result = await async_send(hass, await async_start(hass, entry, "upload"), **right | wrong)
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "upload"
    assert result["errors"] == errors
    assert suggested(result) == right | wrong
    result = await async_send(hass, result, **right)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert releases(entry)[-1].data == data(ZIP, "emu.zip", release_notes="Faster")


def _uploaded(folder: Path) -> Path:
    (file,) = folder.rglob("emu.zip")
    return file


def _leave(_: pytest.MonkeyPatch, __: Path) -> None:
    """Let everything be as it is."""


def _fill_the_disk(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**40, 2**40, 0))


def _grow(_: pytest.MonkeyPatch, file: Path) -> None:
    os.truncate(file, 2 * 1024**3 + 1)  # takes no room


@pytest.mark.parametrize(
    ("content", "befall", "error"),
    [
        pytest.param(b"", _leave, "empty_file", id="empty"),
        pytest.param(ZIP, _grow, "too_large", id="too large"),
        pytest.param(ZIP, _fill_the_disk, "no_room", id="disk full"),
    ],
)
async def test_a_file_that_is_not_kept_is_told_and_another_can_be_chosen(  # noqa: PLR0913, PLR0917 - fixtures and a table
    hass: HomeAssistant,
    entry: MockConfigEntry,
    upload: Uploads,
    tmp_path: Path,
    content: bytes,
    befall: Callable[[pytest.MonkeyPatch, Path], None],
    error: str,
) -> None:
    flow = await async_start(hass, entry, "upload")
    package = await upload(content, "emu.zip")
    file = _uploaded(tmp_path)
    with pytest.MonkeyPatch.context() as monkeypatch:
        befall(monkeypatch, file)
        result = await async_send(hass, flow, package=package, version=VERSION)
    assert result["step_id"] == "upload"
    assert result["errors"] == {"package": error}
    assert suggested(result) == {"version": VERSION}  # the file has to be chosen again
    assert packages(hass) == {}
    assert not file.exists()
    result = await async_send(hass, result, package=await upload(TAR, "emu.tar"), version=VERSION)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert the_release(entry).data == data(TAR, "emu.tar")


async def test_an_upload_that_nobody_knows_is_told(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads
) -> None:
    flow = await async_start(hass, entry, "upload")
    result = await async_send(hass, flow, package=MISSING, version=VERSION)  # as after a restart
    assert result["errors"] == {"package": "upload_gone"}
    result = await async_send(hass, result, package=await upload(ZIP), version=VERSION)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_all_errors_are_told_at_once(hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads) -> None:
    flow = await async_start(hass, entry, "upload")
    result = await async_send(hass, flow, package=await upload(b""), version="v" * 256, release_url="x")
    errors = {"package": "empty_file", "version": "invalid_version", "release_url": "invalid_url"}
    assert result["errors"] == errors


async def test_what_is_no_archive_is_added_once_that_is_confirmed(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads
) -> None:
    typed = {"package": await upload(NO_ARCHIVE, "emu.bin"), "version": VERSION}
    result = await async_send(hass, await async_start(hass, entry, "upload"), **typed)
    assert result["step_id"] == "upload"
    assert result["errors"] == {"package": "unknown_archive"}
    assert "add_anyway" in fields(result)
    result = await async_send(hass, result, **typed)
    assert result["errors"] == {"package": "unknown_archive"}
    result = await async_send(hass, result, **typed, add_anyway=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert the_release(entry).data == data(NO_ARCHIVE, "emu.bin")


async def test_in_place_of_what_is_no_archive_another_file_can_be_chosen(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads
) -> None:
    result = await async_send(hass, await async_start(hass, entry, "upload"), package=await upload(NO_ARCHIVE))
    assert result["errors"] == {"package": "unknown_archive"}
    assert packages(hass) == {sha256(NO_ARCHIVE): NO_ARCHIVE}
    result = await async_send(hass, result, package=await upload(ZIP, "emu-v1.2.0.zip"))
    assert result["step_id"] == "version"
    await hass.async_block_till_done()
    assert packages(hass) == {sha256(ZIP): ZIP}
    result = await async_send(hass, result, version=VERSION)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_closing_the_dialog_leaves_no_package_behind(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads
) -> None:
    package = await upload(ZIP, "emu-v1.2.0.zip")
    result = await async_send(hass, await async_start(hass, entry, "upload"), package=package)
    assert result["step_id"] == "version"
    assert packages(hass) == {sha256(ZIP): ZIP}
    hass.config_entries.subentries.async_abort(result["flow_id"])
    await hass.async_block_till_done()
    assert packages(hass) == {}


async def test_closing_the_dialog_leaves_the_package_of_another_release_alone(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads
) -> None:
    flow = await async_start(hass, entry, "upload")
    await async_send(hass, flow, package=await upload(ZIP), version="emu-v1.1.0")
    result = await async_send(hass, await async_start(hass, entry, "upload"), package=await upload(ZIP))
    assert result["step_id"] == "version"
    hass.config_entries.subentries.async_abort(result["flow_id"])
    await hass.async_block_till_done()
    assert packages(hass) == {sha256(ZIP): ZIP}


async def test_closing_the_dialog_while_the_file_is_stored_leaves_nothing_behind(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = await async_start(hass, entry, "upload")
    package = await upload(ZIP)
    storing, go_on = slow_disk(monkeypatch)
    step = hass.async_create_task(async_send(hass, flow, package=package, version=VERSION))
    assert await hass.async_add_executor_job(storing.wait, 10)
    hass.config_entries.subentries.async_abort(flow["flow_id"])
    go_on.set()
    with pytest.raises(UnknownFlow):
        await step
    await hass.async_block_till_done()
    assert not releases(entry)
    assert packages(hass) == {}


async def test_of_two_flows_for_one_version_the_slower_is_told(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads
) -> None:
    slow, fast = await async_start(hass, entry, "upload"), await async_start(hass, entry, "upload")
    slow = await async_send(hass, slow, package=await upload(ZIP, "emu-v1.2.0.zip"))
    await async_send(hass, fast, package=await upload(TAR), version=VERSION)
    slow = await async_send(hass, slow, version=VERSION)
    assert slow["errors"] == {"version": "version_exists"}
    slow = await async_send(hass, slow, version="emu-v1.3.0")
    assert slow["type"] is FlowResultType.CREATE_ENTRY


async def test_a_version_that_another_flow_takes_in_the_last_moment_aborts(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads
) -> None:
    flows = [await async_start(hass, entry, "upload") for _ in range(2)]
    uploaded = [await upload(ZIP), await upload(TAR)]
    results = await asyncio.gather(
        *(
            async_send(hass, flow, package=package, version=VERSION)
            for flow, package in zip(flows, uploaded, strict=True)
        )
    )
    aborted, created = sorted(results, key=lambda result: result["type"])
    assert created["type"] is FlowResultType.CREATE_ENTRY
    assert aborted["type"] is FlowResultType.ABORT
    assert aborted["reason"] == "already_configured"
    await hass.async_block_till_done()
    assert list(packages(hass)) == [the_release(entry).data["package"]]


async def test_a_package_that_is_gone_in_the_end_has_to_be_chosen_again(
    hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads
) -> None:
    result = await async_send(hass, await async_start(hass, entry, "upload"), package=await upload(ZIP))
    assert result["step_id"] == "version"
    shutil.rmtree(hass.config.path("emu_ota", "packages"))
    result = await async_send(hass, result, version=VERSION)
    assert result["step_id"] == "upload"
    assert result["errors"] == {"package": "upload_gone"}
    assert suggested(result) == {"version": VERSION}
    result = await async_send(hass, result, package=await upload(ZIP), version=VERSION)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert packages(hass) == {sha256(ZIP): ZIP}


async def test_the_flow_needs_a_loaded_entry(hass: HomeAssistant, entry: MockConfigEntry, upload: Uploads) -> None:
    flow, asked = await async_start(hass, entry, "upload"), await async_start(hass, entry, "upload")
    asked = await async_send(hass, asked, package=await upload(ZIP))
    await hass.config_entries.async_unload(entry.entry_id)
    for result in (
        await async_send(hass, flow, package=await upload(TAR), version=VERSION),
        await async_send(hass, asked, version=VERSION),
    ):
        assert result["type"] is FlowResultType.ABORT
        assert result["reason"] == "entry_not_loaded"
    await hass.async_block_till_done()
    assert packages(hass) == {}

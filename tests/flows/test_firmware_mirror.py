"""A release is added by the link to its package, which Home Assistant fetches once and keeps."""

import asyncio
import hashlib
from pathlib import Path
import shutil
import time

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .files import PACKAGE, PACKAGE_MD5, FileServer
from .firmware_flow import VERSION, async_fetched, async_send, async_start, packages, the_release
from .forms import fields, suggested
from .uploads import TAR_GZ, slow_disk

PACKAGE_SHA256 = hashlib.sha256(PACKAGE).hexdigest()
TAR_GZ_SHA256 = hashlib.sha256(TAR_GZ).hexdigest()
KEPT = {PACKAGE_SHA256: PACKAGE}
OTHER_MD5 = "0" * 32


def mirrored(url: str) -> dict[str, object]:
    """Return the data of a release that is a mirror of the package."""
    return {
        "kind": "link",
        "download_url": url,
        "md5": PACKAGE_MD5,
        "size": len(PACKAGE),
        "mirror": True,
        "package": PACKAGE_SHA256,
        "file_name": "package.bin",
        "version": VERSION,
    }


def _wait_until_empty(folder: Path) -> None:
    """Wait for a folder to be empty: Home Assistant itself waits for no task that is cancelled."""
    deadline = time.monotonic() + 10
    while any(folder.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("path", "md5"), [("package.bin", ""), ("package.bin", PACKAGE_MD5), ("moved", "")])
async def test_a_mirrored_file_is_fetched_once_and_kept(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer, path: str, md5: str
) -> None:
    typed = {"download_url": files.url(path), "md5": md5, "version": VERSION, "mirror": True}
    result = await async_send(hass, await async_start(hass, entry, "link"), **typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert the_release(entry).data == mirrored(files.url("package.bin"))  # where it was in the end
    assert files.requests.count("/package.bin") == 1
    await hass.async_block_till_done()
    assert packages(hass) == KEPT


async def test_a_link_that_names_no_file_gets_a_name_with_the_ending_of_its_archive(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer
) -> None:
    typed = {"download_url": files.url("download?id=7"), "version": VERSION, "mirror": True}
    await async_send(hass, await async_start(hass, entry, "link"), **typed)
    data = the_release(entry).data
    assert (data["file_name"], data["package"]) == ("download.tar.gz", TAR_GZ_SHA256)


async def test_a_file_that_does_not_fit_its_md5_is_told_and_not_kept(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer
) -> None:
    typed = {"download_url": files.url("package.bin"), "md5": OTHER_MD5, "version": VERSION, "mirror": True}
    result = await async_send(hass, await async_start(hass, entry, "link"), **typed)
    assert result["errors"] == {"md5": "md5_mismatch"}
    assert suggested(result) == typed
    assert packages(hass) == {}
    result = await async_send(hass, result, **typed | {"md5": PACKAGE_MD5})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert packages(hass) == KEPT


@pytest.mark.parametrize("path", ["missing.bin", "truncated.bin", "page", "empty.bin", "huge.bin"])
async def test_a_file_that_cannot_be_fetched_cannot_be_added_anyway(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer, path: str
) -> None:
    typed = {"download_url": files.url(path), "md5": PACKAGE_MD5, "version": VERSION, "mirror": True}
    result = await async_send(hass, await async_start(hass, entry, "link"), **typed)
    assert result["errors"] == {"download_url": "cannot_download"}
    assert "add_anyway" not in fields(result)
    assert packages(hass) == {}
    result = await async_send(hass, result, **typed | {"download_url": files.url("package.bin")})
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_adding_anyway_is_offered_only_while_the_mirror_is_off(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer
) -> None:
    typed = {"download_url": files.url("missing.bin"), "md5": PACKAGE_MD5, "version": VERSION}
    result = await async_send(hass, await async_start(hass, entry, "link"), **typed)
    assert "add_anyway" in fields(result)
    result = await async_send(hass, result, **typed, mirror=True, add_anyway=True)
    assert result["errors"] == {"download_url": "cannot_download"}
    assert "add_anyway" not in fields(result)
    result = await async_send(hass, result, **typed)
    assert "add_anyway" in fields(result)
    result = await async_send(hass, result, **typed, add_anyway=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert the_release(entry).data == {"kind": "link", **typed}


async def test_a_full_disk_is_told(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage("/"))
    typed = {"download_url": files.url("package.bin"), "version": VERSION, "mirror": True}
    flow = await async_start(hass, entry, "link")
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda _: usage(2**40, 2**40, 0))
        result = await async_send(hass, flow, **typed)
    assert result["errors"] == {"mirror": "no_room"}
    assert packages(hass) == {}
    result = await async_send(hass, result, **typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_closing_the_dialog_in_the_middle_leaves_nothing_behind(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer
) -> None:
    flow = await async_start(hass, entry, "link")
    typed = {"download_url": files.url("slow.bin"), "version": VERSION, "mirror": True}
    await hass.config_entries.subentries.async_configure(flow["flow_id"], typed)
    hass.config_entries.subentries.async_abort(flow["flow_id"])
    await hass.async_block_till_done()
    assert packages(hass) == {}


async def test_closing_the_dialog_too_late_to_stop_it_leaves_nothing_behind(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    storing, go_on = slow_disk(monkeypatch)
    flow = await async_start(hass, entry, "link")
    typed = {"download_url": files.url("package.bin"), "version": VERSION, "mirror": True}
    await hass.config_entries.subentries.async_configure(flow["flow_id"], typed)
    assert await hass.async_add_executor_job(storing.wait, 10)
    hass.config_entries.subentries.async_abort(flow["flow_id"])
    await asyncio.sleep(0)
    go_on.set()
    await hass.async_add_executor_job(_wait_until_empty, Path(hass.config.path("emu_ota", "packages")))
    await hass.async_block_till_done()
    assert packages(hass) == {}


async def test_a_version_that_another_flow_took_leaves_nothing_behind(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer
) -> None:
    slow, fast = await async_start(hass, entry, "link"), await async_start(hass, entry, "link")
    typed = {"download_url": files.url("slow.bin"), "version": VERSION, "mirror": True}
    waiting = await hass.config_entries.subentries.async_configure(slow["flow_id"], typed)
    typed = {"download_url": files.url("download"), "version": VERSION, "mirror": True}
    fetching = await hass.config_entries.subentries.async_configure(fast["flow_id"], typed)
    while (result := fetching)["type"] is FlowResultType.SHOW_PROGRESS:
        await asyncio.sleep(0.01)
        fetching = await hass.config_entries.subentries.async_configure(fast["flow_id"])
    assert result["type"] is FlowResultType.CREATE_ENTRY
    files.resume.set()
    result = await async_fetched(hass, waiting)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    await hass.async_block_till_done()
    assert packages(hass) == {TAR_GZ_SHA256: TAR_GZ}


@pytest.fixture
async def release(hass: HomeAssistant, entry: MockConfigEntry, files: FileServer) -> ConfigSubentry:
    """Return a release that is a mirror."""
    typed = {"download_url": files.url("package.bin"), "version": VERSION, "mirror": True}
    await async_send(hass, await async_start(hass, entry, "link"), **typed)
    await hass.async_block_till_done()
    files.requests.clear()
    return the_release(entry)


async def test_notes_of_a_mirror_change_without_another_download(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer, release: ConfigSubentry
) -> None:
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    assert flow["step_id"] == "reconfigure"
    typed = suggested(flow)
    url = files.url("package.bin")
    assert typed == {"download_url": url, "md5": PACKAGE_MD5, "mirror": True, "version": VERSION}
    result = await async_send(hass, flow, **typed, release_notes="Faster")
    assert result["reason"] == "reconfigure_successful"
    assert the_release(entry).data == mirrored(url) | {"release_notes": "Faster"}
    await hass.async_block_till_done()
    assert files.requests == []
    assert packages(hass) == KEPT


async def test_without_the_mirror_the_package_goes_and_the_link_stays(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer, release: ConfigSubentry
) -> None:
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    result = await async_send(hass, flow, **suggested(flow) | {"mirror": False})
    assert result["reason"] == "reconfigure_successful"
    url = files.url("package.bin")
    data = {"kind": "link", "download_url": url, "md5": PACKAGE_MD5, "size": len(PACKAGE), "version": VERSION}
    assert the_release(entry).data == data
    await hass.async_block_till_done()
    assert files.requests == []
    assert packages(hass) == {}
    # And back again: then it has to be fetched.
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    result = await async_send(hass, flow, **suggested(flow) | {"mirror": True})
    assert result["reason"] == "reconfigure_successful"
    assert the_release(entry).data == mirrored(url)
    await hass.async_block_till_done()
    assert files.requests == ["/package.bin"]
    assert packages(hass) == KEPT


async def test_the_file_behind_another_link_takes_the_place_of_the_old_one(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer, release: ConfigSubentry
) -> None:
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    typed = {"download_url": files.url("download"), "version": VERSION, "mirror": True}
    result = await async_send(hass, flow, **typed)
    assert result["reason"] == "reconfigure_successful"
    assert the_release(entry).data["package"] == TAR_GZ_SHA256
    await hass.async_block_till_done()
    assert packages(hass) == {TAR_GZ_SHA256: TAR_GZ}

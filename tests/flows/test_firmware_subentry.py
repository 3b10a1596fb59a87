"""A release is added by the link to its package, and changed."""

import asyncio

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.data_entry_flow import EVENT_DATA_ENTRY_FLOW_PROGRESS_UPDATE, FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .files import LONG_NAME, PACKAGE, PACKAGE_MD5, FileServer
from .firmware_flow import VERSION, async_fetched, async_send, async_start, releases, the_release
from .forms import fields, suggested

OTHER_MD5 = "0" * 32


async def test_without_an_md5_it_is_computed(hass: HomeAssistant, entry: MockConfigEntry, files: FileServer) -> None:
    url = files.url("package.bin")
    result = await async_send(hass, await async_start(hass, entry, "link"), download_url=url, version=VERSION)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    release = the_release(entry)
    assert (release.title, release.unique_id) == (VERSION, f"firmware:{VERSION}")
    assert release.data == {
        "kind": "link",
        "download_url": url,
        "md5": PACKAGE_MD5,
        "size": len(PACKAGE),
        "version": VERSION,
    }


async def test_everything_that_is_typed_is_kept(hass: HomeAssistant, entry: MockConfigEntry, files: FileServer) -> None:
    url = files.url("package.bin")
    result = await async_send(
        hass,
        await async_start(hass, entry, "link"),
        download_url=f" {url} ",
        md5=f" {PACKAGE_MD5.upper()} ",
        version=f" {VERSION} ",
        release_notes="# New\n\n* faster",
        release_url="https://example.com/notes",
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert the_release(entry).data == {
        "kind": "link",
        "download_url": url,
        "md5": PACKAGE_MD5,
        "size": len(PACKAGE),
        "version": VERSION,
        "release_notes": "# New\n\n* faster",
        "release_url": "https://example.com/notes",
    }
    assert files.requests == ["/package.bin"]


async def test_the_address_behind_a_redirect_is_kept(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer
) -> None:
    await async_send(hass, await async_start(hass, entry, "link"), download_url=files.url("moved"), version=VERSION)
    assert the_release(entry).data["download_url"] == files.url("package.bin")


async def test_progress_is_shown_while_the_file_isasync_fetched(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer
) -> None:
    half = asyncio.Event()
    shown: list[float] = []

    @callback
    def progressed(event: Event) -> None:
        shown.append(event.data["progress"])
        if event.data["progress"] == 0.5:
            half.set()

    hass.bus.async_listen(EVENT_DATA_ENTRY_FLOW_PROGRESS_UPDATE, progressed)
    flow = await async_start(hass, entry, "link")
    typed = {"download_url": files.url("slow.bin"), "version": VERSION}
    result = await hass.config_entries.subentries.async_configure(flow["flow_id"], typed)
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    await asyncio.wait_for(half.wait(), 10)
    again = await hass.config_entries.subentries.async_configure(flow["flow_id"])
    assert again["type"] is FlowResultType.SHOW_PROGRESS
    files.resume.set()
    assert (await async_fetched(hass, again))["type"] is FlowResultType.CREATE_ENTRY
    assert shown[-1] == 1
    assert files.requests == ["/slow.bin"]


async def test_closing_the_dialog_ends_the_download(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer
) -> None:
    flow = await async_start(hass, entry, "link")
    typed = {"download_url": files.url("slow.bin"), "version": VERSION}
    await hass.config_entries.subentries.async_configure(flow["flow_id"], typed)
    hass.config_entries.subentries.async_abort(flow["flow_id"])
    await hass.async_block_till_done()
    assert not releases(entry)


@pytest.mark.parametrize(
    ("wrong", "errors"),
    [
        ({"download_url": "ftp://127.0.0.1/a"}, {"download_url": "invalid_url"}),
        ({"download_url": "package.bin"}, {"download_url": "invalid_url"}),
        ({"download_url": f"http://127.0.0.1/{LONG_NAME}"}, {"download_url": "invalid_url"}),
        ({"md5": PACKAGE_MD5[:-1]}, {"md5": "invalid_md5"}),
        ({"md5": PACKAGE_MD5[:-1] + "g"}, {"md5": "invalid_md5"}),
        ({"version": " "}, {"version": "invalid_version"}),
        ({"version": "v" * 256}, {"version": "invalid_version"}),
        ({"release_url": "javascript:alert(1)"}, {"release_url": "invalid_url"}),
        ({"download_url": "", "md5": "x"}, {"download_url": "invalid_url", "md5": "invalid_md5"}),
    ],
)
async def test_bad_input_is_told_at_its_field_and_can_be_corrected(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    files: FileServer,
    wrong: dict[str, str],
    errors: dict[str, str],
) -> None:
    right = {"download_url": files.url("package.bin"), "version": VERSION, "release_notes": "Faster"}
    result = await async_send(hass, await async_start(hass, entry, "link"), **right | wrong)
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "link"
    assert result["errors"] == errors
    assert suggested(result) == {"mirror": False} | right | wrong
    assert files.requests == []
    result = await async_send(hass, result, **right)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_file_that_does_not_fit_its_md5_is_told(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer
) -> None:
    typed = {"download_url": files.url("package.bin"), "md5": OTHER_MD5, "version": VERSION}
    result = await async_send(hass, await async_start(hass, entry, "link"), **typed)
    assert result["errors"] == {"md5": "md5_mismatch"}
    assert suggested(result) == {"mirror": False} | typed
    assert "add_anyway" not in fields(result)
    result = await async_send(hass, result, **typed | {"md5": PACKAGE_MD5})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert the_release(entry).data["md5"] == PACKAGE_MD5


@pytest.mark.parametrize("path", ["missing.bin", "truncated.bin", "page", "empty.bin", "huge.bin"])
async def test_a_file_that_cannot_be_fetched_is_told(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer, path: str
) -> None:
    typed = {"download_url": files.url(path), "version": VERSION}
    result = await async_send(hass, await async_start(hass, entry, "link"), **typed)
    assert result["errors"] == {"download_url": "cannot_download"}
    assert suggested(result) == {"mirror": False} | typed
    assert "add_anyway" not in fields(result)  # without an MD5 nobody could tell what the EMS gets
    result = await async_send(hass, result, **typed | {"download_url": files.url("package.bin")})
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_link_that_only_the_ems_reaches_is_added_with_its_md5(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer
) -> None:
    typed = {"download_url": files.url("missing.bin"), "md5": OTHER_MD5, "version": VERSION}
    result = await async_send(hass, await async_start(hass, entry, "link"), **typed)
    assert result["errors"] == {"download_url": "cannot_download"}
    assert "add_anyway" in fields(result)
    # The option does not stand for the MD5, which can still be taken away.
    without = {"download_url": typed["download_url"], "version": VERSION, "add_anyway": True}
    result = await async_send(hass, result, **without)
    assert result["errors"] == {"download_url": "cannot_download"}
    result = await async_send(hass, result, **typed, add_anyway=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert the_release(entry).data == {"kind": "link", **typed}


async def test_a_version_exists_once(hass: HomeAssistant, entry: MockConfigEntry, files: FileServer) -> None:
    typed = {"download_url": files.url("package.bin"), "version": VERSION}
    await async_send(hass, await async_start(hass, entry, "link"), **typed)
    result = await async_send(hass, await async_start(hass, entry, "link"), **typed)
    assert result["errors"] == {"version": "version_exists"}
    assert suggested(result) == {"mirror": False} | typed
    result = await async_send(hass, result, **typed | {"version": "emu-v1.3.0"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert {release.title for release in releases(entry)} == {VERSION, "emu-v1.3.0"}


async def test_of_two_flows_for_one_version_the_slower_is_aborted(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer
) -> None:
    slow, fast = await async_start(hass, entry, "link"), await async_start(hass, entry, "link")
    typed = {"download_url": files.url("slow.bin"), "version": VERSION}
    waiting = await hass.config_entries.subentries.async_configure(slow["flow_id"], typed)
    typed = {"download_url": files.url("package.bin"), "version": VERSION}
    fetching = await hass.config_entries.subentries.async_configure(fast["flow_id"], typed)
    while (result := fetching)["type"] is FlowResultType.SHOW_PROGRESS:
        await asyncio.sleep(0.01)
        fetching = await hass.config_entries.subentries.async_configure(fast["flow_id"])
    assert result["type"] is FlowResultType.CREATE_ENTRY
    files.resume.set()
    result = await async_fetched(hass, waiting)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_the_flow_needs_a_loaded_entry(hass: HomeAssistant, entry: MockConfigEntry, files: FileServer) -> None:
    flow, fetching = await async_start(hass, entry, "link"), await async_start(hass, entry, "link")
    typed = {"download_url": files.url("slow.bin"), "version": VERSION}
    fetching = await hass.config_entries.subentries.async_configure(fetching["flow_id"], typed)
    await hass.config_entries.async_unload(entry.entry_id)
    files.resume.set()
    for result in (
        await async_fetched(hass, fetching),
        await async_send(hass, flow, **typed),
        await hass.config_entries.subentries.async_init((entry.entry_id, "firmware"), context={"source": "user"}),
    ):
        assert result["type"] is FlowResultType.ABORT
        assert result["reason"] == "entry_not_loaded"


@pytest.fixture
async def release(hass: HomeAssistant, entry: MockConfigEntry, files: FileServer) -> ConfigSubentry:
    """Return a release that was fetched once."""
    typed = {"download_url": files.url("package.bin"), "version": VERSION, "release_notes": "Faster"}
    await async_send(hass, await async_start(hass, entry, "link"), **typed)
    files.requests.clear()
    return the_release(entry)


async def test_notes_and_version_change_without_another_download(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer, release: ConfigSubentry
) -> None:
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    assert flow["step_id"] == "reconfigure"
    typed = suggested(flow)
    assert typed == {
        "download_url": files.url("package.bin"),
        "md5": PACKAGE_MD5,
        "version": VERSION,
        "release_notes": "Faster",
    }
    result = await async_send(hass, flow, **typed | {"version": "emu-v1.2.1", "release_notes": ""})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    changed = the_release(entry)
    assert (changed.subentry_id, changed.title) == (release.subentry_id, "emu-v1.2.1")
    assert changed.unique_id == "firmware:emu-v1.2.1"
    assert changed.data == {
        "kind": "link",
        "download_url": files.url("package.bin"),
        "md5": PACKAGE_MD5,
        "size": len(PACKAGE),
        "version": "emu-v1.2.1",
    }
    assert files.requests == []


@pytest.mark.parametrize(("path", "md5"), [("chunked.bin", PACKAGE_MD5), ("package.bin", "")])
async def test_another_link_or_a_cleared_md5_isasync_fetched(  # noqa: PLR0913, PLR0917 - fixtures and a table
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer, release: ConfigSubentry, path: str, md5: str
) -> None:
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    typed = {"download_url": files.url(path), "md5": md5, "version": VERSION}
    result = await async_send(hass, flow, **typed)
    assert result["reason"] == "reconfigure_successful"
    assert files.requests == [f"/{path}"]
    assert the_release(entry).data == {"kind": "link", "size": len(PACKAGE), **typed, "md5": PACKAGE_MD5}


async def test_a_change_that_is_refused_changes_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer, release: ConfigSubentry
) -> None:
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    typed = {"download_url": files.url("missing.bin"), "md5": PACKAGE_MD5, "version": VERSION}
    result = await async_send(hass, flow, **typed)
    assert result["step_id"] == "reconfigure"
    assert result["errors"] == {"download_url": "cannot_download"}
    assert suggested(result) == {"mirror": False} | typed
    assert the_release(entry).data == release.data
    result = await async_send(hass, result, **typed, add_anyway=True)
    assert result["reason"] == "reconfigure_successful"
    assert the_release(entry).data == {"kind": "link", **typed}


async def test_a_version_cannot_become_that_of_another(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer, release: ConfigSubentry
) -> None:
    typed = {"download_url": files.url("package.bin"), "version": "emu-v2.0.0"}
    await async_send(hass, await async_start(hass, entry, "link"), **typed)
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    result = await async_send(hass, flow, **typed)
    assert result["errors"] == {"version": "version_exists"}
    result = await async_send(hass, result, **typed | {"version": VERSION})
    assert result["reason"] == "reconfigure_successful"


async def test_changing_needs_a_loaded_entry(
    hass: HomeAssistant, entry: MockConfigEntry, release: ConfigSubentry
) -> None:
    flow = await entry.start_subentry_reconfigure_flow(hass, release.subentry_id)
    typed = suggested(flow)
    await hass.config_entries.async_unload(entry.entry_id)
    result = await async_send(hass, flow, **typed | {"release_notes": "Slower"})
    assert result["reason"] == "entry_not_loaded"
    assert the_release(entry).data["release_notes"] == "Faster"


async def test_a_token_in_a_link_never_reaches_the_log(
    hass: HomeAssistant, entry: MockConfigEntry, files: FileServer, caplog: pytest.LogCaptureFixture
) -> None:
    typed = {"download_url": files.url("missing.bin?token=s3cret"), "version": VERSION}
    result = await async_send(hass, await async_start(hass, entry, "link"), **typed)
    assert result["errors"] == {"download_url": "cannot_download"}
    said = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]  # the file server's
    assert any("HTTP status 404" in message for message in said)
    assert not any("s3cret" in message for message in said)

"""Repair issues about releases and packages: what they say, when they come, and that they go."""

from collections.abc import AsyncGenerator
import json
from pathlib import Path

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest

import custom_components.emu_ota
from custom_components.emu_ota import firmware_issues
from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.firmware.address import BaseWarning
from custom_components.emu_ota.firmware.index import IndexFault, Refusal
from custom_components.emu_ota.firmware.index_fetch import FetchFault
from custom_components.emu_ota.firmware.release import Source
from tests.firmware.documents import document
from tests.firmware.index_server import IndexServer, serve_index

from .hosted import Hosted, listed, publish, really, upload_subentry, work_done
from .world import NEW, PREFIX, World, firmware_subentry

TEXTS = json.loads((Path(custom_components.emu_ota.__file__).parent / "translations/en.json").read_text())
DAY = 24 * 3600


def issues(world: World) -> dict[str, str]:
    """Return what the issues of the entry say, by what they are about."""
    entry_id, found = world.entry.entry_id, {}
    for issue in ir.async_get(world.hass).issues.values():
        if issue.domain == DOMAIN and issue.active and issue.issue_id.startswith(entry_id):
            assert issue.translation_key is not None
            texts, given = TEXTS["issues"][issue.translation_key], issue.translation_placeholders or {}
            key = issue.issue_id.removeprefix(f"{entry_id}_")
            found[key] = f"{texts['title'].format(**given)}\n{texts['description'].format(**given)}"
    return found


@pytest.fixture
async def index(socket_enabled: None) -> AsyncGenerator[IndexServer]:
    """Serve an index."""
    async with serve_index() as server:
        publish(server, NEW)
        yield server


# The address


async def test_no_address_is_an_issue_only_while_there_is_something_to_serve(hosted: Hosted) -> None:
    hosted.hass.config.api = None
    world = await hosted.world(firmware_subentry("emu-v1.1.0"), options={"download_base_url": ""})
    assert issues(world) == {}
    await world.add(upload_subentry(await hosted.store()))
    assert issues(world).keys() == {"no_download_base"}
    text = issues(world)["no_download_base"]
    assert "download address in the options" in text
    assert PREFIX in text
    await world.remove(f"firmware:{NEW}")
    assert issues(world) == {}


async def test_an_address_that_is_set_ends_the_issue(hosted: Hosted) -> None:
    hosted.hass.config.api = None
    world = await hosted.world(upload_subentry(await hosted.store()), options={"download_base_url": ""})
    assert issues(world).keys() == {"no_download_base"}
    await hosted.hass.config.async_update(internal_url="http://192.0.2.1:8123")
    await world.settle()
    assert issues(world) == {}
    await hosted.hass.config.async_update(internal_url="http://127.0.0.1:8123")
    await world.settle()
    assert issues(world).keys() == {"download_base_warning"}
    world.hass.config_entries.async_update_entry(world.entry, options={"download_base_url": "http://192.0.2.1"})
    await world.settle()
    assert issues(world) == {}


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("http://127.0.0.1:8123", "leads back"),
        ("http://localhost", "leads back"),
        ("http://172.30.32.1:8123", "container network"),
        ("https://home.example.com", "certificate"),
        ("http://homeassistant.local:8123", ".local"),
        ("http://169.254.1.1", "No device can use"),
        (f"http://{'a' * 60}.{'b' * 60}.example.com", "shorter address"),
    ],
)
async def test_an_address_that_we_found_is_warned_of_and_one_that_the_user_set_is_not(
    hosted: Hosted, url: str, part: str
) -> None:
    await hosted.hass.config.async_update(internal_url=url)
    world = await hosted.world(upload_subentry(await hosted.store()), options={"download_base_url": ""})
    text = issues(world)["download_base_warning"]
    assert url in text
    assert part in text
    world.hass.config_entries.async_update_entry(world.entry, options={"download_base_url": url})
    await world.settle()
    assert issues(world) == {}


# Packages


async def test_packages_that_are_gone_are_named(hosted: Hosted) -> None:
    package = await hosted.store()
    (hosted.folder / package.sha256).unlink()
    world = await hosted.world(upload_subentry(package))
    await really(lambda: issues(world).keys() == {"packages_missing"})
    assert f"`{NEW}`" in issues(world)["packages_missing"]
    await world.remove(f"firmware:{NEW}")
    await really(lambda: issues(world) == {})


# Sources that contradict each other


async def test_a_version_that_two_sources_have_different_files_for_is_not_offered_and_told(
    hosted: Hosted, index: IndexServer
) -> None:
    publish(index, NEW, md5="0" * 32)
    world = await hosted.world(
        upload_subentry(await hosted.store()), firmware_subentry("emu-v1.1.0"), options={"index_url": index.url}
    )
    await really(lambda: issues(world).keys() == {"release_conflict"})
    text = issues(world)["release_conflict"]
    assert f"`{NEW}`: an upload, the index" in text
    assert world.update().attributes["latest_version"] == "emu-v1.1.0"
    error = await world.ended(await world.install(version=NEW))
    assert error is not None
    assert error.translation_key == "unknown_version"
    assert world.orders() == []
    await world.remove(f"firmware:{NEW}")
    await work_done(world)
    assert issues(world) == {}
    assert world.update().attributes["latest_version"] == NEW


async def test_sources_that_agree_are_one_release(hosted: Hosted, index: IndexServer) -> None:
    """It comes from the nearer source, with all that the other one says of it."""
    world = await hosted.world(upload_subentry(await hosted.store()), options={"index_url": index.url})
    await really(lambda: world.update().attributes["release_summary"] is not None)
    assert issues(world) == {}
    assert await world.ended(await world.install()) is None
    assert hosted.base in str(world.orders()[-1])


# The index


async def test_refused_releases_are_named_with_the_reason(hosted: Hosted, index: IndexServer) -> None:
    odd = "emu-v1.5.0` <b>**x**"
    index.body = document(
        listed(NEW),
        {**listed("emu-v1.3.0"), "min_versoin": "emu-v1.0.0"},
        {**listed("emu-v1.4.0"), "size": "1"},
        {**listed(odd), "url": "a", "md5": "?"},
        7,
    )
    world = await hosted.world(options={"index_url": index.url})
    await really(lambda: issues(world).keys() == {"index_releases_refused"})
    text = issues(world)["index_releases_refused"]
    assert "- `emu-v1.3.0`, `min_versoin`: There is no such key." in text
    assert "- `emu-v1.4.0`, `size`: The value is of another type." in text
    assert "- `emu-v1.5.0' <b>**x**`, `md5`: The value is not one" in text
    assert "- `#5`: It is not an object." in text
    assert world.update().attributes["latest_version"] == NEW
    publish(index, NEW)
    await refresh_index(world)
    assert issues(world) == {}


async def test_a_long_list_is_cut(hosted: Hosted, index: IndexServer) -> None:
    index.body = document(*(listed(f"emu-v2.0.{number}") | {"x": 1} for number in range(100)))
    world = await hosted.world(options={"index_url": index.url})
    await really(lambda: issues(world).keys() == {"index_releases_refused"})
    text = issues(world)["index_releases_refused"]
    assert text.count("\n- ") == firmware_issues.MAX_LISTED + 1
    assert "- … (+80)" in text


async def test_an_index_that_fails_is_told_after_three_days_and_keeps_what_it_said(
    hosted: Hosted, index: IndexServer
) -> None:
    world = await hosted.world(options={"index_url": index.url})
    await really(lambda: world.update().attributes["latest_version"] == NEW)
    index.status = 503
    failing = world.entry.runtime_data.releases.index
    for _ in range(3):
        await refresh_index(world)
        assert failing.state.failing_since is not None
        assert issues(world) == {}
        await world.tick(DAY)
    await refresh_index(world)
    text = issues(world)["index_unreachable"]
    assert failing.state.failing_since.date().isoformat() in text
    assert "The server answers with an error." in text
    assert index.url not in text, "it may hold a password"
    assert world.update().attributes["latest_version"] == NEW
    index.status = 200
    await refresh_index(world)
    assert issues(world) == {}


async def refresh_index(world: World) -> None:
    """Have the index asked as a person would, and wait for what comes of it."""
    assert await async_setup_component(world.hass, "homeassistant", {})
    task = world.call("homeassistant", "update_entity")
    await really(task.done)
    task.result()
    await work_done(world)


# Their life


async def test_issues_stay_over_a_reload_and_go_with_the_entry(hosted: Hosted, hass: HomeAssistant) -> None:
    hass.config.api = None
    world = await hosted.world(upload_subentry(await hosted.store()), options={"download_base_url": ""})
    issue_id = f"{world.entry.entry_id}_no_download_base"
    ir.async_ignore_issue(hass, DOMAIN, issue_id, ignore=True)
    await world.reload()
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.dismissed_version is not None
    await hass.config_entries.async_set_disabled_by(world.entry.entry_id, ConfigEntryDisabler.USER)
    assert issues(world) == {}
    await hass.config_entries.async_set_disabled_by(world.entry.entry_id, None)
    assert issues(world).keys() == {"no_download_base"}
    await hass.config_entries.async_remove(world.entry.entry_id)
    assert issues(world) == {}


# Texts


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ("download_warning", [*BaseWarning, "no_address"]),
        ("index_refusal", list(Refusal)),
        ("index_fault", [*FetchFault, *IndexFault]),
        ("release_source", list(Source)),
    ],
)
def test_each_word_in_an_issue_has_a_text_and_no_other(group: str, values: list[str]) -> None:
    assert sorted(TEXTS["selector"][group]["options"]) == sorted(map(str, values))


@pytest.mark.parametrize("key", firmware_issues.KEYS)
def test_each_issue_has_a_text_that_names_the_entry_and_what_to_do(key: str) -> None:
    texts = TEXTS["issues"][key]
    assert texts.keys() == {"title", "description"}
    assert "{entry}" in texts["description"]

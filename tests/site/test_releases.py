"""What the update entities make of the releases that are known."""

from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from .by_hand import HandEms, offline, report
from .conftest import MakeWorld
from .world import NEW, OLD, World, ems_subentry, firmware_subentry


async def a_site(make_world: MakeWorld, *releases: str) -> HandEms:
    """Return an EMS of the test's own, where these releases are known."""
    return HandEms(await make_world([], [ems_subentry(), *map(firmware_subentry, releases)]))


@pytest.mark.parametrize(
    ("installed", "releases", "latest", "state"),
    [
        (OLD, [], OLD, "off"),
        (OLD, [NEW], NEW, "on"),
        (OLD, [NEW, "emu-v1.1.0"], NEW, "on"),
        (OLD, ["emu-v1.1.0", NEW], NEW, "on"),
        ("emu-v1.9.0", ["emu-v1.10.0", "emu-v1.2.0"], "emu-v1.10.0", "on"),
        (NEW, [NEW], NEW, "off"),
        (NEW, [OLD], NEW, "off"),
        ("emu-v1.2", ["emu-v1.2.0"], "emu-v1.2", "off"),
        ("emu-v1.2.0", ["emu-v1.2.0-rc1"], "emu-v1.2.0", "off"),
        (OLD, ["pcs-v9.0.0"], OLD, "off"),
        (OLD, ["pcs-v9.0.0", "emu-v1.0.1"], "emu-v1.0.1", "on"),
        ("something else", [NEW], "something else", "off"),
        (OLD, ["something else"], OLD, "off"),
    ],
)
async def test_the_latest_version_is_the_newest_that_fits_and_is_newer_else_the_installed(
    make_world: MakeWorld, installed: str, releases: list[str], latest: str, state: str
) -> None:
    hand = await a_site(make_world, *releases)
    await hand.versions(report(version=installed))
    update = hand.world.update()
    assert update.attributes["installed_version"] == installed
    assert update.attributes["latest_version"] == latest
    assert update.state == state


async def test_each_emu_has_the_latest_version_of_its_own_product(make_world: MakeWorld) -> None:
    hand = await a_site(make_world, NEW, "pcs-v3.0.0")
    await hand.versions(report(), report(3, version="pcs-v2.0.0"), offline(4))
    assert hand.world.update(2).attributes["latest_version"] == NEW
    assert hand.world.update(3).attributes["latest_version"] == "pcs-v3.0.0"
    assert hand.world.update(4).state == "unavailable"


def with_texts(version: str, notes: str | None, url: str | None) -> dict[str, object]:
    """Return a release with something to read."""
    subentry = firmware_subentry(version)
    data = subentry["data"]
    assert isinstance(data, dict)
    return subentry | {"data": data | {"release_notes": notes, "release_url": url}}


async def release_notes(world: World, hass_ws_client: WebSocketGenerator) -> object:
    """Return what the dialog of an update shows as release notes."""
    assert await async_setup_component(world.hass, "update", {})
    client = await hass_ws_client(world.hass)
    await client.send_json_auto_id({"type": "update/release_notes", "entity_id": world.entity_id("update", "firmware")})
    answer = await client.receive_json()
    assert answer["success"]
    return answer["result"]


@pytest.mark.parametrize(
    ("installed", "notes", "url"),
    [
        (OLD, "New in 1.2", "https://example.com/1.2"),
        (NEW, "New in 1.2", "https://example.com/1.2"),
        ("emu-v2.0.0", None, None),
    ],
)
async def test_there_is_something_to_read_about_the_latest_version(
    make_world: MakeWorld, hass_ws_client: WebSocketGenerator, installed: str, notes: str | None, url: str | None
) -> None:
    releases = [with_texts(NEW, "New in 1.2", "https://example.com/1.2"), with_texts("emu-v1.1.0", "New in 1.1", None)]
    hand = HandEms(await make_world([], [ems_subentry(), *releases]))
    await hand.versions(report(version=installed))
    assert await release_notes(hand.world, hass_ws_client) == notes
    assert hand.world.update().attributes["release_url"] == url


async def test_a_skipped_version_stays_skipped_over_a_restart_and_a_newer_one_is_offered(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report())
    await world.hass.services.async_call(
        "update", "skip", {"entity_id": world.entity_id("update", "firmware")}, blocking=True
    )
    assert world.update().state == "off"
    await world.reload()
    await hand.versions(report())
    assert world.update().state == "off"
    assert world.update().attributes["skipped_version"] == NEW
    await world.add(firmware_subentry("emu-v1.3.0"))
    assert world.update().state == "on"
    assert world.update().attributes["latest_version"] == "emu-v1.3.0"

"""What becomes of the releases of an index: offered, chosen, shown, asked for on demand, known after a restart."""

from collections.abc import AsyncGenerator

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from simulator.emu import SimulatedEmu
from tests.firmware.documents import document
from tests.firmware.index_server import IndexServer, serve_index

from .conftest import MakeWorld
from .hosted import listed, publish, really, work_done
from .world import NEW, OLD, World, ems_subentry, simulated_ems


@pytest.fixture
async def index(socket_enabled: None) -> AsyncGenerator[IndexServer]:
    """Serve an index."""
    async with serve_index() as server:
        publish(server, NEW)
        yield server


async def a_site(make_world: MakeWorld, index: IndexServer, *installed: str) -> World:
    """Return a site that asks the index, with an EMU 2, 3, … for each version that is installed."""
    emus = [SimulatedEmu(number, version) for number, version in enumerate(installed or (OLD,), 2)]
    world = await make_world([simulated_ems(emus=emus)], [ems_subentry()], {"index_url": index.url})
    await really(lambda: bool(world.entry.runtime_data.releases.index.state.checked_at))
    await work_done(world)
    return world


def latest(world: World, device_id: int = 2) -> object:
    """Return the latest version."""
    return world.update(device_id).attributes["latest_version"]


async def test_a_release_is_offered_only_to_what_it_can_be_installed_on(
    make_world: MakeWorld, index: IndexServer
) -> None:
    index.body = document(
        listed("emu-v1.1.0"), listed("emu-v2.0.0") | {"min_version": "emu-v1.1.0"}, listed("pcs-v9.0.0")
    )
    world = await a_site(make_world, index, "emu-v1.0.0", "emu-v1.1.0", "emu-v1.1.0-rc1", "pcs-v1.0.0", "bms-v1.0.0")
    offered = [latest(world, device_id) for device_id in range(2, 7)]
    assert offered == ["emu-v1.1.0", "emu-v2.0.0", "emu-v1.1.0-rc1", "pcs-v9.0.0", "bms-v1.0.0"]


async def test_a_version_below_the_minimum_cannot_be_jumped_to_by_name(
    make_world: MakeWorld, index: IndexServer
) -> None:
    index.body = document(listed("emu-v2.0.0") | {"min_version": "emu-v1.1.0"})
    world = await a_site(make_world, index, OLD)
    error = await world.ended(await world.install(version="emu-v2.0.0"))
    assert error is not None
    assert "emu-v2.0.0" in str(error)
    assert "emu-v1.1.0" in str(error), "what has to be installed first"
    assert world.orders() == []


async def test_what_the_index_says_of_a_release_stands_in_the_dialog(
    make_world: MakeWorld, index: IndexServer, hass_ws_client: WebSocketGenerator
) -> None:
    world = await a_site(make_world, index)
    attributes = world.update().attributes
    assert attributes["release_summary"] == "Charges in the cold."
    assert attributes["release_url"] == "https://example.com/notes"
    client = await hass_ws_client(world.hass)
    await client.send_json_auto_id({"type": "update/release_notes", "entity_id": world.entity_id("update", "firmware")})
    assert (await client.receive_json())["result"] == f"## New in {NEW}"


@pytest.mark.parametrize("by", ["button", "update_entity"])
async def test_the_index_is_asked_on_demand(make_world: MakeWorld, index: IndexServer, by: str) -> None:
    world = await a_site(make_world, index)
    asked = len(index.requests)
    publish(index, NEW, "emu-v1.3.0")
    assert await async_setup_component(world.hass, "homeassistant", {})
    if by == "button":
        await world.refresh()
    else:
        world.call("homeassistant", "update_entity")
    await really(lambda: latest(world) == "emu-v1.3.0")
    assert len(index.requests) == asked + 1


async def test_an_index_that_cannot_be_read_fails_no_refresh(make_world: MakeWorld, index: IndexServer) -> None:
    world = await a_site(make_world, index)
    index.status = 500
    assert await async_setup_component(world.hass, "homeassistant", {})
    task = world.call("homeassistant", "update_entity")
    await really(task.done)
    assert task.exception() is None
    await world.refresh()
    assert latest(world) == NEW


async def test_the_latest_version_is_known_right_after_a_restart_without_any_network(
    make_world: MakeWorld, index: IndexServer, hass: HomeAssistant
) -> None:
    """An update that bounced would wipe a version that the user has skipped."""
    world = await a_site(make_world, index)
    await hass.services.async_call(
        "update", "skip", {"entity_id": world.entity_id("update", "firmware")}, blocking=True
    )
    assert world.update().state == "off"
    index.status = 503
    before = len(world.changes)
    await hass.config_entries.async_reload(world.entry.entry_id)
    await work_done(world)
    assert world.update().attributes["skipped_version"] == NEW
    entity_id = world.entity_id("update", "firmware")
    states = [change.data["new_state"] for change in world.changes[before:] if change.data["entity_id"] == entity_id]
    shown = {
        (state.state, state.attributes.get("latest_version"))
        for state in states
        if state is not None and state.state != "unavailable"
    }
    assert shown == {("off", NEW)}

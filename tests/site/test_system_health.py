"""What Home Assistant's system information shows of the integration."""

import json
from pathlib import Path

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, get_system_health_info

import custom_components.emu_ota
from custom_components.emu_ota.const import CONF_CONNECTION, CONF_PREFIX, DOMAIN
from simulator.faults import Fault

from .conftest import MakeWorld
from .looks import fall_silent
from .world import OTHER_UID, PREFIX, World, ems_subentry, firmware_subentry, simulated_ems


@pytest.fixture
async def pair(make_world: MakeWorld) -> World:
    """Return a site with two EMSs."""
    return await make_world([simulated_ems(), simulated_ems(OTHER_UID)])


async def shown(hass: HomeAssistant) -> tuple[object, ...]:
    """Return the connections that are up, the EMSs that answer, and the upgrades under way."""
    assert await async_setup_component(hass, "system_health", {})
    info = await get_system_health_info(hass, DOMAIN)
    english = json.loads((Path(custom_components.emu_ota.__file__).parent / "translations/en.json").read_text())
    assert list(info) == list(english["system_health"]["info"])
    return tuple(info.values())


async def test_all_is_well(hass: HomeAssistant, pair: World) -> None:
    assert await shown(hass) == ("1/1", "2/2", 0)


async def test_an_ems_that_does_not_answer_is_missing(hass: HomeAssistant, pair: World) -> None:
    pair.ems.faults.on(Fault.NO_ANSWER)
    await fall_silent(pair)
    assert await shown(hass) == ("1/1", "1/2", 0)


async def test_without_a_broker_nothing_answers(hass: HomeAssistant, pair: World) -> None:
    pair.broker.connected = False
    assert await shown(hass) == ("0/1", "0/2", 0)


async def test_upgrades_count_once_they_are_ordered(hass: HomeAssistant, pair: World) -> None:
    installs = [await pair.install(2), await pair.install(3), await pair.install(2, uid=OTHER_UID)]
    await pair.until(lambda: pair.stage() == "transferring")
    assert pair.stage(3) == "queued"
    assert await shown(hass) == ("1/1", "2/2", 2)
    for install in installs:
        assert await pair.ended(install) is None
    assert await shown(hass) == ("1/1", "2/2", 0)


async def test_an_entry_that_is_not_loaded_is_missing_and_a_disabled_one_is_not(
    hass: HomeAssistant, pair: World
) -> None:
    other = MockConfigEntry(
        domain=DOMAIN,
        data={CONF_CONNECTION: "memory", CONF_PREFIX: f"{PREFIX}2"},
        subentries_data=[ems_subentry("further"), firmware_subentry()],
    )
    other.add_to_hass(hass)
    assert await shown(hass) == ("1/2", "2/3", 0)
    await hass.config_entries.async_set_disabled_by(other.entry_id, ConfigEntryDisabler.USER)
    assert await shown(hass) == ("1/1", "2/2", 0)

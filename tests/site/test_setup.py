"""How an entry starts and ends: what fails it, what does not, and what it leaves behind."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.emu_ota.const import CONF_CONNECTION, CONF_PREFIX, DOMAIN
from custom_components.emu_ota.protocol.topics import EmsAddress, Exchange
from custom_components.emu_ota.transport import CannotConnect, TlsError, TransportError
from simulator.ems import SimulatedEms
from simulator.emu import SimulatedEmu
from simulator.memory import MemoryBroker

from .by_hand import HandEms, Writes, message, report
from .conftest import MakeWorld
from .looks import connection, fall_silent
from .world import OLD, OTHER_UID, PREFIX, UID, World, ems_subentry, simulated_ems

RETRY = timedelta(minutes=10)
"""Longer than Home Assistant waits before it tries again."""


def an_entry(hass: HomeAssistant, prefix: str = PREFIX, uid: str = UID) -> MockConfigEntry:
    """Return an entry that is not set up yet."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=prefix,
        data={CONF_CONNECTION: "memory", CONF_PREFIX: prefix},
        subentries_data=[ems_subentry(uid)],
    )
    entry.add_to_hass(hass)
    return entry


def state_of(entry: MockConfigEntry) -> ConfigEntryState:
    """Return the state of an entry, looked up anew."""
    state: ConfigEntryState = entry.state
    return state


async def test_a_silent_ems_never_fails_the_setup(hand: HandEms) -> None:
    world = hand.world
    assert world.entry.state is ConfigEntryState.LOADED
    await world.pass_time(300, 5)
    assert world.entry.state is ConfigEntryState.LOADED
    assert connection(world) == "off"
    assert world.state("button", "refresh", None).state == "unavailable"
    await hand.versions(report())
    assert world.update().attributes["installed_version"] == OLD


async def test_a_silent_ems_holds_up_no_other(make_world: MakeWorld) -> None:
    world = await make_world([simulated_ems()], [ems_subentry(OTHER_UID), ems_subentry(UID)])
    assert connection(world, OTHER_UID) == "off"
    assert connection(world) == "on"
    assert world.update().attributes["installed_version"] == OLD


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (CannotConnect("127.0.0.1 refused"), "MQTT broker cannot be reached"),
        (TransportError("no idea"), "MQTT broker cannot be reached"),
        (TlsError("no certificate"), "secure connection"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_broker_that_does_not_take_us_is_tried_again_until_it_does(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, broker: MemoryBroker, error: TransportError, part: str
) -> None:
    entry, broker.start_error = an_entry(hass), error
    assert not await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert state_of(entry) is ConfigEntryState.SETUP_RETRY
    assert entry.reason is not None
    assert part in entry.reason
    assert str(error) not in entry.reason
    assert broker.transports == []
    broker.start_error = None
    freezer.tick(RETRY)
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(entry) is ConfigEntryState.LOADED
    broker.publish(f"{PREFIX}/{UID}/ota/emu_version/result", message(Exchange.VERSION, [report()]))
    await hass.async_block_till_done()
    assert hass.states.get(f"update.{UID.lower()}_emu_2_firmware") is not None


async def test_unloading_leaves_nothing_that_listens_or_asks(hass: HomeAssistant, hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report())
    others = list(world.broker.transports)[:1]
    assert await hass.config_entries.async_unload(world.entry.entry_id)
    assert world.broker.transports == others
    asked, writes = world.asks(), Writes(world)
    await hand.versions(report(version="emu-v9.0.0"), report(3))
    await world.pass_time(3600, 30)
    assert world.asks() == asked
    assert writes.take() == []
    assert not world.entry.update_listeners


async def test_reloading_changes_no_number_of_listeners(hass: HomeAssistant, hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report())
    await world.reload()
    before = (dict(hass.bus.async_listeners()), len(world.broker.transports), len(world.entry.update_listeners))
    for _ in range(3):
        await world.reload()
    after = (dict(hass.bus.async_listeners()), len(world.broker.transports), len(world.entry.update_listeners))
    assert after == before
    writes = Writes(world)
    await hand.versions(report(status=3))
    assert writes.take() == [world.entity_id("sensor", "status")]


async def test_a_reload_asks_once_and_repeats_no_order(world: World) -> None:
    asked = world.asks()
    await world.reload()
    await world.pass_time(5)
    assert world.asks() == asked + 1
    assert world.orders() == []


async def test_the_end_of_home_assistant_keeps_what_is_known(
    hass: HomeAssistant, hass_storage: dict[str, dict[str, object]], hand: HandEms
) -> None:
    await hand.versions(report(version="emu-v4.5.6"))
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hand.world.settle()
    stored = hass_storage[f"{DOMAIN}.{hand.world.entry.entry_id}.known"]
    assert "emu-v4.5.6" in str(stored["data"])
    asked = hand.world.asks()
    await hand.world.pass_time(3600, 30)
    assert hand.world.asks() == asked


async def test_two_entries_live_side_by_side(hass: HomeAssistant, make_world: MakeWorld) -> None:
    other_prefix = "v1/user/tenant"
    other_ems = SimulatedEms(EmsAddress(other_prefix, OTHER_UID), [SimulatedEmu(2, version="emu-v0.1.0")])
    world = await make_world([simulated_ems(), other_ems], [ems_subentry()])
    other = an_entry(hass, other_prefix, OTHER_UID)
    assert await hass.config_entries.async_setup(other.entry_id)
    await world.pass_time(4)
    assert world.update().attributes["installed_version"] == OLD
    assert world.update(2, OTHER_UID).attributes["installed_version"] == "emu-v0.1.0"
    assert await hass.config_entries.async_unload(world.entry.entry_id)
    assert world.update().state == "unavailable"
    assert connection(world, OTHER_UID) == "on"
    other_ems.emu(2).version = "emu-v0.2.0"
    await world.pass_time(1000, 5)
    assert world.update(2, OTHER_UID).attributes["installed_version"] == "emu-v0.2.0"


async def test_an_entry_that_is_removed_takes_all_with_it(
    hass: HomeAssistant, hass_storage: dict[str, object], hand: HandEms
) -> None:
    await hand.versions(report())
    entry_id = hand.world.entry.entry_id
    await hass.config_entries.async_remove(entry_id)
    await hand.world.settle()
    assert not [key for key in hass_storage if entry_id in key]
    assert hass.states.async_all() == []


async def test_a_restart_while_the_ems_is_silent_shows_it_silent(hand: HandEms) -> None:
    await hand.versions(report())
    await fall_silent(hand.world)
    await hand.world.reload()
    assert connection(hand.world) == "off"

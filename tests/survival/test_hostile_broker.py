"""A hostile broker: nothing raises, nothing floods the log, and what is not well-formed changes nothing."""

import logging

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest

from custom_components.emu_ota import connection
from simulator.memory import MemoryBroker, MemoryTransport
from tests.site.world import async_make_world

from .hostile_site import HostileSite, end_in_peace, hostile_ems

LOGGER = logging.getLogger(__name__)
SEED = 20261126


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Give every test a configuration folder of its own."""
    return hass_tmp_config_dir


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    """Return a broker in memory that entries with the connection `memory` use."""
    broker = MemoryBroker()
    monkeypatch.setitem(connection.TRANSPORTS, "memory", lambda _hass, _data: MemoryTransport(broker))
    return broker


async def test_a_hundred_thousand_hostile_messages(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, broker: MemoryBroker
) -> None:
    world = await async_make_world(hass, freezer, broker, [hostile_ems()])
    site = HostileSite(world, SEED)
    await site.attack(100_000)
    for line in site.verdict():
        LOGGER.info(line)
    await end_in_peace(site)
    await world.site.stop()

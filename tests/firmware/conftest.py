"""What the tests of the firmware index share."""

from collections.abc import AsyncGenerator

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest

from .index_bench import OLD, Bench, Stored
from .index_server import IndexServer, serve_index


@pytest.fixture
async def index(socket_enabled: None) -> AsyncGenerator[IndexServer]:
    """Serve an index with one release."""
    async with serve_index() as server:
        server.body = OLD
        yield server


@pytest.fixture
async def bench(
    hass: HomeAssistant, hass_storage: Stored, freezer: FrozenDateTimeFactory, index: IndexServer
) -> AsyncGenerator[Bench]:
    """Return a bench whose option is the URL of the index; nothing is started yet."""
    hass.loop.slow_callback_duration = float("inf")  # frozen time jumps inside callbacks
    bench = Bench(hass, freezer, index.url)
    yield bench
    await bench.source.async_stop()

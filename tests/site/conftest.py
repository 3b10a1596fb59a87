"""What the tests of a whole site share."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
import logging
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.storage import Store
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.emu_ota import connection
from custom_components.emu_ota.const import DOMAIN, LOGGER
from simulator.memory import MemoryBroker, MemoryTransport

from .by_hand import HandEms
from .hosted import Hosted
from .world import World, async_make_world, ems_subentry, firmware_subentry, simulated_ems

type MakeWorld = Callable[..., Awaitable[World]]
"""As async_make_world, from the list of EMSs on."""


@pytest.fixture
def expected_logs() -> list[str]:
    """Return where a test adds parts of the warnings and errors that it expects of the integration."""
    return []


def _is_problem(record: logging.LogRecord) -> bool:
    if record.name.startswith(LOGGER.name):
        return record.levelno >= logging.WARNING
    # A refused command of a websocket is an error in the log as well; without a traceback it is meant to be one.
    refused = record.name.startswith("homeassistant.components.websocket_api") and not record.exc_info
    return record.levelno >= logging.ERROR and not refused


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture, expected_logs: list[str]) -> Generator[None]:
    """Let no warning of ours and no error of anybody be logged but what a test expects, and all of that."""
    yield
    records = [record for when in ("setup", "call", "teardown") for record in caplog.get_records(when)]
    logged = [record.getMessage() for record in records if _is_problem(record)]
    assert [message for message in logged if not any(part in message for part in expected_logs)] == []
    assert [part for part in expected_logs if not any(part in message for message in logged)] == []


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Give every test a configuration folder of its own: packages are kept in it."""
    return hass_tmp_config_dir


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    """Return a broker in memory that entries with the connection `memory` use."""
    broker = MemoryBroker()
    monkeypatch.setitem(connection.TRANSPORTS, "memory", lambda _hass, _data: MemoryTransport(broker))
    return broker


@pytest.fixture
async def make_world(
    hass: HomeAssistant, hass_storage: dict[str, object], freezer: FrozenDateTimeFactory, broker: MemoryBroker
) -> AsyncGenerator[MakeWorld]:
    """Return what makes a site of these EMSs."""
    made: list[World] = []

    async def make(*arguments: object, **options: object) -> World:
        made.append(await async_make_world(hass, freezer, broker, *arguments, **options))  # type: ignore[arg-type]  # of many types
        return made[-1]

    yield make
    for world in made:
        await world.site.stop()


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    """Return a site with one EMS of revision B, three EMUs of which one is offline, and a newer release."""
    return await make_world([simulated_ems()])


@pytest.fixture
async def hand(make_world: MakeWorld) -> HandEms:
    """Return an EMS whose every word is the test's own; it has been asked, and has not answered yet."""
    return HandEms(await make_world([], [ems_subentry(), firmware_subentry()]))


@pytest.fixture
async def hosted(
    socket_enabled: None, hass: HomeAssistant, make_world: MakeWorld, hass_client_no_auth: ClientSessionGenerator
) -> Hosted:
    """Return a Home Assistant that EMSs can fetch packages from."""
    assert await async_setup_component(hass, DOMAIN, {})  # no route can be added once there is a client
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # as Home Assistant does at its start
    return Hosted(hass, make_world, await hass_client_no_auth())


@pytest.fixture
def every_entity_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable the entities, too, that are disabled by default."""
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)


@pytest.fixture
def keep_session(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the broker keep for the entry what comes while its connection is lost."""
    monkeypatch.setitem(
        connection.TRANSPORTS, "memory", lambda _hass, _data: MemoryTransport(broker, keep_session=True)
    )


@pytest.fixture
def slow_writes(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return an event; while it is not set, nothing that is written to storage is done being written."""
    done = asyncio.Event()
    done.set()
    save = Store.async_save

    async def async_save(store: Store[Any], data: Any) -> None:  # noqa: ANN401 - as in Store
        await done.wait()
        await save(store, data)

    monkeypatch.setattr(Store, "async_save", async_save)
    return done

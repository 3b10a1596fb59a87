"""A real broker, the two transports to it, and somebody else on it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from uuid import uuid4

import aiomqtt
from homeassistant.components.mqtt import client as mqtt_client
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.emu_ota.transport import Received, Transport
from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport
from custom_components.emu_ota.transport.home_assistant import HomeAssistantTransport
from tests.mosquitto import Mosquitto

type NewTransport = Callable[..., BrokerTransport]


class Inbox(asyncio.Queue[Received]):
    """What a transport's callback was given, in order."""

    async def next(self) -> Received:
        """Return the next message; fails after 10 s."""
        return await asyncio.wait_for(self.get(), 10)


class Changes(asyncio.Queue[bool]):
    """What a watcher of the connection was told, in order."""

    async def next(self) -> bool:
        """Return the next value; fails after 30 s."""
        return await asyncio.wait_for(self.get(), 30)


async def becomes_true(condition: Callable[[], bool]) -> None:
    """Wait for something that only shows; fails after 30 s."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - there is nothing that would set an event
            await asyncio.sleep(0.02)


def logged(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Return what the integration has logged from a level up."""
    ours = "custom_components.emu_ota"
    return [record.message for record in caplog.records if record.name.startswith(ours) and record.levelno >= level]


async def received(client: aiomqtt.Client) -> bytes:
    """Return the payload of the next message; fails after 10 s."""
    message = await asyncio.wait_for(anext(aiter(client.messages)), 10)
    assert isinstance(message.payload, bytes)
    return message.payload


@pytest.fixture
def broker(socket_enabled: None) -> Generator[Mosquitto]:
    """A broker that anybody may use."""
    with Mosquitto() as mosquitto:
        yield mosquitto


@pytest.fixture
async def peer(broker: Mosquitto) -> AsyncGenerator[aiomqtt.Client]:
    """Somebody else on the broker."""
    async with aiomqtt.Client(broker.host, broker.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        yield client


@pytest.fixture
async def new_transport() -> AsyncGenerator[NewTransport]:
    """Make own connections, by port and further settings; what was started is stopped at the end."""
    made: list[BrokerTransport] = []

    def new(port: int, *, keep_session: bool = False, **settings: str | int | bool | None) -> BrokerTransport:
        everything = {"host": "127.0.0.1", "port": port, "client_id": f"test-{uuid4().hex}"} | settings
        made.append(BrokerTransport(BrokerSettings(**everything), keep_session=keep_session))  # type: ignore[arg-type] # each has its own type
        return made[-1]

    yield new
    for transport in made:
        await transport.async_stop()


async def set_up_mqtt(hass: HomeAssistant, port: int) -> MockConfigEntry:
    """Set Home Assistant's MQTT up, with a broker on this port, and return its entry."""
    data = {"broker": "127.0.0.1", "port": port, "protocol": "5", "discovery": False}
    entry = MockConfigEntry(domain="mqtt", version=2, minor_version=1, data=data)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


@pytest.fixture
def home_assistant(hass: HomeAssistant, mock_hass_config: None, monkeypatch: pytest.MonkeyPatch) -> HomeAssistant:
    """A Home Assistant whose MQTT tries to connect again sooner than every 10 s."""
    monkeypatch.setattr(mqtt_client, "RECONNECT_INTERVAL_SECONDS", 0.2)
    return hass


@pytest.fixture(params=["broker", "home_assistant"])
async def new_either(
    request: pytest.FixtureRequest,
    broker: Mosquitto,
    home_assistant: HomeAssistant,
    new_transport: NewTransport,
) -> AsyncGenerator[Callable[[], Awaitable[Transport]]]:
    """Make transports, not yet started, of one kind and then of the other."""
    made: list[Transport] = []

    async def new() -> Transport:
        if request.param == "broker":
            return new_transport(broker.port)
        await set_up_mqtt(home_assistant, broker.port)
        made.append(HomeAssistantTransport(home_assistant))
        return made[-1]

    yield new
    for transport in made:
        await transport.async_stop()


@pytest.fixture
async def either(new_either: Callable[[], Awaitable[Transport]]) -> Transport:
    """A started transport, of one kind and then of the other."""
    transport = await new_either()
    await transport.async_start()
    return transport

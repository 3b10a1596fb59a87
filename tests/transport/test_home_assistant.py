"""The connection of Home Assistant's MQTT: what only that one can do, or cannot."""

import asyncio
from collections.abc import AsyncGenerator

import aiomqtt
from homeassistant.core import HomeAssistant
import pytest

from custom_components.emu_ota.transport import CannotConnect, NotSent, TransportError
from custom_components.emu_ota.transport.home_assistant import HomeAssistantTransport
from tests.doors import Door
from tests.mosquitto import Mosquitto

from .conftest import Changes, Inbox, set_up_mqtt


@pytest.fixture
async def transport(home_assistant: HomeAssistant) -> AsyncGenerator[HomeAssistantTransport]:
    """A transport that is not started yet."""
    made = HomeAssistantTransport(home_assistant)
    yield made
    await made.async_stop()


async def test_without_mqtt_nobody_can_connect(transport: HomeAssistantTransport) -> None:
    async with asyncio.timeout(1):
        with pytest.raises(CannotConnect):
            await transport.async_start()
    assert not transport.connected
    with pytest.raises(NotSent):
        await transport.async_publish("site/command", b"{}")


async def test_mqtt_that_is_not_connected_is_told_in_time(
    transport: HomeAssistantTransport, home_assistant: HomeAssistant, broker: Mosquitto
) -> None:
    broker.stop()
    await set_up_mqtt(home_assistant, broker.port)
    async with asyncio.timeout(12):
        with pytest.raises(CannotConnect):
            await transport.async_start()


async def test_mqtt_that_connects_a_little_later_is_waited_for(
    transport: HomeAssistantTransport, home_assistant: HomeAssistant, broker: Mosquitto, peer: aiomqtt.Client
) -> None:
    inbox = Inbox()
    await transport.async_subscribe("site/a", inbox.put_nowait)
    async with Door(broker.port) as door:
        port = door.port
    await set_up_mqtt(home_assistant, port)  # nobody listens there yet
    starting = asyncio.create_task(transport.async_start())
    await asyncio.sleep(0.3)
    assert not starting.done()
    with Mosquitto(port=port) as late:
        await starting
        assert transport.connected
        async with aiomqtt.Client(late.host, late.port) as somebody:
            await somebody.publish("site/a", b"1")
            assert (await inbox.next()).payload == b"1"
        await transport.async_stop()


async def test_a_reload_of_mqtt_is_survived_and_its_leftovers_are_not_heard(
    transport: HomeAssistantTransport, home_assistant: HomeAssistant, broker: Mosquitto, peer: aiomqtt.Client
) -> None:
    entry = await set_up_mqtt(home_assistant, broker.port)
    ended, inbox, changes = Inbox(), Inbox(), Changes()
    await transport.async_start()
    end = await transport.async_subscribe("site/a", ended.put_nowait)
    await transport.async_subscribe("site/a", inbox.put_nowait)
    transport.watch_connection(changes.put_nowait)
    assert await home_assistant.config_entries.async_reload(entry.entry_id)
    assert await changes.next() is False
    assert await changes.next() is True
    end()  # Home Assistant's own unsubscribe does not reach the new client
    await peer.publish("site/a", b"1")
    assert (await inbox.next()).payload == b"1"
    assert ended.empty()


async def test_mqtt_that_is_unloaded_is_a_lost_connection(
    transport: HomeAssistantTransport, home_assistant: HomeAssistant, broker: Mosquitto
) -> None:
    entry = await set_up_mqtt(home_assistant, broker.port)
    inbox, changes = Inbox(), Changes()
    await transport.async_start()
    end = await transport.async_subscribe("site/a", inbox.put_nowait)
    transport.watch_connection(changes.put_nowait)
    assert await home_assistant.config_entries.async_unload(entry.entry_id)
    assert await changes.next() is False
    with pytest.raises(NotSent):
        await transport.async_publish("site/command", b"{}")
    end()


async def test_mqtt_that_was_removed_takes_no_subscription(
    transport: HomeAssistantTransport, home_assistant: HomeAssistant, broker: Mosquitto, peer: aiomqtt.Client
) -> None:
    entry = await set_up_mqtt(home_assistant, broker.port)
    inbox = Inbox()
    await transport.async_start()
    await home_assistant.config_entries.async_remove(entry.entry_id)
    with pytest.raises(CannotConnect):
        await transport.async_subscribe("site/a", inbox.put_nowait)


async def test_a_message_without_an_acknowledgement_is_not_called_sent_or_unsent(
    transport: HomeAssistantTransport, home_assistant: HomeAssistant, broker: Mosquitto, peer: aiomqtt.Client
) -> None:
    await peer.subscribe("site/command")
    async with Door(broker.port) as door:
        entry = await set_up_mqtt(home_assistant, door.port)
        await transport.async_start()
        door.mute = True
        with pytest.raises(TransportError) as raised:
            await transport.async_publish("site/command", b"order")
        assert not isinstance(raised.value, NotSent)
        message = await asyncio.wait_for(anext(aiter(peer.messages)), 10)
        assert message.payload == b"order"
        door.mute = False
        await asyncio.sleep(1.5)  # until Home Assistant has given up on it, too
        await transport.async_stop()
        await home_assistant.config_entries.async_unload(entry.entry_id)

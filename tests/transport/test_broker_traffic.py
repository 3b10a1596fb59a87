"""What goes over an own connection: orders once or surely not, whatever the broker does with them."""

import asyncio
import logging

import aiomqtt
import pytest

from custom_components.emu_ota.transport import NotAuthorized, NotSent, TransportError
from custom_components.emu_ota.transport.mqtt_client import MAX_IN_FLIGHT, MAX_PACKET_SIZE
from tests.doors import Door
from tests.mosquitto import Mosquitto

from .conftest import Changes, Inbox, NewTransport, becomes_true, logged, received


async def test_a_message_that_nobody_listens_to_is_dropped_with_a_debug_line(
    new_transport: NewTransport, broker: Mosquitto, peer: aiomqtt.Client, caplog: pytest.LogCaptureFixture
) -> None:
    before, inbox = new_transport(broker.port, keep_session=True, client_id="us"), Inbox()
    await before.async_start()
    await before.async_subscribe("site/a", inbox.put_nowait)
    await before.async_stop()
    await peer.publish("site/a", b"1", qos=1)
    after = new_transport(broker.port, keep_session=True, client_id="us")
    await after.async_start()
    await becomes_true(lambda: "Dropped a message on site/a" in caplog.text)
    assert not logged(caplog, logging.WARNING)


async def test_an_order_without_an_acknowledgement_is_not_called_unsent_and_never_repeated(
    new_transport: NewTransport, broker: Mosquitto, peer: aiomqtt.Client
) -> None:
    await peer.subscribe("site/command", qos=1)
    async with Door(broker.port) as door:
        transport, changes = new_transport(door.port, keep_session=True), Changes()
        await transport.async_start()
        transport.watch_connection(changes.put_nowait)
        door.mute = True
        ordering = asyncio.create_task(transport.async_publish("site/command", b"order"))
        assert await received(peer) == b"order"
        door.cut()
        with pytest.raises(TransportError) as raised:
            async with asyncio.timeout(3):
                await ordering
        assert not isinstance(raised.value, NotSent)
        door.mute = False
        assert await changes.next() is False
        assert await changes.next() is True
        await transport.async_publish("site/command", b"next")
        assert await received(peer) == b"next"
        await transport.async_stop()


async def test_a_broker_that_owes_an_acknowledgement_is_not_waited_for_without_end(
    new_transport: NewTransport, broker: Mosquitto
) -> None:
    async with Door(broker.port) as door:
        transport, inbox = new_transport(door.port), Inbox()
        await transport.async_start()
        door.mute = True
        async with asyncio.timeout(15):
            published, subscribed = await asyncio.gather(
                transport.async_publish("site/command", b"order"),
                transport.async_subscribe("site/a", inbox.put_nowait),
                return_exceptions=True,
            )
        assert isinstance(published, TransportError)
        assert not isinstance(published, NotSent)
        assert callable(subscribed)  # the next connection will have it
        door.mute = False
        await becomes_true(lambda: transport.connected and len(door.connects) > 1)
        await transport.async_publish("site/a", b"1")
        assert (await inbox.next()).payload == b"1"
        await transport.async_stop()


async def test_what_waited_for_its_turn_when_the_connection_was_lost_is_surely_not_sent(
    new_transport: NewTransport, broker: Mosquitto, peer: aiomqtt.Client
) -> None:
    await peer.subscribe("site/+", qos=1)
    async with Door(broker.port) as door:
        transport = new_transport(door.port)
        await transport.async_start()
        door.mute = True
        publishing = [asyncio.create_task(transport.async_publish(f"site/{number}", b"ask")) for number in range(30)]
        for _ in range(MAX_IN_FLIGHT):
            assert await received(peer) == b"ask"
        door.cut()
        results = await asyncio.gather(*publishing, return_exceptions=True)
        assert [type(result) for result in results] == [TransportError] * MAX_IN_FLIGHT + [NotSent] * 20
        assert len(peer.messages) == 0
        await transport.async_stop()


async def test_a_subscription_that_is_given_up_is_not_heard(
    new_transport: NewTransport, broker: Mosquitto, peer: aiomqtt.Client
) -> None:
    async with Door(broker.port) as door:
        transport, given_up, inbox = new_transport(door.port), Inbox(), Inbox()
        await transport.async_start()
        await transport.async_subscribe("site/b", inbox.put_nowait)
        door.mute = True
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await transport.async_subscribe("site/a", given_up.put_nowait)
        door.mute = False
        await peer.publish("site/a", b"1", qos=1)
        await peer.publish("site/b", b"2", qos=1)
        assert (await inbox.next()).payload == b"2"
        assert given_up.empty()
        await transport.async_stop()


async def test_many_messages_go_out_at_once(
    new_transport: NewTransport, broker: Mosquitto, peer: aiomqtt.Client, caplog: pytest.LogCaptureFixture
) -> None:
    await peer.subscribe("site/+", qos=1)
    transport = new_transport(broker.port)
    await transport.async_start()
    await asyncio.gather(*(transport.async_publish(f"site/{number}", b"ask") for number in range(300)))
    assert [await received(peer) for _ in range(300)] == [b"ask"] * 300
    assert not logged(caplog, logging.WARNING)


async def test_a_message_that_the_broker_refuses_is_not_sent(new_transport: NewTransport, socket_enabled: None) -> None:
    with Mosquitto(refused_messages=["site/command"]) as broker:
        transport = new_transport(broker.port)
        await transport.async_start()
        with pytest.raises(NotSent):
            await transport.async_publish("site/command", b"order")
        await transport.async_publish("site/other", b"ask")


async def test_a_refused_subscription_is_told_and_the_others_work(
    new_transport: NewTransport, socket_enabled: None
) -> None:
    with Mosquitto(refused_subscriptions=["site/refused"]) as broker:
        transport, refused, inbox = new_transport(broker.port), Inbox(), Inbox()
        await transport.async_start()
        with pytest.raises(NotAuthorized):
            await transport.async_subscribe("site/refused", refused.put_nowait)
        await transport.async_subscribe("site/refused", refused.put_nowait, optional=True)
        await transport.async_subscribe("site/a", inbox.put_nowait)
        await transport.async_publish("site/refused", b"1")
        await transport.async_publish("site/a", b"2")
        assert (await inbox.next()).payload == b"2"
        assert refused.empty()


async def test_more_topics_than_a_packet_takes_are_heard(
    new_transport: NewTransport, broker: Mosquitto, peer: aiomqtt.Client
) -> None:
    transport, inbox = new_transport(broker.port), Inbox()
    topics = [f"site/{number}" for number in range(250)]
    for topic in topics:
        await transport.async_subscribe(topic, inbox.put_nowait)
    await transport.async_start()
    for topic in topics:
        await peer.publish(topic, b"")
    assert [(await inbox.next()).topic for _ in topics] == topics


async def test_a_flood_loses_nothing_and_keeps_its_order(
    new_transport: NewTransport, broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    transport, inbox = new_transport(broker.port), Inbox()
    await transport.async_start()
    await transport.async_subscribe("site/a", inbox.put_nowait)
    async with aiomqtt.Client(broker.host, broker.port, max_queued_outgoing_messages=0) as peer:
        for number in range(2000):
            await peer.publish("site/a", str(number).encode())
    assert [int((await inbox.next()).payload) for _ in range(2000)] == list(range(2000))


async def test_a_message_beyond_every_limit_is_not_even_taken_from_the_broker(
    new_transport: NewTransport, broker: Mosquitto, peer: aiomqtt.Client
) -> None:
    transport, inbox = new_transport(broker.port), Inbox()
    await transport.async_start()
    await transport.async_subscribe("site/a", inbox.put_nowait)
    await peer.publish("site/a", bytes(MAX_PACKET_SIZE), qos=1)
    await peer.publish("site/a", bytes(MAX_PACKET_SIZE // 2 + 1), qos=1)
    assert len((await inbox.next()).payload) == MAX_PACKET_SIZE // 2 + 1

"""The transport in memory keeps the promises of `Transport`."""

import asyncio

import pytest

from custom_components.emu_ota.transport import (
    CannotConnect,
    InvalidAuth,
    NotAuthorized,
    NotSent,
    Received,
    TransportError,
)
from simulator.memory import MemoryBroker, MemoryTransport, Published


async def started(broker: MemoryBroker, *, keep_session: bool = False) -> MemoryTransport:
    """Return a transport that is connected."""
    transport = MemoryTransport(broker, keep_session=keep_session)
    await transport.async_start()
    return transport


async def settle() -> None:
    """Let the event loop call back."""
    await asyncio.sleep(0)


async def test_a_message_reaches_those_who_hear_its_exact_topic() -> None:
    broker = MemoryBroker()
    sender, hearer = await started(broker), await started(broker)
    heard: list[Received] = []
    await hearer.async_subscribe("a/b", heard.append)
    await hearer.async_subscribe("a/b", heard.append)
    await hearer.async_subscribe("a/#", heard.append)
    await sender.async_publish("a/b", b"1")
    await sender.async_publish("a", b"2")
    await sender.async_publish("a/b/c", b"3")
    assert heard == [Received("a/b", b"1", retained=False)] * 2
    assert broker.published == [Published("a/b", b"1"), Published("a", b"2"), Published("a/b/c", b"3")]
    assert broker.payloads("a") == [b"2"]


async def test_nothing_is_delivered_before_the_event_loop_goes_on() -> None:
    broker = MemoryBroker()
    transport = await started(broker)
    heard: list[Received] = []
    await transport.async_subscribe("a", heard.append)
    broker.publish("a", b"1")
    assert heard == []
    await settle()
    assert len(heard) == 1


async def test_a_subscription_ends_and_so_does_what_is_on_its_way() -> None:
    broker = MemoryBroker()
    transport = await started(broker)
    heard: list[Received] = []
    end = await transport.async_subscribe("a", heard.append)
    broker.publish("a", b"1")
    end()
    end()
    await settle()
    assert heard == []


async def test_a_retained_message_is_old_news_only_for_those_who_come_later() -> None:
    broker = MemoryBroker()
    sender, hearer = await started(broker), await started(broker)
    heard: list[Received] = []
    await hearer.async_subscribe("a", heard.append)
    await sender.async_publish_retained("a", b"1")
    await hearer.async_subscribe("a", heard.append)
    await settle()
    assert [message.retained for message in heard] == [False, True]
    broker.publish("a", b"", retained=True)
    assert broker.retained == {}


async def test_topics_noted_before_the_start_are_heard_after_it() -> None:
    broker = MemoryBroker()
    transport = MemoryTransport(broker)
    heard: list[Received] = []
    await transport.async_subscribe("a", heard.append)
    broker.publish("a", b"early")
    await transport.async_start()
    broker.publish("a", b"1")
    await settle()
    assert [message.payload for message in heard] == [b"1"]


async def test_a_lost_connection_is_told_and_heals_with_its_subscriptions() -> None:
    broker = MemoryBroker()
    transport = await started(broker)
    told: list[bool] = []
    heard: list[Received] = []
    end = transport.watch_connection(told.append)
    await transport.async_subscribe("a", heard.append)
    broker.connected = False
    assert not transport.connected
    with pytest.raises(NotSent):
        await transport.async_publish("a", b"1")
    broker.publish("a", b"missed")
    broker.connected = True
    broker.publish("a", b"2")
    await settle()
    assert told == [False, True]
    assert [message.payload for message in heard] == [b"2"]
    end()
    broker.connected = False
    await settle()
    assert told == [False, True]


async def test_one_connection_can_be_cut_and_a_session_kept_for_it() -> None:
    broker = MemoryBroker()
    forgetful, keeping, other = await started(broker), await started(broker, keep_session=True), await started(broker)
    heard: dict[str, list[bytes]] = {"forgetful": [], "keeping": []}
    await forgetful.async_subscribe("a", lambda message: heard["forgetful"].append(message.payload))
    await keeping.async_subscribe("a", lambda message: heard["keeping"].append(message.payload))
    for transport in (forgetful, keeping):
        transport.cut()
    await other.async_publish("a", b"1")
    for transport in (forgetful, keeping):
        transport.heal()
    await settle()
    assert heard == {"forgetful": [], "keeping": [b"1"]}
    assert broker.transports == [forgetful, keeping, other]


async def test_a_stopped_transport_calls_nobody_back() -> None:
    broker = MemoryBroker()
    transport = await started(broker)
    calls: list[object] = []
    transport.watch_connection(calls.append)
    await transport.async_subscribe("a", calls.append)
    broker.publish("a", b"1")
    await transport.async_stop()
    broker.publish("a", b"2")
    broker.connected = False
    await settle()
    assert calls == []
    assert not transport.connected
    assert broker.transports == []


async def test_a_start_fails_as_the_broker_says_and_can_be_tried_again() -> None:
    broker = MemoryBroker()
    transport = MemoryTransport(broker)
    broker.connected = False
    with pytest.raises(CannotConnect):
        await transport.async_start()
    broker.connected = True
    broker.start_error = InvalidAuth("no")
    with pytest.raises(InvalidAuth):
        await transport.async_start()
    broker.start_error = None
    await transport.async_start()
    assert transport.connected


async def test_a_refused_topic_is_not_heard_and_told_unless_it_is_optional() -> None:
    broker = MemoryBroker()
    broker.refused.add("a")
    transport = await started(broker)
    heard: list[Received] = []
    with pytest.raises(NotAuthorized):
        await transport.async_subscribe("a", heard.append)
    await transport.async_subscribe("a", heard.append, optional=True)
    broker.publish("a", b"1", retained=True)
    await settle()
    assert heard == []


@pytest.mark.parametrize(
    ("error", "delivered"),
    [(NotSent("gone"), False), (TransportError("not told"), True), (TransportError("not told"), False)],
)
async def test_a_publish_fails_as_often_as_told(error: TransportError, *, delivered: bool) -> None:
    broker = MemoryBroker()
    transport = await started(broker)
    broker.fail_publish("a", error, delivered=delivered)
    with pytest.raises(type(error)):
        await transport.async_publish("a", b"1")
    await transport.async_publish("a", b"2")
    assert broker.payloads("a") == ([b"1", b"2"] if delivered else [b"2"])

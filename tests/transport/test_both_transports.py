"""What both transports promise, on a real broker."""

import asyncio
from collections.abc import Awaitable, Callable

import aiomqtt
import pytest

from custom_components.emu_ota.transport import NotSent, Received, Transport
from tests.mosquitto import Mosquitto

from .conftest import Changes, Inbox


def is_connected(transport: Transport) -> bool:
    """Return what it says now; the type checker takes a property for a constant."""
    return transport.connected


async def test_a_message_arrives_as_the_bytes_that_were_sent(either: Transport, peer: aiomqtt.Client) -> None:
    inbox = Inbox()
    await either.async_subscribe("site/a", inbox.put_nowait)
    await peer.publish("site/a", b"\xff\x00{", qos=1)
    assert await inbox.next() == Received("site/a", b"\xff\x00{", retained=False)


async def test_a_topic_that_was_subscribed_before_the_start_is_heard(
    new_either: Callable[[], Awaitable[Transport]], peer: aiomqtt.Client
) -> None:
    transport, inbox = await new_either(), Inbox()
    await transport.async_subscribe("site/a", inbox.put_nowait)
    assert not is_connected(transport)
    await transport.async_start()
    assert is_connected(transport)
    await peer.publish("site/a", b"1")
    assert (await inbox.next()).payload == b"1"


async def test_a_topic_that_ended_before_the_start_is_not_heard(
    new_either: Callable[[], Awaitable[Transport]], peer: aiomqtt.Client
) -> None:
    transport, ended, inbox = await new_either(), Inbox(), Inbox()
    (await transport.async_subscribe("site/a", ended.put_nowait))()
    await transport.async_subscribe("site/b", inbox.put_nowait)
    await transport.async_start()
    await peer.publish("site/a", b"1")
    await peer.publish("site/b", b"2")
    assert (await inbox.next()).payload == b"2"
    assert ended.empty()


async def test_a_retained_message_says_so_and_a_live_one_does_not(either: Transport, peer: aiomqtt.Client) -> None:
    inbox = Inbox()
    await peer.publish("site/a", b"old", qos=1, retain=True)
    await either.async_subscribe("site/a", inbox.put_nowait)
    assert await inbox.next() == Received("site/a", b"old", retained=True)
    await peer.publish("site/a", b"new", qos=1, retain=True)
    assert await inbox.next() == Received("site/a", b"new", retained=False)


async def test_everybody_who_subscribed_a_topic_hears_it_until_they_end(
    either: Transport, peer: aiomqtt.Client
) -> None:
    first, second = Inbox(), Inbox()
    end_first = await either.async_subscribe("site/a", first.put_nowait)
    await either.async_subscribe("site/a", second.put_nowait)
    await peer.publish("site/a", b"1")
    assert [(await inbox.next()).payload for inbox in (first, second)] == [b"1", b"1"]
    end_first()
    end_first()  # harmless
    await peer.publish("site/a", b"2")
    assert (await second.next()).payload == b"2"
    assert first.empty()


async def test_a_topic_can_be_subscribed_again_right_after_its_end(either: Transport, peer: aiomqtt.Client) -> None:
    ended, inbox = Inbox(), Inbox()
    (await either.async_subscribe("site/a", ended.put_nowait))()
    await either.async_subscribe("site/a", inbox.put_nowait)
    await peer.publish("site/a", b"1")
    assert (await inbox.next()).payload == b"1"
    assert ended.empty()


async def test_a_published_message_goes_out_with_qos_1_and_is_not_retained(
    either: Transport, peer: aiomqtt.Client, broker: Mosquitto
) -> None:
    await peer.subscribe("site/command", qos=2)
    await either.async_publish("site/command", b"\xff{}")
    message = await asyncio.wait_for(anext(aiter(peer.messages)), 10)
    assert (message.topic.value, message.payload, message.qos) == ("site/command", b"\xff{}", 1)
    async with aiomqtt.Client(broker.host, broker.port) as late:
        await late.subscribe("site/#")
        await late.publish("site/last", b"")
        assert (await asyncio.wait_for(anext(aiter(late.messages)), 10)).topic.value == "site/last"


async def test_nothing_is_published_before_the_start(new_either: Callable[[], Awaitable[Transport]]) -> None:
    with pytest.raises(NotSent):
        await (await new_either()).async_publish("site/command", b"{}")


async def test_after_the_stop_nothing_is_heard_told_or_published(
    either: Transport, peer: aiomqtt.Client, broker: Mosquitto
) -> None:
    inbox, changes = Inbox(), Changes()
    await either.async_subscribe("site/a", inbox.put_nowait)
    either.watch_connection(changes.put_nowait)
    await either.async_stop()
    assert not either.connected
    with pytest.raises(NotSent):
        await either.async_publish("site/a", b"{}")
    await peer.subscribe("site/a")
    await peer.publish("site/a", b"1")
    await asyncio.wait_for(anext(aiter(peer.messages)), 10)
    broker.restart()
    await asyncio.sleep(0.3)
    assert inbox.empty()
    assert changes.empty()
    await either.async_stop()  # harmless


async def test_a_lost_connection_is_told_and_heals_by_itself(either: Transport, broker: Mosquitto) -> None:
    inbox, changes = Inbox(), Changes()
    await either.async_subscribe("site/a", inbox.put_nowait)
    either.watch_connection(changes.put_nowait)
    broker.stop()
    assert await changes.next() is False
    assert not is_connected(either)
    with pytest.raises(NotSent):
        await either.async_publish("site/command", b"{}")
    broker.start()
    assert await changes.next() is True
    assert is_connected(either)
    # At once: whoever asks when the connection is back must hear the answer.
    async with aiomqtt.Client(broker.host, broker.port) as peer:
        await peer.publish("site/a", b"back", qos=1)
        assert (await inbox.next()).payload == b"back"
    assert changes.empty()


async def test_what_could_not_be_sent_is_not_sent_later(either: Transport, broker: Mosquitto) -> None:
    changes = Changes()
    either.watch_connection(changes.put_nowait)
    broker.stop()
    assert await changes.next() is False
    with pytest.raises(NotSent):
        await either.async_publish("site/command", b"order")
    broker.start()
    async with aiomqtt.Client(broker.host, broker.port) as peer:
        await peer.subscribe("site/#")
        assert await changes.next() is True
        await either.async_publish("site/command", b"next")
        assert (await asyncio.wait_for(anext(aiter(peer.messages)), 10)).payload == b"next"


async def test_a_topic_that_is_subscribed_during_an_outage_is_heard_after_it(
    either: Transport, broker: Mosquitto
) -> None:
    kept, ended, changes = Inbox(), Inbox(), Changes()
    end = await either.async_subscribe("site/ended", ended.put_nowait)
    either.watch_connection(changes.put_nowait)
    broker.stop()
    assert await changes.next() is False
    await either.async_subscribe("site/kept", kept.put_nowait)
    end()
    broker.start()
    assert await changes.next() is True
    async with aiomqtt.Client(broker.host, broker.port) as peer:
        await peer.publish("site/ended", b"1")
        await peer.publish("site/kept", b"2")
    assert (await kept.next()).payload == b"2"
    assert ended.empty()


async def test_a_watcher_that_has_ended_is_not_told(either: Transport, broker: Mosquitto) -> None:
    ended, changes = Changes(), Changes()
    end = either.watch_connection(ended.put_nowait)
    either.watch_connection(changes.put_nowait)
    end()
    broker.kill()
    assert await changes.next() is False
    assert ended.empty()


async def test_a_callback_that_fails_is_logged_once_and_stops_nobody(
    either: Transport, peer: aiomqtt.Client, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Received) -> None:
        raise RuntimeError("broken callback")

    inbox = Inbox()
    await either.async_subscribe("site/a", fail)
    await either.async_subscribe("site/a", inbox.put_nowait)
    for payload in (b"1", b"2"):
        await peer.publish("site/a", payload, qos=1)
        assert (await inbox.next()).payload == payload
    assert caplog.text.count("Could not take a message on site/a") == 1


async def test_a_watcher_that_fails_is_logged_and_stops_nobody(
    either: Transport, broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: bool) -> None:  # noqa: FBT001 - the signature of a watcher
        raise RuntimeError("broken watcher")

    changes = Changes()
    either.watch_connection(fail)
    either.watch_connection(changes.put_nowait)
    broker.restart()
    assert await changes.next() is False
    assert await changes.next() is True
    assert caplog.text.count("Could not take the change of a connection") == 2


async def test_a_watcher_may_end_another_in_its_call(either: Transport, broker: Mosquitto) -> None:
    ended, changes = Changes(), Changes()
    either.watch_connection(lambda _: end())
    end = either.watch_connection(ended.put_nowait)
    either.watch_connection(changes.put_nowait)
    broker.stop()
    assert await changes.next() is False
    assert ended.empty()

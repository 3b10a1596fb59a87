"""An own connection lives for months: through losses, restarts and changes of the broker."""

import asyncio
import logging

import aiomqtt
import pytest

from custom_components.emu_ota.transport import TransportError
from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport
from tests.certificates import Authority
from tests.doors import Door
from tests.mosquitto import Mosquitto, MosquittoTls

from .conftest import Changes, Inbox, NewTransport, becomes_true, logged


@pytest.mark.parametrize("refusal", [None, b"\x20\x02\x00\x01"], ids=["MQTT 5", "MQTT 3.1.1"])
async def test_what_comes_while_we_are_away_is_delivered_at_the_next_start(
    refusal: bytes | None, new_transport: NewTransport, broker: Mosquitto, peer: aiomqtt.Client
) -> None:
    async with Door(broker.port, refuses_mqtt5=refusal) as door:
        before, inbox = new_transport(door.port, keep_session=True, client_id="us"), Inbox()
        await before.async_start()
        await before.async_subscribe("site/a", inbox.put_nowait)
        await before.async_stop()
        await peer.publish("site/a", b"answer", qos=1)
        after = new_transport(door.port, keep_session=True, client_id="us")
        await after.async_subscribe("site/a", inbox.put_nowait)
        await after.async_start()
        assert (await inbox.next()).payload == b"answer"
        await after.async_stop()


async def test_what_comes_during_a_loss_is_delivered_after_it(
    new_transport: NewTransport, broker: Mosquitto, peer: aiomqtt.Client
) -> None:
    async with Door(broker.port) as door:
        transport, inbox, changes = new_transport(door.port, keep_session=True), Inbox(), Changes()
        await transport.async_start()
        await transport.async_subscribe("site/a", inbox.put_nowait)
        transport.watch_connection(changes.put_nowait)
        door.cut()
        assert await changes.next() is False
        await peer.publish("site/a", b"answer", qos=1)
        assert (await inbox.next()).payload == b"answer"
        await transport.async_stop()


async def test_without_a_session_nothing_is_kept_nor_taken_over(
    new_transport: NewTransport, broker: Mosquitto, peer: aiomqtt.Client
) -> None:
    inbox = Inbox()
    for keep_session in (True, False, False):
        transport = new_transport(broker.port, keep_session=keep_session, client_id="us")
        await transport.async_subscribe("site/a", inbox.put_nowait)
        await transport.async_start()
        await peer.publish("site/a", b"now", qos=1)
        assert (await inbox.next()).payload == b"now"
        await transport.async_stop()
        await peer.publish("site/a", b"while away", qos=1)
    assert inbox.empty()


async def test_a_session_holds_no_topic_that_ended_while_we_were_away(
    new_transport: NewTransport, broker: Mosquitto, peer: aiomqtt.Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with Door(broker.port) as door:
        transport, inbox, changes = new_transport(door.port, keep_session=True), Inbox(), Changes()
        await transport.async_start()
        end = await transport.async_subscribe("site/ended", inbox.put_nowait)
        await transport.async_subscribe("site/kept", inbox.put_nowait)
        transport.watch_connection(changes.put_nowait)
        door.cut()
        assert await changes.next() is False
        end()
        assert await changes.next() is True
        await peer.publish("site/ended", b"1", qos=1)
        await peer.publish("site/kept", b"2", qos=1)
        assert (await inbox.next()).payload == b"2"
        assert "nobody listens" not in caplog.text
        await transport.async_stop()


async def test_a_refusal_at_a_connect_is_logged_once(
    new_transport: NewTransport, socket_enabled: None, caplog: pytest.LogCaptureFixture
) -> None:
    with Mosquitto(refused_subscriptions=["site/refused", "site/optional"]) as broker:
        transport, inbox, changes = new_transport(broker.port), Inbox(), Changes()
        for topic in ("site/refused", "site/a"):
            await transport.async_subscribe(topic, inbox.put_nowait)
        await transport.async_subscribe("site/optional", inbox.put_nowait, optional=True)
        await transport.async_start()
        transport.watch_connection(changes.put_nowait)
        for _ in range(2):
            broker.restart()
            assert await changes.next() is False
            assert await changes.next() is True
        assert logged(caplog, logging.WARNING) == ["The broker refuses the subscription of site/refused"]


async def test_a_reconnect_speaks_the_version_that_was_found(new_transport: NewTransport, broker: Mosquitto) -> None:
    async with Door(broker.port, refuses_mqtt5=b"\x20\x02\x00\x01") as door:
        transport = new_transport(door.port)
        await transport.async_start()
        door.cut()
        await becomes_true(lambda: len(door.connects) == 3)
        assert door.connects == [5, 4, 4]
        await transport.async_stop()


async def test_a_broker_of_mqtt_5_that_hangs_up_is_not_taken_for_an_old_one(
    new_transport: NewTransport, broker: Mosquitto
) -> None:
    async with Door(broker.port) as door:
        transport = new_transport(door.port)
        await transport.async_start()
        door.refuses_mqtt5 = b""  # as one does that is about to restart
        door.cut()
        await becomes_true(lambda: len(door.connects) == 3)
        door.refuses_mqtt5 = None
        await becomes_true(lambda: transport.connected)
        assert set(door.connects) == {5}
        await transport.async_stop()


async def test_a_password_that_is_no_longer_right_is_logged_once_and_tried_again(
    new_transport: NewTransport, broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    transport = new_transport(broker.port, username="site", password="old-password")
    await transport.async_start()
    broker.stop()
    with Mosquitto(users={"site": "new-password"}, port=broker.port) as changed:
        await becomes_true(lambda: changed.log.count("not authorised") >= 2)
    broker.start()
    await becomes_true(lambda: transport.connected)
    [warning] = logged(caplog, logging.WARNING)
    assert "refuses us" in warning


async def test_a_loss_is_one_line_when_it_begins_and_one_when_it_ends(
    new_transport: NewTransport, broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    async with Door(broker.port) as door:
        transport, changes = new_transport(door.port), Changes()
        await transport.async_start()
        transport.watch_connection(changes.put_nowait)
        broker.kill()
        door.cut()
        assert await changes.next() is False
        await asyncio.sleep(2)  # for a few tries
        broker.start()
        assert await changes.next() is True
        lines = [line.split(" to ")[0] for line in logged(caplog, logging.INFO)]
        assert lines == ["Lost the connection", "Connected again"]
        await transport.async_stop()


async def test_a_stop_during_an_outage_ends_the_tries(new_transport: NewTransport, broker: Mosquitto) -> None:
    transport, changes = new_transport(broker.port), Changes()
    await transport.async_start()
    transport.watch_connection(changes.put_nowait)
    broker.stop()
    assert await changes.next() is False
    await transport.async_stop()
    broker.start()
    await asyncio.sleep(1.5)
    assert "New client connected" not in broker.log.rpartition(" running")[2]


async def test_no_secret_reaches_a_log(
    new_transport: NewTransport, socket_enabled: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    authority = Authority()
    client = authority.client()
    secrets = {"username": "site-secret-name", "password": "site-secret-word", "client_key": client.key}
    settings: dict[str, str | int | bool | None] = {
        **secrets,
        "tls": True,
        "ca_certificate": authority.certificate,
        "client_certificate": client.certificate,
    }
    tls = MosquittoTls(server=authority.server(), client_authority=authority.certificate)
    with Mosquitto(users={secrets["username"]: secrets["password"]}, tls=tls) as broker:
        transport, changes = new_transport(broker.port, **settings), Changes()
        await transport.async_start()
        transport.watch_connection(changes.put_nowait)
        await transport.async_publish("site/a", b"{}")
        broker.restart()
        assert await changes.next() is False
        assert await changes.next() is True
        told = []
        for wrong in ({"password": "wrong-secret-word"}, {"client_key": "wrong-secret-key"}, {"tls": False}):
            with pytest.raises(TransportError) as raised:
                await new_transport(broker.port, **(settings | wrong)).async_start()
            told += [repr(raised.value), repr(raised.value.__cause__)]
    assert "Sending CONNECT" in caplog.text  # it is all there at the level of debug
    text = "".join((caplog.text, *told))
    for secret in (*secrets.values(), "wrong-secret", client.key.splitlines()[1]):
        assert secret not in text


def test_the_settings_show_no_secret() -> None:
    settings = BrokerSettings(
        host="broker.example",
        port=8883,
        client_id="us",
        username="secret",
        password="secret",
        ca_certificate="secret",
        client_certificate="secret",
        client_key="secret",
    )
    assert "broker.example" in repr(settings)
    assert "secret" not in repr(settings)
    assert "secret" not in repr(BrokerTransport(settings))

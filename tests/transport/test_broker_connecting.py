"""An own connection gets in wherever it can, and says what is wrong where it cannot."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
import ssl
import tempfile

import pytest

from custom_components.emu_ota.transport import CannotConnect, InvalidAuth, TlsError, TransportError
from tests.certificates import Authority
from tests.doors import Door, WebsocketDoor
from tests.mosquitto import Mosquitto, MosquittoTls, free_port

from .conftest import Inbox, NewTransport

AUTHORITY = Authority()
STRANGER = Authority("Somebody else")
CLIENT = AUTHORITY.client()
ENCRYPTED = AUTHORITY.client(password="key password")
STRANGER_CLIENT = STRANGER.client()

type Settings = dict[str, str | int | bool | None]
type Serve = Callable[[bytes | None], Awaitable[int]]

OURS: Settings = {"tls": True, "ca_certificate": AUTHORITY.certificate}
WITH_CLIENT: Settings = OURS | {"client_certificate": CLIENT.certificate, "client_key": CLIENT.key}


@pytest.fixture
def tls_broker(socket_enabled: None) -> Generator[Mosquitto]:
    """A broker with TLS."""
    with Mosquitto(tls=MosquittoTls(server=AUTHORITY.server())) as mosquitto:
        yield mosquitto


@pytest.fixture
def strict_broker(socket_enabled: None) -> Generator[Mosquitto]:
    """A broker with TLS that wants to see a certificate."""
    tls = MosquittoTls(server=AUTHORITY.server(), client_authority=AUTHORITY.certificate)
    with Mosquitto(tls=tls) as mosquitto:
        yield mosquitto


@pytest.fixture
def guarded_broker(socket_enabled: None) -> Generator[Mosquitto]:
    """A broker that wants a password."""
    with Mosquitto(users={"site": "right"}) as mosquitto:
        yield mosquitto


@pytest.fixture
async def serve(socket_enabled: None) -> AsyncGenerator[Serve]:
    """Run servers that are no brokers; what they answer to the first bytes, or None to say nothing."""
    servers: list[asyncio.Server] = []
    over = asyncio.Event()

    async def new(answer: bytes | None) -> int:
        async def came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if answer is None:
                await over.wait()
            else:
                await reader.read(1)
                writer.write(answer)
            writer.close()

        servers.append(await asyncio.start_server(came, "127.0.0.1", 0))
        port: int = servers[-1].sockets[0].getsockname()[1]
        return port

    yield new
    over.set()
    for server in servers:
        server.close()
    await asyncio.sleep(0.05)


@pytest.fixture
def server_context(tmp_path: Path) -> ssl.SSLContext:
    """What a server with a certificate of ours needs."""
    server = AUTHORITY.server()
    (tmp_path / "server.pem").write_text(f"{server.certificate}{server.key}", encoding="utf-8")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    return context


def names_in(folder: Path) -> list[str]:
    """Return what a folder holds."""
    return [path.name for path in folder.iterdir()]


async def works(new_transport: NewTransport, port: int, settings: Settings) -> None:
    """Prove that messages travel both ways."""
    transport, inbox = new_transport(port, **settings), Inbox()
    await transport.async_start()
    assert transport.connected
    await transport.async_subscribe("site/a", inbox.put_nowait)
    await transport.async_publish("site/a", b"1")
    assert (await inbox.next()).payload == b"1"
    await transport.async_stop()


async def fails(new_transport: NewTransport, port: int, settings: Settings) -> TransportError:
    """Return what a start raises."""
    transport = new_transport(port, **settings)
    with pytest.raises(TransportError) as raised:
        await transport.async_start()
    assert not transport.connected
    return raised.value


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("127.0.0.1", None),
        ("no-such-host.invalid", 1883),
        ("", 1883),
        (".", 1883),
        ("x" * 100, 1883),
        ("127.0.0.1", 65536),
    ],
    ids=["nothing listens", "unknown host", "no host", "a dot", "a label too long", "no port"],
)
async def test_where_nobody_listens_nobody_can_connect(
    host: str, port: int | None, new_transport: NewTransport, socket_enabled: None
) -> None:
    assert type(await fails(new_transport, port or free_port(), {"host": host})) is CannotConnect


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x20\x02\x00\x07", bytes(range(256))],
    ids=["a hang-up", "http", "ssh", "a CONNACK with an unknown code", "anything"],
)
@pytest.mark.parametrize("websockets", [False, True])
async def test_what_is_no_broker_is_told_at_once(
    *, answer: bytes, websockets: bool, new_transport: NewTransport, serve: Serve
) -> None:
    async with asyncio.timeout(5):
        err = await fails(new_transport, await serve(answer), {"websockets": websockets})
    assert isinstance(err, CannotConnect)


async def test_who_never_answers_is_given_up_in_time(new_transport: NewTransport, serve: Serve) -> None:
    port = await serve(None)
    ways: list[Settings] = [{}, {"tls": True}, {"websockets": True}, {"keepalive": 0, "tls": True}]
    async with asyncio.timeout(20):
        errors = await asyncio.gather(*(fails(new_transport, port, way) for way in ways))
    assert all(isinstance(err, CannotConnect) for err in errors)


async def test_a_start_that_is_cancelled_leaves_nothing(new_transport: NewTransport, serve: Serve) -> None:
    port = await serve(None)
    for settings in ({}, {"tls": True}):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await new_transport(port, **settings).async_start()
    # That no task, timer or thread is left is for verify_cleanup to find.


async def test_a_start_that_failed_can_be_tried_again(new_transport: NewTransport, broker: Mosquitto) -> None:
    transport = new_transport(broker.port)
    broker.stop()
    with pytest.raises(CannotConnect):
        await transport.async_start()
    broker.start()
    await transport.async_start()
    assert transport.connected


async def test_the_right_password_gets_in(new_transport: NewTransport, guarded_broker: Mosquitto) -> None:
    await works(new_transport, guarded_broker.port, {"username": "site", "password": "right"})


@pytest.mark.parametrize("mqtt5", [True, False])
@pytest.mark.parametrize(
    "settings",
    [{"username": "site", "password": "wrong"}, {"username": "other", "password": "right"}, {"username": "site"}, {}],
    ids=["wrong password", "unknown user", "no password", "nobody"],
)
async def test_who_is_not_let_in_is_told(
    *, settings: Settings, mqtt5: bool, new_transport: NewTransport, guarded_broker: Mosquitto
) -> None:
    async with Door(guarded_broker.port, refuses_mqtt5=None if mqtt5 else b"\x20\x02\x00\x01") as door:
        assert type(await fails(new_transport, door.port, settings)) is InvalidAuth


@pytest.mark.parametrize(
    "settings",
    [OURS, OURS | {"host": "localhost"}, {"tls": True, "verify_certificate": False}],
    ids=["own CA", "by name", "not verified"],
)
async def test_tls_works(settings: Settings, new_transport: NewTransport, tls_broker: Mosquitto) -> None:
    await works(new_transport, tls_broker.port, settings)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tls": True},
        OURS | {"ca_certificate": STRANGER.certificate},
        {"websockets": True},
    ],
    ids=["without TLS", "own CA not given", "another CA", "websockets without TLS"],
)
async def test_a_tls_port_that_is_not_spoken_to_as_one_is_told(
    settings: Settings, new_transport: NewTransport, tls_broker: Mosquitto
) -> None:
    async with asyncio.timeout(5):
        assert type(await fails(new_transport, tls_broker.port, settings)) is TlsError


async def test_a_certificate_for_another_host_is_told(new_transport: NewTransport, socket_enabled: None) -> None:
    with Mosquitto(tls=MosquittoTls(server=AUTHORITY.server("broker.example"))) as broker:
        assert type(await fails(new_transport, broker.port, OURS)) is TlsError
        await works(new_transport, broker.port, {"tls": True, "verify_certificate": False})


@pytest.mark.parametrize("websockets", [False, True])
async def test_tls_to_a_port_without_it_is_told(
    *, websockets: bool, new_transport: NewTransport, broker: Mosquitto
) -> None:
    settings: Settings = {"tls": True, "websockets": websockets}
    assert type(await fails(new_transport, broker.port, settings)) is TlsError


@pytest.mark.parametrize(
    "settings",
    [WITH_CLIENT, OURS | {"client_certificate": f"{CLIENT.certificate}{CLIENT.key}"}],
    ids=["in two texts", "in one text"],
)
async def test_a_client_certificate_gets_in_and_its_key_stays_nowhere(
    settings: Settings,
    new_transport: NewTransport,
    strict_broker: Mosquitto,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    await works(new_transport, strict_broker.port, settings)
    assert not names_in(tmp_path)


@pytest.mark.parametrize(
    "settings",
    [
        OURS,
        OURS | {"client_certificate": STRANGER_CLIENT.certificate, "client_key": STRANGER_CLIENT.key},
        {},
        OURS | {"websockets": True},
    ],
    ids=["none", "one that it does not know", "without TLS at all", "none over websockets"],
)
async def test_a_client_certificate_that_is_missing_or_wrong_is_told(
    settings: Settings, new_transport: NewTransport, strict_broker: Mosquitto
) -> None:
    assert type(await fails(new_transport, strict_broker.port, settings)) is TlsError


@pytest.mark.parametrize(
    "settings",
    [
        {"ca_certificate": ""},
        {"ca_certificate": "no certificate"},
        {"ca_certificate": "Zertifikat für alle"},
        {"ca_certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        {"ca_certificate": CLIENT.key},
        {"client_certificate": CLIENT.certificate},
        {"client_certificate": CLIENT.certificate, "client_key": STRANGER_CLIENT.key},
        {"client_certificate": CLIENT.certificate, "client_key": "no key"},
        {"client_certificate": ENCRYPTED.certificate, "client_key": ENCRYPTED.key},
    ],
    ids=[
        "empty",
        "text",
        "not ASCII",
        "PEM of nothing",
        "a key for a certificate",
        "no key",
        "another's key",
        "text for a key",
        "an encrypted key",
    ],
)
async def test_an_unusable_certificate_or_key_is_told(
    settings: Settings, new_transport: NewTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert type(await fails(new_transport, 1, {"tls": True} | settings)) is TlsError
    assert not names_in(tmp_path)


async def test_websockets_work(new_transport: NewTransport, broker: Mosquitto) -> None:
    async with WebsocketDoor(broker.port, path="/broker/ws") as door:
        await works(new_transport, door.port, {"websockets": True, "ws_path": "/broker/ws"})
        wrong_path: Settings = {"websockets": True, "ws_path": "/mqtt"}
        assert isinstance(await fails(new_transport, door.port, wrong_path), CannotConnect)


async def test_websockets_work_with_tls(
    new_transport: NewTransport, broker: Mosquitto, server_context: ssl.SSLContext
) -> None:
    async with WebsocketDoor(broker.port, context=server_context) as door:
        await works(new_transport, door.port, OURS | {"websockets": True})


async def test_mqtt_5_is_what_is_spoken_first(new_transport: NewTransport, broker: Mosquitto) -> None:
    async with Door(broker.port) as door:
        await works(new_transport, door.port, {})
        assert door.connects == [5]


@pytest.mark.parametrize(
    "refusal",
    [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00", b"", b"\x20\x02\x00\x05", b"\x20\x02\x00\x00"],
    ids=[
        "in words of 3.1.1",
        "in words of 5",
        "by hanging up",
        "by an answer that is none of 5's",
        "by taking it for 3.1.1",
    ],
)
async def test_a_broker_that_does_not_speak_mqtt_5_is_spoken_to_in_3_1_1(
    refusal: bytes, new_transport: NewTransport, broker: Mosquitto
) -> None:
    async with Door(broker.port, refuses_mqtt5=refusal) as door:
        await works(new_transport, door.port, {})
        assert door.connects == [5, 4]


@pytest.mark.parametrize("keepalive", [0, 30])
@pytest.mark.parametrize("tls", [False, True])
async def test_the_keepalive_is_the_one_of_the_settings(
    *, keepalive: int, tls: bool, new_transport: NewTransport, tls_broker: Mosquitto, broker: Mosquitto
) -> None:
    used = tls_broker if tls else broker
    transport = new_transport(used.port, client_id="us", keepalive=keepalive, **(OURS if tls else {}))
    await transport.async_start()
    assert f"as us (p5, c1, k{keepalive})" in used.log

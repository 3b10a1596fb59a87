"""One MQTT connection: aiomqtt's client, with what it leaves open for a connection that lives for months.

aiomqtt brings paho into the event loop. Left as it is, it waits its whole time-out for a broker that has hung up
before its CONNACK, leaves the socket of such a try behind, forgets a loss that comes right after the CONNACK, drops
the reason code of a PUBACK, and buffers messages without a limit or drops them with a warning each. Hence the
overrides; manifest.json pins the version that they are written against.
"""

import asyncio
from collections.abc import Callable, Sequence
import logging
import ssl
from typing import Final, cast, override

import aiomqtt
from aiomqtt.types import PahoSocket
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ..const import LOGGER
from . import CannotConnect, NotSent, Received, TransportError
from .failures import HungUp, failure_of
from .settings import BrokerSettings

CONNECT_TIMEOUT: Final = 10
"""Seconds to a CONNACK: somebody may be waiting in front of a form."""
HANDSHAKE_TIMEOUT: Final = 5
"""Seconds without a byte in the TLS or websockets handshake; it blocks a thread that nothing can interrupt."""
ACK_TIMEOUT: Final = 10
"""Seconds for a SUBACK or a PUBACK; a broker that works needs milliseconds, one that swaps a few seconds."""
DISCONNECT_TIMEOUT: Final = 2
"""Seconds to get a DISCONNECT out: without it the broker finds out by itself, so it is not worth a wait."""
SESSION_EXPIRY: Final = 2 * 60 * 60
"""Seconds that the broker keeps answers for us: longer than any restart, shorter than anybody's interest in them."""
MAX_PACKET_SIZE: Final = 2 * 1024 * 1024
"""Bytes: twice what the parser takes, so that what is a bit too large is still counted there."""
SUBSCRIPTIONS_PER_PACKET: Final = 100
"""Some brokers limit the topics of one SUBSCRIBE; 100 are under every limit known."""
MAX_IN_FLIGHT: Final = 10
"""Messages without a PUBACK: under every broker's Receive Maximum in use (the least common is 16)."""


def _demote(record: logging.LogRecord) -> bool:
    # paho calls every lost connection an error. We tell of it ourselves, once.
    record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return LOGGER.isEnabledFor(logging.DEBUG)


_PAHO_LOGGER: Final = LOGGER.getChild("paho")
_PAHO_LOGGER.addFilter(_demote)


def _fail[T](waiting: asyncio.Future[T]) -> None:
    if not waiting.done():
        waiting.set_exception(HungUp("Connection lost"))


def _connect_properties(*, keep_session: bool) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves it untyped
    properties.MaximumPacketSize = MAX_PACKET_SIZE
    if keep_session:
        properties.SessionExpiryInterval = SESSION_EXPIRY
    return properties


class MqttClient(aiomqtt.Client):
    """One connection, from `open` to its loss; made anew for the next one.

    That a new connection has a new paho client is what keeps an order from going out twice: paho repeats what was
    not acknowledged when the *same* client connects again, and a new one has nothing to repeat. It does not repeat
    anything while a connection lasts.
    """

    lost: asyncio.Future[None]
    """Done as soon as the connection is gone, whatever the reason."""

    def __init__(
        self,
        settings: BrokerSettings,
        version: aiomqtt.ProtocolVersion,
        *,
        keep_session: bool,
        context: ssl.SSLContext | None,
        receive: Callable[[Received], None],
    ) -> None:
        """Prepare a connection; `receive` gets every message, in the event loop, and must not raise."""
        mqtt5 = version is aiomqtt.ProtocolVersion.V5
        super().__init__(
            settings.host,
            settings.port,
            username=settings.username,
            password=settings.password,
            identifier=settings.client_id,
            protocol=version,
            clean_session=None if mqtt5 else not keep_session,
            clean_start=not keep_session if mqtt5 else paho.MQTT_CLEAN_START_FIRST_ONLY,
            properties=_connect_properties(keep_session=keep_session) if mqtt5 else None,
            transport="websockets" if settings.websockets else "tcp",
            websocket_path=settings.ws_path if settings.websockets else None,
            tls_context=context,
            keepalive=HANDSHAKE_TIMEOUT,  # paho's limit of the handshakes, until _on_socket_open has the real one
            logger=_PAHO_LOGGER,
        )
        self.lost = self._loop.create_future()
        self._settings = settings
        self._receive = receive
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._unacknowledged: dict[int, asyncio.Future[ReasonCode]] = {}
        self._disconnected.add_done_callback(self._reader_failed)

    async def open(self) -> None:
        """Connect.

        Raises CannotConnect, of these NoBroker and VersionRefused where it is worth another try in another way,
        TlsError or InvalidAuth. Nothing stays behind then but a thread that may still be connecting: it closes what
        it gets, and ends within seconds.
        """
        connecting = self._loop.run_in_executor(None, self._client_connect)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await asyncio.wait([connecting])  # unlike awaiting it, this leaves it alone when we are cancelled
                connecting.result()
                await self._connected
        except Exception as err:  # paho reads what a stranger sends: more than OSErrors come out
            await self._abandon(connecting)
            raise failure_of(err, self._settings) from err
        except asyncio.CancelledError:
            await self._abandon(connecting)
            raise

    async def close(self) -> None:
        """Disconnect, or clean up after a loss."""
        if not self.lost.done() and self._client.disconnect() == paho.MQTT_ERR_SUCCESS:
            await asyncio.wait([self.lost], timeout=DISCONNECT_TIMEOUT)
        self._drop()
        if self._misc_task is not None:
            await asyncio.wait([self._misc_task])

    async def hear(self, topics: Sequence[str]) -> list[str]:
        """Subscribe with QoS 1; returns the topics that the broker refuses. Raises CannotConnect on a loss."""
        refused: list[str] = []
        for start in range(0, len(topics), SUBSCRIPTIONS_PER_PACKET):
            chunk = topics[start : start + SUBSCRIPTIONS_PER_PACKET]
            try:
                codes = await self.subscribe([(topic, 1) for topic in chunk], timeout=ACK_TIMEOUT)
            except aiomqtt.MqttError as err:
                self._gone()  # a broker that owes us a SUBACK is as good as gone: the next connection asks again
                raise CannotConnect(f"No answer to a subscription: {err}") from err
            # aiomqtt's other type is that of paho's callbacks of version 1, which it does not use.
            verdicts = zip(chunk, cast("list[ReasonCode]", codes), strict=False)
            refused.extend(topic for topic, code in verdicts if code.is_failure)
        return refused

    def leave(self, topics: Sequence[str]) -> None:
        """Unsubscribe, without waiting: what still comes is dropped anyway."""
        if topics and not self.lost.done():
            self._client.unsubscribe(list(topics))

    async def send(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1. Raises NotSent when it surely did not go out, TransportError when that is unknown."""
        async with self._slots:
            code = await self._publish_one(topic, payload)
        if code.is_failure:
            raise NotSent(f"The broker refuses a message on {topic}: {code}")

    async def _publish_one(self, topic: str, payload: bytes) -> ReasonCode:
        if self.lost.done():
            raise NotSent("The connection was lost")
        info = self._client.publish(topic, payload, qos=1, retain=False)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise NotSent(paho.error_string(info.rc))
        acknowledged = self._unacknowledged[info.mid] = self._loop.create_future()
        try:
            async with asyncio.timeout(ACK_TIMEOUT):
                code: ReasonCode = await acknowledged
        except (TimeoutError, HungUp) as err:
            # As with a SUBACK. Besides, paho counts what is not acknowledged, and would soon hold everything back.
            self._gone()
            raise TransportError(f"The broker did not acknowledge a message on {topic}") from err
        finally:
            del self._unacknowledged[info.mid]
        return code

    async def _abandon(self, connecting: asyncio.Future[None]) -> None:
        if connecting.done():
            self._drop()
            if self._misc_task is not None:
                await asyncio.wait([self._misc_task])
            return

        def drop(_: asyncio.Future[None]) -> None:
            connecting.exception()  # nobody else wants to know it any more
            self._drop()

        connecting.add_done_callback(drop)

    def _drop(self) -> None:
        self._gone()
        self._client._sock_close()  # noqa: SLF001 - neither aiomqtt nor paho closes a socket without a word to the other side
        if self._misc_task is not None:
            self._misc_task.cancel()

    def _gone(self) -> None:
        if self.lost.done():
            return
        self.lost.set_result(None)
        if not self._connected.done():
            self._connected.set_exception(HungUp("Hung up"))
            self._connected.exception()  # marks it as seen: after a time-out nobody waits for it
        for subscribing in self._pending_subscribes.values():
            _fail(subscribing)
        for publishing in self._unacknowledged.values():
            _fail(publishing)

    def _reader_failed(self, disconnected: asyncio.Future[None]) -> None:
        # aiomqtt ends up here with what paho could not read, e.g. a CONNACK of 3.1.1 in a conversation of 5.
        if not disconnected.cancelled():
            _PAHO_LOGGER.debug("Could not go on reading: %s", type(disconnected.exception()).__name__)
            self._gone()

    @override
    def _on_socket_open(self, client: paho.Client, userdata: object, sock: PahoSocket) -> None:
        # Called after the handshakes and before the CONNECT, by the thread that connects.
        client._keepalive = self._settings.keepalive  # noqa: SLF001 - its setter refuses while connecting
        super()._on_socket_open(client, userdata, sock)

    @override
    def _on_socket_register_write(self, client: paho.Client, userdata: object, sock: PahoSocket) -> None:
        # aiomqtt takes the number of the socket now and watches it later, when it may be closed, or somebody else's.
        def watch() -> None:
            if sock.fileno() >= 0 and client.want_write():
                self._loop.add_writer(sock.fileno(), self._write)

        self._loop.call_soon_threadsafe(watch)

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except Exception:  # whatever paho raises: the event loop would log it, and nobody would connect again
            _PAHO_LOGGER.exception("Could not go on writing")
            self._gone()

    @override
    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: object,
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self._gone()

    @override
    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        # No queue: what is not read stays in the socket, and the broker waits. paho acknowledges after this.
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # no topic of ours
        self._receive(Received(topic, bytes(message.payload), message.retain))

    @override
    def _on_publish(
        self,
        client: paho.Client,
        userdata: object,
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        waiting = self._unacknowledged.get(mid)
        if waiting is not None and not waiting.done():
            waiting.set_result(reason_code)

    @override
    def _on_unsubscribe(
        self,
        client: paho.Client,
        userdata: object,
        mid: int,
        reason_codes: list[ReasonCode],
        properties: Properties | None = None,
    ) -> None:
        """Nobody waits for it."""

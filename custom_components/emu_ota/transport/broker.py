"""An own connection to a broker."""

import asyncio
from collections.abc import Callable
from functools import partial
import random
import ssl
from typing import Final

import aiomqtt

from ..const import LOGGER
from . import CannotConnect, InvalidAuth, NotAuthorized, NotSent, Received, TlsError, TransportError, tls
from .failures import NoBroker, VersionRefused
from .listeners import ConnectionState, Hearer
from .mqtt_client import MqttClient
from .settings import BrokerSettings

__all__ = ["BrokerSettings", "BrokerTransport"]

FIRST_DELAY: Final = 1.0
"""Seconds before the first try after a loss: a broker that restarts is back about then."""
LONGEST_DELAY: Final = 60.0
"""Seconds: what a person who has repaired the network is willing to wait, and light on a broker that is down."""
STEADY_AFTER: Final = 60.0
"""Seconds: a connection that was lost sooner goes on with the longer delays. Two that take a client id from each
other would else do so every second."""


class BrokerTransport:
    """A connection of our own, over TCP or websockets, with or without TLS, in MQTT 5 or else 3.1.1.

    With `keep_session` the broker keeps what comes while we are away (for 2 h in MQTT 5, in 3.1.1 for as long as the
    broker likes) and delivers it at the next start with the same client id, to topics that were subscribed before the
    start. Without, the broker forgets us, and what an earlier session has left.
    """

    def __init__(self, settings: BrokerSettings, *, keep_session: bool = True) -> None:
        """Take note only; async_start connects."""
        self._settings = settings
        self._keep_session = keep_session
        self._state = ConnectionState()
        self._hearers: dict[str, list[Hearer]] = {}
        self._left: set[str] = set()  # topics that the broker's session may still hold
        self._refused: set[str] = set()  # topics whose refusal was logged
        self._context: ssl.SSLContext | None = None
        self._version: aiomqtt.ProtocolVersion | None = None  # what the broker has been found to speak
        self._client: MqttClient | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._refusal_watchers: list[Callable[[], None]] = []

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached now."""
        return self._state.connected

    def watch_connection(self, changed: Callable[[bool], None]) -> Callable[[], None]:
        """Call back on every change of `connected`, with its new value; returns what ends it."""
        return self._state.watch(changed)

    def watch_refusal(self, refused: Callable[[], None]) -> None:
        """Call back, until the stop, when the broker refuses our credentials after a loss; once in each outage.

        `refused` must not raise. At the start InvalidAuth tells it.
        """
        self._refusal_watchers.append(refused)

    async def async_start(self) -> None:
        """Connect. Raises CannotConnect, TlsError or InvalidAuth; afterwards a lost connection heals by itself."""
        if self._settings.tls:
            self._context = await tls.make_context(self._settings)
        try:
            client = await self._connect()
        except (NoBroker, VersionRefused) as err:
            raise await self._explained(err) from err
        self._keeper = asyncio.create_task(self._keep_connected(client), name="emu_ota connection")
        self._state.tell(connected=True)

    async def async_stop(self) -> None:
        """Disconnect; no callback is called any more."""
        self._state.close()
        self._refusal_watchers.clear()
        for hearers in self._hearers.values():
            for hearer in hearers:
                hearer.close()
        self._hearers.clear()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def async_subscribe(
        self, topic: str, receive: Callable[[Received], None], *, optional: bool = False
    ) -> Callable[[], None]:
        """Hear a topic (exact, no wildcards), also after every reconnect; returns what ends it.

        Without a connection it only notes the topic. Raises NotAuthorized when the broker refuses it; an `optional`
        topic may be refused in silence.
        """
        hearer = Hearer(topic, receive, optional=optional)
        self._hearers.setdefault(topic, []).append(hearer)
        self._left.discard(topic)
        end = partial(self._end, hearer)
        if (client := self._client) is None:
            return end
        try:
            refused = await client.hear([topic])
        except CannotConnect:
            return end  # the next connection subscribes it
        except BaseException:
            end()
            raise
        if refused and not optional:
            end()
            raise NotAuthorized(f"The broker refuses {topic}")
        return end

    async def async_publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1, not retained.

        Raises NotSent when the message surely did not go out (no connection, or the broker refused it),
        TransportError when that cannot be told. Nothing is kept for later: a message goes out now or never.
        """
        if self._client is None:
            raise NotSent("There is no connection")
        await self._client.send(topic, payload)

    def _end(self, hearer: Hearer) -> None:
        hearer.close()
        hearers = self._hearers.get(hearer.topic, [])
        if hearer not in hearers:
            return
        hearers.remove(hearer)
        if hearers:
            return
        del self._hearers[hearer.topic]
        self._refused.discard(hearer.topic)
        if self._client is None:
            self._left.add(hearer.topic)
        else:
            self._client.leave([hearer.topic])

    def _receive(self, message: Received) -> None:
        hearers = self._hearers.get(message.topic)
        if hearers is None:
            LOGGER.debug("Dropped a message on %s: nobody listens", message.topic)
            return
        for hearer in tuple(hearers):
            hearer.hear(message)

    async def _connect(self) -> MqttClient:
        client = await self._open()
        self._client = client
        try:
            client.leave(tuple(self._left))
            self._left.clear()
            for topic in await client.hear(tuple(self._hearers)):
                self._note_refusal(topic)
        except BaseException:
            self._client = None
            await client.close()
            raise
        return client

    async def _open(self) -> MqttClient:
        """Return a connection in MQTT 5, or in 3.1.1 where the broker is found not to speak 5."""
        if self._version is not aiomqtt.ProtocolVersion.V311:
            try:
                return await self._open_as(aiomqtt.ProtocolVersion.V5)
            except VersionRefused:
                pass
            except NoBroker as err:
                # Some that do not speak 5 just hang up. So does one that restarts: who has spoken 5 still does.
                if not err.hung_up or self._version is not None:
                    raise
        return await self._open_as(aiomqtt.ProtocolVersion.V311)

    async def _open_as(self, version: aiomqtt.ProtocolVersion) -> MqttClient:
        client = MqttClient(
            self._settings,
            version,
            keep_session=self._keep_session,
            context=self._context,
            receive=self._receive,
        )
        await client.open()
        self._version = version
        return client

    async def _explained(self, err: CannotConnect) -> TransportError:
        """Return what a connection without an answer comes from, by looking at the port in the other way."""
        host, port = self._settings.host, self._settings.port
        if self._context is None:
            if await tls.speaks_tls(host, port):
                return TlsError(f"{host}:{port} wants TLS")
        elif reason := await tls.refusal_after_handshake(host, port, self._context):
            return TlsError(f"{host}:{port} ends TLS: {reason}")
        return err

    def _note_refusal(self, topic: str) -> None:
        wanted = any(not hearer.optional for hearer in self._hearers.get(topic, ()))
        if wanted and topic not in self._refused:
            self._refused.add(topic)
            LOGGER.warning("The broker refuses the subscription of %s", topic)

    async def _keep_connected(self, client: MqttClient) -> None:
        loop = asyncio.get_running_loop()
        delay = FIRST_DELAY
        while True:
            since = loop.time()
            await asyncio.wait([client.lost])
            self._client = None
            await client.close()
            LOGGER.info("Lost the connection to the broker at %s:%s", self._settings.host, self._settings.port)
            self._state.tell(connected=False)
            if loop.time() - since >= STEADY_AFTER:
                delay = FIRST_DELAY
            client, delay = await self._reconnect(delay)
            LOGGER.info("Connected again to the broker at %s:%s", self._settings.host, self._settings.port)
            self._state.tell(connected=True)

    async def _reconnect(self, delay: float) -> tuple[MqttClient, float]:
        """Return a new connection, and the delay to go on with should that one be lost soon."""
        warned = refused = False
        while True:
            # Jitter: a hundred entries that lost one broker must not come back in step.
            await asyncio.sleep(random.uniform(delay / 2, delay))  # noqa: S311 - no secret depends on it
            delay = min(2 * delay, LONGEST_DELAY)
            try:
                return await self._connect(), delay
            except (InvalidAuth, TlsError) as err:
                # Time does not heal these, but a person who reads it may; until then we go on trying.
                LOGGER.log(10 if warned else 30, "Cannot connect to the broker again: %s", err)
                warned = True
                if isinstance(err, InvalidAuth) and not refused:
                    refused = True
                    for watcher in self._refusal_watchers:
                        watcher()
            except TransportError as err:
                LOGGER.debug("Cannot connect to the broker again: %s", err)

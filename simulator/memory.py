"""A broker and transports to it in memory: the third implementation of `Transport`, for tests in virtual time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from custom_components.emu_ota.transport import (
    CannotConnect,
    NotAuthorized,
    NotSent,
    Received,
    Transport,
    TransportError,
)


@dataclass(frozen=True, slots=True)
class Published:
    """A message that the broker took."""

    topic: str
    payload: bytes
    retained: bool = False


@dataclass(slots=True)
class _Failure:
    error: TransportError
    delivered: bool
    left: int


class MemoryBroker:
    """Delivers by exact topic, through the running event loop; keeps retained messages and all that was published."""

    def __init__(self) -> None:
        """Begin up and empty."""
        self.published: list[Published] = []
        self.retained: dict[str, bytes] = {}
        self.refused: set[str] = set()
        """Topics whose subscription is refused."""
        self.start_error: TransportError | None = None
        """What every start of a transport raises."""
        self.transports: list[MemoryTransport] = []
        self._connected = True
        self._failures: dict[str, _Failure] = {}

    @property
    def connected(self) -> bool:
        """Whether the broker is up; setting it, every transport loses or regains its connection."""
        return self._connected

    @connected.setter
    def connected(self, connected: bool) -> None:
        self._connected = connected
        for transport in self.transports:
            transport.settle()

    def publish(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """Take a message and hand it to whoever hears its topic; an empty retained one forgets what was retained."""
        self.published.append(Published(topic, payload, retained))
        if retained and payload:
            self.retained[topic] = payload
        elif retained:
            self.retained.pop(topic, None)
        # As from a real broker: to those who already listen, a retained message comes as a live one.
        for transport in self.transports:
            transport.deliver(Received(topic, payload, retained=False))

    def payloads(self, topic: str) -> list[bytes]:
        """Return what was published on a topic, in order."""
        return [message.payload for message in self.published if message.topic == topic]

    def fail_publish(self, topic: str, error: TransportError, *, delivered: bool = False, times: int = 1) -> None:
        """Let the next publishes of transports on a topic raise; `delivered`: the message goes out all the same."""
        self._failures[topic] = _Failure(error, delivered, times)

    def take(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Take a message from a transport. Raises what `fail_publish` says."""
        failure = self._failures.get(topic)
        if failure is None or failure.left == 0:
            self.publish(topic, payload, retained=retained)
            return
        failure.left -= 1
        if failure.delivered:
            self.publish(topic, payload, retained=retained)
        raise failure.error


class MemoryTransport(Transport):
    """A connection to a MemoryBroker."""

    def __init__(self, broker: MemoryBroker, *, keep_session: bool = False) -> None:
        """Make one that is not started yet; `keep_session`: what it missed comes after the connection is back."""
        self._broker = broker
        self._keep_session = keep_session
        self._missed: list[Received] = []
        self._started = False
        self._cut = False
        self._connected = False
        self._subscriptions: dict[str, list[Callable[[Received], None]]] = {}
        self._watchers: list[Callable[[bool], None]] = []
        broker.transports.append(self)

    @property
    @override
    def connected(self) -> bool:
        return self._connected

    @override
    async def async_start(self) -> None:
        await asyncio.sleep(0)
        if self._broker.start_error is not None:
            raise self._broker.start_error
        if not self._broker.connected or self._cut:
            msg = "the broker is down"
            raise CannotConnect(msg)
        self._started = True
        self.settle()

    @override
    async def async_stop(self) -> None:
        self._started = self._connected = False
        self._subscriptions.clear()
        self._watchers.clear()
        self._missed.clear()
        if self in self._broker.transports:
            self._broker.transports.remove(self)
        await asyncio.sleep(0)

    @override
    async def async_subscribe(
        self, topic: str, receive: Callable[[Received], None], *, optional: bool = False
    ) -> Callable[[], None]:
        await asyncio.sleep(0)
        refused = topic in self._broker.refused
        if refused and not optional and self._connected:
            raise NotAuthorized(topic)
        self._subscriptions.setdefault(topic, []).append(receive)
        if self._connected and not refused:
            self._deliver_retained(topic, receive)

        def unsubscribe() -> None:
            receivers = self._subscriptions.get(topic, [])
            if receive in receivers:
                receivers.remove(receive)
            if not receivers:
                self._subscriptions.pop(topic, None)

        return unsubscribe

    @override
    async def async_publish(self, topic: str, payload: bytes) -> None:
        await self._publish(topic, payload, retained=False)

    async def async_publish_retained(self, topic: str, payload: bytes) -> None:
        """Publish as `async_publish` does, but retained: only a simulated EMS at fault does that."""
        await self._publish(topic, payload, retained=True)

    @override
    def watch_connection(self, changed: Callable[[bool], None]) -> Callable[[], None]:
        self._watchers.append(changed)

        def unwatch() -> None:
            if changed in self._watchers:
                self._watchers.remove(changed)

        return unwatch

    def cut(self) -> None:
        """Lose the connection, this one only."""
        self._cut = True
        self.settle()

    def heal(self) -> None:
        """Regain the connection."""
        self._cut = False
        self.settle()

    def settle(self) -> None:
        """Notice whether the connection came or went, and tell who watches it."""
        connected = self._started and self._broker.connected and not self._cut
        if connected == self._connected:
            return
        self._connected = connected
        loop = asyncio.get_running_loop()
        for changed in self._watchers:
            loop.call_soon(self._notify, changed, connected)
        if connected:
            for topic, receivers in self._subscriptions.items():
                for receive in receivers if topic not in self._broker.refused else ():
                    self._deliver_retained(topic, receive)
            missed, self._missed = self._missed, []
            for message in missed:
                self.deliver(message)

    def deliver(self, message: Received) -> None:
        """Hand a message from the broker to whoever hears its topic."""
        if message.topic in self._broker.refused or message.topic not in self._subscriptions:
            return
        if self._connected:
            for receive in self._subscriptions[message.topic]:
                asyncio.get_running_loop().call_soon(self._hand_over, receive, message)
        elif self._started and self._keep_session:
            self._missed.append(message)

    def _deliver_retained(self, topic: str, receive: Callable[[Received], None]) -> None:
        if topic in self._broker.retained:
            message = Received(topic, self._broker.retained[topic], retained=True)
            asyncio.get_running_loop().call_soon(self._hand_over, receive, message)

    def _hand_over(self, receive: Callable[[Received], None], message: Received) -> None:
        # What was under way when the callback unsubscribed, or the connection went, does not arrive any more.
        if self._connected and receive in self._subscriptions.get(message.topic, ()):
            receive(message)

    def _notify(self, changed: Callable[[bool], None], connected: bool) -> None:  # noqa: FBT001 - as in Transport
        if self._started and changed in self._watchers:
            changed(connected)

    async def _publish(self, topic: str, payload: bytes, *, retained: bool) -> None:
        if not self._connected:
            msg = "no connection"
            raise NotSent(msg)
        try:
            self._broker.take(topic, payload, retained=retained)
        finally:
            # Like the broker's acknowledgement: whoever listens was called before this goes on.
            await asyncio.sleep(0)

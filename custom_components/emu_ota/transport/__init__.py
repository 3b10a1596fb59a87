"""How bytes travel between a config entry and its EMSs: one Protocol, implemented by two ways and the simulator's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Received:
    """One message from the broker."""

    topic: str
    payload: bytes
    retained: bool


class TransportError(Exception):
    """The broker, or the way to it, is at fault."""


class CannotConnect(TransportError):
    """Nobody answers there, or not as a broker."""


class TlsError(TransportError):
    """The other side has no TLS, has it where we have none, or shows a certificate that we cannot trust."""


class InvalidAuth(TransportError):
    """The broker refuses the credentials."""


class NotAuthorized(TransportError):
    """The broker refuses a subscription."""


class NotSent(TransportError):
    """A message surely did not go out: there is no connection."""


class Transport(Protocol):
    """A connection to one broker. Everything runs in the event loop."""

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached now."""

    async def async_start(self) -> None:
        """Connect. Raises CannotConnect, TlsError or InvalidAuth; afterwards a lost connection heals by itself."""

    async def async_stop(self) -> None:
        """Disconnect; no callback is called any more."""

    async def async_subscribe(
        self, topic: str, receive: Callable[[Received], None], *, optional: bool = False
    ) -> Callable[[], None]:
        """Hear a topic (exact, no wildcards), also after every reconnect; returns what ends it.

        Before the start it only notes the topic. Raises NotAuthorized when the broker refuses it; an `optional`
        topic may be refused in silence.
        """

    async def async_publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1, not retained.

        Raises NotSent when the message surely did not go out, TransportError when that cannot be told.
        """

    def watch_connection(self, changed: Callable[[bool], None]) -> Callable[[], None]:
        """Call back on every change of `connected`, with its new value; returns what ends it."""

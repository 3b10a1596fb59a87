"""Those who listen to a transport: what both transports owe them, once."""

from collections.abc import Callable

from ..const import LOGGER
from . import Received


class Hearer:
    """One callback on one topic. Its exceptions end here: a reader must outlive whom it reads to."""

    def __init__(self, topic: str, receive: Callable[[Received], None], *, optional: bool) -> None:
        """Hear nothing yet; the transport hands in what comes."""
        self.topic = topic
        self.optional = optional
        self._receive: Callable[[Received], None] | None = receive
        self._failed = False

    def close(self) -> None:
        """Take no more messages, not even those that are on their way."""
        self._receive = None

    def hear(self, message: Received) -> None:
        """Pass a message on; only the first failure is logged, a broken callback would fail on every message."""
        if self._receive is None:
            return
        try:
            self._receive(message)
        except Exception:  # noqa: BLE001 - whatever it is, it is logged
            if not self._failed:
                self._failed = True
                LOGGER.exception("Could not take a message on %s", self.topic)


class ConnectionState:
    """Whether a transport is connected, and who wants to know of changes."""

    def __init__(self) -> None:
        """Begin without a connection."""
        self.connected = False
        self._watchers: dict[object, Callable[[bool], None]] = {}

    def watch(self, changed: Callable[[bool], None]) -> Callable[[], None]:
        """Call back on every change, with the new value; returns what ends it (harmless twice)."""
        key = object()  # the same callback may watch twice, and each ends for itself
        self._watchers[key] = changed

        def end() -> None:
            self._watchers.pop(key, None)

        return end

    def tell(self, *, connected: bool) -> None:
        """Take the new value and tell everybody, where it is new."""
        if connected is self.connected:
            return
        self.connected = connected
        for key, changed in tuple(self._watchers.items()):
            if key not in self._watchers:
                continue  # an earlier one has ended it
            try:
                changed(connected)
            except Exception:  # noqa: BLE001 - whatever it is, it is logged
                LOGGER.exception("Could not take the change of a connection")

    def close(self) -> None:
        """Disconnected, and nobody is told any more."""
        self._watchers.clear()
        self.connected = False

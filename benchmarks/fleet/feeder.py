"""The EMSs' end of the broker, in threads of its own so that its work is not counted."""

from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.mosquitto import HOST

from .shape import Message

MARKER: Final = "benchmark/marker"
QOS: Final = 0
"""So that every subject gets the same: with 1 those that subscribe with 1, as ours does, would acknowledge each message
to the broker; those that subscribe with 0, as Home Assistant's MQTT entities do by default, would not.
"""
START_TIMEOUT: Final = 10.0


class Feeder:
    """Publishes messages in order, and answers what is published to EMSs."""

    def __init__(self, port: int, commands: str, answer: Callable[[str], Iterable[Message]]) -> None:
        """Connect; `answer` gives what comes back for a message on a topic under `commands` (a filter)."""
        self._queue = SimpleQueue[tuple[Message, ...] | None]()
        self._answer = answer
        self.heard = 0
        """Messages under `commands` so far."""
        subscribed = Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="feeder")
        self._client.on_message = self._hear
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.max_queued_messages_set(0)
        self._client.max_inflight_messages_set(65535)
        self._client.connect(HOST, port)
        self._client.subscribe(commands, qos=1)
        self._client.loop_start()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()
        if not subscribed.wait(START_TIMEOUT):
            raise RuntimeError("the feeder cannot subscribe")

    def send(self, messages: Iterable[Message]) -> None:
        """Have messages published."""
        self._queue.put(tuple(messages))

    def close(self) -> None:
        """Disconnect."""
        self._queue.put(None)
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self.heard += 1
        if messages := tuple(self._answer(message.topic)):
            self._queue.put(messages)

    def _work(self) -> None:
        while (messages := self._queue.get()) is not None:
            for message in messages:
                self._client.publish(message.topic, message.payload, QOS)

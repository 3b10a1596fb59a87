"""The connection that Home Assistant's MQTT integration has to its broker."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from ..const import LOGGER
from . import CannotConnect, NotSent, Received, TransportError
from .listeners import ConnectionState, Hearer

START_TIMEOUT: Final = 10
"""Seconds for MQTT to be set up and connected: at start-up it may be at it, and a form may be waiting."""
SUBSCRIBE_TIMEOUT: Final = 12
"""Seconds for a subscription: Home Assistant collects them for half a second and waits 10 s for the broker."""
PUBLISH_TIMEOUT: Final = 9
"""Seconds for a PUBACK: at 10 Home Assistant itself stops waiting, and then says that all is well."""
QOS: Final = 1


class _Subscription:
    """One callback on one topic, and what it holds of Home Assistant's MQTT."""

    def __init__(self, hearer: Hearer) -> None:
        self.hearer = hearer
        self.taken = asyncio.Event()
        self.ends: list[Callable[[], None]] = []

    def close(self) -> None:
        # The hearer first: after a reload of the MQTT entry its unsubscribe does not reach the new client, which goes
        # on calling back.
        self.hearer.close()
        self.taken.set()  # nobody needs to wait for the broker any more
        while self.ends:
            self.ends.pop()()


class HomeAssistantTransport:
    """Home Assistant's MQTT, with what it can and cannot tell.

    - It does not look at the reason codes of a SUBACK: a refused subscription cannot be told from one that is taken,
      so NotAuthorized never comes from here; nothing is ever heard on such a topic.
    - Its client repeats a message that was not acknowledged when it connects again, and keeps one that is published
      without a connection. The latter never happens from here; the former leaves a small chance that an order goes
      out twice, then with the same `mid`.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Take note only; async_start looks whether MQTT is there."""
        self._hass = hass
        self._state = ConnectionState()
        self._subscriptions: list[_Subscription] = []
        self._awaited: set[_Subscription] = set()  # until these are taken again, we are not back
        self._patience: asyncio.TimerHandle | None = None
        self._ends: list[Callable[[], None]] = []
        self._started = False

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached now, and has our subscriptions."""
        return self._state.connected

    def watch_connection(self, changed: Callable[[bool], None]) -> Callable[[], None]:
        """Call back on every change of `connected`, with its new value; returns what ends it."""
        return self._state.watch(changed)

    async def async_start(self) -> None:
        """Wait shortly for MQTT, and subscribe. Raises CannotConnect when it is not set up, loaded or connected."""
        try:
            async with asyncio.timeout(START_TIMEOUT):
                if not await mqtt.async_wait_for_mqtt_client(self._hass):
                    raise CannotConnect("Home Assistant's MQTT is not set up")
                await self._mqtt_connection()
        except TimeoutError as err:
            raise CannotConnect("Home Assistant's MQTT is not connected") from err
        self._started = True
        self._ends.append(mqtt.async_subscribe_connection_status(self._hass, self._connection_changed))
        try:
            for subscription in self._subscriptions:
                self._hold(subscription, await self._listen(subscription.hearer))
            await self._taken(self._subscriptions)
        except BaseException:
            self._release()
            raise
        self._state.tell(connected=mqtt.is_connected(self._hass))

    async def async_stop(self) -> None:
        """Stop listening; no callback is called any more."""
        self._state.close()
        self._release()
        self._subscriptions.clear()

    async def async_subscribe(
        self,
        topic: str,
        receive: Callable[[Received], None],
        *,
        optional: bool = False,
    ) -> Callable[[], None]:
        """Hear a topic (exact, no wildcards), also after every reconnect; returns what ends it.

        Before the start it only notes the topic. Afterwards it returns when the broker has answered, or after 12 s;
        whether that answer was a refusal Home Assistant does not tell. Raises CannotConnect when MQTT is gone.
        """
        subscription = _Subscription(Hearer(topic, receive, optional=optional))
        self._subscriptions.append(subscription)

        def end() -> None:
            subscription.close()
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
            self._take(subscription)

        if not self._started:
            return end
        try:
            self._hold(subscription, await self._listen(subscription.hearer))
            await self._taken([subscription])
        except BaseException:
            end()
            raise
        return end

    async def async_publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1, not retained.

        Raises NotSent when the message surely did not go out, TransportError when that cannot be told.
        """
        # Without a connection paho would keep the message and send it with the next one, whenever that is. Nothing
        # is awaited from here to where paho gets it.
        if not self._started or not mqtt.is_connected(self._hass):
            raise NotSent("Home Assistant's MQTT is not connected")
        # A task of its own: given up on, Home Assistant would keep a future for this message for ever.
        publishing = self._hass.async_create_task(
            mqtt.async_publish(self._hass, topic, payload, qos=QOS, retain=False), "emu_ota publish"
        )
        done, _ = await asyncio.wait([publishing], timeout=PUBLISH_TIMEOUT)
        try:
            if done:
                await publishing
        except HomeAssistantError as err:
            raise TransportError(f"Home Assistant's MQTT could not publish on {topic}: {err}") from err
        if not done:
            raise TransportError(f"The broker did not acknowledge a message on {topic}")

    async def _mqtt_connection(self) -> None:
        connection = asyncio.Event()

        @callback
        def changed(connected: bool) -> None:  # noqa: FBT001 - Home Assistant's signature
            if connected:
                connection.set()

        end = mqtt.async_subscribe_connection_status(self._hass, changed)
        try:
            if not mqtt.is_connected(self._hass):
                await connection.wait()
        finally:
            end()

    async def _listen(self, hearer: Hearer) -> Callable[[], None]:
        @callback
        def received(message: mqtt.ReceiveMessage) -> None:
            # Bytes, because of encoding=None.
            hearer.hear(Received(message.topic, cast("bytes", message.payload), message.retain))

        try:
            return await mqtt.async_subscribe(self._hass, hearer.topic, received, qos=QOS, encoding=None)
        except HomeAssistantError as err:
            raise CannotConnect(f"Home Assistant's MQTT could not subscribe {hearer.topic}: {err}") from err

    def _hold(self, subscription: _Subscription, unsubscribe: Callable[[], None]) -> None:
        """Keep what ends a subscription, and hear of every time that the broker has answered it."""

        @callback
        def taken() -> None:
            subscription.taken.set()
            self._take(subscription)

        subscription.ends.append(unsubscribe)
        subscription.ends.append(mqtt.async_on_subscribe_done(self._hass, subscription.hearer.topic, QOS, taken))

    async def _taken(self, subscriptions: list[_Subscription]) -> None:
        if not subscriptions or not mqtt.is_connected(self._hass):
            return  # Home Assistant subscribes when it is connected again
        waiting = [asyncio.ensure_future(subscription.taken.wait()) for subscription in subscriptions]
        try:
            _, late = await asyncio.wait(waiting, timeout=SUBSCRIBE_TIMEOUT)
        finally:
            for future in waiting:
                future.cancel()
        if late:
            LOGGER.debug("%d subscriptions are not answered yet", len(late))

    def _release(self) -> None:
        self._started = False
        self._stop_waiting()
        while self._ends:
            self._ends.pop()()
        for subscription in self._subscriptions:
            subscription.close()

    @callback
    def _connection_changed(self, connected: bool) -> None:  # noqa: FBT001 - Home Assistant's signature
        self._stop_waiting()
        if not connected:
            self._state.tell(connected=False)
        elif not self._subscriptions:
            self._state.tell(connected=True)
        else:
            # Home Assistant is connected before it has subscribed again: whoever asks now would not hear the answer.
            self._awaited = set(self._subscriptions)
            self._patience = self._hass.loop.call_later(SUBSCRIBE_TIMEOUT, self._back)

    def _take(self, subscription: _Subscription) -> None:
        if self._awaited:
            self._awaited.discard(subscription)
            if not self._awaited:
                self._back()

    def _back(self) -> None:
        self._stop_waiting()
        self._state.tell(connected=True)

    def _stop_waiting(self) -> None:
        self._awaited = set()
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

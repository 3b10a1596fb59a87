"""What a message costs: CPU of the loop's thread in paces, and the longest time in which nobody else had a turn."""

import asyncio
from collections.abc import Iterable, Sequence
from statistics import median
import time
from typing import Final

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant, callback

from .feeder import MARKER, Feeder
from .pace import Pace
from .shape import Message

LOOK: Final = 0.03
"""Seconds between two looks at whether the loop is at rest."""
QUIET: Final = 0.0006
"""Seconds of CPU between two looks that count as rest: the look itself, and Home Assistant's own timers."""
LOOKS: Final = 3
"""In a row: what an automation publishes comes back through the broker."""
TIMEOUT: Final = 180.0


class Meter:
    """Counts the CPU of the thread that it is used in, which is the event loop's."""

    def __init__(self, hass: HomeAssistant, feeder: Feeder, pace: Pace) -> None:
        """Count nothing yet; `start` first."""
        self._hass = hass
        self._pace = pace
        self._feeder = feeder
        self._marked = asyncio.Event()
        self._overhead = 0.0

    async def start(self) -> None:
        """Hear the marker, and learn what the measuring itself costs."""

        @callback
        def marked(_: mqtt.ReceiveMessage) -> None:
            self._marked.set()

        await mqtt.async_subscribe(self._hass, MARKER, marked, qos=1)
        await asyncio.sleep(1.5)  # Home Assistant collects subscriptions, and so may have been told that it is done
        self._overhead = median([await self._cost(()) for _ in range(15)])

    async def per_message(self, rounds: Iterable[Sequence[Message]], *, weight: int | None = None) -> list[float]:
        """Return what a message costs in paces, for each round of messages. `weight`: what a round counts for."""
        return [max(0.0, await self._cost(each) - self._overhead) / (weight or len(each)) for each in rounds]

    async def longest_block(self, messages: Sequence[Message]) -> float:
        """Return the most CPU seconds that the loop was busy for without a turn of everybody."""
        longest, stopped = 0.0, False

        async def watch() -> None:
            nonlocal longest
            before = time.thread_time()
            while not stopped:
                await asyncio.sleep(0)
                now = time.thread_time()
                longest, before = max(longest, now - before), now

        watching = asyncio.create_task(watch())
        self._marked.clear()
        self._feeder.send((*messages, Message(MARKER, b"")))
        await asyncio.wait_for(self._marked.wait(), TIMEOUT)
        await asyncio.sleep(1)  # what is worked off in pieces
        stopped = True
        await watching
        return longest

    async def rest(self) -> None:
        """Wait until nothing happens."""
        deadline, looks = time.monotonic() + TIMEOUT, 0
        while looks < LOOKS:
            before = time.thread_time()
            await asyncio.sleep(LOOK)
            looks = looks + 1 if time.thread_time() - before < QUIET else 0
            if time.monotonic() > deadline:
                raise TimeoutError("the event loop does not come to rest")

    async def _cost(self, messages: Sequence[Message]) -> float:
        """Return what messages cost in paces."""
        self._marked.clear()
        before = time.thread_time()
        self._feeder.send((*messages, Message(MARKER, b"")))
        await asyncio.wait_for(self._marked.wait(), TIMEOUT)
        await self.rest()
        # The pace after them: before them the thread waits for the broker, and what waits may be slower or faster then.
        return (time.thread_time() - before) / self._pace.take()

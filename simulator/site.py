"""Drives simulated EMSs on a transport, in virtual or in real time."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
import time
from typing import Protocol, override, runtime_checkable

from custom_components.emu_ota.protocol.models import DownloadStatus
from custom_components.emu_ota.transport import Received, Transport, TransportError

from .downloads import Downloads
from .ems import DownloadRequest, Fetched, Outgoing, SimulatedEms
from .happenings import Happening, What


@runtime_checkable
class Retaining(Protocol):
    """What a transport needs besides for retained results; without it they are sent unretained."""

    async def async_publish_retained(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1 and retained."""


class Site:
    """EMSs on one connection, in virtual time: nothing happens but in `advance`."""

    def __init__(
        self,
        transport: Transport,
        systems: Iterable[SimulatedEms],
        downloads: Downloads,
        *,
        clock: Callable[[], float] = lambda: time.time(),  # noqa: PLW0108 - looked up late, so that tests can freeze it
    ) -> None:
        """Make a site that is not started yet; `clock` stamps what it hears, in seconds since 1970."""
        self.systems = tuple(systems)
        self._transport = transport
        self._downloads = downloads
        self._clock = clock

    async def start(self) -> None:
        """Connect and hear commands. Raises the transport's errors."""
        await self._transport.async_start()
        for ems in self.systems:
            for topic in ems.command_topics:
                await self._transport.async_subscribe(topic, partial(self._receive, ems))

    async def stop(self) -> None:
        """Disconnect."""
        await self._transport.async_stop()
        await self._downloads.close()

    async def advance(self, now: float) -> None:
        """Let time go by until `now`: publish what is due, fetch what is asked for."""
        for ems in self.systems:
            # What a test has switched since the last call, it switched then.
            await self._step(ems, ems.now)
        await self._advance(now)

    async def _advance(self, now: float) -> None:
        for ems in self.systems:
            # Step by step, so that what happens does not depend on how far apart the calls are.
            while (due := ems.next_due()) is not None and due <= now:
                await self._step(ems, due)
            await self._step(ems, now)

    def next_due(self) -> float | None:
        """Return when something is due next, or None when nothing is by itself."""
        return min((due for ems in self.systems if (due := ems.next_due()) is not None), default=None)

    async def _step(self, ems: SimulatedEms, now: float) -> None:
        while True:
            for outgoing in ems.advance(now):
                await self._publish(ems, outgoing, now)
            requests = ems.take_downloads()
            if not requests:
                return
            for request in requests:
                await self._fetch(ems, request, now)

    def _receive(self, ems: SimulatedEms, message: Received) -> None:
        ems.receive(message.topic, message.payload, self._clock())

    async def _fetch(self, ems: SimulatedEms, request: DownloadRequest, now: float) -> None:
        ems.finish_download(request.number, await self._fetched(ems, request, now), now)

    async def _fetched(self, ems: SimulatedEms, request: DownloadRequest, now: float) -> Fetched:
        ems.tell(Happening(now, ems.address.uid, What.FETCHING, None, {"order": f"order {request.number}"}))
        fetched = await self._downloads.fetch(request)
        outcome = fetched.value if isinstance(fetched, DownloadStatus) else fetched.version
        ems.tell(
            Happening(now, ems.address.uid, What.FETCHED, None, {"order": f"order {request.number}", "holds": outcome})
        )
        return fetched

    async def _publish(self, ems: SimulatedEms, outgoing: Outgoing, now: float) -> None:
        try:
            if outgoing.retained and isinstance(self._transport, Retaining):
                await self._transport.async_publish_retained(outgoing.topic, outgoing.payload)
            else:
                await self._transport.async_publish(outgoing.topic, outgoing.payload)
        except TransportError:
            ems.tell(Happening(now, ems.address.uid, What.NOT_PUBLISHED, None, {}))


class LiveSite(Site):
    """The same in real time, by a task of its own."""

    def __init__(self, transport: Transport, systems: Iterable[SimulatedEms], downloads: Downloads) -> None:
        """Make a site that is not started yet."""
        # Steady, whatever somebody does to the machine's clock in the meantime.
        offset = time.time() - time.monotonic()
        super().__init__(transport, systems, downloads, clock=lambda: offset + time.monotonic())
        self._changed = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._fetching: set[asyncio.Task[None]] = set()

    @override
    async def start(self) -> None:
        await super().start()
        self._running = asyncio.create_task(self._run())

    @override
    async def stop(self) -> None:
        tasks = [*self._fetching, *([self._running] if self._running else [])]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        await super().stop()

    def changed(self) -> None:
        """Look again at what is due: a fault was switched, an EMU was changed from outside."""
        self._changed.set()

    async def wait(self) -> None:
        """Wait for ever, or raise what ended the site."""
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            await self._advance(self._clock())
            due = self.next_due()
            seconds = None if due is None else max(0.0, due - self._clock())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)

    @override
    def _receive(self, ems: SimulatedEms, message: Received) -> None:
        super()._receive(ems, message)
        self._changed.set()

    @override
    async def _fetch(self, ems: SimulatedEms, request: DownloadRequest, now: float) -> None:
        # Meanwhile the EMS goes on answering.
        task = asyncio.create_task(self._fetch_meanwhile(ems, request, now))
        self._fetching.add(task)
        task.add_done_callback(self._fetching.discard)

    async def _fetch_meanwhile(self, ems: SimulatedEms, request: DownloadRequest, now: float) -> None:
        fetched = await self._fetched(ems, request, now)
        ems.finish_download(request.number, fetched, self._clock())
        self._changed.set()

"""Asks a firmware index again and again, and keeps what it said last."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
import random
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from ..const import LOGGER
from .index import Index, InvalidIndex, RefusedRelease, parse_index
from .index_fetch import CannotRefresh, FetchFault, IndexCopy, RefreshFault, async_fetch_index
from .index_storage import IndexStorage, Remembered
from .release import Release

ASK_INTERVAL: Final = 12 * 3600.0
"""Seconds between asks: firmware comes out a few times a year, and nobody waits for it by the hour."""
ASK_AGAIN: Final = 3600.0
"""Seconds after an ask that failed: often the network is only not up yet."""
OVERDUE: Final = timedelta(days=3)
"""How long an index may fail before somebody has to do something: a weekend, in which nobody repairs a web server."""

_SHORTEST: Final = 0.9  # share of a pause that is waited at least: by chance, or many homes would ask at once
_START_SPREAD: Final = 60.0  # seconds after a start within which an ask that is due goes out, for the same reason


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexState:
    """What is known of an index."""

    releases: tuple[Release, ...] = ()
    refused: tuple[RefusedRelease, ...] = ()
    checked_at: datetime | None = None
    """When it was last read, or last heard to be unchanged; None when it never was."""
    failing_since: datetime | None = None
    """When it could not be read for the first time since; None while it can."""
    last_error: RefreshFault | None = None
    """Of the last ask; None when it went well, or there was none yet since the start."""


class IndexSource:
    """The index of one config entry: what it offers, and whether it can be reached."""

    def __init__(
        self, hass: HomeAssistant, entry_id: str, url: Callable[[], str | None], changed: CALLBACK_TYPE
    ) -> None:
        """Ask nothing yet; `url` tells the option as it is now, `changed` is called when the state is another one."""
        self.state = IndexState()
        self._hass = hass
        self._storage = IndexStorage(hass, entry_id)
        self._current_url = url
        self._changed = changed
        self._url = ""
        """What the state is about; empty for none."""
        self._copy: IndexCopy | None = None
        self._task: asyncio.Task[CannotRefresh | None] | None = None
        self._timer: CALLBACK_TYPE | None = None
        self._failures = 0
        self._stopped = False

    def overdue(self, now: datetime) -> bool:
        """Tell whether it has failed for so long that somebody has to look at it.

        The first failure after a start does not count: it is often only a network that is not up yet.
        """
        since = self.state.failing_since
        return self._failures > 1 and since is not None and now - since >= OVERDUE

    async def async_load(self) -> None:
        """Know again what was known before a restart; no traffic."""
        self._url = self._current_url() or ""
        if not self._url:
            await self._storage.async_remove()
            return
        remembered = await self._storage.async_load(self._url)
        index = Index()
        if remembered.copy is not None:
            try:
                index = await self._async_parse(remembered.copy)
            except InvalidIndex:
                # We have become stricter than we were. What we would not take today we do not keep either.
                remembered = replace(remembered, copy=None, checked_at=None)
        self._copy = remembered.copy
        self.state = IndexState(
            releases=index.releases,
            refused=index.refused,
            checked_at=remembered.checked_at,
            failing_since=remembered.failing_since,
        )

    @callback
    def start(self) -> None:
        """Ask when the next ask is due, and go on asking; right now what never has been read."""
        state, pause = self.state, 0.0
        if state.checked_at is not None:
            pause = random.uniform(0, _START_SPREAD)  # noqa: S311 - no secret
            if state.failing_since is None:
                age = (dt_util.utcnow() - state.checked_at).total_seconds()
                # A clock that was put back does not make the wait longer.
                pause += min(max(ASK_INTERVAL - age, 0.0), ASK_INTERVAL)
        if self._url and not self._stopped:
            self._set_timer(pause)

    @callback
    def ask(self) -> None:
        """Ask now, where there is something to ask; what comes of it is told by `changed`."""
        if self._url and not self._stopped:
            self._ask()

    async def async_refresh(self) -> None:
        """Ask now, or wait for the ask that is under way. Raises CannotRefresh."""
        if self._stopped:
            raise CannotRefresh(FetchFault.INTERRUPTED)
        if not self._url:
            raise CannotRefresh(FetchFault.NO_URL)
        task = self._ask()
        await asyncio.wait({task})
        if task.cancelled():
            raise CannotRefresh(FetchFault.INTERRUPTED)
        if (error := task.result()) is not None:
            raise error

    async def async_entry_updated(self) -> None:
        """Where the URL has changed, forget what the old one said, and ask the new one."""
        url = self._current_url() or ""
        if url == self._url or self._stopped:
            return
        self._url = url
        self._copy = None
        self._failures = 0
        self.state = IndexState()
        await self._async_cancel()
        await self._storage.async_remove()
        self._changed()
        self.start()

    async def async_stop(self) -> None:
        """Ask no more."""
        self._stopped = True
        await self._async_cancel()

    async def _async_cancel(self) -> None:
        self._cancel_timer()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    @callback
    def _ask(self) -> asyncio.Task[CannotRefresh | None]:
        if self._task is None or self._task.done():
            self._pause(ASK_INTERVAL)
            self._task = self._hass.async_create_background_task(self._async_ask(self._url), "emu_ota firmware index")
        return self._task

    async def _async_ask(self, url: str) -> CannotRefresh | None:
        """Ask, and take over what comes; return why nothing came."""
        try:
            copy = await async_fetch_index(async_get_clientsession(self._hass), url, self._copy)
            index = await self._async_parse(copy)
        except CannotRefresh as err:
            error = err
        except InvalidIndex as err:
            error = CannotRefresh(err.reason)
        else:
            await self._async_succeeded(url, copy, index)
            return None
        await self._async_failed(url, error)
        return error

    async def _async_parse(self, copy: IndexCopy) -> Index:
        # Some hundredths of a second for the largest.
        return await self._hass.async_add_executor_job(parse_index, copy.body, copy.base)

    async def _async_succeeded(self, url: str, copy: IndexCopy, index: Index) -> None:
        if self._failures:
            LOGGER.info("The firmware index can be read again")
        self._failures = 0
        self._copy = copy
        self.state = IndexState(releases=index.releases, refused=index.refused, checked_at=dt_util.utcnow())
        self._changed()
        await self._async_save(url)

    async def _async_failed(self, url: str, error: CannotRefresh) -> None:
        if not self._failures:
            LOGGER.info("The firmware index cannot be read: %s; it is asked again every hour", error)
        self._failures += 1
        self._pause(ASK_AGAIN)
        since = self.state.failing_since
        self.state = replace(self.state, failing_since=since or dt_util.utcnow(), last_error=error.fault)
        self._changed()
        if since is None:
            await self._async_save(url)

    async def _async_save(self, url: str) -> None:
        remembered = Remembered(
            copy=self._copy, checked_at=self.state.checked_at, failing_since=self.state.failing_since
        )
        await self._storage.async_save(url, remembered)

    @callback
    def _pause(self, seconds: float) -> None:
        self._set_timer(seconds * random.uniform(_SHORTEST, 1.0))  # noqa: S311 - no secret

    @callback
    def _set_timer(self, seconds: float) -> None:
        self._cancel_timer()
        job = HassJob(self._ask_due, "emu_ota firmware index", cancel_on_shutdown=True)
        self._timer = async_call_later(self._hass, seconds, job)

    @callback
    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer()
            self._timer = None

    @callback
    def _ask_due(self, _: datetime) -> None:
        self._timer = None
        self._ask()

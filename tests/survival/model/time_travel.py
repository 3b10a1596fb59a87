"""An event loop that never waits: where nothing is left to do, it is at once the time of what is due next."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
import math
from random import Random
import selectors
from typing import Any, Final, override

from freezegun.api import FrozenDateTimeFactory

BEGINNING: Final = datetime(2026, 10, 1, tzinfo=UTC)
"""When every story begins: the same for each, so that each goes the same way again."""

_TICK: Final = 1e-6
"""Seconds of the clock's smallest step."""
_ACCESS: Final = (0.0005, 0.004)
"""Seconds that a job of the executor takes, the least and the most: about those of a slow disk."""


class NothingToWaitFor(Exception):
    """Something waits for what can never come."""


class _Jump(selectors.DefaultSelector):
    """Waits for nothing but the clock, and moves it."""

    def __init__(self, freezer: FrozenDateTimeFactory) -> None:
        super().__init__()
        self._freezer = freezer

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingToWaitFor
        if timeout > 0:
            self._freezer.tick(timedelta(microseconds=math.ceil(timeout / _TICK)))
        return super().select(0)


class TimeTravelLoop(asyncio.SelectorEventLoop):
    """An event loop on a frozen clock. Jobs for threads run in it, too, each after the time that a disk takes."""

    def __init__(self, freezer: FrozenDateTimeFactory, seed: int = 0) -> None:
        """Begin at the beginning; `seed` is that of the disk's mood."""
        freezer.move_to(BEGINNING)
        self.died = False
        """Nothing that a job does takes place any more."""
        self.before_job: Callable[[Callable[..., object]], None] = _ignore
        self.after_job: Callable[[Callable[..., object]], None] = _ignore
        self._freezer = freezer
        self._seed = seed
        self._jobs: dict[Callable[..., object], tuple[int, float]] = {}
        """How many jobs of a kind there have been, and until when the last one takes."""
        super().__init__(_Jump(freezer))
        self._clock_resolution = _TICK

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return BEGINNING.timestamp() + self.time()

    @override
    def time(self) -> float:
        return (self._freezer.time_to_freeze - BEGINNING.replace(tzinfo=None)).total_seconds()

    @override
    def run_in_executor(self, executor: object, func: Callable[..., Any], *args: object) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self.create_future()
        # Two threads may overtake each other, but not on the way to one file.
        number, busy_until = self._jobs.get(func, (0, 0.0))
        # Each file has a mood of its own, so that what else is read, which may be in a cache, does not change it.
        kind = f"{func.__name__} {getattr(getattr(func, '__self__', None), 'key', '')}"
        mood = Random(f"{self._seed} {kind} {number}")  # noqa: S311 - no secret, and has to be repeatable
        due = max(self.time() + mood.uniform(*_ACCESS), busy_until + _TICK)
        self._jobs[func] = number + 1, due
        self.call_at(due, self._run_job, future, func, args)
        return future

    async def jobs_done(self) -> None:
        """Wait for the threads, as the end of a process does that ends in good order."""
        last = max((due for _, due in self._jobs.values()), default=0.0)
        await asyncio.sleep(max(0.0, last - self.time()) + _TICK)

    def cancel_timers(self) -> None:
        """Let nothing happen any more of what is due later."""
        for timer in self._scheduled:  # type: ignore[attr-defined]  # there is no other way to them
            timer.cancel()

    def _run_job(self, future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[object, ...]) -> None:
        # A thread goes on whoever waits for it; the end of the process ends it.
        self.before_job(func)
        if self.died:
            return
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 - as a thread hands on whatever comes
            if not future.done():
                future.set_exception(error)
        else:
            self.after_job(func)
            if not future.done() and not self.died:
                future.set_result(result)


def _ignore(_: object) -> None:
    """Nobody is interested."""

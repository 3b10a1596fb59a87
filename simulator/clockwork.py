"""Several things that happen at once, on a clock that the caller moves: no asyncio, no wall clock."""

from collections.abc import Callable, Generator
from heapq import heappop, heappush
from itertools import count

type Wait = float | Callable[[], bool]
"""What a process waits for: so many seconds, or a condition."""

type Process = Generator[Wait]
"""Does something at each step, and yields what it waits for before the next."""


class Clockwork:
    """Runs processes in the order in which their steps are due."""

    def __init__(self) -> None:
        """Begin at time 0 with nothing to do."""
        self.now = 0.0
        self._due: list[tuple[float, int, Process]] = []
        self._waiting: list[tuple[Callable[[], bool], Process]] = []
        self._order = count()

    def start(self, process: Process) -> None:
        """Run a process up to its first wait, and from then on as time goes by."""
        self._step(process)

    def run_until(self, now: float) -> None:
        """Let time go by; `now` in the past changes nothing."""
        self._run_due(now)
        self.now = max(self.now, now)
        # What came true from outside came true now, not at the last step.
        self._wake()
        self._run_due(now)

    def next_due(self) -> float | None:
        """Return when the next step is due, or None when nothing is, whatever the time."""
        return self._due[0][0] if self._due else None

    def _run_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            due, _, process = heappop(self._due)
            self.now = max(self.now, due)
            self._step(process)
            self._wake()

    def _wake(self) -> None:
        ready = [item for item in self._waiting if item[0]()]
        for item in ready:
            self._waiting.remove(item)
            self._step(item[1])

    def _step(self, process: Process) -> None:
        try:
            wait = next(process)
        except StopIteration:
            return
        if callable(wait):
            self._waiting.append((wait, process))
        else:
            heappush(self._due, (self.now + wait, next(self._order), process))

"""Long work in slices, so that the event loop gets its turn in between."""

from asyncio import Handle
from collections import deque
from collections.abc import Generator
from typing import Final

from homeassistant.core import HomeAssistant, callback

MOST_WAITING: Final = 16
"""Pieces of work: where more wait, somebody floods us, and what comes is worked off at once in place of kept."""

type Work = Generator[None]
"""Gives the loop back where it yields."""


class Slices:
    """Works off what it is given, one after the other and in order. Short work is done when `add` returns."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin with nothing to do."""
        self._loop = hass.loop
        self._waiting: deque[Work] = deque()
        self._next: Handle | None = None
        self._working = False

    @callback
    def add(self, work: Work) -> None:
        """Do something after all that was added before; at once where that is done."""
        self._waiting.append(work)
        if self._working:
            return
        if self._next is None:
            self._work()
        elif len(self._waiting) > MOST_WAITING:
            self._next.cancel()
            self._work(at_once=True)

    @callback
    def stop(self) -> None:
        """Leave what is left undone."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._waiting.clear()

    def _work(self, *, at_once: bool = False) -> None:
        self._next = None
        self._working = True
        try:
            while self._waiting:
                for _ in self._waiting[0]:
                    if not self._waiting:  # it has stopped us
                        return
                    if not at_once:
                        self._next = self._loop.call_soon(self._work)
                        return
                if self._waiting:
                    self._waiting.popleft()
        except BaseException:
            # Whoever added it hears of it; what waits behind it is not to blame.
            if self._waiting:
                self._waiting.popleft()
            if self._waiting:
                self._next = self._loop.call_soon(self._work)
            raise
        finally:
            self._working = False

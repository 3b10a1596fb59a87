"""How fast the machine is at a moment, by a fixed piece of work that is timed beside all that is timed."""

import time
from typing import Final

from homeassistant.core import EventBus, HomeAssistant, StateMachine

STATES: Final = 150
"""So many take some 0.7 ms: long enough for the clock, and short beside what is measured."""


class Pace:
    """Times work of the kind that is measured: states, in a state machine of its own, to which nobody listens.

    A machine that shares its cores with others may be half as fast for a second or two, whatever runs on it. What costs
    twice as much as this did at the same moment costs twice as much at any other.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Have the states there."""
        self._states = StateMachine(EventBus(hass), hass.loop)
        self._turn = 0
        self.taken: list[float] = []
        """The seconds that the work took, each time."""
        self.spent = 0.0
        """The CPU seconds of all that is done here: not to be counted as somebody else's."""
        self._write()

    def take(self) -> float:
        """Return the CPU seconds of the work now: of the second of two turns, for which the first has warmed up."""
        began = time.thread_time()
        self._write()
        before = time.thread_time()
        self._write()
        ended = time.thread_time()
        self.taken.append(ended - before)
        self.spent += ended - began
        return ended - before

    def _write(self) -> None:
        self._turn += 1
        for number in range(STATES):
            self._states.async_set(f"reference.number_{number}", str(self._turn), {"turn": self._turn})

"""How long a simulated EMS and its EMUs take for what they do."""

from dataclasses import dataclass, fields, replace
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds of every step; the defaults are those of a small site with a slow bus."""

    answer: float = 0.4
    """From a request to its answer."""
    download: float = 8
    """From an order to the file being there and checked; a slower real download takes as long as it takes."""
    unpack: float = 3
    hand_over: float = 4
    begin: float = 5
    """From the hand-over until the EMU begins; until then it reports its previous upgrade."""
    prepare_upgrade: float = 5
    prepare_transfer: float = 4
    transfer: float = 40
    """From 0 to 100 per cent of one component."""
    verify: float = 6
    complete: float = 4
    """A component rests in stage 5 before the next one, or the restart."""
    restart: float = 45

    def faster(self, speed: float) -> Timings:
        """Return these timings divided by a speed above 0."""
        return replace(self, **{field.name: getattr(self, field.name) / speed for field in fields(self)})


REALISTIC: Final = Timings()
FAST: Final = Timings(
    answer=0.02,
    download=0.1,
    unpack=0.05,
    hand_over=0.05,
    begin=0.1,
    prepare_upgrade=0.1,
    prepare_transfer=0.1,
    transfer=0.5,
    verify=0.1,
    complete=0.1,
    restart=0.5,
)
"""For tests in real time: an upgrade of three components takes about 4 s."""

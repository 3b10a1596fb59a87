"""What happens at a simulated EMS, told for people to read."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class What(StrEnum):
    """Kinds of happenings; the value is what a person reads."""

    HEARD = "asked for"
    NOT_UNDERSTOOD = "not understood"
    IGNORED = "ignored, as if it knew no EMU-OTA"
    ANSWERED = "answered"
    LOST = "lost the answer to"
    FETCHING = "fetching"
    FETCHED = "fetched and checked"
    ORDER = "the order ended:"
    STAGE = "at"
    STANDS_STILL = "stands still"
    SILENT = "EMS silent for seconds:"
    RESTARTING = "restarting"
    RETURNED = "runs"
    SUPERSEDED = "upgrade replaced by a newer order"
    NOT_PUBLISHED = "not published: no connection"


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened; never holds a payload or a whole link (it may carry a token)."""

    at: float
    """Seconds since 1970."""
    uid: str
    what: What
    emu: int | None
    details: Mapping[str, str | int]

    def line(self) -> str:
        """Return it as a line for a person."""
        who = self.uid if self.emu is None else f"{self.uid} EMU {self.emu}"
        details = ", ".join(map(str, self.details.values()))
        return f"{who}: {self.what} {details}".rstrip()

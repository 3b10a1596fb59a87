"""What has been fetched of a hosted package: part of an upgrade, so it is a value that survives restarts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

MAX_RANGES: Final = 64
"""Ranges kept apart. An EMS that resumes makes one; beyond these the smallest are forgotten until sent anew."""

MAX_ADDRESSES: Final = 4
"""Addresses kept: an EMS has one, or a few where its lines change."""

type Range = tuple[int, int]
"""From the first byte to before the last, counted from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What has been fetched so far. `dataclasses.asdict` and JSON may hold it; `fetched_from_record` reads it back."""

    requests: int = 0
    """Requests with the right token, whatever came of them: 0 is an EMS that has not come at all."""
    running: int = 0
    """Requests at this moment."""
    sent: int = 0
    """Bytes handed to the network in all; those sent twice count twice."""
    ranges: tuple[Range, ...] = ()
    """Which parts of the package were sent at least once: in order, apart from each other."""
    whole: bool = False
    """Whether all of it was sent at least once, over however many requests."""
    last_at: float | None = None
    """When something was last asked for or sent, in seconds since 1970."""
    addresses: tuple[str, ...] = ()
    """Where the requests came from, the latest last."""

    @property
    def covered(self) -> int:
        """How many bytes of the package were sent at least once: how far the fetch is."""
        return sum(stop - start for start, stop in self.ranges)

    def begun(self, address: str, at: float) -> Fetched:
        """Return it with one more request."""
        addresses = (*(known for known in self.addresses if known != address), address)[-MAX_ADDRESSES:]
        return replace(self, requests=self.requests + 1, running=self.running + 1, last_at=at, addresses=addresses)

    def with_sent(self, start: int, stop: int, size: int, at: float) -> Fetched:
        """Return it with the bytes from `start` to before `stop` of a package of `size` bytes sent."""
        ranges = _with_range(self.ranges, start, stop)
        return replace(
            self,
            sent=self.sent + stop - start,
            ranges=ranges,
            whole=self.whole or ranges == ((0, size),),
            last_at=at,
        )

    def ended(self) -> Fetched:
        """Return it with one request less under way."""
        return replace(self, running=self.running - 1)


def fetched_from_record(record: Mapping[str, object]) -> Fetched:
    """Return what `dataclasses.asdict` wrote, as it comes back from JSON: no request outlives a restart."""
    ranges = cast("list[list[int]]", record["ranges"])
    addresses = cast("list[str]", record["addresses"])
    read = {
        **record,
        "running": 0,
        "ranges": tuple((start, stop) for start, stop in ranges),
        "addresses": tuple(addresses),
    }
    return Fetched(**read)  # type: ignore[arg-type]  # as written by asdict, with its values read back


def _with_range(ranges: tuple[Range, ...], start: int, stop: int) -> tuple[Range, ...]:
    apart = []
    for other in ranges:
        if other[1] < start or stop < other[0]:
            apart.append(other)
        else:
            start, stop = min(start, other[0]), max(stop, other[1])
    largest = sorted([*apart, (start, stop)], key=lambda kept: kept[0] - kept[1])[:MAX_RANGES]
    return tuple(sorted(largest))

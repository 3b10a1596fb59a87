"""Which packages can be fetched from this Home Assistant just now, by whom, and how much of them has been."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
import hmac
from http import HTTPStatus
from pathlib import Path
import secrets
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, LOGGER
from ..protocol.fetched import Fetched

MAX_RUNNING_OF_ONE: Final = 4
"""Requests with one token at once: an EMS needs one, and more while its dead connections wait for their time-out."""

MAX_RUNNING: Final = 256
"""Requests at once in all: 100 EMSs and their dead connections; each may hold some 256 KiB of memory."""

MAX_TIMES: Final = 10
"""How often the bytes of a package are sent with one token: often enough for a bad line without resuming."""

RETRY_SOON: Final = 10
"""Seconds until a request among too many should come again: the others need some time to end."""
RETRY_LATE: Final = 3600
"""The same where the bytes are used up: only a new upgrade will help."""

TOLD_EVERY: Final = 5.0
"""Seconds after which a fetch is told of again, where a per cent of the package takes longer."""

_TOKEN_BYTES: Final = 16  # 128 bits


class Busy(Exception):
    """A request has to wait, because there are too many, or too much was sent."""

    def __init__(self, status: HTTPStatus, retry_after: int) -> None:
        """Say how it is answered, and after how many seconds it should come again."""
        super().__init__(status.phrase)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedFile:
    """A package that can be fetched."""

    path: Path
    name: str
    """As in the URL: of `names.url_file_name`."""
    size: int
    """Bytes."""
    sha256: str


@dataclass(slots=True, kw_only=True)
class Offer:
    """One package that can be fetched with one token."""

    file: HostedFile
    fetched: Fetched
    changed: Callable[[Fetched], None]
    closed: bool = False
    """Requests under way end as soon as they see it."""
    missed: bool = False
    """Whether its file was missed already, and that was logged."""

    def tell_missing(self) -> None:
        """Log that its file is not there, or not the one that was offered: once, an EMS may try often."""
        if not self.missed:
            self.missed = True
            LOGGER.warning("The firmware package %s of %s bytes is missing or damaged", self.file.path, self.file.size)


class Hosting:
    """The open offers of this Home Assistant, by token. Tokens are never logged."""

    def __init__(
        self,
        hass: HomeAssistant,
        *,
        max_running_of_one: int = MAX_RUNNING_OF_ONE,
        max_running: int = MAX_RUNNING,
        max_times: int = MAX_TIMES,
        told_every: float = TOLD_EVERY,
    ) -> None:
        """Begin with no offer."""
        self._hass = hass
        self._max_running_of_one = max_running_of_one
        self._max_running = max_running
        self._max_times = max_times
        self._told_every = told_every
        self.stopped = False
        """Whether nothing is sent any more."""
        self._offers: dict[bytes, Offer] = {}
        self._running = 0

    def open(self, token: str, file: HostedFile, *, fetched: Fetched, changed: Callable[[Fetched], None]) -> Offer:
        """Let a package be fetched with a token until it is closed, going on from what was `fetched` before.

        `changed` is told when a request begins and ends, and between at every per cent of the package or every 5 s.
        A token that is open stays open: its requests go on, its own count stands, and the new `changed` is told at
        once where that is not `fetched`.
        """
        offer = self._offers.get(token.encode())
        if offer is None:
            offer = Offer(file=file, fetched=replace(fetched, running=0), changed=changed)
            self._offers[token.encode()] = offer
        else:
            offer.changed = changed
            if offer.fetched != fetched:
                _tell(offer)
        return offer

    def close(self, token: str) -> None:
        """Let nothing be fetched with a token any more; requests under way are cut off, and nothing is told."""
        if (offer := self._offers.pop(token.encode(), None)) is not None:
            offer.closed = True

    def stop(self) -> None:
        """Send nothing any more, since Home Assistant stops: it would wait for requests under way. The offers stay."""
        self.stopped = True

    def find(self, token: str) -> Offer | None:
        """Return the open offer of a token, in a time that tells nothing of the open tokens but how many there are."""
        asked = token.encode(errors="surrogatepass")
        found = None
        for known, offer in self._offers.items():
            if hmac.compare_digest(known, asked):
                found = offer
        return found

    @contextmanager
    def fetch(self, offer: Offer, address: str) -> Generator[Callable[[int, int], None]]:
        """Count a request from its beginning to its end. Raises Busy.

        What it gives is to be told of each part that was sent: its first byte, and the one after its last.
        """
        self._check(offer)
        told_covered, told_at = offer.fetched.covered, self._hass.loop.time()

        def sent(start: int, stop: int) -> None:
            nonlocal told_covered, told_at
            offer.fetched = offer.fetched.with_sent(start, stop, offer.file.size, _now())
            covered, at = offer.fetched.covered, self._hass.loop.time()
            if (covered - told_covered) * 100 >= offer.file.size or at - told_at >= self._told_every:
                told_covered, told_at = covered, at
                _tell(offer)

        self._running += 1
        offer.fetched = offer.fetched.begun(address, _now())
        _tell(offer)
        try:
            yield sent
        finally:
            self._running -= 1
            offer.fetched = offer.fetched.ended()
            _tell(offer)

    def _check(self, offer: Offer) -> None:
        # Held against what was sent so far, so the requests under way can go above it: each by one package at most.
        if offer.fetched.sent >= self._max_times * offer.file.size:
            raise Busy(HTTPStatus.TOO_MANY_REQUESTS, RETRY_LATE)
        if offer.fetched.running >= self._max_running_of_one:
            raise Busy(HTTPStatus.TOO_MANY_REQUESTS, RETRY_SOON)
        if self.stopped or self._running >= self._max_running:
            raise Busy(HTTPStatus.SERVICE_UNAVAILABLE, RETRY_SOON)


HOSTING: HassKey[Hosting] = HassKey(f"{DOMAIN}.hosting")
"""The one of this Home Assistant, since a route can be registered only once; `view.async_setup_hosting` makes it."""


def new_token() -> str:
    """Return a new token: 128 random bits in 22 characters that a URL holds as they are."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def _tell(offer: Offer) -> None:
    if not offer.closed:
        offer.changed(offer.fetched)


def _now() -> float:
    return dt_util.utcnow().timestamp()

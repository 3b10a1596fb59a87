"""The asks for the versions of one EMS: when, and whether they were answered (design: "Asking")."""

from collections.abc import Callable
from datetime import datetime, timedelta
import random
from typing import Final
from uuid import uuid4

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from .const import LOGGER
from .protocol import commands
from .protocol.commands import Stamp
from .protocol.topics import EmsAddress
from .transport import Transport, TransportError

ASK_INTERVAL: Final = 15 * 60.0
"""Between asks for the versions at rest: they change a few times a year, and each ask is one line of traffic."""
ASK_AGAIN: Final = 60.0
"""After an ask that was not answered, until it answers again."""
ASK_UPGRADING: Final = 30.0
"""While an EMU is at work; progress has questions of its own."""
ASK_RESTARTING: Final = 10.0
"""While an EMU is expected back."""
ANSWER_TIMEOUT: Final = 10.0
"""An EMS answers within a second or two; this allows for a slow line."""
ANSWER_LATEST: Final = 60.0
"""An answer later than this belongs to no ask any more."""
AFTER_CONNECTING: Final = 1.0
"""From a new connection to the first ask: what the broker has kept for us comes at once and is no answer to it."""


def new_stamp() -> Stamp:
    """Return what makes the next message different from every other."""
    return Stamp(mid=str(uuid4()), trace_id=str(uuid4()), timestamp=int(dt_util.utcnow().timestamp() * 1000))


class Asking:
    """Asks one EMS for its versions, again and again."""

    def __init__(
        self, hass: HomeAssistant, transport: Transport, address: EmsAddress, timed_out: CALLBACK_TYPE
    ) -> None:
        """Ask nothing yet; `timed_out` is called for each ask that was not answered in time."""
        self.unanswered = 0
        """Asks in a row without an answer."""
        self._hass = hass
        self._transport = transport
        self._address = address
        self._timed_out = timed_out
        self._interval = ASK_INTERVAL
        self._spread = True
        self._open = False
        self._pending: dict[str, float] = {}
        self._timer: CALLBACK_TYPE | None = None
        self._stopped = False

    @property
    def pending(self) -> bool:
        """Whether an ask is open (sent, not answered, not yet given up), or about to go out over a new connection."""
        return self._open

    async def async_ask(self) -> None:
        """Ask now. Without a connection nothing happens: the next connection asks."""
        if self._stopped or not self._transport.connected:
            return
        command = commands.ask_versions(self._address, new_stamp())
        now = dt_util.utcnow().timestamp()
        self._pending = {mid: at for mid, at in self._pending.items() if now - at < ANSWER_LATEST}
        self._pending[command.mid] = now
        self._open = True
        self._set_timer(ANSWER_TIMEOUT, self._ask_timed_out)
        try:
            await self._transport.async_publish(command.topic, command.payload)
        except TransportError as err:
            LOGGER.debug("Asking %s for its versions: %s", self._address.uid, err)

    @callback
    def ask_soon(self) -> None:
        """Ask without waiting for it to have gone out."""
        self._hass.async_create_task(self.async_ask(), f"emu_ota ask {self._address.uid}")

    @callback
    def set_pace(self, interval: float) -> None:
        """Ask every so many seconds from now on."""
        sooner, self._interval = interval < self._interval, interval
        if sooner and not self._open and self._timer is not None:
            self.schedule()

    def answers(self, reply: str | None) -> bool:
        """Tell whether a result answers an ask of ours."""
        return bool(self._pending) if reply is None else reply in self._pending

    @callback
    def hold(self) -> None:
        """Give an answer the time to be worked off, after which it is taken; no other is asked for until then."""
        self.unanswered = 0
        self._open = True
        self._set_timer(ANSWER_TIMEOUT, self._ask_timed_out)

    @callback
    def take_answer(self, reply: str | None, at: float) -> float | None:
        """Return the milliseconds that a result took as the answer to an ask, or None when it answers none of ours.

        `at` is when it came, in seconds since 1970.
        """
        if not self.answers(reply):
            return None
        asked_at = self._pending[reply] if reply is not None else min(self._pending.values())
        self._pending.clear()
        self._open = False
        self.unanswered = 0
        return round((at - asked_at) * 1000)

    @callback
    def schedule(self) -> None:
        """Wait for the next turn."""
        pause = self._interval
        if self.unanswered:
            pause = max(min(self._interval, ASK_AGAIN) - ANSWER_TIMEOUT, 0.0)
        elif self._spread:
            # The first pause of a connection is shortened by chance, so that many EMSs are asked at many times.
            self._spread = False
            pause *= random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        self._set_timer(pause, self._ask_due)

    @callback
    def connection_changed(self) -> None:
        """Drop what is open: what comes over a new connection may answer asks of before it; news, but no answers."""
        self._pending.clear()
        self._open = self._transport.connected
        self._spread = True
        self._cancel_timer()
        if self._open:
            self._set_timer(AFTER_CONNECTING, self._ask_due)

    @callback
    def stop(self) -> None:
        """Ask no more."""
        self._stopped = True
        self._cancel_timer()

    def _set_timer(self, seconds: float, due: Callable[[datetime], None]) -> None:
        self._cancel_timer()
        self._timer = async_call_later(self._hass, timedelta(seconds=seconds), due)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer()
            self._timer = None

    @callback
    def _ask_due(self, _: datetime) -> None:
        self._timer = None
        self.ask_soon()

    @callback
    def _ask_timed_out(self, _: datetime) -> None:
        self._timer = None
        self._open = False
        self.unanswered += 1
        self.schedule()
        self._timed_out()

"""One EMS: asks, hears, remembers, and tells exactly those whose EMU changed."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .asking import ASK_INTERVAL, ASK_UPGRADING, Asking, new_stamp
from .const import LOGGER
from .protocol import commands, parser
from .protocol.commands import Command
from .protocol.errors import Malformation, MalformedMessage
from .protocol.models import (
    SUCCESS_FLAG,
    DownloadStatus,
    Message,
    ProgressResult,
    Report,
    UpgradeCommand,
    UpgradeResult,
    VersionResult,
)
from .protocol.topics import Direction, EmsAddress, Exchange
from .storage import StoredEms
from .transport import Received, Transport, TransportError

SILENT_AFTER: Final = 2
"""Unanswered asks in a row: one lost message is no silence."""
FRESH: Final = 5.0
"""Seconds in which an answer is as good as one asked for now."""
STUCK_AFTER: Final = 15 * 60.0
"""A stage 1-4 that does not move for so long, on an EMU that we do not upgrade, is a leftover."""

UNKNOWN_CODES_LOGGED: Final = 6
"""Lines per EMS: a newer device has a handful of new codes, a broken one, or a liar, as many as it likes."""

_EXCHANGES: Final = (Exchange.VERSION, Exchange.PROGRESS, Exchange.UPGRADE)


@dataclass(frozen=True, slots=True)
class EmuReported:
    """The EMS reported an EMU. `told` is the report as it came, `before` what was known."""

    told: Report
    before: Report | None


@dataclass(frozen=True, slots=True)
class OrderAnswered:
    """The EMS said what became of an order. `reply` is the order's mid, where the EMS tells it."""

    device_id: int
    status: DownloadStatus | int
    reply: str | None


@dataclass(frozen=True, slots=True)
class ForeignOrder:
    """An order for an EMU was heard; `mid` tells whether it is one of ours."""

    device_id: int
    mid: str | None


@dataclass(frozen=True, slots=True)
class AskEnded:
    """An ask for the versions was answered or timed out; `answering` is what is believed now."""

    answered: bool
    answering: bool


type EmsEvent = EmuReported | OrderAnswered | ForeignOrder | AskEnded


class EmsCoordinator:
    """What one EMS says, and what it is asked. Everything runs in the event loop."""

    def __init__(  # noqa: PLR0913 - each is another part's to give
        self,
        hass: HomeAssistant,
        transport: Transport,
        *,
        address: EmsAddress,
        name: str,
        stored: StoredEms,
        changed: CALLBACK_TYPE,
    ) -> None:
        """Begin with what is known from before; `changed` is called when there is something new to remember."""
        self.address = address
        self.name = name
        self.bit_field = stored.bit_field
        self.emus: dict[int, Report] = dict(stored.emus)
        """What is known of each EMU: each figure as it was last told."""
        self.listed: set[int] | None = None
        """The EMUs that the last list named; None before the first."""
        self.last_answer: datetime | None = None
        self.response_time: float | None = None
        """Milliseconds of the last answer."""
        self.dropped: Counter[str] = Counter()
        """Messages and reports that were not used, by kind."""
        self.handle_event: Callable[[EmsEvent], None] = _ignore
        """Who runs the upgrades hears everything."""
        self.handle_new_emus: Callable[[list[int]], None] = _ignore
        self._transport = transport
        self._answering = stored.answering
        self._remember = changed
        self._asking = Asking(hass, transport, address, self._ask_timed_out)
        self._pace = ASK_INTERVAL
        self._unsubscribe: list[CALLBACK_TYPE] = []
        self._emu_listeners: dict[int, list[CALLBACK_TYPE]] = {}
        self._ems_listeners: list[CALLBACK_TYPE] = []
        self._moved_at: dict[int, float] = {}
        self._watched_since: float | None = None
        """The first of the answers of which none has been missing since; what moved before it was not seen."""
        self._busy: frozenset[int] = frozenset()
        self._unknown_codes: set[tuple[str, int]] = set()
        self._order_mids: deque[str] = deque(maxlen=16)

    @property
    def uid(self) -> str:
        """The EMS's unique id."""
        return self.address.uid

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached."""
        return self._transport.connected

    @property
    def available(self) -> bool:
        """Whether the EMS answers, as far as can be seen from here."""
        return self._answering and self._transport.connected

    @property
    def busy(self) -> frozenset[int]:
        """The EMUs in a stage 1-4 that moves, whoever ordered it."""
        return self._busy

    def rested(self, seconds: float) -> bool:
        """Tell whether it has answered for so many seconds without a stage 1-4 of any of its EMUs seen to move."""
        now, since = dt_util.utcnow().timestamp(), self._watched_since
        quiet = since is not None and now - since >= seconds
        return quiet and all(now - moved_at >= seconds for moved_at in self._moved_at.values())

    def is_fresh(self) -> bool:
        """Tell whether its last answer is as good as one asked for now."""
        if self.last_answer is None or self._watched_since is None:
            return False
        return (dt_util.utcnow() - self.last_answer).total_seconds() < FRESH

    def stored(self) -> StoredEms:
        """Return what is to be remembered."""
        return StoredEms(bit_field=self.bit_field, answering=self._answering, emus=self.emus)

    async def async_subscribe(self) -> None:
        """Hear the EMS. Raises NotAuthorized when the broker refuses a topic."""
        for exchange in _EXCHANGES:
            topic = self.address.topic(exchange, Direction.RESULT)
            self._unsubscribe.append(await self._transport.async_subscribe(topic, self._receive))
        # Where the access list allows it: the orders of others.
        topic = self.address.topic(Exchange.UPGRADE, Direction.COMMAND)
        self._unsubscribe.append(await self._transport.async_subscribe(topic, self._receive, optional=True))
        self._unsubscribe.append(self._transport.watch_connection(self._connection_changed))

    def stop(self) -> None:
        """Ask and hear no more."""
        self._asking.stop()
        while self._unsubscribe:
            self._unsubscribe.pop()()

    def watch_emu(self, device_id: int, changed: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call back when anything about one EMU changed; returns what ends it."""
        listeners = self._emu_listeners.setdefault(device_id, [])
        listeners.append(changed)
        return lambda: listeners.remove(changed)

    def watch_ems(self, changed: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call back when anything about the EMS itself changed; returns what ends it."""
        self._ems_listeners.append(changed)
        return lambda: self._ems_listeners.remove(changed)

    @callback
    def notify_emu(self, device_id: int) -> None:
        """Tell those who watch one EMU."""
        for changed in tuple(self._emu_listeners.get(device_id, ())):
            changed()

    def _notify_ems(self) -> None:
        for changed in tuple(self._ems_listeners):
            changed()

    def _notify_all(self) -> None:
        self._notify_ems()
        for device_id in tuple(self._emu_listeners):
            self.notify_emu(device_id)

    def names(self, device_id: int) -> bool:
        """Tell whether the EMS still names an EMU, as far as is known: an EMU is missing only in a whole list."""
        return self.listed is None or device_id in self.listed

    def forget(self, device_id: int) -> None:
        """Remove an EMU that the EMS no longer names."""
        self.emus.pop(device_id, None)
        self._moved_at.pop(device_id, None)
        self._emu_listeners.pop(device_id, None)
        self._remember()

    async def async_ask_versions(self) -> None:
        """Ask for the reports of all EMUs; the answer, or that there is none, comes as an AskEnded."""
        await self._asking.async_ask()

    @callback
    def refresh(self) -> None:
        """Ask for the versions soon, unless an answer is on its way."""
        if not self._asking.pending:
            self._asking.ask_soon()

    async def async_ask_progress(self, device_id: int) -> None:
        """Ask how far one EMU is; the answer comes as an EmuReported."""
        command = commands.ask_progress(self.address, new_stamp(), device_id)
        try:
            await self._transport.async_publish(command.topic, command.payload)
        except TransportError as err:
            LOGGER.debug("Asking %s for the progress of EMU %s: %s", self.uid, device_id, err)

    def prepare_order(self, device_id: int, download_url: str, md5: str) -> Command:
        """Return an order, ready to be stored and then sent. Raises CommandError."""
        command = commands.order_upgrade(self.address, new_stamp(), device_id, download_url, md5)
        self._order_mids.append(command.mid)
        return command

    async def async_send_order(self, command: Command) -> None:
        """Send an order, once. Raises NotSent when it surely did not go out, TransportError when that is open."""
        await self._transport.async_publish(command.topic, command.payload)

    @callback
    def set_pace(self, interval: float) -> None:
        """Have the versions asked every so many seconds by who runs the upgrades."""
        self._pace = interval
        self._asking.set_pace(min(interval, ASK_UPGRADING) if self._busy else interval)

    @callback
    def _ask_timed_out(self) -> None:
        if self._asking.unanswered >= SILENT_AFTER and self._answering:
            LOGGER.info("EMS %s has stopped answering", self.uid)
            self._answering = False
            self._watched_since = None
            self._remember()
            self._notify_all()
        self._update_busy()
        self.handle_event(AskEnded(answered=False, answering=self._answering))

    @callback
    def _connection_changed(self, _: bool) -> None:  # noqa: FBT001 - a callback's one value
        self._asking.connection_changed()
        self._watched_since = None
        self._notify_all()

    # Hearing

    @callback
    def _receive(self, received: Received) -> None:
        try:
            message = parser.parse(received.topic, received.payload)
        except MalformedMessage as err:
            self._drop(err.kind, str(err))
            return
        if message is not None:
            self._handle(message, retained=received.retained)

    def _drop(self, kind: str, detail: str) -> None:
        self.dropped[kind] += 1
        LOGGER.debug("Dropped from EMS %s: %s", self.uid, detail)

    def _handle(self, message: Message, *, retained: bool) -> None:
        match message:
            case VersionResult():
                self._handle_versions(message, retained=retained)
            case ProgressResult():
                self._handle_reports((message.report,), retained=retained)
            case UpgradeResult() | UpgradeCommand() if retained:
                self._drop("retained", f"a retained {type(message).__name__}")
            case UpgradeResult():
                self._note_code("download_status", message.status)
                self.handle_event(OrderAnswered(message.device_id, message.status, message.envelope.reply))
            case UpgradeCommand() if message.envelope.mid not in self._order_mids:
                self.handle_event(ForeignOrder(message.device_id, message.envelope.mid))
            case _:
                pass

    def _handle_versions(self, result: VersionResult, *, retained: bool) -> None:
        if result.malformed:
            self.dropped[Malformation.BAD_REPORT] += result.malformed
            LOGGER.debug("Dropped from EMS %s: %s malformed reports", self.uid, result.malformed)
            if not result.reports:  # nothing of it can be used, so it is no answer either
                return
        if not retained and not result.malformed:
            self.listed = {report.device_id for report in result.reports}
        # Before the answer is taken: what the reports lead to need not be asked for, it has just come.
        self._handle_reports(result.reports, retained=retained)
        took = None if retained else self._asking.take_answer(result.envelope.reply)
        if took is not None:
            self._take_answer(took)
        elif not retained and not self._answering and not self._asking.pending:
            # It is alive and answers somebody: no need to wait for the next turn.
            self._asking.ask_soon()

    def _take_answer(self, took: float) -> None:
        self.last_answer = dt_util.utcnow()
        self.response_time = took
        self._watched_since = self._watched_since or self.last_answer.timestamp()
        self._asking.schedule()
        if self._answering:
            self._notify_ems()
        else:
            LOGGER.info("EMS %s answers", self.uid)
            self._answering = True
            self._remember()
            self._notify_all()
        self.handle_event(AskEnded(answered=True, answering=True))

    def _handle_reports(self, reports: tuple[Report, ...], *, retained: bool) -> None:
        known = set(self.emus)
        learns_bit_field = not self.bit_field and any((report.success or 0) > SUCCESS_FLAG for report in reports)
        if learns_bit_field:
            self.bit_field = True
            self._remember()
        new: list[int] = []
        for told in reports:
            before = self.emus.get(told.device_id)
            if before is None and len(self.emus) >= parser.MAX_EMUS:
                self._drop(Malformation.TOO_MANY_EMUS, f"EMU {told.device_id} is one too many")
                continue
            if before is None:
                new.append(told.device_id)
            self._handle_report(told, before, retained=retained)
        self._update_busy()
        if learns_bit_field:
            for device_id in known:
                self.notify_emu(device_id)
        if new:
            self.handle_new_emus([device_id for device_id in new if device_id not in known])

    def _handle_report(self, told: Report, before: Report | None, *, retained: bool) -> None:
        for name, code in (("status", told.status), ("component", told.component), ("stage", told.stage)):
            self._note_code(name, code)
        # Retained is old news: it fills in what is not known yet, and nothing else; of a transfer now it knows nothing.
        after = told.over(before) if before is None or not retained else before.over(replace(told, progress=None))
        # What stood there at the start may have moved a moment before.
        moved = told.device_id not in self._moved_at or _moved(told, before)
        if told.active and not retained and moved:
            self._moved_at[told.device_id] = dt_util.utcnow().timestamp()
        if after != before:
            self.emus[told.device_id] = after
            if before is None or replace(before, progress=after.progress) != after:
                self._remember()
        if not retained:
            self.handle_event(EmuReported(told, before))
        if after != before:
            self.notify_emu(told.device_id)

    def _note_code(self, name: str, code: object) -> None:
        if type(code) is not int or len(self._unknown_codes) >= UNKNOWN_CODES_LOGGED:
            return
        if (name, code) not in self._unknown_codes:
            self._unknown_codes.add((name, code))
            LOGGER.info("EMS %s reports %s %s, which this version of EMU OTA does not know", self.uid, name, code)

    def _update_busy(self) -> None:
        """Find who is at work, and tell those of whom that has changed without a report."""
        now = dt_util.utcnow().timestamp()
        busy = frozenset(
            device_id
            for device_id, moved_at in self._moved_at.items()
            if now - moved_at < STUCK_AFTER and self.emus[device_id].active
        )
        changed, self._busy = busy ^ self._busy, busy
        if changed:
            self.set_pace(self._pace)
        for device_id in changed:
            self.notify_emu(device_id)


def _moved(told: Report, before: Report | None) -> bool:
    if before is None or not before.active:
        return True
    return (told.component, told.stage, told.progress) != (before.component, before.stage, before.progress)


def _ignore(_: object) -> None:
    """Nobody listens yet."""

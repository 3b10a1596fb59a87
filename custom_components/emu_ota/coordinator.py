"""One EMS: asks, hears, remembers, and tells exactly those whose EMU changed."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .asking import ASK_INTERVAL, ASK_UPGRADING, Asking, new_stamp
from .at_work import AtWork
from .const import LOGGER
from .ems_events import AskEnded, EmsEvent, EmuReported, ForeignOrder, OrderAnswered, ReportsEnded
from .protocol import commands, parser
from .protocol.commands import Command
from .protocol.errors import Malformation, MalformedMessage
from .protocol.models import (
    SUCCESS_FLAG,
    Message,
    ProgressResult,
    Report,
    UpgradeCommand,
    UpgradeResult,
    VersionResult,
)
from .protocol.topics import Direction, EmsAddress, Exchange, OtaTopic
from .slices import Slices, Work
from .storage import StoredEms
from .transport import Received, Transport, TransportError

SILENT_AFTER: Final = 2
"""Unanswered asks in a row: one lost message is no silence."""
FRESH: Final = 5.0
"""Seconds in which an answer is as good as one asked for now."""
UNKNOWN_CODES_LOGGED: Final = 32
"""Lines per EMS: a newer device has a handful of new codes, a broken one as many as it likes."""
EMUS_PER_SLICE: Final = 25
"""EMUs of a list that are told before the event loop gets its turn: some 5 ms, and five times that on a small board."""
NEW_EMUS_PER_SLICE: Final = 5
"""The same for EMUs that appear: each makes a device and seven entities, some 2 ms."""

_EXCHANGES: Final = (Exchange.VERSION, Exchange.PROGRESS, Exchange.UPGRADE)


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
        self.uid = address.uid
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
        self.handle_new_emus: Callable[[Iterable[int]], None] = _ignore
        self.attended: Collection[int] = ()
        """The EMUs whose every report counts, whether it says something new or not: theirs to say who runs upgrades."""
        self._transport = transport
        self._answering = stored.answering
        self._remember = changed
        self._asking = Asking(hass, transport, address, self._ask_timed_out)
        self._pace = ASK_INTERVAL
        self._unsubscribe: list[CALLBACK_TYPE] = []
        self._emu_listeners: dict[int, list[CALLBACK_TYPE]] = {}
        self._ems_listeners: list[CALLBACK_TYPE] = []
        self._at_work = AtWork()
        self.busy = self._at_work.emus
        """The EMUs in a stage 1-4 that moves, whoever ordered it, as they are at any time."""
        self._slices = Slices(hass)
        self._topics: dict[str, OtaTopic] = {}
        self._versions: VersionResult | None = None
        """What the next version result is held against."""
        self._told: dict[int, Report] = {}
        """What each EMU last told; the same report once more says nothing to anybody."""
        self._untold: int | None = None
        """The EMU of which there is something new that nobody was told yet."""
        self._settled: tuple[Report, ...] | None = None
        """The whole list that was last told, while nothing else was."""
        self._watched_since: float | None = None
        """The first of the answers of which none has been missing since; what moved before it was not seen."""
        self._unknown_codes: set[tuple[str, int]] = set()
        self._order_mids: deque[str] = deque(maxlen=16)

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached."""
        return self._transport.connected

    @property
    def available(self) -> bool:
        """Whether the EMS answers, as far as can be seen from here."""
        return self._answering and self._transport.connected

    def rested(self, seconds: float) -> bool:
        """Tell whether it has answered for so many seconds without a stage 1-4 of any of its EMUs seen to move."""
        now, since = dt_util.utcnow().timestamp(), self._watched_since
        return since is not None and now - since >= seconds and self._at_work.rested(seconds, now)

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
            await self._async_subscribe(exchange, Direction.RESULT)
        # Where the access list allows it: the orders of others.
        await self._async_subscribe(Exchange.UPGRADE, Direction.COMMAND, optional=True)
        self._unsubscribe.append(self._transport.watch_connection(self._connection_changed))

    async def _async_subscribe(self, exchange: Exchange, direction: Direction, *, optional: bool = False) -> None:
        topic = self.address.topic(exchange, direction)
        self._topics[topic] = OtaTopic(self.address, exchange, direction)
        self._unsubscribe.append(await self._transport.async_subscribe(topic, self._receive, optional=optional))

    def stop(self) -> None:
        """Ask and hear no more; what was heard and is not worked off yet the next answer tells again."""
        self._asking.stop()
        self._slices.stop()
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
        """Tell those who watch one EMU that something about it changed besides its reports."""
        # What it told last may mean something else by now, so it has to be heard once more.
        self._told.pop(device_id, None)
        self._settled = None
        self._tell_emu(device_id)

    @callback
    def notify_emus(self) -> None:
        """Tell those who watch any EMU that something about all of them changed besides their reports."""
        self._slices.add(self._tell_emus(tuple(self._emu_listeners)))

    def _tell_emu(self, device_id: int) -> None:
        if device_id == self._untold:
            self._untold = None
        for changed in tuple(self._emu_listeners.get(device_id, ())):
            changed()

    def _tell_emus(self, device_ids: Iterable[int]) -> Work:
        for count, device_id in enumerate(device_ids, 1):
            self._tell_emu(device_id)
            if not count % EMUS_PER_SLICE:
                yield

    def _tell_ems(self) -> None:
        for changed in tuple(self._ems_listeners):
            changed()

    def _tell_all(self) -> Work:
        self._tell_ems()
        yield from self._tell_emus(tuple(self._emu_listeners))

    def names(self, device_id: int) -> bool:
        """Tell whether the EMS still names an EMU, as far as is known: an EMU is missing only in a whole list."""
        return self.listed is None or device_id in self.listed

    def forget(self, device_id: int) -> None:
        """Remove an EMU that the EMS no longer names."""
        self.emus.pop(device_id, None)
        self._at_work.forget(device_id)
        self._told.pop(device_id, None)
        self._settled = None
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
        self._asking.set_pace(min(interval, ASK_UPGRADING) if self.busy else interval)

    @callback
    def _ask_timed_out(self) -> None:
        if self._asking.unanswered >= SILENT_AFTER and self._answering:
            LOGGER.info("EMS %s has stopped answering", self.uid)
            self._answering = False
            self._watched_since = None
            self._remember()
            self._slices.add(self._tell_all())
        self._take_stuck()
        self.handle_event(AskEnded(answered=False, answering=self._answering))

    @callback
    def _connection_changed(self, _: bool) -> None:  # noqa: FBT001 - a callback's one value
        self._asking.connection_changed()
        self._watched_since = None
        self._slices.add(self._tell_all())

    # Hearing

    @callback
    def _receive(self, received: Received) -> None:
        try:
            message = parser.parse_payload(self._topics[received.topic], received.payload, self._versions)
        except MalformedMessage as err:
            self._drop(err.kind, str(err))
            return
        if isinstance(message, VersionResult):
            self._versions = message
        self._slices.add(self._handle(message, retained=received.retained, at=dt_util.utcnow().timestamp()))

    def _drop(self, kind: str, detail: str) -> None:
        self.dropped[kind] += 1
        LOGGER.debug("Dropped from EMS %s: %s", self.uid, detail)

    def _handle(self, message: Message, *, retained: bool, at: float) -> Work:
        match message:
            case VersionResult():
                yield from self._handle_versions(message, retained=retained, at=at)
            case ProgressResult():
                yield from self._handle_reports((message.report,), retained=retained)
            case UpgradeResult() | UpgradeCommand() if retained:
                self._drop("retained", f"a retained {type(message).__name__}")
            case UpgradeResult():
                self._note_code("download_status", message.status)
                self.handle_event(OrderAnswered(message.device_id, message.status, message.envelope.reply))
            case UpgradeCommand() if message.envelope.mid not in self._order_mids:
                self.handle_event(ForeignOrder(message.device_id, message.envelope.mid))
            case _:
                pass

    def _handle_versions(self, result: VersionResult, *, retained: bool, at: float) -> Work:
        if result.malformed:
            self.dropped[Malformation.BAD_REPORT] += result.malformed
            LOGGER.debug("Dropped from EMS %s: %s malformed reports", self.uid, result.malformed)
            if not result.reports:  # nothing of it can be used, so it is no answer either
                return
        reply = result.envelope.reply
        if result.reports is self._settled and not retained:
            # The same list once more: news only to an upgrade that waits for the EMU to say what it says.
            attended = [self._told[device_id] for device_id in self.attended if device_id in self._told]
            yield from self._handle_reports(attended, retained=False)
        else:
            if not retained and not result.malformed:
                self.listed = {report.device_id for report in result.reports}
            if not retained and len(result.reports) > EMUS_PER_SLICE:
                self._asking.hold(reply)  # it has come in time, however long it takes to work it off
            # Before the answer is taken: what the reports lead to need not be asked for, it has just come.
            yield from self._handle_reports(result.reports, retained=retained)
        told = self._told
        self._settled = (
            result.reports if all(told.get(report.device_id) is report for report in result.reports) else None
        )
        took = None if retained else self._asking.take_answer(reply, at)
        if took is not None:
            yield from self._take_answer(took)
        elif not retained and not self._answering and not self._asking.pending:
            # It is alive and answers somebody: no need to wait for the next turn.
            self._asking.ask_soon()

    def _take_answer(self, took: float) -> Work:
        self.last_answer = dt_util.utcnow()
        self.response_time = took
        self._watched_since = self._watched_since or self.last_answer.timestamp()
        self._asking.schedule()
        if self._answering:
            self._tell_ems()
        else:
            LOGGER.info("EMS %s answers", self.uid)
            self._answering = True
            self._remember()
            yield from self._tell_all()
        self.handle_event(AskEnded(answered=True, answering=True))

    def _handle_reports(self, reports: Sequence[Report], *, retained: bool) -> Work:
        known = self._learn_bit_field(reports)
        worth_remembering, new = False, list[int]()
        handled = 0
        for told in reports:
            device_id = told.device_id
            if told is self._told.get(device_id) and device_id not in self.attended:
                continue
            before = self.emus.get(device_id)
            if before is None and len(self.emus) >= parser.MAX_EMUS:
                self._drop(Malformation.TOO_MANY_EMUS, f"EMU {device_id} is one too many")
                continue
            if before is None:
                new.append(device_id)
            worth_remembering |= self._handle_report(told, before, retained=retained)
            handled += 1
            if len(new) == NEW_EMUS_PER_SLICE or not handled % EMUS_PER_SLICE:
                self._tell_new(new)
                yield
        self._tell_new(new)
        self._take_stuck()
        if worth_remembering:
            self._remember()
        yield from self._tell_emus(known)
        self.handle_event(ReportsEnded())

    def _tell_new(self, device_ids: list[int]) -> None:
        if device_ids:
            self.handle_new_emus(tuple(device_ids))
            device_ids.clear()

    def _learn_bit_field(self, reports: Sequence[Report]) -> tuple[int, ...]:
        """Learn how the EMS tells success, where that is new; return whose figures then mean something else."""
        if self.bit_field or not any((report.success or 0) > SUCCESS_FLAG for report in reports):
            return ()
        self.bit_field = True
        self._told.clear()
        self._remember()
        return tuple(self.emus)

    def _handle_report(self, told: Report, before: Report | None, *, retained: bool) -> bool:
        """Take a report over; return whether it is worth remembering what is known now."""
        device_id = told.device_id
        if int in (type(told.status), type(told.component), type(told.stage)):
            for name, code in (("status", told.status), ("component", told.component), ("stage", told.stage)):
                self._note_code(name, code)
        # Retained is old news: it fills in what is not known yet, and nothing else.
        after = before.over(told) if retained and before is not None else told.over(before)
        changed = after != before
        if changed:
            self.emus[device_id] = after
        at_work_changed = False
        if after.active or device_id in self.busy:
            now = dt_util.utcnow().timestamp()
            if not retained:
                self._at_work.moved(told, before, now)
            at_work_changed = self._at_work.update(after, now)
            if at_work_changed:
                self.set_pace(self._pace)
        self._untold = device_id if changed or at_work_changed else None
        if not retained:
            self._told[device_id] = told
            self.handle_event(EmuReported(told, before))
        if self._untold is not None:
            self._tell_emu(device_id)
        return changed and (before is None or after.without_progress != before.without_progress)

    def _note_code(self, name: str, code: object) -> None:
        if type(code) is not int or len(self._unknown_codes) >= UNKNOWN_CODES_LOGGED:
            return
        if (name, code) not in self._unknown_codes:
            self._unknown_codes.add((name, code))
            LOGGER.info("EMS %s reports %s %s, which this version of EMU OTA does not know", self.uid, name, code)

    def _take_stuck(self) -> None:
        """Tell those of whom nothing has moved for too long, without a report that says so."""
        if not self.busy:
            return
        stuck = self._at_work.take_stuck(self.emus, dt_util.utcnow().timestamp())
        if stuck:
            self.set_pace(self._pace)
        for device_id in stuck:
            self._tell_emu(device_id)


def _ignore(_: object) -> None:
    """Nobody listens yet."""

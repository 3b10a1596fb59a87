"""One EMS: asks, hears, remembers, and tells exactly those whose EMU changed."""

from collections import deque
from datetime import datetime
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .asking import ASK_INTERVAL, ASK_UPGRADING, Asking, new_stamp
from .const import LOGGER
from .ems_events import AskEnded, ForeignOrder, OrderAnswered
from .emu_reports import EmuReports
from .protocol import commands, parser
from .protocol.commands import Command
from .protocol.errors import Malformation, MalformedMessage
from .protocol.models import (
    Message,
    ProgressResult,
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
        self.reports = EmuReports(
            address.uid, stored, tell=self._tell_emu, remember=changed, busy_changed=self._busy_changed
        )
        self.emus = self.reports.emus
        """What is known of each EMU: each figure as it was last told."""
        self.busy = self.reports.at_work.emus
        """The EMUs in a stage 1-4 that moves, whoever ordered it, as they are at any time."""
        self.last_answer: datetime | None = None
        self.response_time: float | None = None
        """Milliseconds of the last answer."""
        self._transport = transport
        self._answering = stored.answering
        self._remember = changed
        self._asking = Asking(hass, transport, address, self._ask_timed_out)
        self._pace = ASK_INTERVAL
        self._unsubscribe: list[CALLBACK_TYPE] = []
        self._emu_listeners: dict[int, list[CALLBACK_TYPE]] = {}
        self._ems_listeners: list[CALLBACK_TYPE] = []
        self._slices = Slices(hass)
        self._topics: dict[str, OtaTopic] = {}
        self._versions: VersionResult | None = None
        """What the next version result is held against."""
        self._watched_since: float | None = None
        """The first of the answers of which none has been missing since; what moved before it was not seen."""
        self._order_mids: deque[str] = deque(maxlen=16)
        self._unaware: tuple[int, ...] = ()
        """The EMUs whose watchers were not told yet that it answers again."""

    @property
    def bit_field(self) -> bool:
        """Whether its success values are bit fields."""
        return self.reports.bit_field

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
        return since is not None and now - since >= seconds and self.reports.at_work.rested(seconds, now)

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
        self.reports.hear_again(device_id)
        self.reports.tell(device_id)

    @callback
    def notify_emus(self) -> None:
        """Tell those who watch any EMU that something about all of them changed besides their reports."""
        self._slices.add(self.reports.tell_all(tuple(self._emu_listeners)))

    def _tell_emu(self, device_id: int) -> None:
        for changed in tuple(self._emu_listeners.get(device_id, ())):
            changed()

    def _tell_ems(self) -> None:
        for changed in tuple(self._ems_listeners):
            changed()

    def _tell_all(self) -> Work:
        self._tell_ems()
        yield from self.reports.tell_all(tuple(self._emu_listeners))

    def names(self, device_id: int) -> bool:
        """Tell whether the EMS still names an EMU, as far as is known: an EMU is missing only in a whole list."""
        return self.reports.listed is None or device_id in self.reports.listed

    def forget(self, device_id: int) -> None:
        """Remove an EMU that the EMS no longer names."""
        self.reports.forget(device_id)
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
    def _busy_changed(self) -> None:
        self.set_pace(self._pace)

    @callback
    def _ask_timed_out(self) -> None:
        if self._asking.unanswered >= SILENT_AFTER and self._answering:
            LOGGER.info("EMS %s has stopped answering", self.uid)
            self._answering = False
            self._watched_since = None
            self._remember()
            self._slices.add(self._tell_all())
        self.reports.take_stuck()
        self.reports.handle_event(AskEnded(answered=False, answering=self._answering))

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
            self.reports.drop(err.kind, str(err))
            return
        if isinstance(message, VersionResult):
            self._versions = message
        self._slices.add(self._handle(message, retained=received.retained, at=dt_util.utcnow().timestamp()))

    def _handle(self, message: Message, *, retained: bool, at: float) -> Work:
        match message:
            case VersionResult():
                yield from self._handle_versions(message, retained=retained, at=at)
            case ProgressResult():
                yield from self.reports.take((message.report,), retained=retained)
            case UpgradeResult() | UpgradeCommand() if retained:
                self.reports.drop("retained", f"a retained {type(message).__name__}")
            case UpgradeResult():
                self.reports.note_code("download_status", message.status)
                self.reports.handle_event(OrderAnswered(message.device_id, message.status, message.envelope.reply))
            case UpgradeCommand() if message.envelope.mid not in self._order_mids:
                self.reports.handle_event(ForeignOrder(message.device_id, message.envelope.mid))
            case _:
                pass

    def _handle_versions(self, result: VersionResult, *, retained: bool, at: float) -> Work:
        if result.malformed:
            self.reports.dropped[Malformation.BAD_REPORT] += result.malformed
            LOGGER.debug("Dropped from EMS %s: %s malformed reports", self.uid, result.malformed)
            if not result.reports:  # nothing of it can be used, so it is no answer either
                return
        reply = result.envelope.reply
        if not retained and self._asking.answers(reply):
            self._asking.hold()
            if not self._answering:
                # Before its reports are told, so that what they change is written only once.
                self._begin_answering()
        # Before the answer is taken: what the reports lead to need not be asked for, it has just come.
        yield from self.reports.take_list(result, retained=retained)
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
        if not self._answering:  # it was given up while its answer was worked off
            self._begin_answering()
        self._tell_ems()
        unaware, self._unaware = self._unaware, ()
        yield from self.reports.tell_all(unaware)
        self.reports.handle_event(AskEnded(answered=True, answering=True))

    def _begin_answering(self) -> None:
        """Believe that it answers. Entities of EMUs that appear now are born with that, all others are to be told."""
        LOGGER.info("EMS %s answers", self.uid)
        self._answering = True
        self._unaware = tuple(self._emu_listeners)
        self._remember()

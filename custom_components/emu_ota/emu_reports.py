"""What is known of the EMUs of one EMS, and what becomes of each report about them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from itertools import batched
from typing import Final

from homeassistant.core import CALLBACK_TYPE
from homeassistant.util import dt as dt_util

from .at_work import AtWork
from .const import LOGGER
from .ems_events import EmsEvent, EmuReported, ReportsEnded
from .protocol import parser
from .protocol.errors import Malformation
from .protocol.models import SUCCESS_FLAG, Report, VersionResult
from .slices import Work
from .storage import StoredEms

EMUS_PER_SLICE: Final = 25
"""EMUs of a list that are told before the event loop gets its turn: some 5 ms, and five times that on a small board."""
NEW_EMUS_PER_SLICE: Final = 20
"""The same for EMUs that appear: each makes a device and its entities, some 1.5 ms."""
UNKNOWN_CODES_LOGGED: Final = 6
"""Lines per EMS: a newer device has a handful of new codes, a broken one, or a liar, as many as it likes."""


class EmuReports:
    """The EMUs of one EMS, as they were reported."""

    def __init__(
        self,
        uid: str,
        stored: StoredEms,
        *,
        tell: Callable[[int], None],
        remember: CALLBACK_TYPE,
        busy_changed: CALLBACK_TYPE,
    ) -> None:
        """Begin with what is known from before.

        `tell` is called with each EMU about which something changed, `remember` when there is something new to
        remember, `busy_changed` when an EMU begins or ends to be at work.
        """
        self.emus: dict[int, Report] = dict(stored.emus)
        """What is known of each EMU: each figure as it was last told."""
        self.bit_field = stored.bit_field
        self.listed: set[int] | None = None
        """The EMUs that the last list named; None before the first."""
        self.dropped: Counter[str] = Counter()
        """Messages and reports that were not used, by kind."""
        self.at_work = AtWork()
        self.handle_event: Callable[[EmsEvent], None] = _ignore
        self.handle_new_emus: Callable[[Iterable[int]], None] = _ignore
        self.handle_changed: Callable[[Iterable[int]], None] = _ignore
        """Called once for all EMUs that are told in one go, before those who watch one of them."""
        self.attended: Collection[int] = ()
        """The EMUs whose every report counts, whether it says something new or not."""
        self._uid = uid
        self._tell = tell
        self._remember = remember
        self._busy_changed = busy_changed
        self._told: dict[int, Report] = {}
        """What each EMU last told; the same report once more says nothing to anybody."""
        self._untold: dict[int, None] = {}
        """The EMUs of which there is something new that nobody was told yet, in order."""
        self._settled: tuple[Report, ...] | None = None
        """The whole list that was last told, while nothing else was."""
        self._unknown_codes: set[tuple[str, int]] = set()

    def tell(self, *device_ids: int) -> None:
        """Tell that something about these EMUs changed."""
        self.handle_changed(device_ids)
        for device_id in device_ids:
            self._untold.pop(device_id, None)
            self._tell(device_id)

    def hear_again(self, device_id: int) -> None:
        """Take what an EMU told last for news when it tells it once more: by now it may mean something else."""
        self._told.pop(device_id, None)
        self._settled = None

    def forget(self, device_id: int) -> None:
        """Forget an EMU."""
        self.hear_again(device_id)
        self.emus.pop(device_id, None)
        self.at_work.forget(device_id)

    def drop(self, kind: str, detail: str) -> None:
        """Count what cannot be used."""
        self.dropped[kind] += 1
        LOGGER.debug("Dropped from EMS %s: %s", self._uid, detail)

    def note_code(self, name: str, code: object) -> None:
        """Log a code that is not known, once."""
        if type(code) is not int or len(self._unknown_codes) >= UNKNOWN_CODES_LOGGED:
            return
        if (name, code) not in self._unknown_codes:
            self._unknown_codes.add((name, code))
            LOGGER.info("EMS %s reports %s %s, which this version of EMU OTA does not know", self._uid, name, code)

    def take_list(self, result: VersionResult, *, retained: bool) -> Work:
        """Take the reports of a whole list."""
        if result.reports is self._settled and not retained:
            # The same once more: news only to an upgrade that waits for the EMU to say what it says.
            attended = self.attended
            again = [report for report in result.reports if report.device_id in attended] if attended else []
            yield from self.take(again, retained=False)
        else:
            if not retained and not result.malformed:
                self.listed = {report.device_id for report in result.reports}
            yield from self.take(result.reports, retained=retained)
        if result.reports is not self._settled:
            settled = all(self._told.get(report.device_id) is report for report in result.reports)
            self._settled = result.reports if settled else None

    def take(self, reports: Sequence[Report], *, retained: bool) -> Work:
        """Take reports, and tell whom they concern."""
        known = self._learn_bit_field(reports)
        worth_remembering, new = False, list[int]()
        handled = 0
        for told in reports:
            device_id = told.device_id
            if told is self._told.get(device_id) and device_id not in self.attended:
                continue
            before = self.emus.get(device_id)
            if before is None and len(self.emus) >= parser.MAX_EMUS:
                self.drop(Malformation.TOO_MANY_EMUS, f"EMU {device_id} is one too many")
                continue
            if before is None:
                new.append(device_id)
            worth_remembering |= self._take_report(told, before, retained=retained)
            handled += 1
            if len(new) == NEW_EMUS_PER_SLICE or handled == EMUS_PER_SLICE:
                self._tell_taken(new)
                handled = 0
                yield
        self._tell_taken(new)
        self.take_stuck()
        if worth_remembering:
            self._remember()
        yield from self.tell_all(known)
        self.handle_event(ReportsEnded())

    def tell_all(self, device_ids: Iterable[int]) -> Work:
        """Tell that something about each of these EMUs changed."""
        for several in batched(device_ids, EMUS_PER_SLICE, strict=False):
            self.tell(*several)
            if len(several) == EMUS_PER_SLICE:
                yield

    def _tell_taken(self, new: list[int]) -> None:
        """Tell what was taken over since the last time: one after the other is quicker than each in between."""
        if self._untold:
            self.tell(*self._untold)
        if new:
            self.handle_new_emus(tuple(new))
            new.clear()

    def _learn_bit_field(self, reports: Sequence[Report]) -> tuple[int, ...]:
        """Learn how the EMS tells success, where that is new; return whose figures then mean something else."""
        if self.bit_field or not any((report.success or 0) > SUCCESS_FLAG for report in reports):
            return ()
        self.bit_field = True
        self._told.clear()
        self._remember()
        return tuple(self.emus)

    def _take_report(self, told: Report, before: Report | None, *, retained: bool) -> bool:
        """Take a report over; return whether it is worth remembering what is known now."""
        device_id = told.device_id
        if int in (type(told.status), type(told.component), type(told.stage)):
            for name, code in (("status", told.status), ("component", told.component), ("stage", told.stage)):
                self.note_code(name, code)
        # Retained is old news: it fills in what is not known yet, and nothing else; of a transfer now it knows nothing.
        after = told.over(before) if before is None or not retained else before.over(replace(told, progress=None))
        changed = after != before
        if changed:
            self.emus[device_id] = after
        at_work_changed = False
        if after.active or device_id in self.at_work.emus:
            now = dt_util.utcnow().timestamp()
            if not retained:
                self.at_work.moved(told, before, now)
            at_work_changed = self.at_work.update(after, now)
            if at_work_changed:
                self._busy_changed()
        if changed or at_work_changed:
            self._untold[device_id] = None
        if not retained:
            self._told[device_id] = told
            self._settled = None
            self.handle_event(EmuReported(told, before))
        return changed and (before is None or after.without_progress != before.without_progress)

    def take_stuck(self) -> None:
        """Tell those of whom nothing has moved for too long, without a report that says so."""
        if not self.at_work.emus:
            return
        stuck = self.at_work.take_stuck(self.emus, dt_util.utcnow().timestamp())
        if stuck:
            self._busy_changed()
            self.tell(*stuck)


def _ignore(_: object) -> None:
    """Nobody listens yet."""

"""Runs the upgrades of one config entry: queue, effects, deadlines, persistence, history."""

from collections.abc import Iterable
from typing import Final
from uuid import uuid4

from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .active_upgrades import ActiveUpgrades
from .announcements import Announcements
from .const import LOGGER
from .coordinator import EmsCoordinator
from .ems_events import AskEnded, EmsEvent, EmuReported, ForeignOrder, OrderAnswered
from .filing import Filing
from .firmware.offers import Offers
from .history import History
from .ordering import Ordering
from .protocol.upgrade import Answered, Event, Happened, Order, Phase, Reported, Step, Upgrade
from .protocol.upgrade_machine import Effect, advance
from .storage import EntryStorage
from .ticking import Ticking
from .upgrade_queue import Limits, UpgradeQueue
from .waiting import Waiting

TICK_RUNNING: Final = 5.0
"""Seconds between questions for the progress of a running upgrade."""
TICK_QUEUED: Final = 30.0
"""Seconds between looks at a queue in which nothing happens by itself."""


class Upgrades:
    """The upgrades of one config entry. Everything runs in the event loop."""

    def __init__(
        self,
        hass: HomeAssistant,
        storage: EntryStorage,
        offers: Offers,
        systems: dict[str, EmsCoordinator],
        limits: Limits,
    ) -> None:
        """Know the EMSs by uid; `systems` stays the caller's and changes with the subentries."""
        self.announcements = Announcements()
        self.history = History(storage)
        self._hass = hass
        self._offers = offers
        self._systems = systems
        self.active = ActiveUpgrades(hass, storage)
        """What has no outcome yet."""
        self._waiting = Waiting(hass)
        self._queue = UpgradeQueue(self.active, limits)
        self._ticking = Ticking(hass, self._tick)
        self._ordering = Ordering(hass, self.active, offers, systems, self._advance)
        self._filing = Filing(hass, self.active, self.history)
        self._stopped = False

    async def async_load(self) -> None:
        """Take up what was under way; it goes on once its EMS was asked."""
        await self.history.async_load()
        ended = await self.active.async_load(self.history.get)
        for upgrade in ended:
            # A crash came before it was in the history.
            self.history.add(upgrade)
        # Now, and not later: the entry may not come up, and be loaded anew.
        await self._filing.async_file()
        for upgrade in ended:
            await self._offers.async_done(upgrade.order)
        for upgrade in self.active:
            self._ordering.offer(upgrade)

    async def async_stop(self) -> None:
        """Stop watching, and write where each upgrade stands. Those who wait get UpgradeInterrupted."""
        self._stopped = True
        self._ticking.stop()
        self._ordering.stop()
        self._advance_all(Happened.SUSPENDED)
        self._waiting.interrupt()
        await self._filing.async_stop()
        await self.active.async_save()

    @property
    def limits(self) -> Limits:
        """What the user set; it can be changed in place."""
        return self._queue.limits

    def current(self, uid: str, device_id: int) -> Upgrade | None:
        """Return the upgrade of an EMU that has no outcome yet."""
        return self.active.of_emu(uid, device_id)

    # What users do

    @callback
    def request(self, uid: str, device_id: int, order: Order, *, named: bool, by_user: bool) -> Upgrade:
        """Queue an upgrade of an EMU that has none. It is written at once and ordered when its turn comes."""
        now = dt_util.utcnow().timestamp()
        coordinator = self._systems[uid]
        emu = coordinator.emus.get(device_id)
        upgrade = Upgrade(
            id=uuid4().hex,
            uid=uid,
            device_id=device_id,
            order=order,
            named=named,
            by_user=by_user,
            from_version=None if emu is None else emu.version,
            since=now,
            steps=(Step(phase=Phase.QUEUED, at=now),),
            suspended_at=None if coordinator.connected else now,
        )
        self.active.add(upgrade)
        self.announcements.tell_step(upgrade, "queued")
        self._set_pace(uid)
        self._pump()
        # Only now: where its turn has come at once, nobody needs to see it queued.
        self._systems[uid].notify_emu(device_id)
        return upgrade

    @callback
    def cancel(self, upgrade: Upgrade) -> None:
        """Take an upgrade out of the queue. Raises IllegalEvent when it is ordered already."""
        self._advance(upgrade, Happened.CANCEL)
        self._pump()

    async def async_wait(self, upgrade_id: str) -> Upgrade:
        """Return an upgrade when it has its outcome. Raises UpgradeInterrupted when nobody watches it any more."""
        ended = self.history.get(upgrade_id)
        if ended is not None:
            return ended
        return await self._waiting.async_wait(upgrade_id)

    # What EMSs do

    def adopt(self, coordinator: EmsCoordinator) -> None:
        """Hear an EMS, and go on with what it has under way."""
        coordinator.reports.handle_event = lambda event: self._handle(coordinator, event)
        coordinator.reports.attended = self.active.running_on(coordinator.uid)
        self._set_pace(coordinator.uid)

    @callback
    def abandon(self, uid: str) -> None:
        """End the upgrades of an EMS that was taken out of Home Assistant."""
        for upgrade in self.active.of(uid):
            if upgrade.running:
                # Somebody may bring the EMS back while it is still at work.
                self._queue.hold(uid)
            self._advance(upgrade, Happened.REMOVED)
        self._pump()

    @callback
    def abandon_removed(self) -> None:
        """End the upgrades of EMSs that were taken out of Home Assistant while nobody looked."""
        for uid in {upgrade.uid for upgrade in self.active} - self._systems.keys():
            self.abandon(uid)

    @callback
    def connection_changed(self, connected: bool) -> None:  # noqa: FBT001 - a callback's one value
        """Stop the clocks while the broker cannot be reached; each EMS's first answer after that starts them again."""
        if not connected and not self._stopped:
            self._advance_all(Happened.SUSPENDED)

    @callback
    def _handle(self, coordinator: EmsCoordinator, event: EmsEvent) -> None:
        uid = coordinator.uid
        match event:
            case EmuReported():
                self._handle_report(coordinator, event)
                return  # whose turn it is is looked at when all reports of the message are in
            case OrderAnswered(device_id, status, reply):
                upgrade = self.current(uid, device_id)
                if upgrade is not None and upgrade.running and reply in {None, upgrade.mid}:
                    self._advance(upgrade, Answered(status))
            case ForeignOrder(device_id, mid):
                self._handle_foreign_order(coordinator, device_id, mid)
            case AskEnded():
                for upgrade in self.active.of(uid):
                    self._advance(upgrade, Happened.RESUMED)
                    if not event.answering:
                        self._advance(upgrade, Happened.SILENCE)
                if event.answered:
                    self._queue.release(coordinator)
                    self._set_pace(uid)
        self._pump()

    def _handle_report(self, coordinator: EmsCoordinator, event: EmuReported) -> None:
        uid, told, before = coordinator.uid, event.told, event.before
        current, last = self.current(uid, told.device_id), self.history.last(uid, told.device_id)
        if current is not None and current.running:
            self._advance(current, Reported(told, coordinator.bit_field))
            return
        amended = current is None and last is not None and self._amend(last, Reported(told, coordinator.bit_field))
        changed = before is not None and before.version is not None and told.version not in {None, before.version}
        if before is not None and changed and not amended:
            self.announcements.tell_external_change(uid, told.device_id, before.version, told.version)
        elif before is not None and (told.active or before.active) and not (last is not None and last.may_go_on):
            # That it ends is a sign of it, too: while it stands still, nothing of it is heard.
            now, begins = dt_util.utcnow().timestamp(), not before.active
            self.announcements.note_foreign_work(uid, told.device_id, before.version, now, begins=begins)

    def _handle_foreign_order(self, coordinator: EmsCoordinator, device_id: int, mid: str | None) -> None:
        if mid is not None and any(upgrade.mid == mid for upgrade in self.active.of(coordinator.uid)):
            return
        emu = coordinator.emus.get(device_id)
        if emu is None:
            return
        upgrade = self.current(coordinator.uid, device_id)
        if upgrade is not None:
            self._advance(upgrade, Happened.FOREIGN_ORDER)
        now = dt_util.utcnow().timestamp()
        self.announcements.note_foreign_work(coordinator.uid, device_id, emu.version, now, begins=False)
        self.announcements.tell_external_change(coordinator.uid, device_id, emu.version)

    # Moving upgrades

    def _advance_all(self, event: Event) -> None:
        for upgrade in self.active:
            self._advance(upgrade, event)

    def _advance(self, upgrade: Upgrade, event: Event) -> Upgrade:
        """Advance an upgrade, unless it has its outcome, and do what has to be done about it."""
        current = self.active.get(upgrade.id)
        if current is None:  # an event just before this one, maybe for another upgrade, has ended it
            return upgrade
        upgrade = current
        after, effects = advance(upgrade, event, dt_util.utcnow().timestamp())
        if after == upgrade:
            return after
        if after.phase is Phase.ENDED:
            self._end(after)
        else:
            self.active.change(upgrade, after)
            self._set_pace(after.uid)
        self._do(after, effects)
        if after.uid in self._systems:
            self._systems[after.uid].notify_emu(after.device_id)
        return after

    def _amend(self, upgrade: Upgrade, event: Reported) -> bool:
        """Let a late report amend the newest outcome of its EMU; tell whether it did."""
        after, effects = advance(upgrade, event, dt_util.utcnow().timestamp())
        if Effect.TELL_AMENDED not in effects:
            return False
        self.history.amend(after)
        self._hass.async_create_task(self.history.async_save(), "emu_ota save")
        self._do(after, effects)
        self._systems[after.uid].notify_emu(after.device_id)
        return True

    def _end(self, upgrade: Upgrade) -> None:
        self.active.end(upgrade)
        self._ordering.end(upgrade)
        self.history.add(upgrade)
        if upgrade.by_deadline:
            # The EMS may still be at work on it.
            self._queue.hold(upgrade.uid)
        self._waiting.tell(upgrade)
        self._set_pace(upgrade.uid)
        self._hass.async_create_task(self._async_save_ended(upgrade), "emu_ota save")
        LOGGER.debug("Upgrade of EMU %s of %s: %s %s", upgrade.device_id, upgrade.uid, upgrade.outcome, upgrade.reason)

    def _do(self, upgrade: Upgrade, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Effect.SEND_ORDER:
                    self._ordering.send(upgrade)
                case Effect.ASK_VERSIONS:
                    self._systems[upgrade.uid].refresh()
                case Effect.TELL_QUEUED:
                    self.announcements.tell_step(upgrade, "queued")
                case Effect.TELL_STARTED:
                    self.announcements.tell_step(upgrade, "started")
                case Effect.TELL_ENDED:
                    self.announcements.tell_step(upgrade, str(upgrade.outcome))
                case Effect.TELL_AMENDED:
                    self.announcements.tell_step(upgrade, "amended")

    # The queue

    @callback
    def _pump(self) -> None:
        """Start what can start, and give up what has waited too long."""
        if self._stopped:
            return
        for uid in dict.fromkeys(upgrade.uid for upgrade in self.active):
            coordinator = self._systems.get(uid)
            if coordinator is not None:
                self._pump_ems(coordinator)
        self._ticking.every(TICK_RUNNING if self.active.count_running() else TICK_QUEUED if self.active else None)

    def _pump_ems(self, coordinator: EmsCoordinator) -> None:
        for upgrade, move in self._queue.moves(coordinator, can_serve=lambda: self._ordering.can_serve):
            if move is not None:
                self._advance(upgrade, move)
            elif coordinator.is_fresh():
                self._ordering.begin(coordinator, upgrade)
                return
            else:
                # The report that the upgrade is measured against must not be an old one.
                coordinator.refresh()
                return

    @callback
    def _tick(self) -> None:
        self.active.save_again()
        for upgrade in self.active:
            after = self._advance(upgrade, Happened.TICK) if upgrade.running else upgrade
            if after.phase in {Phase.ORDERED, Phase.UPGRADING} and after.uid in self._systems:
                coordinator = self._systems[after.uid]
                self._hass.async_create_task(coordinator.async_ask_progress(after.device_id), "emu_ota ask progress")
        self._pump()

    def _set_pace(self, uid: str) -> None:
        """Have an EMS asked as often as its upgrade needs."""
        if (coordinator := self._systems.get(uid)) is not None:
            coordinator.set_pace(self._queue.pace(uid))

    async def _async_save_ended(self, upgrade: Upgrade) -> None:
        await self._filing.async_ended()
        await self._offers.async_done(upgrade.order)

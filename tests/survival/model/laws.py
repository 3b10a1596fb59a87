"""What holds whatever happens: checked at every order, at every write, as time passes and after every step.

One side of each check is what the integration holds; the other is taken from the wire and from the disk.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, cast

from homeassistant.helpers import entity_registry as er
import orjson

from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.protocol.models import SUCCESS_FLAG, DownloadStatus, SuccessBit
from custom_components.emu_ota.protocol.upgrade import Outcome, Reason, Upgrade
from custom_components.emu_ota.upgrades import Upgrades

from .clocks import ANSWER_TIMEOUT, MINUTE, SLACK, Clocks
from .life import ENTRY_ID, Life
from .wire import EmuKey, Wire

FRESH: Final = 5.0
"""Seconds in which an answer can be measured against."""
STUCK: Final = 15 * MINUTE
HOLD: Final = 10 * MINUTE
_TELL_SUCCESS: Final = SuccessBit.EVERYTHING
_SAID_OF_ORDERS: Final[frozenset[str | None]] = frozenset(status.value for status in DownloadStatus)
"""What an EMS can say of an order; a reason that is called the same comes from nowhere else."""


class Laws:
    """The laws of a story."""

    def __init__(self, folder: str, wire: Wire, life: Callable[[], Life | None], now: Callable[[], float]) -> None:
        """Watch over whatever runs on this folder and this wire; `now` is in seconds since 1970."""
        self.cancelled: set[str] = set()
        """The upgrades that a user has cancelled, by id."""
        self._folder = Path(folder) / ".storage"
        self._wire = wire
        self._removed: dict[str, float] = {}
        """When an EMS was last taken out of Home Assistant, or brought back."""
        self._life = life
        self._now = now
        self._clocks = Clocks(wire)
        self._max_parallel: list[tuple[float, int]] = []
        """How many upgrades could run at once, and since when."""
        self._least_queue_timeout = float("inf")
        self._connected_at = 0.0
        self._looked_at = 0.0
        self._ordered: dict[str, str] = {}
        """The mid of the order of each upgrade that one went out for."""
        self._known: set[str] = set()
        """The upgrades that Home Assistant knows of, or should: all but those that a crash came too early for."""
        self._on_disk: set[str] = set()
        self._outcomes: dict[str, Upgrade] = {}
        """The upgrades that have an outcome, as they were last seen."""
        self._unamended: dict[str, Upgrade] = {}
        """Those of which a late report has amended the outcome, as they were before: a crash may take that back."""
        self._outcomes_on_disk: dict[str, tuple[object, object]] = {}

    # What the story tells

    def options_are(self, *, max_parallel: int, queue_timeout: int) -> None:
        """Take note of the options from now on."""
        self._max_parallel.append((self._now(), max_parallel))
        self._least_queue_timeout = min(self._least_queue_timeout, queue_timeout * MINUTE)

    def ems_comes_or_goes(self, uid: str) -> None:
        """Take note that an EMS is taken out of Home Assistant, or brought back."""
        self._removed[uid] = self._now()
        for (other, _), emu in self._wire.emus.items():
            if other == uid:  # by number: in the same moment, something may be told before and after
                emu.forgotten = len(emu.told)

    def connection_is_new(self) -> None:
        """Take note that Home Assistant has just started, or has just got its connection back."""
        self._connected_at = self._looked_at = self._now()
        self._clocks.allow_for_asking()

    def home_assistant_crashed(self) -> None:
        """Take note that what was not written is not known any more, the time that had passed included."""
        self._clocks.forget_phases()
        stored = [*self._stored("upgrades"), *self._stored("history")]
        self._known = _ids(stored)
        ended = {each["id"]: each["outcome"] for each in stored if each["outcome"]}
        self._outcomes = {
            key: upgrade if upgrade.outcome == ended[key] else self._unamended[key]
            for key, upgrade in self._outcomes.items()
            if key in ended
        }

    # At every order

    def order_goes_out(self, key: EmuKey, mid: str) -> None:
        """Check what must be so when an order of ours reaches the broker."""
        upgrades = self._upgrades()
        assert upgrades is not None, "an order without an entry"
        upgrade = next((each for each in upgrades.active if each.mid == mid), None)
        assert upgrade is not None, "an order without an upgrade"
        assert (upgrade.uid, upgrade.device_id) == key, "an order for another EMU"
        assert upgrade.id not in self._ordered, "an upgrade was ordered twice"
        assert mid not in self._ordered.values(), "an order was sent again"
        self._ordered[upgrade.id] = mid
        stored = {each["id"]: each["mid"] for each in self._stored("upgrades")}
        assert stored.get(upgrade.id) == mid, "an order went out that is not in storage"
        running = [each for each in upgrades.active if each.running]
        assert [each.id for each in running if each.uid == key[0]] == [upgrade.id], "two at once on one EMS"
        began = upgrade.ordered_at
        assert began is not None
        before = [each for each in running if each.ordered_at is not None and each.ordered_at <= began]
        assert len(before) <= self._allowed_at(began), "more at once than allowed"
        assert self._answered(key[0], began - FRESH, began), "measured against old news"
        # What was told in the very moment may have come before or after the decision.
        obstacles = [self._obstacle(key, began, told_now=told_now) for told_now in (True, False)]
        assert None in obstacles, f"not its turn: {obstacles}"

    def _allowed_at(self, time: float) -> int:
        """Return how many could run at once at a time; at that of a change, the more of both."""
        until = [since for since, _ in self._max_parallel[1:]] + [float("inf")]
        spans = zip(self._max_parallel, until, strict=True)
        return max(allowed for (since, allowed), end in spans if since <= time <= end)

    def _obstacle(self, key: EmuKey, began: float, *, told_now: bool) -> str | None:
        """Return why an order for an EMU should not have gone out."""
        for other in (each for each in self._wire.emus if each[0] == key[0]):
            emu = self._wire.of(other)
            reports = [
                told.report
                for told in emu.told
                if not told.retained and (told.at <= began if told_now else told.at < began)
            ]
            if not reports:
                continue
            if other == key and not reports[-1].running:
                return f"EMU {other[1]} does not run"
            if reports[-1].active and any(0 < began - at < STUCK for at in emu.moves):
                return f"EMU {other[1]} is at work"
        for upgrade in self._outcomes.values():
            if upgrade.uid == key[0] and _may_go_on(upgrade) and not self._rested(upgrade, began):
                return f"the EMS may still be at work on what has ended: {upgrade.reason}"
        return None

    def _rested(self, upgrade: Upgrade, until: float) -> bool:
        """Tell whether its EMS has answered after its end, with no EMU of it having moved for long enough by then."""
        assert upgrade.ended_at is not None
        emus = [emu for (uid, _), emu in self._wire.emus.items() if uid == upgrade.uid]
        moves = [at for emu in emus for at in emu.moves]
        return any(
            not any(0 < answered - at < HOLD for at in moves)
            for answered in self._answered(upgrade.uid, upgrade.ended_at, until)
        )

    # At every write

    def write_is_done(self) -> None:
        """Check that nothing that was on the disk once is gone from it, and no outcome rewritten but to a success."""
        active, ended = self._stored("upgrades"), self._stored("history")
        ids = _ids((*active, *ended))
        assert self._on_disk <= ids, f"an upgrade is gone from storage: {self._on_disk - ids}"
        self._on_disk = ids
        outcomes = {cast("str", each["id"]): (each["outcome"], each["reason"]) for each in ended}
        for upgrade_id, before in self._outcomes_on_disk.items():
            assert outcomes.get(upgrade_id) in {before, (Outcome.SUCCEEDED, None)}, "an outcome was rewritten"
        self._outcomes_on_disk = outcomes

    def _stored(self, what: str) -> list[dict[str, object]]:
        file = self._folder / f"{DOMAIN}.{ENTRY_ID}.{what}"
        if not file.exists():
            return []
        return cast("list[dict[str, object]]", orjson.loads(file.read_bytes())["data"]["upgrades"])

    # As time passes

    def look(self) -> None:
        """Check what holds at any moment, and count the time since the last look."""
        now, upgrades = self._now(), self._upgrades()
        passed, self._looked_at = now - self._looked_at, now
        if upgrades is None:
            return
        active = tuple(upgrades.active)
        running = [upgrade.uid for upgrade in active if upgrade.running]
        assert len(running) == len(set(running)), "two at once on one EMS"
        keys = [(upgrade.uid, upgrade.device_id) for upgrade in active]
        assert len(keys) == len(set(keys)), "two upgrades of one EMU"
        ids = [upgrade.id for upgrade in (*active, *upgrades.history)]
        assert len(ids) == len(set(ids)), "an upgrade has a double"
        assert self._known <= set(ids), "an upgrade is forgotten"
        self._known = set(ids)
        for upgrade in active:
            if self._is_connected():
                self._clocks.count(upgrade, passed)
        for upgrade in upgrades.history:
            known = self._outcomes.get(upgrade.id)
            if known != upgrade:
                self._clocks.stop(upgrade, passed)
                self._judge(known, upgrade)
                if known is not None:
                    self._unamended[upgrade.id] = known
                self._outcomes[upgrade.id] = upgrade

    def _judge(self, known: Upgrade | None, upgrade: Upgrade) -> None:
        """Check a new outcome, or what has become of a known one, against what was said on the wire."""
        if known is not None:
            assert known.outcome is not Outcome.SUCCEEDED, "a success was taken back"
            assert upgrade.outcome is Outcome.SUCCEEDED, "an outcome was changed to something else than a success"
            assert upgrade.amended_at is not None
        ended_at = upgrade.amended_at or upgrade.ended_at
        assert ended_at is not None
        if upgrade.outcome is Outcome.SUCCEEDED:
            self._judge_success(upgrade, ended_at)
        if upgrade.by_deadline and upgrade.amended_at is None:
            self._judge_deadline(upgrade, ended_at)
        wire, since = self._wire.of((upgrade.uid, upgrade.device_id)), upgrade.ordered_at or upgrade.queued_at
        match upgrade.outcome, upgrade.reason:
            case Outcome.CANCELLED, None:
                assert upgrade.id in self.cancelled, "nobody cancelled that"
            case Outcome.CANCELLED, Reason.EMS_REMOVED:
                assert self._removed.get(upgrade.uid, 0) >= upgrade.queued_at, "nobody removed that EMS"
            case Outcome.CANCELLED, Reason.ALREADY_INSTALLED:
                assert wire.version(0, ended_at) == upgrade.order.version, "that version was not installed"
            case Outcome.FAILED, reason if reason in _SAID_OF_ORDERS:
                assert reason in [status for at, status in wire.statuses if since <= at <= ended_at], "nobody said that"
            case Outcome.FAILED, _ if upgrade.ordered_at is None:
                waited = self._clocks.since_queued(upgrade)
                assert waited + SLACK >= self._least_queue_timeout, "given up in the queue too soon"
            case _:
                pass

    def _judge_success(self, upgrade: Upgrade, ended_at: float) -> None:
        wire, since = self._wire.of((upgrade.uid, upgrade.device_id)), upgrade.ordered_at
        assert since is not None, "a success without an order"
        assert upgrade.order.version is not None, "a success of nobody knows what"
        assert wire.version(0, ended_at) == upgrade.order.version, "a success that was not read back"
        if upgrade.from_version == upgrade.order.version:
            assert self._success_told(upgrade, since, ended_at), "an unproven success of the same version"
        else:
            assert wire.version(since, ended_at) == upgrade.order.version, "a success that was not read back"

    def _success_told(self, upgrade: Upgrade, since: float, until: float) -> bool:
        successes = (
            told.report.success
            for told in self._wire.of((upgrade.uid, upgrade.device_id)).told
            if since <= told.at <= until and told.report.success is not None
        )
        return any(success == SUCCESS_FLAG or success & _TELL_SUCCESS for success in successes)

    def _judge_deadline(self, upgrade: Upgrade, ended_at: float) -> None:
        waited = ended_at - self._connected_at  # below zero: a crash came before this could look
        asked = waited >= ANSWER_TIMEOUT or bool(self._answered(upgrade.uid, self._connected_at, ended_at))
        assert asked or waited < 0, "a deadline before anything was asked"
        assert self._clocks.could_end_by_deadline(upgrade), "time counted that does not"

    # After every step

    def check(self) -> None:
        """Check what holds once everything that is due has happened."""
        self.look()
        life, upgrades = self._life(), self._upgrades()
        if life is None or life.runtime is None or upgrades is None:
            return
        registry = er.async_get(life.hass)
        for uid, ems in life.runtime.systems.items():
            for device_id, known in ems.coordinator.emus.items():
                wire = self._wire.of((uid, device_id))
                told = [each.report.version for each in wire.told]
                assert known.version in {None, *told}, "a version that nobody has told"
                last = wire.version(self._connected_at, self._now(), forgotten=wire.forgotten)
                assert last in {None, known.version}, "a version other than the one that was told last"
                entity_id = registry.async_get_entity_id("update", DOMAIN, f"{uid}_{device_id}_firmware")
                state = None if entity_id is None else life.hass.states.get(entity_id)
                if state is not None and state.state != "unavailable":
                    assert state.attributes["installed_version"] == known.version
                    busy = upgrades.current(uid, device_id) is not None or device_id in ems.coordinator.busy
                    assert state.attributes["in_progress"] is busy

    # Where the two sides of the checks are

    def _answered(self, uid: str, since: float, until: float) -> list[float]:
        """Return when an EMS was heard to tell the versions of its EMUs."""
        return [at for at in self._wire.answers.get(uid, ()) if since <= at <= until]

    def _upgrades(self) -> Upgrades | None:
        life = self._life()
        return None if life is None or life.runtime is None else life.runtime.upgrades

    def _is_connected(self) -> bool:
        life = self._life()
        return life is not None and life.runtime is not None and life.runtime.transport.connected


def _may_go_on(upgrade: Upgrade) -> bool:
    """Tell whether the EMS may still be at work on an upgrade that has ended for us."""
    given_up = upgrade.reason is Reason.EMS_REMOVED and upgrade.ordered_at is not None
    return given_up or upgrade.may_go_on


def _ids(stored: Iterable[dict[str, object]]) -> set[str]:
    return {cast("str", each["id"]) for each in stored}

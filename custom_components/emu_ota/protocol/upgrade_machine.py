"""The transitions of an upgrade: a table, and advance() through it.

What an event means in the phase that an upgrade is in is a signal; the table says where a signal leads, and a
cell that it lacks is ignored.
"""

from dataclasses import replace
from enum import StrEnum

from . import upgrade_rules
from .models import SUCCESS_FLAG, DownloadStatus, EmuStatus, Report
from .upgrade import (
    Answered,
    Begin,
    Event,
    Fetching,
    Happened,
    NotReady,
    Outcome,
    Phase,
    Reason,
    Reported,
    Step,
    Upgrade,
)


class Signal(StrEnum):
    """What an event means for an upgrade in its phase."""

    TURN = "its turn"
    CANCELLED = "cancelled"
    ALREADY_INSTALLED = "already installed"
    NOT_SENT = "order not sent"
    REMOVED = "EMS removed"
    HANDED_OVER = "handed over"
    REFUSED = "order failed"
    NEWS = "news"
    SUCCESS_TOLD = "success told"
    ERRORS_TOLD = "errors told"
    WENT_OFFLINE = "EMU offline"
    WENT_SILENT = "EMS silent"
    OTHER_VERSION = "another version"
    ACTIVE = "a stage 1-4"
    SETTLED = "settled"
    DEADLINE = "deadline"
    ORDERED_VERSION = "ordered version read later"


class Effect(StrEnum):
    """What the owner of an upgrade has to do after an advance, in this order."""

    SEND_ORDER = "send_order"
    ASK_VERSIONS = "ask_versions"
    TELL_QUEUED = "tell_queued"
    TELL_STARTED = "tell_started"
    TELL_ENDED = "tell_ended"
    TELL_AMENDED = "tell_amended"


TRANSITIONS: dict[tuple[Phase, Signal], tuple[Phase, tuple[Effect, ...]]] = {
    (Phase.QUEUED, Signal.TURN): (Phase.ORDERED, (Effect.SEND_ORDER, Effect.TELL_STARTED)),
    (Phase.QUEUED, Signal.CANCELLED): (Phase.ENDED, (Effect.TELL_ENDED,)),
    (Phase.QUEUED, Signal.ALREADY_INSTALLED): (Phase.ENDED, (Effect.TELL_ENDED,)),
    (Phase.QUEUED, Signal.DEADLINE): (Phase.ENDED, (Effect.TELL_ENDED,)),
    # Besides in the ordered phase only where somebody else's upgrade of the EMU was taken for ours.
    **{
        (phase, Signal.NOT_SENT): (Phase.QUEUED, (Effect.TELL_QUEUED,))
        for phase in (Phase.ORDERED, Phase.UPGRADING, Phase.RESTARTING)
    },
    (Phase.ORDERED, Signal.HANDED_OVER): (Phase.UPGRADING, ()),
    (Phase.ORDERED, Signal.NEWS): (Phase.UPGRADING, ()),
    (Phase.ORDERED, Signal.REFUSED): (Phase.ENDED, (Effect.TELL_ENDED,)),
    (Phase.ORDERED, Signal.DEADLINE): (Phase.ENDED, (Effect.TELL_ENDED,)),
    (Phase.UPGRADING, Signal.SUCCESS_TOLD): (Phase.RESTARTING, (Effect.ASK_VERSIONS,)),
    (Phase.UPGRADING, Signal.WENT_OFFLINE): (Phase.RESTARTING, (Effect.ASK_VERSIONS,)),
    (Phase.UPGRADING, Signal.WENT_SILENT): (Phase.RESTARTING, (Effect.ASK_VERSIONS,)),
    (Phase.UPGRADING, Signal.OTHER_VERSION): (Phase.RESTARTING, (Effect.ASK_VERSIONS,)),
    (Phase.UPGRADING, Signal.ERRORS_TOLD): (Phase.ENDED, (Effect.TELL_ENDED,)),
    (Phase.UPGRADING, Signal.DEADLINE): (Phase.ENDED, (Effect.TELL_ENDED,)),
    (Phase.RESTARTING, Signal.ACTIVE): (Phase.UPGRADING, ()),
    (Phase.RESTARTING, Signal.SETTLED): (Phase.ENDED, (Effect.TELL_ENDED,)),
    (Phase.RESTARTING, Signal.ERRORS_TOLD): (Phase.ENDED, (Effect.TELL_ENDED,)),
    (Phase.RESTARTING, Signal.DEADLINE): (Phase.ENDED, (Effect.TELL_ENDED,)),
    **{
        (phase, Signal.REMOVED): (Phase.ENDED, (Effect.TELL_ENDED,))
        for phase in (Phase.QUEUED, Phase.ORDERED, Phase.UPGRADING, Phase.RESTARTING)
    },
    (Phase.ENDED, Signal.ORDERED_VERSION): (Phase.ENDED, (Effect.TELL_AMENDED,)),
}

# The EMS's own word on an order. It counts also while time does not: what it said while we were away may come before
# it was asked.
_ORDER_ANSWERED = frozenset({Signal.HANDED_OVER, Signal.REFUSED})

# Ours to send: where the table has no cell for one of these, the caller is wrong. All others come from afar.
LOCAL_SIGNALS = frozenset({Signal.TURN, Signal.CANCELLED, Signal.ALREADY_INSTALLED, Signal.NOT_SENT, Signal.REMOVED})


class IllegalEvent(RuntimeError):
    """Our fault: an event of our own that the upgrade's phase does not take. The upgrade is unchanged."""

    def __init__(self, signal: Signal, phase: Phase) -> None:
        """Say which."""
        super().__init__(f"{signal} in phase {phase}")


def advance(upgrade: Upgrade, event: Event, now: float) -> tuple[Upgrade, tuple[Effect, ...]]:
    """Return the upgrade after an event, and what has to be done about it.

    Raises IllegalEvent for an event of our own that does not fit the phase. Whatever comes from the EMS, late,
    twice or foreign, never raises.
    """
    upgrade = _absorb(upgrade, event, now)
    effects: tuple[Effect, ...] = ()
    # One report can lead through several phases (a restart too fast to be seen), each at most once.
    for _ in Phase:  # pragma: no branch - no report leads through all of them
        signal = _signal(upgrade, event, now)
        cell = None if signal is None else TRANSITIONS.get((upgrade.phase, signal))
        if signal is None or cell is None:
            break
        phase, done = cell
        upgrade = _enter(upgrade, phase, signal, event, now)
        effects += done
        if not isinstance(event, Reported):
            break
    return upgrade, effects


def _absorb(upgrade: Upgrade, event: Event, now: float) -> Upgrade:
    """Take in the facts of an event, whatever phase they lead to. An outcome's are closed."""
    if upgrade.phase is Phase.ENDED:
        return upgrade
    match event:
        case NotReady(reason=reason) if upgrade.phase is Phase.QUEUED:
            since = now if upgrade.not_ready_since is None else upgrade.not_ready_since
            return replace(upgrade, not_ready=reason, not_ready_since=since)
        case Reported():
            return _absorb_report(upgrade, event, now)
        case Happened.WAITING if upgrade.phase is Phase.QUEUED and upgrade.not_ready is not None:
            return replace(upgrade, not_ready=None, not_ready_since=None)
        case Fetching(fetched):
            return replace(upgrade, fetched=fetched)
        case Answered() | Happened.SILENCE:
            return replace(upgrade, silent=event is Happened.SILENCE)
        case Happened.FOREIGN_ORDER if upgrade.running:
            return replace(upgrade, contested=True, success_told=False)
        case Happened.SUSPENDED if upgrade.suspended_at is None:
            return replace(upgrade, suspended_at=now)
        case Happened.RESUMED if upgrade.suspended_at is not None:
            return _shifted(upgrade, upgrade.suspended_at, now)
        case _:
            return upgrade


def _shifted(upgrade: Upgrade, suspended_at: float, now: float) -> Upgrade:
    """Move every deadline by the time that did not count; what was set in that time starts now."""

    def later(anchor: float) -> float:
        return min(anchor + max(0.0, now - suspended_at), now)

    def later_if_set(anchor: float | None) -> float | None:
        return None if anchor is None else later(anchor)

    return replace(
        upgrade,
        suspended_at=None,
        since=later(upgrade.since),
        not_ready_since=later_if_set(upgrade.not_ready_since),
        changed_at=later_if_set(upgrade.changed_at),
        progressed_at=later_if_set(upgrade.progressed_at),
    )


def _absorb_report(upgrade: Upgrade, event: Reported, now: float) -> Upgrade:
    if upgrade.baseline is None:  # not ordered yet
        return upgrade
    told = event.report
    merged = told.over(upgrade.report)
    changed = merged != upgrade.report
    progressed = changed and (upgrade.report is None or merged.without_status != upgrade.report.without_status)
    news = upgrade.news or upgrade_rules.is_news(told, upgrade.baseline)
    return replace(
        upgrade,
        report=merged,
        silent=False,
        changed_at=now if changed else upgrade.changed_at,
        progressed_at=now if progressed else upgrade.progressed_at,
        news=news,
        flag_was_down=upgrade.flag_was_down or _flag_is_down(told),
        success_told=not upgrade.contested and upgrade_rules.success_told(upgrade, event, news=news),
    )


def _flag_is_down(report: Report) -> bool:
    return report.success is not None and report.success != SUCCESS_FLAG


def _signal(upgrade: Upgrade, event: Event, now: float) -> Signal | None:
    """Return what an event means for an upgrade that has absorbed it. Raises IllegalEvent."""
    signal = _own_signal(event)
    if signal is not None:
        if (upgrade.phase, signal) not in TRANSITIONS:
            raise IllegalEvent(signal, upgrade.phase)
        return signal
    if event is Happened.SUSPENDED:
        return None
    signal = _signal_in_phase(upgrade, event, now)
    return None if upgrade.suspended_at is not None and signal not in _ORDER_ANSWERED else signal


def _signal_in_phase(upgrade: Upgrade, event: Event, now: float) -> Signal | None:
    match upgrade.phase:
        case Phase.QUEUED:
            return _signal_queued(upgrade, event, now)
        case Phase.ORDERED:
            return _signal_ordered(upgrade, event, now)
        case Phase.UPGRADING:
            return _signal_upgrading(upgrade, event, now)
        case Phase.RESTARTING:
            return _signal_restarting(upgrade, event, now)
        case _:
            return (
                Signal.ORDERED_VERSION if isinstance(event, Reported) and upgrade_rules.amends(upgrade, event) else None
            )


def _own_signal(event: Event) -> Signal | None:
    match event:
        case Begin():
            return Signal.TURN
        case Happened.CANCEL:
            return Signal.CANCELLED
        case Happened.ALREADY_INSTALLED:
            return Signal.ALREADY_INSTALLED
        case Happened.NOT_SENT:
            return Signal.NOT_SENT
        case Happened.REMOVED:
            return Signal.REMOVED
        case _:
            return None


def _signal_queued(upgrade: Upgrade, event: Event, now: float) -> Signal | None:
    since = upgrade.not_ready_since
    late = isinstance(event, NotReady) and since is not None and now - since >= event.timeout
    return Signal.DEADLINE if late else None


def _signal_ordered(upgrade: Upgrade, event: Event, now: float) -> Signal | None:
    if upgrade.news:
        return Signal.NEWS
    if isinstance(event, Answered) and isinstance(event.status, DownloadStatus) and not upgrade.contested:
        return Signal.HANDED_OVER if event.status is DownloadStatus.HANDED_OVER else Signal.REFUSED
    return Signal.DEADLINE if upgrade_rules.ordered_too_long(upgrade, now) else None


def _signal_upgrading(upgrade: Upgrade, event: Event, now: float) -> Signal | None:
    if isinstance(event, Reported):
        if upgrade_rules.errors_told(upgrade, event, now):
            return Signal.ERRORS_TOLD
        if event.report.status == EmuStatus.OFFLINE:
            return Signal.WENT_OFFLINE
        if not event.report.active:
            if upgrade.success_told:
                return Signal.SUCCESS_TOLD
            if upgrade_rules.version_changed(upgrade):
                return Signal.OTHER_VERSION
    if upgrade.silent:
        return Signal.WENT_SILENT
    stalled_at = (
        None if upgrade.progressed_at is None else upgrade.progressed_at + upgrade_rules.stall_deadline(upgrade.report)
    )
    return Signal.DEADLINE if stalled_at is not None and now >= stalled_at else None


def _signal_restarting(upgrade: Upgrade, event: Event, now: float) -> Signal | None:
    if isinstance(event, Reported):
        if event.report.active:
            return Signal.ACTIVE
        if upgrade_rules.errors_told(upgrade, event, now):
            return Signal.ERRORS_TOLD
        if upgrade_rules.settled(upgrade, event, now):
            return Signal.SETTLED
    return Signal.DEADLINE if now - upgrade.since >= upgrade_rules.RETURN else None


def _enter(upgrade: Upgrade, phase: Phase, signal: Signal, event: Event, now: float) -> Upgrade:
    """Bring an upgrade into a phase."""
    if signal is Signal.ORDERED_VERSION and isinstance(event, Reported):
        report = event.report.over(upgrade.report)
        return replace(upgrade, report=report, outcome=Outcome.SUCCEEDED, reason=None, amended_at=now)
    before, restarting_since = upgrade.phase, upgrade.since
    upgrade = replace(upgrade, phase=phase, since=now, steps=(*upgrade.steps, Step(phase=phase, at=now)))
    if isinstance(event, Begin):
        return replace(
            upgrade,
            mid=event.mid,
            baseline=event.baseline,
            report=event.baseline,
            news=False,
            flag_was_down=_flag_is_down(event.baseline),
            success_told=False,
            silent=False,
            contested=False,
            order=replace(upgrade.order, download_url=event.download_url or upgrade.order.download_url),
            token=event.token,
            fetched=None,
            from_version=event.baseline.version,
            changed_at=now,
            progressed_at=now,
            not_ready=None,
            not_ready_since=None,
        )
    if phase is Phase.QUEUED:
        return replace(upgrade, mid=None, token=None, fetched=None, baseline=None, report=None)
    if phase is Phase.UPGRADING and before is Phase.ORDERED:
        return replace(upgrade, progressed_at=now)
    if phase is Phase.UPGRADING and upgrade.progressed_at is not None:
        # While it restarted no progress was to be seen; what it stood still before that still counts.
        return replace(upgrade, progressed_at=min(upgrade.progressed_at + now - restarting_since, now))
    if phase is Phase.ENDED:
        outcome, reason = _conclusion(upgrade, before, signal, event)
        by_deadline = signal is Signal.DEADLINE and before is not Phase.QUEUED
        return replace(upgrade, outcome=outcome, reason=reason, by_deadline=by_deadline)
    return upgrade


def _conclusion(upgrade: Upgrade, before: Phase, signal: Signal, event: Event) -> tuple[Outcome, Reason | None]:
    """Return how an upgrade ends that was in the phase `before`."""
    match before, signal:
        case _, Signal.CANCELLED:
            return Outcome.CANCELLED, None
        case _, Signal.ALREADY_INSTALLED:
            return Outcome.CANCELLED, Reason.ALREADY_INSTALLED
        case _, Signal.REMOVED:
            return Outcome.CANCELLED, Reason.EMS_REMOVED
        case Phase.QUEUED, _:
            return Outcome.FAILED, upgrade.not_ready
        case Phase.ORDERED, Signal.REFUSED if isinstance(event, Answered) and isinstance(event.status, DownloadStatus):
            failed_unasked = event.status is DownloadStatus.DOWNLOAD_FAILED and upgrade_rules.never_fetched(upgrade)
            return Outcome.FAILED, Reason.NEVER_FETCHED if failed_unasked else Reason(event.status.value)
        case Phase.ORDERED, _:
            return Outcome.FAILED, Reason.NEVER_FETCHED if upgrade_rules.never_fetched(upgrade) else Reason.NO_ANSWER
        case _, Signal.ERRORS_TOLD:
            return Outcome.FAILED, Reason.ERRORS_REPORTED
        case Phase.UPGRADING, _:
            faulty = upgrade.report is not None and upgrade.report.status == EmuStatus.FAULT
            return Outcome.FAILED, Reason.EMU_FAULT if faulty else Reason.STALLED
        case _:
            return upgrade_rules.verdict(upgrade)

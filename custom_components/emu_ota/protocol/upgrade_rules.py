"""What reports mean for an upgrade: news, success, errors, deadlines, the verdict (design: "An upgrade")."""

from .models import SUCCESS_FLAG, EmuStatus, Report, Stage, SuccessBit
from .upgrade import Outcome, Reason, Reported, Upgrade

ORDERED_LEAST = 10 * 60.0
"""An EMS answers an order only when it has finished with the file, which takes minutes even for a small one."""
ORDERED_MOST = 2 * 3600.0
"""A file that takes longer than this to fetch is not being fetched."""
ORDERED_SLOWEST = 20_000
"""Bytes per second of the slowest line that sites have: a mobile connection at its edge."""
ORDERED_MARGIN = 5 * 60.0
"""Besides the transfer: connecting, unpacking and handing over."""
STALL = 15 * 60.0
"""Without any change in the reports; each step of a transfer or a preparation is far shorter."""
STALL_AT_THE_END = 30 * 60.0
"""The same while verifying, and at 100 %: nothing can be seen to move there, and flash is slow."""
RETURN = 10 * 60.0
"""From the restart of an EMU until it must be back."""
SETTLE = 2 * 60.0
"""What a report must stay the same for until it counts as the last word without the EMU saying so."""

_FULL = 100
_FLAG_ERRORS = 0


# Outcomes that a later report of the ordered version turns into a success (design: "Amended").
AMENDABLE_OUTCOMES = frozenset({Outcome.LOST, Outcome.UNVERIFIED})
AMENDABLE_FAILURES = frozenset(
    {Reason.STALLED, Reason.NO_ANSWER, Reason.NEVER_FETCHED, Reason.VERSION_UNCHANGED, Reason.EMU_FAULT}
)


def is_news(told: Report, baseline: Report) -> bool:
    """Tell whether a report is about this upgrade, not the one before (protocol: "What the figures do not say")."""
    if told.active and (told.stage != baseline.stage or told.progress not in {None, baseline.progress}):
        return True
    return any(
        None not in {now, before} and now != before  # what is told for the first time may be old
        for now, before in (
            (told.component, baseline.component),
            (told.version, baseline.version),
            (told.success, baseline.success),
        )
    )


def success_told(upgrade: Upgrade, event: Reported, *, news: bool) -> bool:
    """Tell whether the EMU has said that everything succeeded; a stage 1-4 or errors after that take it back."""
    told = event.report
    if told.active or tells_errors(event):
        return False
    if told.success is None or not news:
        return upgrade.success_told
    if event.bit_field:
        finished = not told.success & SuccessBit.NOT_FINISHED
        return upgrade.success_told or bool(finished and told.success & SuccessBit.EVERYTHING)
    return upgrade.success_told or (told.success == SUCCESS_FLAG and upgrade.flag_was_down)


def tells_errors(event: Reported) -> bool:
    """Tell whether a report, taken by itself, says that an upgrade ended with errors."""
    told = event.report
    if told.stage != Stage.COMPLETE or told.success is None or told.status == EmuStatus.OFFLINE:
        return False
    if event.bit_field:
        return not told.success & (SuccessBit.EVERYTHING | SuccessBit.NOT_FINISHED)
    return told.success == _FLAG_ERRORS


def ordered_deadline(size: int | None) -> float:
    """Return the seconds that an EMS has to fetch, check and hand over a package of so many bytes."""
    needed = 0.0 if size is None else size / ORDERED_SLOWEST + ORDERED_MARGIN
    return min(max(ORDERED_LEAST, needed), ORDERED_MOST)


def ordered_too_long(upgrade: Upgrade, now: float) -> bool:
    """Tell whether nothing more is to be expected of an order; a fetch from our own view that moves extends it."""
    fetched_at = None if upgrade.fetched is None else upgrade.fetched.last_at
    if fetched_at is not None and now - fetched_at < ORDERED_MARGIN:
        return False
    return now - upgrade.since >= ordered_deadline(upgrade.order.size)


def never_fetched(upgrade: Upgrade) -> bool:
    """Tell whether the package was offered from our own view, and nobody came for it."""
    return upgrade.order.package is not None and (upgrade.fetched is None or not upgrade.fetched.requests)


def stall_deadline(report: Report | None) -> float:
    """Return the seconds that an EMU may go without progress, by what it last reported."""
    if report is None:
        return STALL
    at_the_end = report.stage == Stage.TRANSFERRING and report.progress == _FULL
    return STALL_AT_THE_END if at_the_end or report.stage == Stage.VERIFYING else STALL


def errors_told(upgrade: Upgrade, event: Reported, now: float) -> bool:
    """Tell whether the EMU has said, and stayed with it, that this upgrade ended with errors."""
    return upgrade.news and not upgrade.contested and tells_errors(event) and unchanged_for(upgrade, SETTLE, now)


def unchanged_for(upgrade: Upgrade, seconds: float, now: float) -> bool:
    """Tell whether the reports have shown the same for so long."""
    return upgrade.changed_at is not None and now - upgrade.changed_at >= seconds


def version_changed(upgrade: Upgrade) -> bool:
    """Tell whether another version was read than the one before the order."""
    return upgrade.read_version is not None and upgrade.read_version != upgrade.from_version


def settled(upgrade: Upgrade, event: Reported, now: float) -> bool:
    """Tell whether an EMU is back, at rest, and has said its last word."""
    same_ordered = upgrade.order.version is not None and upgrade.order.version == upgrade.from_version
    return (
        event.report.running
        and (same_ordered or version_changed(upgrade))
        and (upgrade.success_told or unchanged_for(upgrade, SETTLE, now))
    )


def amends(upgrade: Upgrade, event: Reported) -> bool:
    """Tell whether a report that came after the outcome shows that the upgrade succeeded after all."""
    amendable = upgrade.outcome in AMENDABLE_OUTCOMES or (
        upgrade.outcome is Outcome.FAILED and upgrade.reason in AMENDABLE_FAILURES
    )
    return (
        amendable
        and upgrade.baseline is not None
        and upgrade.order.version not in {None, upgrade.from_version}
        and event.report.version == upgrade.order.version
        and event.report.running
        and not event.report.active
        and not tells_errors(event)
    )


def verdict(upgrade: Upgrade) -> tuple[Outcome, Reason | None]:
    """Return the verdict on an EMU that has restarted, or should have (design: "Verdict")."""
    if upgrade.silent or upgrade.report is None or not upgrade.report.running:
        return Outcome.LOST, Reason.DID_NOT_RETURN
    changed, told = version_changed(upgrade), upgrade.success_told
    if upgrade.order.version is None:
        if changed or told:
            return Outcome.UNVERIFIED, Reason.NO_VERSION_GIVEN
        return Outcome.FAILED, Reason.VERSION_UNCHANGED
    if upgrade.read_version == upgrade.order.version and (changed or told):
        return Outcome.SUCCEEDED, None
    if changed:
        return Outcome.UNVERIFIED, Reason.OTHER_VERSION
    same_ordered = upgrade.order.version == upgrade.from_version
    return (Outcome.UNVERIFIED if told or same_ordered else Outcome.FAILED), Reason.VERSION_UNCHANGED

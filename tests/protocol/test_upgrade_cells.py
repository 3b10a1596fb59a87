"""One row per cell of the upgrade's table of transitions: what each signal does in each phase."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import pytest

from custom_components.emu_ota.protocol.models import Component, DownloadStatus, Stage
from custom_components.emu_ota.protocol.upgrade import (
    Answered,
    Begin,
    Event,
    Happened,
    NotReady,
    Phase,
    Reason,
    Reported,
)
from custom_components.emu_ota.protocol.upgrade_machine import (
    LOCAL_SIGNALS,
    TRANSITIONS,
    Effect,
    IllegalEvent,
    Signal,
)

from .courses import BASELINE, MINUTE, NEW, OFFLINE, OTHER, STARTED, Course, ordered, queued, report, restarting

QUEUED, ORDERED, UPGRADING, RESTARTING, ENDED = Phase
LATER = 3 * 60 * MINUTE

# An upgrade in each phase. The ended one stalled, so that it can still be amended.
IN_PHASE: dict[Phase, Callable[[], Course]] = {
    QUEUED: lambda: Course(queued()),
    ORDERED: ordered,
    UPGRADING: lambda: ordered().told(STARTED, after=10),
    RESTARTING: restarting,
    ENDED: lambda: ordered().told(STARTED, after=10).hears(Happened.TICK, after=15 * MINUTE),
}

_errors = Reported(report(success=0, component=Component.EMU, stage=Stage.COMPLETE), bit_field=False)
_other = Reported(report(version=OTHER), bit_field=False)
_not_ready = NotReady(Reason.EMU_OFFLINE, LATER)

# What happens so that a signal is given wherever it can be: seconds later, and the event.
EVENTS: dict[Signal, list[tuple[float, Event]]] = {
    Signal.TURN: [(1, Begin(BASELINE, "mid"))],
    Signal.CANCELLED: [(1, Happened.CANCEL)],
    Signal.ALREADY_INSTALLED: [(1, Happened.ALREADY_INSTALLED)],
    Signal.NOT_SENT: [(1, Happened.NOT_SENT)],
    Signal.REMOVED: [(1, Happened.REMOVED)],
    Signal.HANDED_OVER: [(1, Answered(DownloadStatus.HANDED_OVER))],
    Signal.REFUSED: [(1, Answered(DownloadStatus.MD5_MISMATCH))],
    Signal.NEWS: [(1, Reported(report(component=Component.COMMUNICATION_BOARD_1), bit_field=False))],
    Signal.SUCCESS_TOLD: [(1, Reported(report(success=1, stage=Stage.COMPLETE), bit_field=False))],
    Signal.ERRORS_TOLD: [(1, _errors), (2 * MINUTE, _errors)],
    Signal.WENT_OFFLINE: [(1, Reported(OFFLINE, bit_field=False))],
    Signal.WENT_SILENT: [(1, Happened.SILENCE)],
    Signal.OTHER_VERSION: [(1, _other)],
    Signal.ACTIVE: [(1, Reported(report(stage=Stage.TRANSFERRING, progress=10), bit_field=False))],
    Signal.SETTLED: [(1, _other), (2 * MINUTE, _other)],
    Signal.DEADLINE: [(1, _not_ready), (LATER, _not_ready), (1, Happened.TICK)],
    Signal.ORDERED_VERSION: [(1, Reported(report(version=NEW), bit_field=False))],
}


@dataclass(frozen=True)
class Moves:
    """The cells that an upgrade goes through, by their signals; the phases it comes into; what is to be done."""

    signals: tuple[Signal, ...]
    phases: tuple[Phase, ...]
    effects: tuple[Effect, ...] = ()


TOLD_ENDED = (Effect.TELL_ENDED,)
ASKED = (Effect.ASK_VERSIONS,)

# Every other cell is ignored or, for an event of our own, refused.
MOVES: dict[tuple[Phase, Signal], Moves] = {
    (QUEUED, Signal.TURN): Moves((Signal.TURN,), (ORDERED,), (Effect.SEND_ORDER, Effect.TELL_STARTED)),
    (QUEUED, Signal.CANCELLED): Moves((Signal.CANCELLED,), (ENDED,), TOLD_ENDED),
    (QUEUED, Signal.ALREADY_INSTALLED): Moves((Signal.ALREADY_INSTALLED,), (ENDED,), TOLD_ENDED),
    (QUEUED, Signal.REMOVED): Moves((Signal.REMOVED,), (ENDED,), TOLD_ENDED),
    (QUEUED, Signal.DEADLINE): Moves((Signal.DEADLINE,), (ENDED,), TOLD_ENDED),
    (ORDERED, Signal.NOT_SENT): Moves((Signal.NOT_SENT,), (QUEUED,), (Effect.TELL_QUEUED,)),
    (UPGRADING, Signal.NOT_SENT): Moves((Signal.NOT_SENT,), (QUEUED,), (Effect.TELL_QUEUED,)),
    (RESTARTING, Signal.NOT_SENT): Moves((Signal.NOT_SENT,), (QUEUED,), (Effect.TELL_QUEUED,)),
    (ORDERED, Signal.REMOVED): Moves((Signal.REMOVED,), (ENDED,), TOLD_ENDED),
    (ORDERED, Signal.HANDED_OVER): Moves((Signal.HANDED_OVER,), (UPGRADING,)),
    (ORDERED, Signal.REFUSED): Moves((Signal.REFUSED,), (ENDED,), TOLD_ENDED),
    (ORDERED, Signal.NEWS): Moves((Signal.NEWS,), (UPGRADING,)),
    (ORDERED, Signal.ACTIVE): Moves((Signal.NEWS,), (UPGRADING,)),
    (ORDERED, Signal.SUCCESS_TOLD): Moves((Signal.NEWS, Signal.SUCCESS_TOLD), (UPGRADING, RESTARTING), ASKED),
    (ORDERED, Signal.OTHER_VERSION): Moves((Signal.NEWS, Signal.OTHER_VERSION), (UPGRADING, RESTARTING), ASKED),
    (ORDERED, Signal.ORDERED_VERSION): Moves((Signal.NEWS, Signal.OTHER_VERSION), (UPGRADING, RESTARTING), ASKED),
    (ORDERED, Signal.SETTLED): Moves(
        (Signal.NEWS, Signal.OTHER_VERSION, Signal.SETTLED), (UPGRADING, RESTARTING, ENDED), ASKED + TOLD_ENDED
    ),
    (ORDERED, Signal.DEADLINE): Moves((Signal.DEADLINE,), (ENDED,), TOLD_ENDED),
    (UPGRADING, Signal.REMOVED): Moves((Signal.REMOVED,), (ENDED,), TOLD_ENDED),
    (UPGRADING, Signal.SUCCESS_TOLD): Moves((Signal.SUCCESS_TOLD,), (RESTARTING,), ASKED),
    (UPGRADING, Signal.ERRORS_TOLD): Moves((Signal.ERRORS_TOLD,), (ENDED,), TOLD_ENDED),
    (UPGRADING, Signal.WENT_OFFLINE): Moves((Signal.WENT_OFFLINE,), (RESTARTING,), ASKED),
    (UPGRADING, Signal.WENT_SILENT): Moves((Signal.WENT_SILENT,), (RESTARTING,), ASKED),
    (UPGRADING, Signal.OTHER_VERSION): Moves((Signal.OTHER_VERSION,), (RESTARTING,), ASKED),
    (UPGRADING, Signal.ORDERED_VERSION): Moves((Signal.OTHER_VERSION,), (RESTARTING,), ASKED),
    (UPGRADING, Signal.SETTLED): Moves((Signal.OTHER_VERSION, Signal.SETTLED), (RESTARTING, ENDED), ASKED + TOLD_ENDED),
    (UPGRADING, Signal.DEADLINE): Moves((Signal.DEADLINE,), (ENDED,), TOLD_ENDED),
    (RESTARTING, Signal.REMOVED): Moves((Signal.REMOVED,), (ENDED,), TOLD_ENDED),
    (RESTARTING, Signal.ERRORS_TOLD): Moves((Signal.ERRORS_TOLD,), (ENDED,), TOLD_ENDED),
    (RESTARTING, Signal.ACTIVE): Moves((Signal.ACTIVE,), (UPGRADING,)),
    (RESTARTING, Signal.SETTLED): Moves((Signal.SETTLED,), (ENDED,), TOLD_ENDED),
    (RESTARTING, Signal.DEADLINE): Moves((Signal.DEADLINE,), (ENDED,), TOLD_ENDED),
    (ENDED, Signal.ORDERED_VERSION): Moves((Signal.ORDERED_VERSION,), (), (Effect.TELL_AMENDED,)),
}


@pytest.mark.parametrize(("phase", "signal"), product(Phase, Signal))
def test_each_signal_in_each_phase(phase: Phase, signal: Signal) -> None:
    """An upgrade in the phase moves as the row says; without a row it stays, or the event is refused."""
    course = IN_PHASE[phase]()
    before, done = course.upgrade, len(course.effects)
    assert before.phase is phase
    moves = MOVES.get((phase, signal))

    if moves is None and signal in LOCAL_SIGNALS:
        with pytest.raises(IllegalEvent, match=f"{signal} in phase {phase}"):
            course.hears(EVENTS[signal][0][1], after=1)
        assert course.upgrade is before
        return
    for after, event in EVENTS[signal]:
        course.hears(event, after=after)

    moves = moves or Moves((), ())
    assert tuple(course.phases[len(before.steps) :]) == moves.phases
    assert tuple(course.effects[done:]) == moves.effects


def test_the_rows_go_through_every_cell_of_the_table_and_no_other() -> None:
    walked = set()
    for (phase, _), moves in MOVES.items():
        phases = [phase, *(moves.phases or (phase,))]
        for before, signal, after in zip(phases, moves.signals, phases[1:], strict=False):
            assert TRANSITIONS[before, signal][0] is after
            walked.add((before, signal))

    assert walked == set(TRANSITIONS)


@pytest.mark.parametrize("signal", Signal)
def test_every_signal_leads_somewhere(signal: Signal) -> None:
    assert any(given is signal for _, given in TRANSITIONS)


def test_only_an_amended_outcome_leads_out_of_an_outcome() -> None:
    assert [cell for cell in TRANSITIONS if cell[0] is ENDED] == [(ENDED, Signal.ORDERED_VERSION)]


@pytest.mark.parametrize(
    "event",
    [
        Happened.SILENCE,
        Happened.FOREIGN_ORDER,
        Happened.TICK,
        Happened.SUSPENDED,
        Happened.RESUMED,
        Happened.WAITING,
        NotReady(Reason.EMU_FAULT, 0),
        Answered(DownloadStatus.HANDED_OVER),
        Answered(9),
        Reported(OFFLINE, bit_field=True),
        Reported(report(success=0, stage=5, version=OTHER), bit_field=False),
    ],
    ids=str,
)
def test_whatever_comes_after_an_outcome_leaves_it_as_it_is(event: Event) -> None:
    course = IN_PHASE[ENDED]()
    before = course.upgrade

    assert course.hears(event, after=60).upgrade == before

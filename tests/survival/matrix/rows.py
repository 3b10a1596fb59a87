"""The fault matrix: how an upgrade ends by the design, for every fault of the simulator, phase and restart.

Faults strike EMU 2, which has two components (EMU, communication board 1), of an EMS that speaks of success with a flag
or with bits. The restarts are in `cell_run.py`.
"""

from collections.abc import Mapping
from functools import partial

from custom_components.emu_ota.protocol.models import Component, Stage
from custom_components.emu_ota.protocol.upgrade import Outcome, Phase, Reason
from simulator.faults import Fault, FaultSetting

from .cells import CannotHappen, End, Moment, Restart, Row

QUEUED, ORDERED, UPGRADING, RESTARTING = Phase.QUEUED, Phase.ORDERED, Phase.UPGRADING, Phase.RESTARTING
ALL = (QUEUED, ORDERED, UPGRADING, RESTARTING)
BEFORE_HAND_OVER = (QUEUED, ORDERED)
AFTER_HAND_OVER = (UPGRADING, RESTARTING)
BOARD = Component.COMMUNICATION_BOARD_1
"""The last component."""

SUCCEEDED = End(Outcome.SUCCEEDED)
LOST = End(Outcome.LOST, Reason.DID_NOT_RETURN)
UNCHANGED = End(Outcome.UNVERIFIED, Reason.VERSION_UNCHANGED)
OTHER_VERSION = End(Outcome.UNVERIFIED, Reason.OTHER_VERSION)
STALLED = End(Outcome.FAILED, Reason.STALLED)
ERRORS = End(Outcome.FAILED, Reason.ERRORS_REPORTED)
NO_ANSWER = End(Outcome.FAILED, Reason.NO_ANSWER)
EMU_FAULT = End(Outcome.FAILED, Reason.EMU_FAULT)
EMU_OFFLINE = End(Outcome.FAILED, Reason.EMU_OFFLINE)
EMS_UNREACHABLE = End(Outcome.FAILED, Reason.EMS_UNREACHABLE)
HAND_OVER_FAILED = End(Outcome.FAILED, Reason.HAND_OVER_FAILED)

ANSWERED_ALREADY = CannotHappen("the EMS has answered the order before")

SAID_ONCE = "what the EMS says of the order falls into the restart, and it says it only once"
ANSWER_MISSED: Mapping[Restart, End] = dict.fromkeys(set(Restart) - {Restart.NONE}, NO_ANSWER)

emu = partial(FaultSetting, emu=2)
"""A fault of the EMU, or of what is said about it."""
ems = FaultSetting
"""A fault of the whole EMS."""


def _order_fails(fault: Fault, reason: Reason) -> tuple[Row, ...]:
    """Return the rows of a fault that ends an order."""
    end, faults = End(Outcome.FAILED, reason), (emu(fault=fault),)
    return (
        Row(faults=faults, phases=(QUEUED,), ends=end),
        Row(faults=faults, phases=(ORDERED,), since=Moment.WAITING, ends=end, after=ANSWER_MISSED, remark=SAID_ONCE),
        Row(faults=faults, phases=AFTER_HAND_OVER, ends=ANSWERED_ALREADY),
    )


ROWS: tuple[Row, ...] = (
    Row(
        faults=(ems(fault=Fault.NO_ANSWER),),
        phases=(QUEUED,),
        ends=EMS_UNREACHABLE,
        remark="nothing that the EMS is asked is answered",
    ),
    Row(
        faults=(emu(fault=Fault.NO_ANSWER),),
        phases=(ORDERED,),
        since=Moment.WAITING,
        ends=NO_ANSWER,
        remark="the EMS ignores the order",
    ),
    Row(
        faults=(ems(fault=Fault.NO_ANSWER),),
        phases=AFTER_HAND_OVER,
        ends=LOST,
        remark="nothing that the EMS is asked is answered",
    ),
    Row(
        faults=(emu(fault=Fault.LOST_ANSWER),),
        phases=BEFORE_HAND_OVER,
        since=Moment.WAITING,
        ends=SUCCEEDED,
        remark="what the EMU reports next shows that it has begun",
    ),
    Row(faults=(emu(fault=Fault.LOST_ANSWER),), phases=AFTER_HAND_OVER, ends=ANSWERED_ALREADY),
    Row(faults=(ems(fault=Fault.LATE_ANSWER),), phases=ALL, ends=SUCCEEDED, remark="everything is a minute late"),
    *_order_fails(Fault.DOWNLOAD_FAILED, Reason.DOWNLOAD_FAILED),
    *_order_fails(Fault.MD5_MISMATCH, Reason.MD5_MISMATCH),
    *_order_fails(Fault.CLEAR_FOLDER_FAILED, Reason.CLEAR_FOLDER_FAILED),
    *_order_fails(Fault.UNPACK_FAILED, Reason.UNPACK_FAILED),
    *_order_fails(Fault.HAND_OVER_FAILED, Reason.HAND_OVER_FAILED),
    Row(faults=(emu(fault=Fault.STALE_REPORT),), phases=BEFORE_HAND_OVER, since=Moment.WAITING, ends=SUCCEEDED),
    Row(
        faults=(emu(fault=Fault.STALE_REPORT),),
        phases=(UPGRADING,),
        since=Moment.WAITING,
        at=Moment.HANDED_OVER,
        ends=SUCCEEDED,
    ),
    Row(
        faults=(emu(fault=Fault.STALE_REPORT, seconds=300),),
        phases=(RESTARTING,),
        since=Moment.WAITING,
        ends=SUCCEEDED,
        remark="for five minutes, past the restart of the EMU",
    ),
    Row(
        faults=(emu(fault=Fault.STALL),), phases=(QUEUED, ORDERED, UPGRADING), ends=STALLED, remark="for ever, at 50 %"
    ),
    Row(
        faults=(emu(fault=Fault.STALL, stage=Stage.COMPLETE, component=BOARD),),
        phases=(RESTARTING,),
        since=Moment.ENDING,
        ends=UNCHANGED,
        remark="for ever, after it has told its success and before it restarts",
    ),
    Row(
        faults=(emu(fault=Fault.ERRORS_REPORTED),),
        phases=(QUEUED, ORDERED, UPGRADING),
        since=Moment.WAITING,
        ends=ERRORS,
        remark="of the EMU itself, which then does not restart",
    ),
    Row(
        faults=(emu(fault=Fault.ERRORS_REPORTED, component=BOARD),),
        phases=(RESTARTING,),
        since=Moment.WAITING,
        ends=ERRORS,
        remark="of a board; the EMU restarts with the new version",
    ),
    Row(faults=(emu(fault=Fault.SUCCESS_NEVER_TOLD),), phases=ALL, since=Moment.WAITING, ends=SUCCEEDED),
    Row(faults=(emu(fault=Fault.VERSION_UNCHANGED),), phases=(QUEUED, UPGRADING), ends=UNCHANGED),
    Row(
        faults=(emu(fault=Fault.VERSION_UNCHANGED),),
        phases=(ORDERED,),
        ends=UNCHANGED,
        # A flag that was up before and is up after tells no success.
        after={Restart.HOME_ASSISTANT: STALLED},
        with_bits={Restart.HOME_ASSISTANT: UNCHANGED},
        remark="a flag that is up before and after twenty minutes tells nothing; bits do, and it is **unverified** "
        "`version_unchanged` then, too",
    ),
    Row(faults=(emu(fault=Fault.VERSION_UNCHANGED),), phases=(RESTARTING,), since=Moment.ENDING, ends=UNCHANGED),
    Row(faults=(emu(fault=Fault.OTHER_VERSION),), phases=(QUEUED, ORDERED, UPGRADING), ends=OTHER_VERSION),
    Row(faults=(emu(fault=Fault.OTHER_VERSION),), phases=(RESTARTING,), since=Moment.ENDING, ends=OTHER_VERSION),
    Row(faults=(emu(fault=Fault.EMU_OFFLINE),), phases=(QUEUED,), ends=EMU_OFFLINE),
    Row(
        faults=(emu(fault=Fault.EMU_OFFLINE),),
        phases=(ORDERED,),
        ends=HAND_OVER_FAILED,
        after=ANSWER_MISSED,
        remark=SAID_ONCE,
    ),
    Row(faults=(emu(fault=Fault.EMU_OFFLINE),), phases=AFTER_HAND_OVER, ends=LOST),
    Row(faults=(emu(fault=Fault.EMU_FAULT),), phases=(QUEUED,), ends=EMU_FAULT),
    Row(
        faults=(emu(fault=Fault.EMU_FAULT),),
        phases=(ORDERED,),
        ends=EMU_FAULT,
        after=ANSWER_MISSED,
        remark="it never begins; whether it was handed the package falls into the restart",
    ),
    Row(faults=(emu(fault=Fault.EMU_FAULT),), phases=(UPGRADING,), ends=EMU_FAULT),
    Row(
        faults=(emu(fault=Fault.EMU_FAULT),),
        phases=(RESTARTING,),
        ends=LOST,
        remark="it is not running when its time to return is over",
    ),
    Row(faults=(emu(fault=Fault.DOES_NOT_RETURN),), phases=(QUEUED, UPGRADING, RESTARTING), ends=LOST),
    Row(
        faults=(emu(fault=Fault.DOES_NOT_RETURN),),
        phases=(ORDERED,),
        ends=LOST,
        after={Restart.HOME_ASSISTANT: NO_ANSWER},
        remark="after twenty minutes it is offline already, and nobody says whether the order was heard",
    ),
    Row(faults=(emu(fault=Fault.SLOW_RETURN),), phases=(QUEUED, ORDERED, UPGRADING), ends=SUCCEEDED),
    Row(faults=(emu(fault=Fault.SLOW_RETURN),), phases=(RESTARTING,), since=Moment.ENDING, ends=SUCCEEDED),
    Row(faults=(emu(fault=Fault.NO_OFFLINE_PHASE),), phases=BEFORE_HAND_OVER, ends=SUCCEEDED),
    Row(faults=(emu(fault=Fault.NO_OFFLINE_PHASE),), phases=(UPGRADING,), at=Moment.ENDING, ends=SUCCEEDED),
    Row(
        faults=(emu(fault=Fault.NO_OFFLINE_PHASE), emu(fault=Fault.SUCCESS_NEVER_TOLD)),
        phases=(RESTARTING,),
        since=Moment.WAITING,
        ends=SUCCEEDED,
        remark="and no success is told: otherwise the phase is over at once",
    ),
    Row(faults=(emu(fault=Fault.EMS_RESTART, times=1),), phases=(QUEUED, ORDERED, UPGRADING), ends=SUCCEEDED),
    Row(
        faults=(emu(fault=Fault.EMS_RESTART, times=1, stage=Stage.COMPLETE, component=BOARD),),
        phases=(RESTARTING,),
        since=Moment.ENDING,
        ends=SUCCEEDED,
        remark="just before the EMU restarts",
    ),
    Row(faults=(emu(fault=Fault.SILENT_RESTART),), phases=(QUEUED, ORDERED, UPGRADING), ends=SUCCEEDED),
    Row(
        faults=(emu(fault=Fault.SILENT_RESTART), emu(fault=Fault.SLOW_RETURN)),
        phases=(RESTARTING,),
        since=Moment.ENDING,
        ends=SUCCEEDED,
        remark="for nearly six minutes",
    ),
    Row(faults=(ems(fault=Fault.DUPLICATED_RESULTS),), phases=ALL, ends=SUCCEEDED),
    Row(faults=(ems(fault=Fault.RETAINED_RESULTS),), phases=ALL, ends=SUCCEEDED),
    Row(faults=(ems(fault=Fault.GARBAGE),), phases=ALL, ends=SUCCEEDED),
    Row(faults=(emu(fault=Fault.UNKNOWN_CODES),), phases=ALL, since=Moment.WAITING, ends=SUCCEEDED),
    Row(
        faults=(emu(fault=Fault.UNKNOWN_STATUS),),
        phases=(QUEUED,),
        ends=EMU_FAULT,
        remark="only an EMU that says that it runs is ordered an upgrade",
    ),
    Row(
        faults=(emu(fault=Fault.UNKNOWN_STATUS),),
        phases=(ORDERED, UPGRADING, RESTARTING),
        ends=LOST,
        remark="it never says that it runs, whatever its version is",
    ),
    Row(
        faults=(emu(fault=Fault.UNKNOWN_DOWNLOAD_STATUS),),
        phases=BEFORE_HAND_OVER,
        since=Moment.WAITING,
        ends=SUCCEEDED,
        remark="what the EMU reports next shows that it has begun",
    ),
    Row(faults=(emu(fault=Fault.UNKNOWN_DOWNLOAD_STATUS),), phases=AFTER_HAND_OVER, ends=ANSWERED_ALREADY),
)

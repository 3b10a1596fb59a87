"""The wire's enums, reports and messages as frozen values (protocol: "Envelope" and "Data")."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag, StrEnum
from functools import lru_cache


class EmuStatus(IntEnum):
    """`status` of a report."""

    RUNNING = 1
    OFFLINE = 2
    FAULT = 3


class Component(IntEnum):
    """`emu_upgrade_device` of a report: which board the upgrade figures are about."""

    EMU = 3
    COMMUNICATION_BOARD_1 = 21
    COMMUNICATION_BOARD_2 = 22
    COMMUNICATION_BOARD_3 = 23
    COMMUNICATION_BOARD_4 = 24
    COMMUNICATION_BOARD_5 = 25
    COMMUNICATION_BOARD_6 = 26


class Stage(IntEnum):
    """`emu_upgrade_status` of a report."""

    PREPARING_UPGRADE = 1
    PREPARING_TRANSFER = 2
    TRANSFERRING = 3
    VERIFYING = 4
    COMPLETE = 5


class DownloadStatus(StrEnum):
    """`download_status` of an upgrade result; its codes differ between revisions, so the members carry none."""

    HANDED_OVER = "handed_over"
    DOWNLOAD_FAILED = "download_failed"
    MD5_MISMATCH = "md5_mismatch"
    CLEAR_FOLDER_FAILED = "clear_folder_failed"
    UNPACK_FAILED = "unpack_failed"
    HAND_OVER_FAILED = "hand_over_failed"


class SuccessBit(IntFlag):
    """`emu_upgrade_success` as a bit field (revisions C and D)."""

    TRANSFER_ENDED = 1 << 0
    COMMUNICATION_BOARD_1 = 1 << 1
    COMMUNICATION_BOARD_2 = 1 << 2
    COMMUNICATION_BOARD_3 = 1 << 3
    COMMUNICATION_BOARD_4 = 1 << 4
    COMMUNICATION_BOARD_5 = 1 << 5
    COMMUNICATION_BOARD_6 = 1 << 6
    EMU = 1 << 7
    EVERYTHING = 1 << 8
    NOT_FINISHED = 1 << 9


class ReportedResult(StrEnum):
    """What an EMU says of its last upgrade."""

    ALL_SUCCEEDED = "all_succeeded"
    ERRORS = "errors"
    NOT_FINISHED = "not_finished"


# The stages in which an upgrade is at work; without one of them the EMU is at rest.
ACTIVE_STAGES = frozenset({Stage.PREPARING_UPGRADE, Stage.PREPARING_TRANSFER, Stage.TRANSFERRING, Stage.VERIFYING})

SUCCESS_FLAG = 1
"""`emu_upgrade_success` of revisions A and B when everything upgraded; any larger value is a bit field."""

COMPONENT_BITS = {component: SuccessBit[component.name] for component in Component}

# Looked up for every field of every report: asking the enum itself takes ten times as long.
_MEMBERS: Mapping[type[IntEnum], Mapping[int, IntEnum]] = {
    codes: {member.value: member for member in codes} for codes in (EmuStatus, Component, Stage)
}

# The same: as flags each `&` makes a new object.
_EVERYTHING = int(SuccessBit.EVERYTHING)
_NOT_FINISHED = int(SuccessBit.NOT_FINISHED)

_FLAG_RESULTS = {0: ReportedResult.ERRORS, SUCCESS_FLAG: ReportedResult.ALL_SUCCEEDED}


def known_code[Code: IntEnum](codes: type[Code], value: int) -> Code | int:
    """Return the documented code of a value, or the value itself where the protocol has none."""
    member: Code | int = _MEMBERS[codes].get(value, value)
    return member


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the EMS says of one EMU (protocol: "Data").

    None means that the EMU told nothing. A code that the protocol does not document stays the int it was.
    """

    device_id: int
    status: EmuStatus | int
    success: int | None = None
    component: Component | int | None = None
    stage: Stage | int | None = None
    progress: int | None = None
    """Per cent of the file transferred to the component, 0 to 100."""
    version: str | None = None

    @property
    def running(self) -> bool:
        """Whether the EMU is up and without a fault."""
        return self.status == EmuStatus.RUNNING

    @property
    def active(self) -> bool:
        """Whether the EMU says that an upgrade is at work in it."""
        return self.stage in ACTIVE_STAGES and self.status != EmuStatus.OFFLINE

    @property
    def whole(self) -> bool:
        """Whether it leaves nothing untold."""
        return None not in (self.success, self.component, self.stage, self.progress, self.version)

    @property
    def without_progress(self) -> tuple[object, ...]:
        """All that it says but progress."""
        return self.status, self.success, self.component, self.stage, self.version

    @property
    def without_status(self) -> tuple[object, ...]:
        """All that it says but the status."""
        return self.success, self.component, self.stage, self.progress, self.version

    def over(self, before: Report | None) -> Report:
        """Return this report with what it leaves untold filled in from the one before.

        Progress only within one stage of one component: it says nothing of the next.
        """
        if before is None or self.whole:
            return self
        same_transfer = self.stage in {None, before.stage} and self.component in {None, before.component}
        return Report(
            device_id=self.device_id,
            status=self.status,
            success=before.success if self.success is None else self.success,
            component=before.component if self.component is None else self.component,
            stage=before.stage if self.stage is None else self.stage,
            progress=before.progress if self.progress is None and same_transfer else self.progress,
            version=before.version if self.version is None else self.version,
        )

    def result(self, *, bit_field: bool) -> ReportedResult | None:
        """Return what the EMU says of its last upgrade, or None when it says nothing.

        `bit_field`: this EMS has shown a success value above 1 (protocol: "Success").
        """
        if self.success is None:
            return None
        if self.active:
            return ReportedResult.NOT_FINISHED
        if not bit_field:
            return _FLAG_RESULTS.get(self.success)
        if self.success & _NOT_FINISHED:
            return ReportedResult.NOT_FINISHED
        return ReportedResult.ALL_SUCCEEDED if self.success & _EVERYTHING else ReportedResult.ERRORS

    def succeeded_components(self, *, bit_field: bool) -> tuple[Component, ...] | None:
        """Return the components that the EMU says succeeded, or None where it cannot say (revisions A and B)."""
        return None if self.success is None or not bit_field else _components(self.success)


@lru_cache(maxsize=len(SuccessBit) ** 2)  # an EMS shows a handful of values
def _components(success: int) -> tuple[Component, ...]:
    return tuple(component for component, bit in COMPONENT_BITS.items() if success & bit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What every message carries besides its data; None where it is missing or odd (it decides nothing)."""

    mid: str | None = None
    trace_id: str | None = None
    timestamp: int | None = None
    """Milliseconds since 1970 by the sender's clock, which is often wrong."""
    reply: str | None = None
    """The `mid` of the request that this message answers, from an EMS that tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionResult:
    """`emu_version` result: one report per EMU."""

    envelope: Envelope
    reports: tuple[Report, ...]
    malformed: int = 0
    """How many reports of the list were dropped because they were malformed."""
    items: tuple[bytes, ...] = field(default=(), compare=False, repr=False)
    """The list as it came, item by item, for the next one to be held against."""
    read: tuple[Report | None, ...] = field(default=(), compare=False, repr=False)
    """What each item says; None for a malformed one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeResult:
    """`emu_upgrade` result: what became of an order."""

    envelope: Envelope
    device_id: int
    status: DownloadStatus | int
    """An int is a code that the protocol does not document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressResult:
    """`emu_upgrade_result` result: the report of one EMU."""

    envelope: Envelope
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCommand:
    """`emu_version` command: somebody asks for the versions."""

    envelope: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeCommand:
    """`emu_upgrade` command: somebody orders an upgrade."""

    envelope: Envelope
    device_id: int
    download_url: str
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressCommand:
    """`emu_upgrade_result` command: somebody asks how far an upgrade is."""

    envelope: Envelope
    device_id: int


type Message = VersionResult | UpgradeResult | ProgressResult | VersionCommand | UpgradeCommand | ProgressCommand

"""One EMU's way from queued to an outcome, as a value, and the events that move it (design: "An upgrade").

All times are seconds since 1970; deadlines count only while the EMS can be seen from here (see Happened.SUSPENDED).
"""

from dataclasses import dataclass
from enum import StrEnum

from .fetched import Fetched
from .models import DownloadStatus, Report


class Phase(StrEnum):
    """Where an upgrade stands."""

    QUEUED = "queued"
    ORDERED = "ordered"
    UPGRADING = "upgrading"
    RESTARTING = "restarting"
    ENDED = "ended"


class Outcome(StrEnum):
    """How an upgrade ended."""

    SUCCEEDED = "succeeded"
    UNVERIFIED = "unverified"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why an upgrade ended as it did; each has a sentence for the user."""

    ALREADY_INSTALLED = "already_installed"
    EMS_REMOVED = "ems_removed"
    NO_DOWNLOAD_ADDRESS = "no_download_address"
    EMU_OFFLINE = "emu_offline"
    EMU_FAULT = "emu_fault"
    EMS_UNREACHABLE = "ems_unreachable"
    NO_ANSWER = "no_answer"
    NEVER_FETCHED = "never_fetched"
    DOWNLOAD_FAILED = "download_failed"
    MD5_MISMATCH = "md5_mismatch"
    CLEAR_FOLDER_FAILED = "clear_folder_failed"
    UNPACK_FAILED = "unpack_failed"
    HAND_OVER_FAILED = "hand_over_failed"
    STALLED = "stalled"
    ERRORS_REPORTED = "errors_reported"
    OTHER_VERSION = "other_version"
    VERSION_UNCHANGED = "version_unchanged"
    DID_NOT_RETURN = "did_not_return"
    NO_VERSION_GIVEN = "no_version_given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an EMS is ordered to install."""

    version: str | None
    """As the release names it; None when nobody said, and then nothing can be verified."""
    download_url: str | None
    """Where the EMS fetches the package; None until its turn where we serve it ourselves."""
    md5: str
    size: int | None = None
    """Bytes of the package, where known."""
    package: str | None = None
    """SHA-256 of the package where we serve it ourselves."""
    file_name: str | None = None
    """What that package is called, where known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """When an upgrade came into a phase."""

    phase: Phase
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """One EMU's upgrade. Times with `_at` are fixed; the deadlines' own (`since`, …) move when time does not count."""

    id: str
    uid: str
    device_id: int
    order: Order
    named: bool
    """Whether the version was asked for by name: then it is ordered even where it is installed already."""
    by_user: bool
    """Whether a person ordered it, not an automation."""
    from_version: str | None
    phase: Phase = Phase.QUEUED
    since: float
    """Since when it is in its phase."""
    steps: tuple[Step, ...]
    """Its phases so far."""
    token: str | None = None
    """What the package can be fetched with from us, until the outcome. A secret."""
    fetched: Fetched | None = None
    """What was fetched from us so far."""
    not_ready: Reason | None = None
    not_ready_since: float | None = None
    mid: str | None = None
    """Of the order on the wire; what a `reply` is held against."""
    baseline: Report | None = None
    """The EMU's report when the order went out."""
    report: Report | None = None
    """What the EMU last told, each figure as it was last told."""
    changed_at: float | None = None
    """When anything in the reports last changed."""
    progressed_at: float | None = None
    """The same without the status: an EMU that comes and goes makes no progress."""
    news: bool = False
    flag_was_down: bool = False
    """Whether the success value was anything but 1 at the order or since: a 1 after that is about this upgrade."""
    success_told: bool = False
    silent: bool = False
    contested: bool = False
    """Somebody else ordered an upgrade of this EMU since: then only the version decides."""
    suspended_at: float | None = None
    outcome: Outcome | None = None
    reason: Reason | None = None
    by_deadline: bool = False
    """Whether the outcome is our conclusion and not the EMS's own word: the EMS may still be at work."""
    amended_at: float | None = None

    @property
    def queued_at(self) -> float:
        """When it was asked for."""
        return self.steps[0].at

    @property
    def ordered_at(self) -> float | None:
        """When its order went out; None as long as it has not, and where it came back because it could not be sent."""
        last = next(step for step in reversed(self.steps) if step.phase in {Phase.QUEUED, Phase.ORDERED})
        return last.at if last.phase is Phase.ORDERED else None

    @property
    def ended_at(self) -> float | None:
        """When it came to its outcome."""
        return self.steps[-1].at if self.phase is Phase.ENDED else None

    @property
    def running(self) -> bool:
        """Whether its order is out and its outcome is open."""
        return self.phase in {Phase.ORDERED, Phase.UPGRADING, Phase.RESTARTING}

    @property
    def decisive(self) -> tuple[object, ...]:
        """All that its further way depends on but for progress and times."""
        report = None if self.report is None else self.report.without_progress
        told = self.news, self.flag_was_down, self.success_told, self.contested
        return self.phase, self.mid, self.suspended_at is None, report, *told

    @property
    def may_go_on(self) -> bool:
        """Whether it ended by our conclusion only: what its EMU shows from then on may still be its doing."""
        return self.by_deadline and self.amended_at is None

    @property
    def read_version(self) -> str | None:
        """The version that the EMU last told since the order."""
        return None if self.report is None else self.report.version


@dataclass(frozen=True, slots=True)
class Begin:
    """Its turn has come: the order goes out now, under `mid`, over an EMU that reports `baseline`.

    `download_url` and `token` are made for a package that we serve ourselves.
    """

    baseline: Report
    mid: str
    download_url: str | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class NotReady:
    """It would be its turn, but its EMU or EMS is not ready, for `reason`; after `timeout` seconds of that it fails."""

    reason: Reason
    timeout: float


@dataclass(frozen=True, slots=True)
class Reported:
    """The EMS reported the EMU. `bit_field`: its success values are bit fields."""

    report: Report
    bit_field: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """The EMS said what became of the order. An int is a code that the protocol does not document."""

    status: DownloadStatus | int


@dataclass(frozen=True, slots=True)
class Fetching:
    """Something was fetched from us, so far this much."""

    fetched: Fetched


class Happened(StrEnum):
    """Events that carry nothing."""

    WAITING = "waiting"
    """In the queue, for others: the time of not being ready starts anew."""
    CANCEL = "cancel"
    ALREADY_INSTALLED = "already_installed"
    NOT_SENT = "not_sent"
    """The order surely did not go out."""
    REMOVED = "removed"
    """Its EMS was taken out of Home Assistant."""
    SILENCE = "silence"
    """The EMS has stopped answering."""
    FOREIGN_ORDER = "foreign_order"
    """Somebody else ordered an upgrade of the same EMU."""
    TICK = "tick"
    """Time passed."""
    SUSPENDED = "suspended"
    """The EMS cannot be seen from here: from now on time does not count."""
    RESUMED = "resumed"
    """It can be seen again, and was asked."""


type Event = Begin | NotReady | Reported | Answered | Fetching | Happened

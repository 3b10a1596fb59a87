"""A simulated EMS: hears commands, answers them, and takes its EMUs through upgrades; sans-IO and deterministic."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from itertools import count
from random import Random

from custom_components.emu_ota.protocol.errors import MalformedMessage
from custom_components.emu_ota.protocol.models import (
    DownloadStatus,
    EmuStatus,
    ProgressCommand,
    Stage,
    UpgradeCommand,
    VersionCommand,
)
from custom_components.emu_ota.protocol.parser import parse
from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange

from .clockwork import Clockwork, Process, Wait
from .emu import SimulatedEmu, report
from .faults import Fault, Faults
from .happenings import Happening, What
from .package import Manifest
from .silence import Silence
from .timings import REALISTIC, Timings
from .upgrade import Superseded, Unpacked, Upgrade
from .wire import GARBAGE, UNKNOWN_DOWNLOAD_CODE, ReportData, ResultData, Revision, Wire, download_code, finished_bits

UNKNOWN_STATUS = 7
_LATE = 60.0

type Fetched = Manifest | DownloadStatus
"""What became of a download: what the package holds, or which step failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmsSettings:
    """What kind of EMS it is."""

    revision: Revision = Revision.B
    timings: Timings = REALISTIC
    tells_reply: bool = False
    """Results carry `reply`."""
    trailing_commas: bool | None = None
    """Results carry the trailing commas of the vendor's samples; None: those of revision B do."""
    rests_at_512: bool = False
    """With a bit field, EMUs at rest show 512 as in the vendor's sample, also after they told their success."""
    progress_at_rest: bool = True
    """emu_upgrade_result is answered for an EMU at rest, too, not only in the stages of an upgrade."""
    seed: int = 0
    """Of the message ids."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that the EMS publishes."""

    topic: str
    payload: bytes
    retained: bool = False


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """A file that the EMS wants fetched, to be answered with `finish_download`."""

    number: int
    url: str = field(repr=False)  # it may carry a token
    md5: str


class SimulatedEms:
    """One EMS with its EMUs.

    Whoever drives it hands it messages (`receive`), lets time go by (`advance`) and fetches files (`take_downloads`,
    `finish_download`). `now` is in seconds since 1970 and never goes back.
    """

    def __init__(
        self,
        address: EmsAddress,
        emus: Iterable[SimulatedEmu],
        settings: EmsSettings | None = None,
        tell: Callable[[Happening], None] = lambda _: None,
    ) -> None:
        """Make an EMS at rest; `tell` hears what happens, for people to read."""
        self.address = address
        self.settings = settings or EmsSettings()
        self.faults = Faults()
        self.tell = tell
        self._emus = {emu.device_id: emu for emu in emus}
        self._clock = Clockwork()
        self._silence = Silence()
        self._folder: Unpacked | None = None
        self._upgrades: dict[int, Upgrade] = {}
        self._outgoing: list[Outgoing] = []
        self._requests: list[DownloadRequest] = []
        self._numbers = count(1)
        self._fetched: dict[int, Fetched] = {}
        revision = self.settings.revision
        commas = self.settings.trailing_commas
        self._wire = Wire(
            address.uid,
            revision,
            Random(f"{self.settings.seed} {address.uid}"),  # noqa: S311 - no secret, and has to be repeatable
            trailing_commas=revision is Revision.B if commas is None else commas,
        )
        if revision.tells_bits:
            for emu in self._emus.values():
                emu.success = 512 if self.settings.rests_at_512 else finished_bits(emu.components)

    @property
    def command_topics(self) -> tuple[str, ...]:
        """The topics that it has to hear."""
        return tuple(self.address.topic(exchange, Direction.COMMAND) for exchange in Exchange)

    @property
    def now(self) -> float:
        """The time that it has come to."""
        return self._clock.now

    @property
    def emus(self) -> tuple[SimulatedEmu, ...]:
        """Its EMUs."""
        return tuple(self._emus.values())

    def emu(self, device_id: int) -> SimulatedEmu:
        """Return one of its EMUs. Raises KeyError."""
        return self._emus[device_id]

    def receive(self, topic: str, payload: bytes, now: float) -> None:
        """Hear a message; what it does not understand stays without an answer."""
        self._clock.run_until(now)
        if self._silence:
            return
        try:
            command = parse(topic, payload)
        except MalformedMessage as error:
            self._tell(What.NOT_UNDERSTOOD, reason=error.kind)
            return
        reply = None
        if isinstance(command, VersionCommand | ProgressCommand | UpgradeCommand):
            reply = command.envelope.mid if self.settings.tells_reply else None
        match command:
            case VersionCommand():
                if not self._ignores(Exchange.VERSION, None):
                    self._clock.start(self._answer(Exchange.VERSION, None, self._all_reports, reply))
            case ProgressCommand(device_id=device_id) if device_id in self._emus:
                if not self._ignores(Exchange.PROGRESS, device_id):
                    emu = self._emus[device_id]
                    self._clock.start(self._answer(Exchange.PROGRESS, device_id, lambda: self._report(emu), reply))
            case UpgradeCommand(device_id=device_id) if device_id in self._emus:
                if not self._ignores(Exchange.UPGRADE, device_id):
                    self._clock.start(self._order(self._emus[device_id], command, reply))
            case _:
                self._tell(What.NOT_UNDERSTOOD, reason="not_ours")

    def advance(self, now: float) -> list[Outgoing]:
        """Let time go by, and return what the EMS publishes until then."""
        self._clock.run_until(now)
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def next_due(self) -> float | None:
        """Return when `advance` has something to do next; None: not before a message, a download or a fault's end."""
        return self._clock.next_due()

    def fall_silent(self, seconds: float) -> None:
        """Hear and say nothing for so many seconds from now, as when it restarts; what is under way goes on."""
        self._clock.start(self._silent(seconds))

    def take_downloads(self) -> list[DownloadRequest]:
        """Return the files that the EMS wants, each once."""
        requests, self._requests = self._requests, []
        return requests

    def finish_download(self, number: int, fetched: Fetched, now: float) -> None:
        """Hand the EMS the file of a request, or tell it which step failed."""
        self._clock.run_until(now)
        self._fetched[number] = fetched

    def _silent(self, seconds: float) -> Process:
        self._tell(What.SILENT, seconds=round(seconds))
        with self._silence.kept():
            yield seconds

    def _ignores(self, exchange: Exchange, device_id: int | None) -> bool:
        ignored = self.faults.strike(Fault.NO_ANSWER, device_id) is not None
        if exchange is Exchange.PROGRESS and device_id is not None and not self.settings.progress_at_rest:
            ignored = ignored or self._emus[device_id].stage == Stage.COMPLETE
        self._tell(What.IGNORED if ignored else What.HEARD, device_id, exchange=exchange)
        return ignored

    def _all_reports(self) -> list[ReportData]:
        return [self._report(emu) for emu in self._emus.values()]

    def _report(self, emu: SimulatedEmu) -> ReportData:
        return report(emu.device_id, self._status(emu), emu.figures(self._clock.now))

    def _status(self, emu: SimulatedEmu) -> int:
        if self.faults.strike(Fault.EMU_OFFLINE, emu.device_id) or not emu.reachable:
            return EmuStatus.OFFLINE
        if self.faults.strike(Fault.EMU_FAULT, emu.device_id):
            return EmuStatus.FAULT
        return UNKNOWN_STATUS if self.faults.strike(Fault.UNKNOWN_STATUS, emu.device_id) else EmuStatus.RUNNING

    def _answer(
        self, exchange: Exchange, device_id: int | None, data: Callable[[], ResultData], reply: str | None
    ) -> Process:
        yield self.settings.timings.answer
        payload = self._wire.result(exchange, data(), device_id, reply, self._clock.now)
        if strike := self.faults.strike(Fault.LATE_ANSWER, device_id):
            yield _LATE if strike.setting.seconds is None else strike.setting.seconds
        if self._silence:
            return
        if exchange is Exchange.UPGRADE and self.faults.strike(Fault.LOST_ANSWER, device_id):
            self._tell(What.LOST, device_id, exchange=exchange)
            return
        if self.faults.strike(Fault.GARBAGE, device_id):
            topics = [self.address.topic(each, Direction.RESULT) for each in Exchange]
            self._outgoing.extend(Outgoing(topic, garbage) for garbage in GARBAGE for topic in topics)
        retained = self.faults.strike(Fault.RETAINED_RESULTS, device_id) is not None
        times = 2 if self.faults.strike(Fault.DUPLICATED_RESULTS, device_id) else 1
        result = Outgoing(self.address.topic(exchange, Direction.RESULT), payload, retained)
        self._outgoing.extend([result] * times)
        self._tell(What.ANSWERED, device_id, exchange=exchange)

    def _order(self, emu: SimulatedEmu, command: UpgradeCommand, reply: str | None) -> Process:
        device_id = emu.device_id
        outcome = yield from self._prepare(emu, command)
        handed_over = isinstance(outcome, Unpacked)
        status = DownloadStatus.HANDED_OVER if isinstance(outcome, Unpacked) else outcome
        code: int = download_code(self.settings.revision, status)
        if handed_over and self.faults.strike(Fault.UNKNOWN_DOWNLOAD_STATUS, device_id):
            code = UNKNOWN_DOWNLOAD_CODE
        self._tell(What.ORDER, device_id, status=status)
        data: ReportData = {"device_id": device_id, "download_status": code}
        self._clock.start(self._answer(Exchange.UPGRADE, device_id, lambda: data, reply))
        if isinstance(outcome, Unpacked):
            yield from self._upgrade(emu, outcome)

    def _prepare(self, emu: SimulatedEmu, command: UpgradeCommand) -> Generator[Wait, None, Unpacked | DownloadStatus]:
        """Fetch, check and unpack a package, and hand over what then is in the folder."""
        device_id, timings = emu.device_id, self.settings.timings
        if self.faults.strike(Fault.DOWNLOAD_FAILED, device_id):
            yield timings.download
            return DownloadStatus.DOWNLOAD_FAILED
        number = next(self._numbers)
        self._requests.append(DownloadRequest(number, command.download_url, command.md5))
        yield timings.download
        yield lambda: number in self._fetched
        fetched = self._fetched.pop(number)
        if self.faults.strike(Fault.MD5_MISMATCH, device_id):
            fetched = DownloadStatus.MD5_MISMATCH
        if fetched in {DownloadStatus.DOWNLOAD_FAILED, DownloadStatus.MD5_MISMATCH}:
            return DownloadStatus(fetched)
        if self.faults.strike(Fault.CLEAR_FOLDER_FAILED, device_id):
            return DownloadStatus.CLEAR_FOLDER_FAILED
        self._folder = None
        yield timings.unpack
        if isinstance(fetched, DownloadStatus) or self.faults.strike(Fault.UNPACK_FAILED, device_id):
            return DownloadStatus.UNPACK_FAILED
        self._folder = Unpacked(fetched)
        yield timings.hand_over
        # Whatever is in the one folder by now: another order may have cleared it, or have put its own files there.
        if self._folder is None or not self._reaches(emu) or self.faults.strike(Fault.HAND_OVER_FAILED, device_id):
            return DownloadStatus.HAND_OVER_FAILED
        return self._folder

    def _reaches(self, emu: SimulatedEmu) -> bool:
        return emu.reachable and not self.faults.setting(Fault.EMU_OFFLINE, emu.device_id)

    def _upgrade(self, emu: SimulatedEmu, unpacked: Unpacked) -> Process:
        if (before := self._upgrades.get(emu.device_id)) is not None:
            before.superseded = True
        upgrade = Upgrade(
            emu,
            unpacked,
            timings=self.settings.timings,
            tells_bits=self.settings.revision.tells_bits,
            rests_at_512=self.settings.rests_at_512,
            faults=self.faults,
            clock=self._clock,
            silence=self._silence,
            in_folder=lambda: self._folder,
            tell=self._tell,
        )
        self._upgrades[emu.device_id] = upgrade
        try:
            yield from upgrade.run()
        except Superseded:
            self._tell(What.SUPERSEDED, emu.device_id)

    def _tell(self, what: What, emu: int | None = None, **details: str | int) -> None:
        self.tell(Happening(self._clock.now, self.address.uid, what, emu, details))

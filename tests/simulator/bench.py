"""A simulated EMS on the bench: time goes by when a test says so, and packages come out of a dict."""

from dataclasses import dataclass
from itertools import count

from custom_components.emu_ota.protocol.commands import Command, Stamp, ask_progress, ask_versions, order_upgrade
from custom_components.emu_ota.protocol.errors import MalformedMessage
from custom_components.emu_ota.protocol.models import (
    DownloadStatus,
    Message,
    ProgressResult,
    Report,
    UpgradeResult,
    VersionResult,
)
from custom_components.emu_ota.protocol.parser import parse
from custom_components.emu_ota.protocol.topics import EmsAddress
from simulator.ems import EmsSettings, Fetched, Outgoing, SimulatedEms
from simulator.emu import SimulatedEmu
from simulator.package import Manifest

ADDRESS = EmsAddress("v1/wudun/demo", "iYRkfVpi77")
LINK = "http://127.0.0.1/emu-v1.2.0.tar.gz"
OTHER_LINK = "http://127.0.0.1/emu-v1.3.0.tar.gz"
NEW = "emu-v1.2.0"
OLD = "emu-v1.0.0"
MD5 = "50a2811e047dd49ace3801685eedb732"
START = 1_700_000_000.0


@dataclass(frozen=True)
class Heard:
    """A message of the EMS: when, its bytes, and what our parser makes of them (None: refused)."""

    at: float
    outgoing: Outgoing
    message: Message | None


class Bench:
    """EMUs 2 and 3 are running, EMU 4 is offline."""

    def __init__(self, settings: EmsSettings | None = None) -> None:
        """Put an EMS at rest on the bench."""
        self.now = START
        self.ems = SimulatedEms(
            ADDRESS, [SimulatedEmu(2), SimulatedEmu(3), SimulatedEmu(4, online=False)], settings or EmsSettings()
        )
        self.packages: dict[str, Fetched] = {LINK: Manifest(NEW), OTHER_LINK: Manifest("emu-v1.3.0")}
        self.heard: list[Heard] = []
        self._mids = count(1)

    def stamp(self) -> Stamp:
        """Return a new one; its mid counts up."""
        return Stamp(mid=f"mid-{next(self._mids)}", trace_id="trace", timestamp=1)

    def send(self, command: Command) -> None:
        """Send a command to the EMS."""
        self.ems.receive(command.topic, command.payload, self.now)

    def order(self, device_id: int = 2, link: str = LINK) -> None:
        """Order an upgrade."""
        self.send(order_upgrade(ADDRESS, self.stamp(), device_id, link, MD5))

    def run(self, seconds: float) -> list[Heard]:
        """Let time go by, and return what was heard meanwhile."""
        end = self.now + seconds
        before = len(self.heard)
        self._step(self.now)
        while (due := self.ems.next_due()) is not None and due <= end:
            self._step(max(due, self.now))
        self._step(end)
        return self.heard[before:]

    def report(self, device_id: int = 2) -> Report:
        """Ask how far an upgrade is, and return the answer."""
        self.send(ask_progress(ADDRESS, self.stamp(), device_id))
        (report,) = (heard.message.report for heard in self.run(1) if isinstance(heard.message, ProgressResult))
        return report

    def reports(self, seconds: float, device_id: int = 2, every: float = 2) -> list[Report]:
        """Ask again and again, and return the reports that differ from the one before."""
        reports: list[Report] = []
        end = self.now + seconds
        while self.now < end:
            report = self.report(device_id)
            if not reports or reports[-1] != report:
                reports.append(report)
            self.run(every - 1)
        return reports

    def versions(self) -> dict[int, str | None]:
        """Ask for the versions of all EMUs, and return them."""
        self.send(ask_versions(ADDRESS, self.stamp()))
        (reports,) = (
            message.reports
            for message in (heard.message for heard in self.run(1))
            if isinstance(message, VersionResult) and message.reports
        )
        return {report.device_id: report.version for report in reports}

    @property
    def results(self) -> list[tuple[int, DownloadStatus | int]]:
        """The results of orders so far: the EMU, and what became of the order."""
        messages = [heard.message for heard in self.heard]
        return [(result.device_id, result.status) for result in messages if isinstance(result, UpgradeResult)]

    def _step(self, now: float) -> None:
        self.now = now
        for request in self.ems.take_downloads():
            fetched = self.packages.get(request.url, DownloadStatus.DOWNLOAD_FAILED)
            self.ems.finish_download(request.number, fetched, now)
        for outgoing in self.ems.advance(now):
            try:
                message = parse(outgoing.topic, outgoing.payload)
            except MalformedMessage:
                message = None
            self.heard.append(Heard(now, outgoing, message))

"""One EMU as its entities see it: what is known of it, and what is happening to it."""

from collections.abc import Mapping
from typing import NamedTuple

from homeassistant.core import CALLBACK_TYPE, callback

from .coordinator import EmsCoordinator
from .firmware.library import FirmwareLibrary
from .firmware.release import Release
from .protocol.models import Component, EmuStatus, Report, ReportedResult, Stage
from .protocol.upgrade import Phase, Upgrade
from .upgrades import Upgrades

# Looked up each time that an EMU changes; a code that is not known is in none of them.
STATUSES: Mapping[int, str] = {status: status.name.lower() for status in EmuStatus}
COMPONENTS: Mapping[int | None, str] = {component: component.name.lower() for component in Component}
_STAGE_NAMES: Mapping[int | None, str] = {stage: stage.name.lower() for stage in Stage}

STAGE_IDLE = "idle"
STAGES = (STAGE_IDLE, "queued", "ordered", *_STAGE_NAMES.values(), "restarting")
"""What the upgrade stage can be: the phases before and after the EMU's own stages, and those."""


class EmuView(NamedTuple):
    """All that the entities of an EMU show of it."""

    available: bool
    """Whether its EMS answers."""
    version: str | None
    """What is installed; None before that was ever told."""
    status: str | None
    """One of STATUSES; None for a code that is not known."""
    stage: str | None
    """One of STAGES; None for a code that is not known."""
    component: str | None
    """The component that is being upgraded; None at rest, and for a code that is not known."""
    progress: int | None
    """Per cent of the current component's transfer; None outside it."""
    percentage: int | None
    """What the update shows: the transfer's progress, or before it that of the fetch from Home Assistant."""
    result: ReportedResult | None
    """What it says of its last upgrade; None where it says nothing."""
    succeeded: tuple[Component, ...] | None
    """The components that it says succeeded; None where it cannot say."""
    busy: bool
    """Whether an upgrade is queued or at work, whoever ordered it."""
    last_upgrade: Upgrade | None
    """Its newest upgrade that has an outcome."""
    release: Release | None
    """The newest release that is newer than what it runs; else the one that it runs, where that is known."""


class Emu:
    """One EMU. Its entities watch it, and it looks at itself once for all of them."""

    __slots__ = ("_active", "_library", "_reports", "_watchers", "coordinator", "device_id", "upgrades", "view")

    def __init__(
        self, coordinator: EmsCoordinator, upgrades: Upgrades, library: FirmwareLibrary, device_id: int
    ) -> None:
        """Be an EMU that an EMS has reported, from now on until the EMS is gone or forgets it."""
        self.coordinator = coordinator
        self.upgrades = upgrades
        self.device_id = device_id
        self._reports = coordinator.emus
        self._active = upgrades.active.on(coordinator.uid)
        self._library = library
        self._watchers: list[CALLBACK_TYPE] = []
        self.view = self._look()
        """As it was when something about it was last told, or when somebody began to watch it."""
        coordinator.watch_emu(device_id, self._changed)

    def watch(self, changed: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Bring the view up to date, and call back whenever it is another; returns what ends that."""
        self._changed()
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    @property
    def upgrade(self) -> Upgrade | None:
        """Its upgrade that has no outcome yet, at this moment."""
        return self._active.get(self.device_id)

    @property
    def busy(self) -> bool:
        """Whether an upgrade is queued or at work at this moment, whoever ordered it."""
        return self.device_id in self._active or self.device_id in self.coordinator.busy

    @callback
    def _changed(self) -> None:
        view = self._look()
        if view != self.view:
            self.view = view
            for changed in tuple(self._watchers):
                changed()

    def _look(self) -> EmuView:
        coordinator, device_id = self.coordinator, self.device_id
        report, upgrade, bit_field = self._reports[device_id], self.upgrade, coordinator.bit_field
        busy = self.busy
        at_work = _at_work(report, upgrade, busy=busy)
        progress = at_work.progress if at_work is not None and at_work.stage == Stage.TRANSFERRING else None
        return EmuView(
            available=coordinator.available,
            version=report.version,
            status=STATUSES.get(report.status),
            stage=_stage(report, upgrade, at_work),
            component=None if at_work is None else COMPONENTS.get(at_work.component),
            progress=progress,
            percentage=progress if upgrade is None else _percentage(upgrade, progress),
            result=report.result(bit_field=bit_field),
            succeeded=report.succeeded_components(bit_field=bit_field),
            busy=busy,
            last_upgrade=self.upgrades.history.last(coordinator.uid, device_id),
            release=None if report.version is None else self._release(report.version),
        )

    def _release(self, installed: str) -> Release | None:
        return self._library.update_for(installed) or self._library.get(installed)


def _at_work(report: Report, upgrade: Upgrade | None, *, busy: bool) -> Report | None:
    """Return the report whose figures are about an upgrade at work; None when there is none."""
    if upgrade is None:
        return report if busy else None
    return upgrade.report if upgrade.phase is Phase.UPGRADING and upgrade.news else None


def _stage(report: Report, upgrade: Upgrade | None, at_work: Report | None) -> str | None:
    if upgrade is not None and upgrade.phase is not Phase.UPGRADING:
        return upgrade.phase.value
    if at_work is not None:
        return _STAGE_NAMES.get(at_work.stage)
    if upgrade is not None:  # handed over, but the EMU has not said anything about it yet
        return Phase.ORDERED.value
    return STAGE_IDLE if report.stage is None or report.stage in _STAGE_NAMES else None


def _percentage(upgrade: Upgrade, progress: int | None) -> int | None:
    if upgrade.phase is not Phase.ORDERED or upgrade.fetched is None or not upgrade.order.size:
        return progress
    return min(100, 100 * upgrade.fetched.covered // upgrade.order.size)

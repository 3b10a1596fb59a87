"""One EMU as its entities see it: what is known of it, and what is happening to it."""

from collections.abc import Mapping

from .coordinator import EmsCoordinator
from .protocol.models import Component, EmuStatus, Report, Stage
from .protocol.upgrade import Phase, Upgrade
from .upgrades import Upgrades

# Looked up each time that an EMU changes; a code that is not known is in none of them.
STATUSES: Mapping[int, str] = {status: status.name.lower() for status in EmuStatus}
COMPONENTS: Mapping[int | None, str] = {component: component.name.lower() for component in Component}
_STAGE_NAMES: Mapping[int | None, str] = {stage: stage.name.lower() for stage in Stage}

STAGE_IDLE = "idle"
STAGES = (STAGE_IDLE, "queued", "ordered", *_STAGE_NAMES.values(), "restarting")
"""What the upgrade stage can be: the phases before and after the EMU's own stages, and those."""


class Emu:
    """One EMU. Everything is derived at the moment it is asked for, which is several times for each of its reports."""

    __slots__ = ("_active", "_reports", "coordinator", "device_id", "upgrades")

    def __init__(self, coordinator: EmsCoordinator, upgrades: Upgrades, device_id: int) -> None:
        """Look at an EMU of an EMS."""
        self.coordinator = coordinator
        self.upgrades = upgrades
        self.device_id = device_id
        self._reports = coordinator.emus
        self._active = upgrades.active.on(coordinator.uid)

    @property
    def report(self) -> Report:
        """What is known of it, each figure as it was last told."""
        return self._reports[self.device_id]

    @property
    def upgrade(self) -> Upgrade | None:
        """Its upgrade that has no outcome yet."""
        return self._active.get(self.device_id)

    @property
    def last_upgrade(self) -> Upgrade | None:
        """Its newest upgrade that has an outcome."""
        return self.upgrades.history.last(self.coordinator.uid, self.device_id)

    @property
    def busy(self) -> bool:
        """Whether an upgrade is queued or at work, whoever ordered it."""
        return self.upgrade is not None or self.device_id in self.coordinator.busy

    @property
    def status(self) -> str | None:
        """Its status; None for a code that is not known."""
        return STATUSES.get(self.report.status)

    @property
    def stage(self) -> str | None:
        """One of STAGES; None for a code that is not known."""
        upgrade = self.upgrade
        if upgrade is not None and upgrade.phase is not Phase.UPGRADING:
            return upgrade.phase.value
        told = self._told()
        if upgrade is not None and told is None:  # handed over, but the EMU has not said anything about it yet
            return Phase.ORDERED.value
        if told is not None:
            return _STAGE_NAMES.get(told.stage)
        stage = self.report.stage
        return STAGE_IDLE if stage is None or stage in _STAGE_NAMES else None

    @property
    def component(self) -> str | None:
        """The component that is being upgraded; None at rest, and for a code that is not known."""
        told = self._told()
        return None if told is None else COMPONENTS.get(told.component)

    @property
    def progress(self) -> int | None:
        """Per cent of the current component's transfer; None outside it."""
        told = self._told()
        return told.progress if told is not None and told.stage == Stage.TRANSFERRING else None

    @property
    def percentage(self) -> int | None:
        """What the update shows: the transfer's progress, or before it that of the fetch from our own view."""
        upgrade = self.upgrade
        if upgrade is None or upgrade.phase is not Phase.ORDERED or upgrade.fetched is None or not upgrade.order.size:
            return self.progress
        return min(100, 100 * upgrade.fetched.covered // upgrade.order.size)

    def _told(self) -> Report | None:
        """Return the report whose figures are about an upgrade at work; None when there is none."""
        upgrade = self.upgrade
        if upgrade is None:
            return self.report if self.device_id in self.coordinator.busy else None
        return upgrade.report if upgrade.phase is Phase.UPGRADING and upgrade.news else None

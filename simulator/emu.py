"""One simulated EMU: what it is, and what it would report."""

from dataclasses import dataclass
from typing import Final

from custom_components.emu_ota.protocol.models import Component, EmuStatus, Stage

MAX_BOARDS: Final = 6
_BOARDS: Final = tuple(component for component in Component if component is not Component.EMU)


@dataclass(frozen=True, slots=True)
class Figures:
    """What an EMU that is online reports besides its status, as codes of the wire."""

    success: int
    component: int
    stage: int
    content: int
    version: str


class SimulatedEmu:
    """An EMU behind a simulated EMS."""

    def __init__(
        self, device_id: int, version: str = "emu-v1.0.0", *, online: bool = True, boards: int = 2, success: int = 1
    ) -> None:
        """Make an EMU at rest with its communication boards 1 to `boards` (0 to 6).

        The EMS that it is given to replaces `success` by what an upgraded EMU of its revision shows.
        """
        self.device_id = device_id
        self.version = version
        self.online = online
        self.components: tuple[int, ...] = (Component.EMU, *_BOARDS[:boards])
        self.success = success
        self.component: int = Component.EMU
        self.stage: int = Stage.COMPLETE
        self.content = 100
        self.restarting = False
        self._stale: Figures | None = None
        self._stale_until = 0.0

    @property
    def reachable(self) -> bool:
        """Whether the EMS can talk to it, faults left aside."""
        return self.online and not self.restarting

    def show(self, component: int, stage: int, content: int) -> None:
        """Come to a stage of an upgrade."""
        self.component, self.stage, self.content = component, stage, content

    def stay_stale(self, until: float) -> None:
        """Keep reporting the figures of now."""
        self._stale, self._stale_until = self._now(), until

    def figures(self, now: float) -> Figures:
        """Return what it reports."""
        return self._stale if self._stale is not None and now < self._stale_until else self._now()

    def _now(self) -> Figures:
        return Figures(self.success, self.component, self.stage, self.content, self.version)


def report(device_id: int, status: int, figures: Figures) -> dict[str, int | str | None]:
    """Return a report as the protocol's samples write it; an offline EMU tells nothing."""
    offline = status == EmuStatus.OFFLINE
    return {
        "device_id": device_id,
        "status": status,
        "emu_upgrade_success": None if offline else figures.success,
        "emu_upgrade_device": None if offline else figures.component,
        "emu_upgrade_status": None if offline else figures.stage,
        "emu_upgrade_content": None if offline else figures.content,
        "emu_product_sn": "" if offline else figures.version,
    }

"""The way of one EMU from the hand-over of a package to its return with the new firmware."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Final, Protocol

from custom_components.emu_ota.protocol.models import Component, Stage, SuccessBit

from .clockwork import Clockwork, Process
from .emu import SimulatedEmu
from .faults import Fault, Faults
from .happenings import What
from .package import Manifest
from .silence import Silence
from .timings import Timings
from .wire import component_bit, finished_bits

UNKNOWN_COMPONENT: Final = 27
UNKNOWN_STAGE: Final = 7
_STALE: Final = 120.0
_SLOW: Final = 300.0
_EMS_RESTART: Final = 90.0
_OTHER_VERSION: Final = "emu-v9.9.9"
_NOT_FINISHED: Final = int(SuccessBit.NOT_FINISHED)


class Unpacked:
    """The content of an EMS's folder; another one with the same files is another."""

    def __init__(self, manifest: Manifest) -> None:
        """Hold the files of a package."""
        self.manifest = manifest


class Superseded(Exception):
    """The EMU was handed another package while it was upgrading, and begins anew with that."""


class Tell(Protocol):
    """Tells what happens to an EMU."""

    def __call__(self, what: What, emu: int | None = None, **details: str | int) -> None:
        """Tell it."""


class Upgrade:
    """One upgrade of one EMU; `run` is its process."""

    superseded = False

    def __init__(  # noqa: PLR0913 - what it shares with its EMS
        self,
        emu: SimulatedEmu,
        unpacked: Unpacked,
        *,
        timings: Timings,
        tells_bits: bool,
        rests_at_512: bool,
        faults: Faults,
        clock: Clockwork,
        silence: Silence,
        in_folder: Callable[[], Unpacked | None],
        tell: Tell,
    ) -> None:
        """Make an upgrade to what was unpacked; `in_folder` tells what is in the EMS's folder as time goes by."""
        self._emu = emu
        self._unpacked = unpacked
        self._timings = timings
        self._tells_bits = tells_bits
        self._rests_at_512 = rests_at_512
        self._faults = faults
        self._clock = clock
        self._silence = silence
        self._in_folder = in_folder
        self._tell = tell
        self._succeeded: list[int] = []
        self._components: tuple[int, ...] = unpacked.manifest.components or emu.components

    def run(self) -> Process:
        """Go through all of it; ends with Superseded when another upgrade of the EMU took over."""
        emu, faults, device_id = self._emu, self._faults, self._emu.device_id
        if stale := faults.strike(Fault.STALE_REPORT, device_id):
            seconds = _STALE if stale.setting.seconds is None else stale.setting.seconds
            emu.stay_stale(self._clock.now + seconds)
        yield from self._work(self._timings.begin)
        before = emu.success
        emu.success = _NOT_FINISHED if self._tells_bits else 0
        never_told = faults.strike(Fault.SUCCESS_NEVER_TOLD, device_id) is not None
        if never_told and not self._tells_bits:
            emu.success = before
        failing = self._failing()
        unknown_codes = faults.strike(Fault.UNKNOWN_CODES, device_id) is not None
        components = (*self._components, *([UNKNOWN_COMPONENT] if unknown_codes else []))
        for component in components:
            yield from self._component(component, unknown_stage=unknown_codes)
            # The files are read from the EMS's one folder up to here: another order's would not fit.
            if component != failing and self._in_folder() is self._unpacked:
                self._succeeded.append(component)
            emu.show(component, Stage.COMPLETE, 100)
            if not never_told:
                emu.success = self._success(last=component == components[-1], expected=components)
            elif self._tells_bits:
                emu.success = _NOT_FINISHED | sum(map(component_bit, self._succeeded))
            self._tell(What.STAGE, device_id, stage=Stage.COMPLETE.name.lower(), component=_name(component))
            yield from self._at(component, Stage.COMPLETE, 100)
            yield from self._work(self._timings.complete)
        if Component.EMU in self._components and Component.EMU not in self._succeeded:
            return  # nothing new to restart with
        yield from self._restart()

    def _failing(self) -> int | None:
        errors = self._faults.strike(Fault.ERRORS_REPORTED, self._emu.device_id)
        if errors is None:
            return None
        wanted = Component.EMU if errors.setting.component is None else errors.setting.component
        return wanted if wanted in self._components else self._components[0]

    def _success(self, *, last: bool, expected: tuple[int, ...]) -> int:
        all_succeeded = len(self._succeeded) == len(expected)
        if not self._tells_bits:
            return int(last and all_succeeded)
        bits = sum(map(component_bit, self._succeeded))
        if not last:
            return _NOT_FINISHED | bits
        return finished_bits(self._succeeded) if all_succeeded else int(SuccessBit.TRANSFER_ENDED) | bits

    def _component(self, component: int, *, unknown_stage: bool) -> Process:
        timings = self._timings
        yield from self._stage(component, Stage.PREPARING_UPGRADE, timings.prepare_upgrade)
        yield from self._stage(component, Stage.PREPARING_TRANSFER, timings.prepare_transfer)
        self._tell(What.STAGE, self._emu.device_id, stage=Stage.TRANSFERRING.name.lower(), component=_name(component))
        for percent in range(101):
            self._emu.show(component, Stage.TRANSFERRING, percent)
            yield from self._at(component, Stage.TRANSFERRING, percent)
            yield from self._work(timings.transfer / 101)
        yield from self._stage(component, Stage.VERIFYING, timings.verify)
        if unknown_stage:
            self._emu.show(component, UNKNOWN_STAGE, 100)
            yield from self._work(timings.verify)

    def _stage(self, component: int, stage: Stage, seconds: float) -> Process:
        percent = 100 if stage is Stage.VERIFYING else 0
        self._emu.show(component, stage, percent)
        self._tell(What.STAGE, self._emu.device_id, stage=stage.name.lower(), component=_name(component))
        yield from self._at(component, stage, percent)
        yield from self._work(seconds)

    def _at(self, component: int, stage: Stage, percent: int) -> Process:
        """Let the faults strike that wait for the EMU at this place."""
        device_id = self._emu.device_id
        if stall := self._faults.strike_at(Fault.STALL, device_id, component, stage, percent):
            self._tell(What.STANDS_STILL, device_id)
            if stall.setting.seconds is None:
                yield lambda: stall.over or self.superseded
            else:
                yield stall.setting.seconds
            self._check()
        if restart := self._faults.strike_at(Fault.EMS_RESTART, device_id, component, stage, percent):
            seconds = _EMS_RESTART if restart.setting.seconds is None else restart.setting.seconds
            self._tell(What.SILENT, device_id, seconds=round(seconds))
            with self._silence.kept():
                yield seconds
            self._check()

    def _work(self, seconds: float) -> Process:
        """Let some seconds go by; an EMU that is gone or in fault stands still."""
        yield seconds
        if not self._at_work():
            self._tell(What.STANDS_STILL, self._emu.device_id)
            yield lambda: self._at_work() or self.superseded
        self._check()

    def _at_work(self) -> bool:
        gone = any(self._faults.setting(fault, self._emu.device_id) for fault in (Fault.EMU_OFFLINE, Fault.EMU_FAULT))
        return self._emu.online and not gone

    def _check(self) -> None:
        if self.superseded:
            raise Superseded

    def _restart(self) -> Process:
        emu, faults, device_id = self._emu, self._faults, self._emu.device_id
        version = self._unpacked.manifest.version
        if other := faults.strike(Fault.OTHER_VERSION, device_id):
            version = other.setting.version or _OTHER_VERSION
        if faults.strike(Fault.VERSION_UNCHANGED, device_id):
            version = emu.version
        if not faults.strike(Fault.NO_OFFLINE_PHASE, device_id):
            emu.restarting = True
            self._tell(What.RESTARTING, device_id)
            seconds = self._timings.restart
            if slow := faults.strike(Fault.SLOW_RETURN, device_id):
                seconds += _SLOW if slow.setting.seconds is None else slow.setting.seconds
            silent = faults.strike(Fault.SILENT_RESTART, device_id) is not None
            with self._silence.kept() if silent else nullcontext():
                yield seconds
            if gone := faults.strike(Fault.DOES_NOT_RETURN, device_id):
                self._tell(What.STANDS_STILL, device_id)
                yield lambda: gone.over
            emu.restarting = False
        emu.version = version
        if self._tells_bits and self._rests_at_512 and len(self._succeeded) >= len(self._components):
            emu.success = _NOT_FINISHED
        self._tell(What.RETURNED, device_id, version=version)


def _name(component: int) -> str:
    return Component(component).name.lower() if component in Component else f"component {component}"

"""What can go wrong at a simulated EMS, on demand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from custom_components.emu_ota.protocol.models import Component, Stage


class Fault(StrEnum):
    """A fault that can be switched on for an EMS or for one of its EMUs."""

    NO_ANSWER = "no_answer"
    LOST_ANSWER = "lost_answer"
    LATE_ANSWER = "late_answer"
    DOWNLOAD_FAILED = "download_failed"
    MD5_MISMATCH = "md5_mismatch"
    CLEAR_FOLDER_FAILED = "clear_folder_failed"
    UNPACK_FAILED = "unpack_failed"
    HAND_OVER_FAILED = "hand_over_failed"
    STALE_REPORT = "stale_report"
    STALL = "stall"
    ERRORS_REPORTED = "errors_reported"
    SUCCESS_NEVER_TOLD = "success_never_told"
    VERSION_UNCHANGED = "version_unchanged"
    OTHER_VERSION = "other_version"
    EMU_OFFLINE = "emu_offline"
    EMU_FAULT = "emu_fault"
    DOES_NOT_RETURN = "does_not_return"
    SLOW_RETURN = "slow_return"
    NO_OFFLINE_PHASE = "no_offline_phase"
    EMS_RESTART = "ems_restart"
    SILENT_RESTART = "silent_restart"
    DUPLICATED_RESULTS = "duplicated_results"
    RETAINED_RESULTS = "retained_results"
    GARBAGE = "garbage"
    UNKNOWN_CODES = "unknown_codes"
    UNKNOWN_STATUS = "unknown_status"
    UNKNOWN_DOWNLOAD_STATUS = "unknown_download_status"


# What each fault does, what its `times` count, and which fields of FaultSetting it heeds.
DESCRIPTIONS: Final[Mapping[Fault, str]] = {
    Fault.NO_ANSWER: "the EMS does not know EMU-OTA: it ignores a command (times: commands)",
    Fault.LOST_ANSWER: "the upgrade goes on, but its emu_upgrade result never arrives (times: results)",
    Fault.LATE_ANSWER: "a result comes `seconds` (60) late, saying what was true in time (times: results)",
    Fault.DOWNLOAD_FAILED: "download_status 2, revision A 3 (times: orders)",
    Fault.MD5_MISMATCH: "download_status 3 whatever the MD5 is (times: orders)",
    Fault.CLEAR_FOLDER_FAILED: "download_status 4, revision A 3 (times: orders)",
    Fault.UNPACK_FAILED: "download_status 5, revision A 3 (times: orders)",
    Fault.HAND_OVER_FAILED: "download_status 6, revision A 2 (times: orders)",
    Fault.STALE_REPORT: "the previous upgrade is reported for `seconds` (120) after the hand-over (times: upgrades)",
    Fault.STALL: "stands still at `stage` (3), `percent` (50) and `component`, for `seconds` or until switched off "
    "(times: stalls)",
    Fault.ERRORS_REPORTED: "`component` (3, then no restart either) fails, and the EMU says so (times: upgrades)",
    Fault.SUCCESS_NEVER_TOLD: "the flag keeps its old value, the bit field bit 9 (times: upgrades)",
    Fault.VERSION_UNCHANGED: "the old version runs after the restart (times: upgrades)",
    Fault.OTHER_VERSION: "`version` (emu-v9.9.9) runs after the restart (times: upgrades)",
    Fault.EMU_OFFLINE: "the EMU is offline, and stands still (times: reports)",
    Fault.EMU_FAULT: "the EMU reports status 3, and stands still (times: reports)",
    Fault.DOES_NOT_RETURN: "the EMU stays offline after the restart until switched off (times: upgrades)",
    Fault.SLOW_RETURN: "the restart takes `seconds` (300) longer (times: upgrades)",
    Fault.NO_OFFLINE_PHASE: "the restart is too fast to be seen (times: upgrades)",
    Fault.EMS_RESTART: "at `stage` (3), `percent` (50) and `component` the EMS hears and says nothing for `seconds` "
    "(90), then goes on (times: restarts)",
    Fault.SILENT_RESTART: "the EMS hears and says nothing while the EMU restarts (times: upgrades)",
    Fault.DUPLICATED_RESULTS: "a result is sent twice (times: results)",
    Fault.RETAINED_RESULTS: "a result is published as retained (times: results)",
    Fault.GARBAGE: "before a result comes one of every kind of garbage, on all result topics (times: results)",
    Fault.UNKNOWN_CODES: "every component goes through a stage 7, and there is a component 27 (times: upgrades)",
    Fault.UNKNOWN_STATUS: "the EMU reports status 7 (times: reports)",
    Fault.UNKNOWN_DOWNLOAD_STATUS: "download_status 9 in place of 1; the upgrade goes on (times: orders)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSetting:
    """How a fault strikes; None leaves it to the fault (DESCRIPTIONS)."""

    fault: Fault
    emu: int | None = None
    """The device_id that it strikes; None: the EMS and each of its EMUs."""
    times: int | None = None
    """How often it strikes before it is gone; None: until it is switched off."""
    seconds: float | None = None
    stage: Stage | None = None
    percent: int | None = None
    component: Component | None = None
    version: str | None = None

    def meets(self, component: int, stage: Stage, percent: int) -> bool:
        """Tell whether an upgrade has come to the place where this fault strikes."""
        if self.component not in (None, component):
            return False
        wanted = Stage.TRANSFERRING if self.stage is None else self.stage
        default = 50 if wanted is Stage.TRANSFERRING else percent
        return stage is wanted and percent == (default if self.percent is None else self.percent)


@dataclass(slots=True)
class Strike:
    """One occurrence of a fault; over when it is switched off."""

    setting: FaultSetting
    over: bool = False


@dataclass(slots=True)
class _Switch:
    setting: FaultSetting
    left: int | None
    strikes: list[Strike] = field(default_factory=list)


class Faults:
    """The faults that are switched on at one EMS."""

    def __init__(self) -> None:
        """Begin with none."""
        self._switches: list[_Switch] = []

    def on(  # noqa: PLR0913 - the fields of FaultSetting, for short calls in tests
        self,
        fault: Fault,
        emu: int | None = None,
        *,
        times: int | None = None,
        seconds: float | None = None,
        stage: Stage | None = None,
        percent: int | None = None,
        component: Component | None = None,
        version: str | None = None,
    ) -> None:
        """Switch a fault on."""
        self.add(
            FaultSetting(
                fault=fault,
                emu=emu,
                times=times,
                seconds=seconds,
                stage=stage,
                percent=percent,
                component=component,
                version=version,
            )
        )

    def add(self, setting: FaultSetting) -> None:
        """Switch a fault on as a setting says."""
        self._switches.append(_Switch(setting, setting.times))

    def off(self, fault: Fault, emu: int | None = None) -> None:
        """Switch a fault off and end what it still holds up; None: for the EMS and every EMU."""
        for switch in list(self._switches):
            if switch.setting.fault is fault and emu in (None, switch.setting.emu):
                self._switches.remove(switch)
                for strike in switch.strikes:
                    strike.over = True

    def setting(self, fault: Fault, emu: int | None = None) -> FaultSetting | None:
        """Return how a fault would strike now, or None when it would not; counts nothing."""
        switch = self._find(fault, emu)
        return None if switch is None else switch.setting

    def strike(self, fault: Fault, emu: int | None = None) -> Strike | None:
        """Let a fault strike, where it is switched on."""
        switch = self._find(fault, emu)
        if switch is None:
            return None
        if switch.left is not None:
            switch.left -= 1
        strike = Strike(switch.setting)
        switch.strikes.append(strike)
        return strike

    def strike_at(self, fault: Fault, emu: int, component: int, stage: Stage, percent: int) -> Strike | None:
        """Let a fault that has a place in the upgrade strike, where an EMU has come to that place."""
        setting = self.setting(fault, emu)
        if setting is None or not setting.meets(component, stage, percent):
            return None
        return self.strike(fault, emu)

    def struck(self, fault: Fault) -> bool:
        """Tell whether a fault that is switched on has struck at all."""
        return any(switch.strikes for switch in self._switches if switch.setting.fault is fault)

    def _find(self, fault: Fault, emu: int | None) -> _Switch | None:
        for switch in self._switches:
            setting = switch.setting
            if setting.fault is fault and setting.emu in (None, emu) and switch.left != 0:
                return switch
        return None

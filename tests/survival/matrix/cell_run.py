"""Runs a cell of the fault matrix on a site of its own: an upgrade, faults, a restart, an outcome."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

from homeassistant.const import EVENT_HOMEASSISTANT_STOP

from custom_components.emu_ota.protocol.models import Component, Stage
from custom_components.emu_ota.protocol.upgrade import Phase
from simulator.ems import EmsSettings, SimulatedEms
from simulator.emu import SimulatedEmu
from simulator.faults import FaultSetting
from simulator.timings import Timings
from simulator.wire import Revision
from tests.site.world import World, simulated_ems

from .cells import Moment, Restart

OPTIONS: dict[str, object] = {"queue_timeout": 10}
AWAY = 60.0
"""Seconds that the broker is away, and Home Assistant after a crash."""
LONG_AWAY = 1200.0
"""Seconds that Home Assistant is away after a stop: more than every deadline, and than what is left of an upgrade."""
SILENT = 90.0
"""Seconds that the EMS says nothing: enough for it to count as silent."""

type Storage = dict[str, Any]


def matrix_ems(revision: Revision) -> SimulatedEms:
    """Return an EMS with an EMU to upgrade, of two components, and one that somebody else upgrades meanwhile."""
    emus = [SimulatedEmu(2, boards=1), SimulatedEmu(3, boards=0)]
    return simulated_ems(emus=emus, settings=EmsSettings(revision=revision, timings=Timings(transfer=20)))


@dataclass
class CellRun:
    """A site on which EMU 2 is upgraded."""

    world: World
    storage: Storage

    async def queue(self) -> None:
        """Order an upgrade that has to wait for what somebody else does to another EMU."""
        await self.world.pass_time(60, 30)  # what is known of an EMS is written half a minute later
        self.world.ems.emu(3).show(Component.EMU, Stage.TRANSFERRING, 10)
        await self.world.refresh()
        await self.world.install()

    async def come_to(self, moment: Moment) -> None:
        """Let the upgrade go on until a moment."""
        if moment is Moment.WAITING:
            await self.world.tick(2)
        else:
            self.world.ems.emu(3).show(Component.EMU, Stage.COMPLETE, 100)
            await self.world.until(lambda: self._is(moment), 600, 1 if moment is Moment.ORDERED else 5)

    def _is(self, moment: Moment) -> bool:
        emu, phase = self.world.ems.emu(2), self.phase
        match moment:
            case Moment.ORDERED:
                return phase is Phase.ORDERED and bool(self.world.orders())
            case Moment.HANDED_OVER:
                return phase is Phase.UPGRADING
            case Moment.TRANSFERRING:
                return phase is Phase.UPGRADING and emu.stage == Stage.TRANSFERRING
            case Moment.ENDING:
                return emu.component == emu.components[-1] and emu.stage == Stage.VERIFYING
            case _:
                return phase is Phase.RESTARTING

    @property
    def phase(self) -> Phase | None:
        """The phase of the upgrade, as a crash would find it in storage; None when nothing is under way."""
        under_way = self.under_way()
        return Phase(str(under_way[0]["phase"])) if under_way else None

    def under_way(self) -> list[dict[str, object]]:
        """Return the upgrades without an outcome that are in storage."""
        stored = self.storage.get(f"emu_ota.{self.world.entry.entry_id}.upgrades")
        upgrades = [] if stored is None else cast("list[dict[str, object]]", stored["data"]["upgrades"])
        return [upgrade for upgrade in upgrades if upgrade["outcome"] is None]  # what has ended waits to be filed

    def strike(self, faults: tuple[FaultSetting, ...]) -> None:
        """Switch faults on."""
        for setting in faults:
            self.world.ems.faults.add(setting)

    async def restart(self, restart: Restart) -> None:
        """Let something go away and come back."""
        match restart:
            case Restart.HOME_ASSISTANT:
                self.world.hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
                await self.world.settle()
                await self._start_anew(LONG_AWAY, 20)
            case Restart.CRASH:
                await self._start_anew(AWAY, 5)
            case Restart.BROKER:
                self.world.broker.connected = False
                await self.world.pass_time(AWAY, 5)
                self.world.broker.connected = True
                await self.world.settle()
            case Restart.EMS:
                self.world.ems.fall_silent(SILENT)
                await self.world.pass_time(SILENT, 5)
            case _:
                pass

    async def _start_anew(self, seconds: float, step: float) -> None:
        """Take Home Assistant down, whatever its unloading writes, and start later from what is in storage now."""
        world, ours = self.world, self.world.entry.entry_id
        found = deepcopy({key: value for key, value in self.storage.items() if ours in key})
        assert await world.hass.config_entries.async_unload(ours)
        for key in [key for key in self.storage if ours in key]:
            del self.storage[key]
        self.storage.update(found)
        await world.pass_time(seconds, step)
        assert await world.hass.config_entries.async_setup(ours)
        await world.settle()

    async def end(self) -> tuple[str, str | None]:
        """Let the upgrade come to its outcome."""
        self.world.ems.emu(3).show(Component.EMU, Stage.COMPLETE, 100)
        await self.world.until(lambda: self.world.last_upgrade()[0] not in {"unknown", "unavailable"}, 7200, step=10)
        await self.world.settle()
        return self.world.last_upgrade()

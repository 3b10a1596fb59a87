"""A day of a large site, in virtual time: upgrades and faults all the time, and nothing that grows."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
import gc
import logging
from random import Random
import sys
import threading
import time
from typing import Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.util.async_ import get_scheduled_timer_handles
import pytest

from custom_components.emu_ota.storage import HISTORY_LENGTH
from simulator.downloads import MemoryDownloads
from simulator.ems import EmsSettings
from simulator.emu import SimulatedEmu
from simulator.faults import Fault
from simulator.memory import MemoryBroker
from simulator.package import build_package
from simulator.wire import Revision
from tests.site.on_disk import WorldOnDisk
from tests.site.world import World, async_make_world, ems_subentry, firmware_subentry, simulated_ems

LOGGER: Final = logging.getLogger(__name__)
SEED: Final = 20261126
STEP: Final = 30.0
"""Seconds between two looks at the clock: what is asked every 5 s is asked as often."""
ROUND: Final = 50 * 60.0
"""Seconds in which every EMU is upgraded once; it may take longer."""
REST: Final = 15 * 60.0
FILES: Final = 6
"""Of Home Assistant that may be about to be written: states to be restored, registries, ours."""
DAY: Final = 24 * 60 * 60.0
VERSIONS: Final = ("emu-v1.1.0", "emu-v1.2.0")
"""Installed in turns: there is always something to do."""
FAULTS: Final = (
    Fault.DOWNLOAD_FAILED,
    Fault.HAND_OVER_FAILED,
    Fault.LOST_ANSWER,
    Fault.LATE_ANSWER,
    Fault.STALL,
    Fault.ERRORS_REPORTED,
    Fault.VERSION_UNCHANGED,
    Fault.OTHER_VERSION,
    Fault.EMS_RESTART,
    Fault.SILENT_RESTART,
    Fault.SLOW_RETURN,
    Fault.DOES_NOT_RETURN,
    Fault.UNKNOWN_CODES,
    Fault.GARBAGE,
    Fault.DUPLICATED_RESULTS,
    Fault.RETAINED_RESULTS,
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What there is at one moment, with nothing under way."""

    tasks: int
    timers: int
    listeners: int
    states: int
    threads: int
    blocks: int
    """Of memory."""
    history: int


@pytest.fixture
def hass_storage() -> dict[str, object]:
    """Leave Home Assistant's storage as it is: what this stands for otherwise keeps all that was ever written."""
    return {}


@pytest.fixture(autouse=True)
def _no_records(caplog: pytest.LogCaptureFixture) -> None:
    """Have nothing logged but warnings: pytest keeps it, which would look like a leak."""
    for logger in ("asyncio", "homeassistant", "custom_components.emu_ota"):
        caplog.set_level(logging.WARNING, logger)


class Soak:
    """A site with an upgrade of every EMU in each round, and faults in some."""

    def __init__(self, world: World, downloads: MemoryDownloads, faulty: float) -> None:
        """Begin with a seed of its own."""
        self.world = world
        self.outcomes: Counter[str] = Counter()
        self._downloads = downloads
        self._random = Random(SEED)  # noqa: S311 - no secret, and has to be repeatable
        self._rounds = 0
        self._faulty = faulty

    async def round(self) -> Sample:
        """Upgrade every EMU, with faults; return what there is once all of that is over."""
        world = self.world
        version = VERSIONS[self._rounds % 2]
        self._rounds += 1
        self._switch_faults()
        installs = [
            world.call("update", "install", {"version": version}, emu.device_id, ems.address.uid)
            for ems in world.site.systems
            for emu in ems.emus
        ]
        outage = self._random.randrange(60, 2400, 30)
        passed = 0.0
        while passed < ROUND or not all(install.done() for install in installs):
            world.broker.connected = not outage <= passed < outage + 120
            await world.tick(STEP)
            passed += STEP
            world.changes.clear()
            world.broker.published.clear()
            assert passed < 6 * ROUND, "an upgrade has no end"
        for install in installs:
            error = install.exception()
            self.outcomes["succeeded" if error is None else str(getattr(error, "translation_key", error))] += 1
        self._end_faults()
        del installs, install
        # After what was given up by a deadline, each EMS is known to be at rest some time later.
        await world.pass_time(REST, STEP)
        world.changes.clear()
        world.broker.published.clear()
        return await self._sample()

    def _switch_faults(self) -> None:
        for ems in self.world.site.systems:
            for emu in ems.emus:
                if self._random.random() < self._faulty:
                    seconds = 200.0 if self._random.random() < 0.5 else None
                    ems.faults.on(self._random.choice(FAULTS), emu.device_id, times=1, seconds=seconds)

    def _end_faults(self) -> None:
        for ems in self.world.site.systems:
            for fault in FAULTS:
                ems.faults.off(fault)
        self._downloads.fetched.clear()

    async def _sample(self) -> Sample:
        await self.world.hass.async_block_till_done()
        gc.collect()
        loop = asyncio.get_running_loop()
        return Sample(
            tasks=len(asyncio.all_tasks()),
            timers=sum(not timer.cancelled() for timer in get_scheduled_timer_handles(loop)),
            listeners=sum(self.world.hass.bus.async_listeners().values()),
            states=len(self.world.hass.states.async_all()),
            threads=threading.active_count(),
            blocks=sys.getallocatedblocks(),
            history=len(await self.world.history()),
        )


type MakeSoak = Callable[[int, int, float], Awaitable[Soak]]
"""From how many EMSs, how many EMUs each, and the share of EMUs that has a fault in each round."""


@pytest.fixture
async def make_soak(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, broker: MemoryBroker
) -> AsyncGenerator[MakeSoak]:
    """Return what makes a site of so many EMSs with so many EMUs each."""
    made: list[World] = []

    async def make(systems: int, emus: int, faulty: float) -> Soak:
        links = {f"http://127.0.0.1/{version}.tar.gz": version for version in VERSIONS}
        downloads = MemoryDownloads({link: build_package(version, size=1000) for link, version in links.items()})
        simulated = [
            simulated_ems(
                f"EMS{number:03}",
                [SimulatedEmu(2 + emu) for emu in range(emus)],
                EmsSettings(revision=list(Revision)[number % 4]),
            )
            for number in range(systems)
        ]
        firmware = [
            firmware_subentry(version, link, package=build_package(version, size=1000))
            for link, version in links.items()
        ]
        world = await async_make_world(
            hass,
            freezer,
            broker,
            simulated,
            [*(ems_subentry(ems.address.uid) for ems in simulated), *firmware],
            {"max_parallel": systems},
            downloads,
            WorldOnDisk,
        )
        made.append(world)
        return Soak(world, downloads, faulty)

    yield make
    for world in made:
        await world.site.stop()


def steady(first: Sample, last: Sample, *, blocks: int) -> None:
    """Show that nothing has grown; `blocks` of memory may come and go."""
    assert (last.tasks, last.states) == (first.tasks, first.states)
    # Home Assistant's files that wait to be written have a timer and a listener each; of ours, each EMS has a timer.
    assert last.listeners <= first.listeners + FILES
    assert last.timers <= first.timers + FILES
    assert last.threads <= first.threads + 2
    assert last.blocks - first.blocks < blocks


async def test_some_hours_of_a_small_site(make_soak: MakeSoak) -> None:
    soak = await make_soak(2, 2, 0.5)
    samples = [await soak.round() for _ in range(4)]
    LOGGER.info("%s %s", samples, soak.outcomes)
    assert soak.outcomes["succeeded"] > 4
    # Each upgrade in the history takes some.
    steady(samples[1], samples[-1], blocks=5000)


async def test_a_day_of_two_hundred_emus(make_soak: MakeSoak, *, deep: bool) -> None:
    if not deep:
        pytest.skip("a day of 200 EMUs takes many minutes: scripts/check --deep")
    soak = await make_soak(20, 10, 0.15)
    samples: list[Sample] = []
    ends = time.time() + DAY
    while time.time() < ends:
        samples.append(await soak.round())
        LOGGER.info("Round %s: %s %s", len(samples), samples[-1], dict(soak.outcomes))
    warm = next(number for number, sample in enumerate(samples) if sample.history == HISTORY_LENGTH) + 1
    assert warm < 12
    assert soak.outcomes["succeeded"] > 1000
    assert len(soak.outcomes) > 4
    steady(samples[warm], samples[-1], blocks=20_000)

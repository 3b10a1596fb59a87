"""One subject at one size, in a process of its own: `python -m benchmarks.fleet.subject --help`; prints JSON."""

import argparse
import asyncio
from collections.abc import Iterable
from functools import partial
import gc
import json
import logging
from pathlib import Path
from statistics import mean
import sys
import tempfile
import time
import tracemalloc
from typing import Final

from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.runner import create_event_loop

from .feeder import Feeder
from .home_assistant import add_mqtt, running
from .meter import Meter
from .pace import Pace
from .shape import PREFIX, Figures, Message, Shape
from .subjects import PACE, Part, Subject, async_set_up, configuration, entities

SET_UP_TIMEOUT: Final = 300.0
LOOK: Final = 0.2
SUBSCRIBED_AFTER: Final = 2.0
"""Seconds until Home Assistant has subscribed to the topics of its own discovery, some eighty, in its own time."""
WARM_UP: Final = 2
"""Rounds that do not count."""
AT_LEAST: Final = 40
"""Messages of a round that is cheap, so that the clock of the thread can tell."""

BLOCKS: Final = 3
"""Rounds of the longest block, each of which takes a second and more."""

MANY: Final = 50
FEW: Final = 10
"""Progress reports of a round; few where each costs as much as many."""

type Found = dict[str, list[float]]
"""By what was measured: paces, seconds, bytes or numbers, one for each round."""


class Measurement:
    """Everything that is measured of one subject at one size."""

    def __init__(self, hass: HomeAssistant, subject: Subject, shape: Shape, port: int) -> None:
        """Have the EMSs there; the subject is not."""
        self._hass = hass
        self._subject = subject
        self._shape = shape
        self._port = port
        self._figures = Figures.AT_REST
        self._feeder = Feeder(port, f"{shape.prefix}/+/ota/+/command", self._answer)
        self._pace = Pace(hass)
        self._meter = Meter(hass, self._feeder, self._pace)
        self._writes = 0
        hass.bus.async_listen("state_changed", self._written)

    def close(self) -> None:
        """Take the EMSs away."""
        self._feeder.close()

    async def set_up(self) -> float:
        """Set the subject up, until all entities have states; return what it cost in paces."""
        await asyncio.sleep(SUBSCRIBED_AFTER)
        await self._meter.rest()
        gc.collect()  # a collection of what was there before would be a third of what one EMU takes
        before, started = time.thread_time(), time.monotonic()
        await asyncio.sleep(3)
        idle = (time.thread_time() - before) / (time.monotonic() - started)
        paces = [self._pace.take()]
        spent, before, started = self._pace.spent, time.thread_time(), time.monotonic()
        await async_set_up(self._hass, self._subject, self._shape, self._port)
        if self._subject not in {Subject.OURS, Subject.ONCE}:  # which ask for it
            await asyncio.sleep(1)  # Home Assistant collects subscriptions for a moment
            self._feeder.send(self._shape.versions(Figures.AT_REST))
        while not self._complete():
            if time.monotonic() - started > SET_UP_TIMEOUT:
                raise TimeoutError(f"{len(self._hass.states.async_entity_ids())} states only")
            await asyncio.sleep(LOOK)
            paces.append(self._pace.take())  # it may change while a large fleet is set up
        await self._meter.rest()
        paces.append(self._pace.take())
        took = time.thread_time() - before - (self._pace.spent - spent) - idle * (time.monotonic() - started)
        return took / mean(paces)

    def paces(self) -> Found:
        """Return how fast the machine was meanwhile."""
        return {PACE: self._pace.taken}

    async def messages(self, rounds: int) -> Found:
        """Return what messages cost, in paces for each round."""
        meter, shape = self._meter, self._shape
        await meter.start()
        dear = self._subject in {Subject.YAML, Subject.EXPERT}
        few = max(1, round(AT_LEAST / shape.emus)) if dear else AT_LEAST
        same = [[each for _ in range(few) for each in self._versions()] for _ in range(rounds + WARM_UP)]
        found: Found = {"unchanged": (await meter.per_message(same, weight=few))[WARM_UP:]}
        self._writes = 0
        found["changed"] = [await self._cost_of_changes() for _ in range(rounds + WARM_UP)][WARM_UP:]
        found["writes"] = [self._writes / (self._changes() * (rounds + WARM_UP))]
        found["block"] = [await meter.longest_block(self._next_versions()) for _ in range(min(rounds, BLOCKS))]
        if self._figures is Figures.AT_WORK:
            await meter.per_message([self._next_versions()])
        if self._subject is Subject.BARE:
            self._keep_versions()
            kept = [await self._cost_of_changes() for _ in range(rounds + WARM_UP)]
            return found | {"versions kept": kept[WARM_UP:]}
        return found | await self._progress(rounds)

    def _changes(self) -> int:
        """Return how many messages in which everything changed make a round."""
        return max(1, round(AT_LEAST / self._shape.emus))

    async def _cost_of_changes(self) -> float:
        few = self._changes()
        changed = [each for _ in range(few) for each in self._next_versions()]
        return (await self._meter.per_message([changed], weight=few))[0]

    def _keep_versions(self) -> None:
        """Have the bare EMUs keep the versions of their devices, as ours do, in Home Assistant's registry."""
        registry = dr.async_get(self._hass)
        (entry,) = self._hass.config_entries.async_entries("emu_bare")
        for uid, emus in entry.runtime_data.items():
            for device_id, emu in emus.items():
                device = registry.async_get_device_by_identifier(("emu_bare", f"{uid}_{device_id}"), entry.entry_id)
                if device is None:
                    raise RuntimeError(f"EMU {device_id} of {uid} has no device")
                emu.keep_version = partial(_keep_version, registry, device.id)

    async def _progress(self, rounds: int) -> Found:
        """Return what reports of an EMU at work cost in paces: for ours it is an upgrade of ours."""
        meter, shape = self._meter, self._shape
        if self._subject is Subject.OURS:
            await self._begin_upgrade()
        many = FEW if self._subject is Subject.YAML and shape.emus > AT_LEAST else MANY
        percents = [[shape.progress(percent % 101) for percent in range(many)] for _ in range(rounds + WARM_UP)]
        progress = (await meter.per_message(percents))[WARM_UP:]
        stages = [[shape.stage(1 + number % 2) for number in range(many)] for _ in range(rounds + WARM_UP)]
        return {"progress": progress, "stage": (await meter.per_message(stages))[WARM_UP:]}

    async def _begin_upgrade(self) -> None:
        entity_id = "update.ems0000001_emu_1_firmware"
        data = {"entity_id": entity_id, "version": "emu-v1.2.0"}
        self._hass.async_create_background_task(
            self._hass.services.async_call("update", "install", data, blocking=True), "benchmark install"
        )
        stage = "sensor.ems0000001_emu_1_upgrade_stage"
        for _ in range(100):
            await asyncio.sleep(0.1)
            self._feeder.send([self._shape.progress(1)])
            if self._hass.states.is_state(stage, "transferring"):
                return
        raise TimeoutError("no upgrade begins")

    def _versions(self) -> list[Message]:
        return self._shape.versions(self._figures)

    def _next_versions(self) -> list[Message]:
        self._figures = Figures.AT_REST if self._figures is Figures.AT_WORK else Figures.AT_WORK
        return self._versions()

    def _answer(self, topic: str) -> Iterable[Message]:
        uid, name = topic.removeprefix(f"{self._shape.prefix}/").split("/")[::2]
        if name == "emu_version":
            yield self._shape.version_result(uid, self._figures)
        elif name == "emu_upgrade":
            yield self._shape.handed_over()

    def _complete(self) -> bool:
        states = self._hass.states
        if len(states.async_entity_ids()) < entities(self._subject, self._shape):
            return False
        updates = states.async_all("update")
        return len(updates) == self._shape.emus and all(each.attributes.get("installed_version") for each in updates)

    @callback
    def _written(self, _: Event[EventStateChangedData]) -> None:
        self._writes += 1


def _keep_version(registry: dr.DeviceRegistry, registry_id: str, version: str) -> None:
    registry.async_update_device(registry_id, sw_version=version)


async def measure(subject: Subject, shape: Shape, port: int, rounds: int, part: Part) -> Found:
    """Measure one subject at one size."""
    with tempfile.TemporaryDirectory(prefix="emu-ota-benchmark-") as folder:
        async with running(Path(folder), configuration(subject, shape)) as hass:
            if subject not in {Subject.YAML, Subject.EXPERT}:
                await add_mqtt(hass, port)
            measurement = Measurement(hass, subject, shape, port)
            try:
                if part is Part.MEMORY:
                    gc.collect()
                    tracemalloc.start()
                    await measurement.set_up()
                    gc.collect()
                    return {"memory": [tracemalloc.get_traced_memory()[0]]}
                found = {"set_up": [await measurement.set_up()]}
                if part is not Part.SET_UP:
                    found |= await measurement.messages(rounds)
                return found | measurement.paces()
            finally:
                measurement.close()


if __name__ == "__main__":
    command_line = argparse.ArgumentParser(description="Measures one subject at one size.")
    command_line.add_argument("subject", type=Subject, choices=Subject)
    command_line.add_argument("emus", type=int)
    command_line.add_argument("--systems", type=int, default=1)
    command_line.add_argument("--prefix", default=PREFIX)
    command_line.add_argument("--port", type=int, required=True, help="of the broker")
    command_line.add_argument("--rounds", type=int, default=5)
    command_line.add_argument("--part", type=Part, choices=Part, default=Part.TIME)
    options = command_line.parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    with asyncio.Runner(loop_factory=create_event_loop) as runner:
        shape = Shape(options.emus, options.systems, options.prefix)
        result = runner.run(measure(options.subject, shape, options.port, options.rounds, options.part))
    print(json.dumps(result))

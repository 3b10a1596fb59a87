"""A site on a hostile broker, and all that must hold whatever comes."""

from collections import Counter
from collections.abc import Iterator
import gc
import json
import logging
from random import Random
import sys
from typing import Final, cast, override

from homeassistant.core import Event, EventStateChangedData
from homeassistant.helpers import entity_registry as er

from custom_components.emu_ota.const import LOGGER
from custom_components.emu_ota.diagnostics import async_get_config_entry_diagnostics
from custom_components.emu_ota.transport import Received
from simulator.ems import EmsSettings, SimulatedEms
from simulator.emu import SimulatedEmu
from simulator.wire import Revision
from tests.site.world import NEW, OLD, PREFIX, UID, World, simulated_ems

from .hostile_messages import Hostile, HostileMessages

EMUS: Final = (2, 3, 4)
OTHER: Final = "emu-v6.6.6"
BATCH: Final = 400
"""Messages between two looks at everything."""
STRANGE: Final = 0.2
"""The share of messages that are well-formed, and none of our business."""
SOUND: Final = 0.05
"""The share of messages that are well-formed, and that the EMS has not sent, in wild times."""
TICK: Final = 15.0
"""Seconds that go by after each batch."""
CALM: Final = (8, 25)
"""Batches in which nothing is well-formed, from and to: upgrades go their way meanwhile."""
WILD: Final = (2, 5)
"""Batches after that in which some messages are."""

# The design's outcomes, and the reasons that each can have.
ALLOWED: Final[dict[str, set[str | None]]] = {
    "succeeded": {None},
    "unverified": {"other_version", "version_unchanged", None},
    "failed": {
        "download_failed",
        "md5_mismatch",
        "clear_folder_failed",
        "unpack_failed",
        "hand_over_failed",
        "stalled",
        "no_answer",
        "errors_reported",
        "version_unchanged",
        "emu_fault",
        "emu_offline",
        "ems_unreachable",
    },
    "lost": {"did_not_return"},
    "cancelled": {"already_installed"},
}


def hostile_ems() -> SimulatedEms:
    """Return an EMS whose EMUs are all there, and which is known to tell bit fields."""
    emus = [SimulatedEmu(device_id) for device_id in EMUS]
    return simulated_ems(emus=emus, settings=EmsSettings(revision=Revision.C))


class Lines(logging.Handler):
    """Counts the lines that are logged, and keeps what should not be; every line is put together."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__(logging.DEBUG)
        self.debug = 0
        self.loud: list[str] = []
        """Ours above DEBUG."""
        self.errors: list[str] = []
        """Anybody's errors."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if record.levelno >= logging.ERROR:
            self.errors.append(line)
        if not record.name.startswith(LOGGER.name):
            return
        if record.levelno > logging.DEBUG:
            self.loud.append(line)
        else:
            self.debug += 1


class HostileSite:
    """A world under attack. Every broken promise is an AssertionError."""

    def __init__(self, world: World, seed: int) -> None:
        """Begin the attack with a seed."""
        self.world = world
        self.kinds: Counter[str] = Counter()
        """How many messages of each kind there were."""
        self.blocks: list[int] = []
        """Blocks of memory in use, after each tenth of the messages."""
        self.installs = 0
        self.lines = Lines()
        random = Random(seed)  # noqa: S311 - no secret, and has to be repeatable
        self._random = random
        self._messages = HostileMessages(random, world.ems.address, EMUS, (OLD, NEW, OTHER))
        self._told: dict[int, set[object]] = {device_id: set() for device_id in EMUS}
        """The versions that were told of each EMU since its upgrade was asked for, by whomever."""
        self._recorded: list[Received] = []
        """What the EMS really said, to be said again."""
        self._orders: Counter[str] = Counter()
        self._seen: set[str] = set()
        self.outcomes: Counter[str] = Counter()

    async def attack(self, messages: int) -> None:
        """Deliver so many messages, and look at everything after each batch."""
        root, states = logging.getLogger(), self.world.hass.states
        LOGGER.addHandler(self.lines)
        root.addHandler(self.lines)
        level, LOGGER.level, LOGGER.propagate = LOGGER.level, logging.DEBUG, False
        try:
            batches = messages // BATCH
            wild = self._wild_times()
            for number in range(batches):
                await self._batch(wild=next(wild))
                if number % max(1, batches // 10) == 0:
                    gc.collect()
                    self.blocks.append(sys.getallocatedblocks())
            assert states.get(self.world.entity_id("binary_sensor", "connection", None)) is not None
        finally:
            LOGGER.level, LOGGER.propagate = level, True
            LOGGER.removeHandler(self.lines)
            root.removeHandler(self.lines)

    def _wild_times(self) -> Iterator[bool]:
        while True:
            for wild, (least, most) in ((False, CALM), (True, WILD)):
                yield from [wild] * self._random.randint(least, most)

    async def _batch(self, *, wild: bool) -> None:
        world = self.world
        sound = round(BATCH * SOUND) if wild else 0
        await world.settle()
        await self._account()
        before = await self._everything()
        strange = round(BATCH * STRANGE)
        for _ in range(BATCH - sound - strange):
            self._deliver(self._messages.broken())
        await world.settle()
        await self._nothing_changed(before)
        assert not world.broker.published, f"something was said: {world.broker.published}"
        for _ in range(strange):
            self._deliver(self._messages.strange())
        await world.settle()
        await self._nothing_changed(before)
        for _ in range(sound):
            if self._recorded and self._random.random() < 0.3:
                replayed = self._random.choice(self._recorded)
                self._deliver(Hostile("replayed", replayed.topic, replayed.payload, retained=False, harmless=False))
            else:
                self._deliver(self._messages.sound())
            await world.settle()
        await self._account()
        await self._install()
        await world.tick(TICK)
        await self._account()

    async def _nothing_changed(self, before: object) -> None:
        # pytest does not take these asserts apart: this is no test module.
        changes = [_shown(change) for change in self.world.changes]
        assert not changes, f"a state was written: {changes}"
        after = await self._everything()
        assert after == before, f"something changed that does not show: {before} -> {after}"

    def _deliver(self, message: Hostile) -> None:
        self.kinds[message.kind] += 1
        if not message.harmless:
            self._note_told(message.payload)
        # Not through the broker, which would keep it, and which tells a live message from a retained one.
        for transport in self.world.broker.transports:
            if transport is not self.world.broker.transports[0]:  # the EMS's own
                transport.deliver(Received(message.topic, message.payload, retained=message.retained))

    def _note_told(self, payload: bytes) -> None:
        data = json.loads(payload).get("data")
        for report in data if isinstance(data, list) else [data]:
            if isinstance(report, dict) and report.get("device_id") in self._told:
                self._told[report["device_id"]].add(report.get("emu_product_sn"))

    async def _install(self) -> None:
        """Have an EMU upgraded now and then that is not under way."""
        device_id = self._random.choice(EMUS)
        if self._random.random() < 0.3 and self.world.entry.runtime_data.upgrades.current(UID, device_id) is None:
            self.world.ems.emu(device_id).version = OLD
            self._told[device_id].clear()
            self.installs += 1
            await self.world.install(device_id, version=NEW)

    async def _account(self) -> None:
        """Take in what was said and what has ended, and check it."""
        for message in self.world.broker.published:
            name = message.topic.removeprefix(f"{PREFIX}/{UID}/ota/")
            if name == "emu_upgrade/command":
                self._orders[json.loads(message.payload)["mid"]] += 1
            elif name.endswith("/result"):
                self._note_told(message.payload)
                self._recorded.append(Received(message.topic, message.payload, retained=False))
        del self._recorded[:-500]
        self.world.broker.published.clear()
        self.world.changes.clear()
        assert len(self._orders) <= self.installs, "an order that nobody asked for"
        assert set(self._orders.values()) <= {1}, "an order that was repeated"
        for upgrade in await self.world.history():
            if upgrade["id"] in self._seen:
                break  # newest first
            self._seen.add(str(upgrade["id"]))
            self._check(upgrade)

    def _check(self, upgrade: dict[str, object]) -> None:
        outcome, reason = str(upgrade["outcome"]), cast("str | None", upgrade["reason"])
        self.outcomes[f"{outcome} {reason}"] += 1
        assert reason in ALLOWED[outcome], (outcome, reason)
        device_id = int(str(upgrade["entity_id"]).removesuffix("_firmware").rpartition("_")[2])
        if outcome == "succeeded":
            assert NEW in self._told[device_id], "a success of which nobody has told"

    async def _everything(self) -> object:
        """Return all that is known and under way, but for the counters of what was dropped."""
        found = await async_get_config_entry_diagnostics(self.world.hass, self.world.entry)
        systems = cast("list[dict[str, object]]", found["systems"])
        found["systems"] = [{**system, "dropped": None} for system in systems]
        entities = er.async_entries_for_config_entry(er.async_get(self.world.hass), self.world.entry.entry_id)
        return found, len(entities), await self.world.history()

    @property
    def dropped(self) -> int:
        """How many messages, or reports in them, were not used."""
        systems = self.world.entry.runtime_data.systems.values()
        return sum(sum(ems.coordinator.reports.dropped.values()) for ems in systems)

    def verdict(self) -> Iterator[str]:
        """Yield what this has shown, as lines; raises AssertionError where it is not what it must be."""
        yield f"{self.kinds.total():,} messages: {', '.join(f'{kind} {n:,}' for kind, n in sorted(self.kinds.items()))}"
        yield f"{self.installs} upgrades asked for, {len(self._orders)} orders, outcomes {dict(self.outcomes)}"
        yield f"{self.dropped:,} dropped, {self.lines.debug:,} lines at DEBUG, above: {self.lines.loud}"
        yield f"blocks of memory after each tenth: {', '.join(f'{blocks:,}' for blocks in self.blocks)}"
        assert not self.lines.errors, self.lines.errors
        assert len(self.lines.loud) < 10, self.lines.loud
        assert self.outcomes.total() > 2, "no upgrades were there to be disturbed"
        later = self.blocks[len(self.blocks) // 3 :]
        allowed = NOISE + PER_UPGRADE * self.outcomes.total()
        assert max(later) - min(later) < allowed, f"memory grows: {self.blocks}"


def _shown(change: Event[EventStateChangedData]) -> str:
    before, after = change.data["old_state"], change.data["new_state"]
    return f"{before} -> {after}"


NOISE: Final = 5000
"""Blocks of memory by which two looks at the same may differ."""
PER_UPGRADE: Final = 100
"""Blocks that an upgrade takes in the history, which keeps 1,000 of them, and here."""


async def end_in_peace(site: HostileSite) -> None:
    """Show that all works once the attack is over."""
    world = site.world
    await world.pass_time(1800, 10)
    for device_id in EMUS:
        world.ems.emu(device_id).version = OLD
    await world.refresh()
    assert await world.ended(await world.install(2, version=NEW)) is None
    assert world.last_upgrade() == ("succeeded", None)

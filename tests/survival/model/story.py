"""A site, the runs of Home Assistant that look after it one after the other, and the time that passes."""

import asyncio
from collections.abc import Callable, Coroutine
import contextlib
from dataclasses import replace
from enum import Enum, auto
from itertools import count
import logging
import random
import tempfile
from typing import Final, override

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.storage import Store

from custom_components.emu_ota import connection
from custom_components.emu_ota.const import CONF_MAX_PARALLEL, CONF_QUEUE_TIMEOUT, DOMAIN
from custom_components.emu_ota.protocol import commands
from custom_components.emu_ota.protocol.commands import Stamp
from custom_components.emu_ota.protocol.topics import EmsAddress
from custom_components.emu_ota.protocol.upgrade import Outcome, Phase
from custom_components.emu_ota.transport import Received
from simulator.downloads import MemoryDownloads
from simulator.ems import EmsSettings, SimulatedEms
from simulator.emu import SimulatedEmu
from simulator.memory import MemoryTransport
from simulator.package import build_package, md5_of
from simulator.site import Site
from tests.site.world import OTHER_UID, PREFIX, UID, config_subentry, ems_subentry, firmware_subentry

from .laws import Laws
from .life import Complaints, Life, MortalTransport, settle
from .time_travel import TimeTravelLoop
from .wire import EmuKey, Wire

UIDS: Final = (UID, OTHER_UID)
DEVICE_IDS: Final = (2, 3)
EMUS: Final[tuple[EmuKey, ...]] = tuple((uid, device_id) for uid in UIDS for device_id in DEVICE_IDS)
OLD, BETWEEN, NEW = "emu-v1.0.0", "emu-v1.1.0", "emu-v1.2.0"
LINKS: Final = {version: f"http://127.0.0.1/{version}.tar.gz" for version in (OLD, BETWEEN, NEW)}
PACKAGES: Final = {version: build_package(version) for version in LINKS}
ORDER: Final = "emu_upgrade/command"
_LONGEST_ENDING: Final = 24 * 3600.0
"""Seconds in which a queue of four upgrades must come to its end, whatever is the matter with EMSs and EMUs."""


class Moment(Enum):
    """When Home Assistant can crash, besides anywhere: around what cannot be taken back."""

    BEFORE_WRITE = auto()
    AFTER_WRITE = auto()
    BEFORE_ORDER = auto()
    AFTER_ORDER = auto()


class _Site(Site):
    """A site that says when it has heard something."""

    def __init__(
        self,
        transport: MemoryTransport,
        systems: list[SimulatedEms],
        downloads: MemoryDownloads,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(transport, systems, downloads, clock=clock)
        self.heard = asyncio.Event()

    @override
    def _receive(self, ems: SimulatedEms, message: Received) -> None:
        super()._receive(ems, message)
        self.heard.set()


def warm_up(freezer: FrozenDateTimeFactory) -> None:
    """Tell a short story first: what Home Assistant reads only once per process takes no time in those that count."""
    story = Story(freezer, [EmsSettings(), EmsSettings()], seed=0, keep_session=False)
    try:
        story.run(story.begin())
        story.run(story.call(EMUS[0], "update", "install", {}))
        story.run(story.come_to_an_end())
    finally:
        story.close()


class Story:
    """Two EMSs with two EMUs each, a broker, a disk, and Home Assistant."""

    def __init__(
        self, freezer: FrozenDateTimeFactory, settings: list[EmsSettings], *, seed: int, keep_session: bool
    ) -> None:
        """Put everything in its place; `begin` comes next."""
        self.loop = TimeTravelLoop(freezer, seed)
        asyncio.set_event_loop(self.loop)
        self.wire = Wire(self.loop.now)
        self.systems = [
            SimulatedEms(EmsAddress(PREFIX, uid), [SimulatedEmu(each, boards=1) for each in DEVICE_IDS], setting)
            for uid, setting in zip(UIDS, settings, strict=True)
        ]
        self.removed: set[str] = set()
        """The EMSs that Home Assistant has been told to forget."""
        self.options: dict[str, int] = {CONF_MAX_PARALLEL: 2, CONF_QUEUE_TIMEOUT: 15}
        self.life: Life | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="emu-ota-model-")
        self.laws = Laws(self._folder.name, self.wire, lambda: self.life, self.loop.now)
        self._seed = seed
        self._keep_session = keep_session
        self._complaints = Complaints(self.loop)
        self._mids = count(1)
        self._doom: Callable[[Moment], bool] = lambda _: False
        self._broken: list[AssertionError] = []
        downloads = MemoryDownloads({LINKS[version]: package for version, package in PACKAGES.items()})
        self.site = _Site(MemoryTransport(self.wire), self.systems, downloads, self.loop.now)

    def run(self, action: Coroutine[object, object, None]) -> None:
        """Do something, let everything come of it that comes at once, and check the laws."""
        self.loop.run_until_complete(action)
        self.loop.run_until_complete(settle())
        if self.loop.died:
            self.loop.run_until_complete(self.crash())
        for broken in self._broken:
            raise broken
        self.laws.check()
        self._check_installs()
        assert self._complaints.heard == [], "\n".join(self._complaints.heard)

    def ems(self, uid: str) -> SimulatedEms:
        """Return an EMS."""
        return self.systems[UIDS.index(uid)]

    # Beginning and end

    async def begin(self) -> None:
        """Start the site and Home Assistant, and let the EMSs answer."""
        random.seed(self._seed)
        logging.getLogger().addHandler(self._complaints)
        connection.TRANSPORTS["memory"] = self._transport
        self.wire.ordered = self._ordered
        self.loop.before_job = lambda job: self._maybe_die(Moment.BEFORE_WRITE) if _is_write(job) else None
        self.loop.after_job = lambda job: self._written() if _is_write(job) else None
        await self.site.start()
        await self.start()
        await self.pass_time(3)

    async def come_to_an_end(self) -> None:
        """Let time go by until nothing is under way; only the broker and Home Assistant are put right before."""
        self.wire.connected = True
        if self.life is None:
            await self.start()
        for _ in range(round(_LONGEST_ENDING / 300)):
            upgrades = None if self.life is None or self.life.runtime is None else self.life.runtime.upgrades
            if upgrades is not None and not tuple(upgrades.active):
                return
            await self.pass_time(300)
        msg = f"without an outcome: {upgrades and [(each.phase, each.since) for each in upgrades.active]}"
        raise AssertionError(msg)

    def close(self) -> None:
        """Leave nothing behind."""
        try:
            if self.life is not None:
                self.loop.run_until_complete(self.crash())
            self.loop.run_until_complete(self.site.stop())
        finally:
            logging.getLogger().removeHandler(self._complaints)
            connection.TRANSPORTS.pop("memory", None)
            self._folder.cleanup()
            asyncio.set_event_loop(None)
            self.loop.close()

    # Time

    async def pass_time(self, seconds: float) -> None:
        """Let time go by, until its end or that of Home Assistant."""
        end = self.loop.time() + seconds
        while not self.loop.died:
            self.site.heard.clear()
            await self.site.advance(self.loop.now())
            self.laws.look()
            left = end - self.loop.time()
            if left <= 0:
                break
            due = self.site.next_due()
            wait = left if due is None else min(left, max(due - self.loop.now(), 0.0))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self.site.heard.wait()
        await settle()

    # What becomes of Home Assistant

    async def start(self) -> None:
        """Start Home Assistant."""
        subentries = [ems_subentry(uid) for uid in UIDS if uid not in self.removed]
        subentries += [firmware_subentry(version, LINKS[version], package=PACKAGES[version]) for version in LINKS]
        # As Home Assistant keeps them: devices belong to their subentries.
        numbered = [{**each, "subentry_id": f"subentry-{each['unique_id']}"} for each in subentries]
        self.life = Life(self._folder.name, numbered, dict(self.options))
        self.laws.options_are(**self.options)
        self.laws.connection_is_new()
        await self.life.start()
        await settle()

    async def stop(self) -> None:
        """End Home Assistant in good order."""
        assert self.life is not None
        life, self.life = self.life, None
        self._complaints.only_ours = True
        await life.stop(self.loop)
        self._complaints.only_ours = False

    async def crash(self) -> None:
        """Let Home Assistant be gone."""
        assert self.life is not None
        life, self.life = self.life, None
        self.spare()
        await life.crash(self.loop, self.wire)
        self.laws.home_assistant_crashed()

    async def reload(self) -> None:
        """Reload the entry."""
        assert self.life is not None
        await self.life.hass.config_entries.async_reload(self.life.entry.entry_id)
        self.laws.connection_is_new()

    def doom(self, moment: Moment, times: int) -> None:
        """Let Home Assistant crash when a moment has come for so many times."""
        come = count(1)
        self._doom = lambda now: now is moment and next(come) == times

    def spare(self) -> None:
        """Let Home Assistant live on: the moment has not come."""
        self._doom = lambda _: False

    def _maybe_die(self, moment: Moment) -> None:
        if not self.loop.died and self._doom(moment):
            self._note(self.laws.look)  # the time up to here was looked at, too
            self.loop.died = True
            self.site.heard.set()

    def _written(self) -> None:
        self._note(self.laws.write_is_done)
        self._maybe_die(Moment.AFTER_WRITE)

    def _ordered(self, key: EmuKey, mid: str) -> None:
        self._note(lambda: self.laws.order_goes_out(key, mid))
        self._maybe_die(Moment.AFTER_ORDER)

    def _note(self, check: Callable[[], None]) -> None:
        """Keep what a check says until it can be raised; here, it would be taken for a fault of a task or a thread."""
        try:
            check()
        except AssertionError as broken:
            self._broken.append(broken)

    def _transport(self, _: HomeAssistant, __: object) -> MortalTransport:
        transport = MortalTransport(self.wire, self.loop, keep_session=self._keep_session)
        transport.before_publish = self._before_publish
        transport.watch_connection(lambda connected: self.laws.connection_is_new() if connected else None)
        return transport

    def _before_publish(self, topic: str) -> None:
        if topic.endswith(ORDER):
            self._maybe_die(Moment.BEFORE_ORDER)

    # What users do

    async def call(self, key: EmuKey, domain: str, service: str, data: dict[str, object]) -> None:
        """Call an action on the update entity of an EMU; nobody waits for what comes of it."""
        if (entity_id := self._entity_id(key)) is None or self.life is None:
            return
        state = self.life.hass.states.get(entity_id)
        if state is None or state.state == STATE_UNAVAILABLE:  # Home Assistant would do nothing, and say nothing
            return
        action = self.life.hass.services.async_call(
            domain, service, data, blocking=True, target={"entity_id": entity_id}
        )
        install: asyncio.Task[object] = asyncio.ensure_future(action)
        install.set_name(f"{key[0]} {key[1]}")
        # A crash comes before anybody asks what it raised.
        install.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        self.life.installs.append(install)

    async def cancel(self, key: EmuKey) -> None:
        """Take an EMU's upgrade out of the queue, if it is there."""
        runtime = None if self.life is None else self.life.runtime
        upgrade = None if runtime is None else runtime.upgrades.current(*key)
        if self.life is None or upgrade is None or upgrade.phase is not Phase.QUEUED:
            return
        self.laws.cancelled.add(upgrade.id)
        target = {"entity_id": self._entity_id(key)}
        await self.life.hass.services.async_call(DOMAIN, "cancel", {}, blocking=True, target=target)

    async def remove_ems(self, uid: str) -> None:
        """Take an EMS out of Home Assistant, or bring it back."""
        assert self.life is not None
        entry, entries = self.life.entry, self.life.hass.config_entries
        self.laws.ems_comes_or_goes(uid)
        if uid in self.removed:
            self.removed.remove(uid)
            subentry = replace(config_subentry(ems_subentry(uid)), subentry_id=f"subentry-{uid}")
            entries.async_add_subentry(entry, subentry)
        else:
            self.removed.add(uid)
            entries.async_remove_subentry(entry, f"subentry-{uid}")

    async def set_options(self, options: dict[str, int]) -> None:
        """Change the options."""
        assert self.life is not None
        self.options.update(options)
        self.laws.options_are(**self.options)
        self.life.hass.config_entries.async_update_entry(self.life.entry, options=dict(self.options))

    async def foreign_order(self, key: EmuKey, version: str) -> None:
        """Let somebody else order an upgrade."""
        mid = f"foreign-{next(self._mids)}"
        self.wire.foreign.add(mid)
        stamp = Stamp(mid=mid, trace_id=mid, timestamp=round(self.loop.now() * 1000))
        address = EmsAddress(PREFIX, key[0])
        command = commands.order_upgrade(address, stamp, key[1], LINKS[version], md5_of(PACKAGES[version]))
        self.wire.publish(command.topic, command.payload)

    def _entity_id(self, key: EmuKey) -> str | None:
        if self.life is None or self.life.runtime is None:
            return None
        unique_id = f"{key[0]}_{key[1]}_firmware"
        return er.async_get(self.life.hass).async_get_entity_id("update", DOMAIN, unique_id)

    def _check_installs(self) -> None:
        """Check that who waited for an outcome was told that very outcome."""
        if self.life is None:
            return
        done = [install for install in self.life.installs if install.done()]
        self.life.installs = [install for install in self.life.installs if not install.done()]
        for install in done:
            if install.cancelled():
                continue
            error = install.exception()
            if error is not None and not isinstance(error, HomeAssistantError):
                raise error
            uid, device_id = install.get_name().split()
            if error is None and self.life.runtime is not None:
                last = self.life.runtime.upgrades.history.last(uid, int(device_id))
                assert last is None or last.outcome is Outcome.SUCCEEDED, "somebody was told of a success that was none"


def _is_write(job: Callable[..., object]) -> bool:
    """Tell whether a job of the executor writes a file of ours: the only jobs that are a store's own."""
    store = getattr(job, "__self__", None)
    return isinstance(store, Store) and store.key.startswith(DOMAIN)

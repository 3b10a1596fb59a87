"""A site whose every second is ours: a real `hass` with the integration, a broker in memory, simulated EMSs."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
import time
from types import MappingProxyType
from typing import Any, cast

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
import orjson
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.emu_ota.const import CONF_CONNECTION, CONF_PREFIX, DOMAIN
from custom_components.emu_ota.protocol.topics import EmsAddress
from simulator.downloads import Downloads, MemoryDownloads
from simulator.ems import EmsSettings, SimulatedEms
from simulator.emu import SimulatedEmu
from simulator.memory import MemoryBroker, MemoryTransport
from simulator.package import build_package, md5_of
from simulator.site import Site

SETTLING = 20
"""Rounds of the event loop: more than any chain of callbacks and tasks between two messages has links."""

PREFIX = "v1/wudun/plant"
UID = "iYRkfVpi77"
OTHER_UID = "kLm29xQpA1"
OLD, NEW = "emu-v1.0.0", "emu-v1.2.0"
URL = "http://127.0.0.1/emu-v1.2.0.tar.gz"


def firmware_subentry(version: str = NEW, url: str = URL, *, package: bytes | None = None) -> dict[str, object]:
    """Return a `firmware` subentry of kind link, for the package that the site serves under the URL."""
    content = build_package(version) if package is None else package
    data = {"kind": "link", "download_url": url, "md5": md5_of(content), "size": len(content), "version": version}
    return {"subentry_type": "firmware", "title": version, "unique_id": f"firmware:{version}", "data": data}


def ems_subentry(uid: str = UID, title: str | None = None) -> dict[str, object]:
    """Return an `ems` subentry."""
    return {"subentry_type": "ems", "title": title or uid, "unique_id": uid, "data": {"device_uid": uid}}


def config_subentry(subentry: dict[str, Any]) -> ConfigSubentry:
    """Return what Home Assistant makes of a subentry."""
    return ConfigSubentry(
        data=MappingProxyType(subentry["data"]),
        subentry_type=subentry["subentry_type"],
        title=subentry["title"],
        unique_id=subentry["unique_id"],
    )


@dataclass
class World:
    """A loaded entry on a simulated site."""

    hass: HomeAssistant
    freezer: FrozenDateTimeFactory
    broker: MemoryBroker
    site: Site
    entry: MockConfigEntry
    packages: dict[str, bytes]
    """What the site's EMSs can fetch, by link; can be added to."""
    changes: list[Event[EventStateChangedData]] = field(default_factory=list)

    @property
    def ems(self) -> SimulatedEms:
        """The first EMS."""
        return self.site.systems[0]

    def entity_id(self, platform: str, key: str, device_id: int | None = 2, uid: str = UID) -> str:
        """Return the id of an entity of an EMU, or of the EMS itself where no EMU is named."""
        unique_id = f"{uid}_{key}" if device_id is None else f"{uid}_{device_id}_{key}"
        entity_id = er.async_get(self.hass).async_get_entity_id(platform, DOMAIN, unique_id)
        assert entity_id is not None, unique_id
        return entity_id

    def state(self, platform: str, key: str, device_id: int | None = 2, uid: str = UID) -> State:
        """Return the state of an entity."""
        state = self.hass.states.get(self.entity_id(platform, key, device_id, uid))
        assert state is not None
        return state

    def update(self, device_id: int = 2, uid: str = UID) -> State:
        """Return the state of an EMU's update entity."""
        return self.state("update", "firmware", device_id, uid)

    def stage(self, device_id: int = 2, uid: str = UID) -> str:
        """Return the state of an EMU's upgrade stage."""
        return self.state("sensor", "upgrade_stage", device_id, uid).state

    def last_upgrade(self, device_id: int = 2, uid: str = UID) -> tuple[str, str | None]:
        """Return outcome and reason of an EMU's last upgrade."""
        state = self.state("sensor", "last_upgrade", device_id, uid)
        return state.state, state.attributes.get("reason")

    def told(self, device_id: int = 2, uid: str = UID) -> list[dict[str, object]]:
        """Return the attributes of every event that an EMU's event entity told, in order."""
        entity_id = self.entity_id("event", "upgrade", device_id, uid)
        found: list[dict[str, object]] = []
        last: object = None
        for change in self.changes:
            state = change.data["new_state"] if change.data["entity_id"] == entity_id else None
            if state is None or state.attributes.get("event_type") is None:
                continue
            # The state is the time of the event: that it was written again, or restored, is no event.
            if (state.state, state.attributes) != last:
                last = state.state, state.attributes
                found.append(dict(state.attributes))
        return found

    def events(self, device_id: int = 2, uid: str = UID) -> list[str]:
        """Return the steps that an EMU's event entity told, in order."""
        return [str(attributes["event_type"]) for attributes in self.told(device_id, uid)]

    async def history(self) -> list[dict[str, object]]:
        """Return the upgrades that have ended, newest first."""
        response = await self.hass.services.async_call(DOMAIN, "get_history", {}, blocking=True, return_response=True)
        assert response is not None
        return cast("list[dict[str, object]]", response["upgrades"])

    def orders(self, uid: str = UID) -> list[bytes]:
        """Return the orders that went over the wire."""
        return self.broker.payloads(f"{PREFIX}/{uid}/ota/emu_upgrade/command")

    def ordered(self, uid: str = UID) -> list[int]:
        """Return the EMUs that orders went out for, in order."""
        return [int(orjson.loads(payload)["sub_device_id"]) for payload in self.orders(uid)]

    def asks(self, uid: str = UID) -> int:
        """Return how often the versions were asked for."""
        return len(self.broker.payloads(f"{PREFIX}/{uid}/ota/emu_version/command"))

    async def settle(self) -> None:
        """Let everything that is due now happen.

        `async_block_till_done` would wait for the actions that wait for an outcome, which is what time is needed for.
        """
        for _ in range(SETTLING):
            await asyncio.sleep(0)
        await self.site.advance(time.time())
        for _ in range(SETTLING):
            await asyncio.sleep(0)

    async def tick(self, seconds: float) -> None:
        """Let one piece of time go by."""
        if seconds > 1:
            # What was asked at the last tick is answered within a second: a long piece must not make it a timeout.
            await self._tick(1)
            seconds -= 1
        await self._tick(seconds)

    async def _tick(self, seconds: float) -> None:
        self.freezer.tick(timedelta(seconds=seconds))
        await self.site.advance(time.time())
        async_fire_time_changed(self.hass)
        await self.settle()

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Let time go by in steps."""
        for _ in range(round(seconds / step)):
            await self.tick(step)

    async def until(self, met: Callable[[], bool], seconds: float = 3600.0, step: float = 1.0) -> float:
        """Let time go by until something is so; return how many seconds it took."""
        for passed in range(round(seconds / step)):
            if met():
                return passed * step
            await self.tick(step)
        assert met(), f"not so after {seconds} s"
        return seconds

    def call(
        self, domain: str, service: str, data: dict[str, object] | None = None, device_id: int = 2, uid: str = UID
    ) -> asyncio.Task[object]:
        """Call an action on an EMU's update entity, and return what waits for it."""
        target = {"entity_id": self.entity_id("update", "firmware", device_id, uid)}
        coroutine: Awaitable[object] = self.hass.services.async_call(
            domain, service, data or {}, blocking=True, target=target
        )
        task = asyncio.ensure_future(coroutine)
        # What it raises is the test's to look at, or nobody's.
        task.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        return task

    async def install(self, device_id: int = 2, *, uid: str = UID, version: str | None = None) -> asyncio.Task[object]:
        """Press *Install*, and return what waits for the outcome."""
        data: dict[str, object] = {} if version is None else {"version": version}
        task = self.call("update", "install", data, device_id, uid)
        await self.settle()
        return task

    async def ended(
        self, action: asyncio.Task[object], seconds: float = 7200.0, step: float = 10.0
    ) -> HomeAssistantError | None:
        """Let time go by until an action is over; return what it raised."""
        await self.until(action.done, seconds, step)
        error = action.exception()
        if error is not None and not isinstance(error, HomeAssistantError):
            raise error
        return error

    async def refresh(self, uid: str = UID) -> None:
        """Press the EMS's *Refresh*, and let the answer come."""
        target = {"entity_id": self.entity_id("button", "refresh", None, uid)}
        await self.hass.services.async_call("button", "press", blocking=True, target=target)
        await self.tick(1)

    def subentry(self, unique_id: str) -> ConfigSubentry:
        """Return a subentry of the entry."""
        subentries: list[ConfigSubentry] = list(self.entry.subentries.values())
        return next(each for each in subentries if each.unique_id == unique_id)

    async def add(self, *subentries: dict[str, Any]) -> None:
        """Add subentries as a person would, one right after the other."""
        for each in subentries:
            self.hass.config_entries.async_add_subentry(self.entry, config_subentry(each))
        await self.settle()

    async def remove(self, unique_id: str) -> None:
        """Delete a subentry as a person would."""
        self.hass.config_entries.async_remove_subentry(self.entry, self.subentry(unique_id).subentry_id)
        await self.settle()

    async def reload(self) -> None:
        """Reload the entry."""
        await self.hass.config_entries.async_reload(self.entry.entry_id)
        await self.hass.async_block_till_done()
        await self.settle()


def simulated_ems(
    uid: str = UID, emus: list[SimulatedEmu] | None = None, settings: EmsSettings | None = None
) -> SimulatedEms:
    """Return an EMS with the EMUs 2, 3 and 4, of which 4 is offline."""
    return SimulatedEms(
        EmsAddress(PREFIX, uid),
        emus or [SimulatedEmu(2), SimulatedEmu(3), SimulatedEmu(4, online=False)],
        settings or EmsSettings(),
    )


async def async_make_world(  # noqa: PLR0913, PLR0917 - what a world is made of
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    broker: MemoryBroker,
    systems: list[SimulatedEms],
    subentries: list[dict[str, object]] | None = None,
    options: dict[str, object] | None = None,
    downloads: Downloads | None = None,
    kind: type[World] = World,
) -> World:
    """Return a world whose entry is set up, and whose EMSs have answered for the first time.

    Its EMSs get packages through `downloads`, else out of memory.
    """
    memory = MemoryDownloads({URL: build_package(NEW)})
    site = Site(MemoryTransport(broker), systems, downloads or memory)
    await site.start()
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=PREFIX,
        data={CONF_CONNECTION: "memory", CONF_PREFIX: PREFIX},
        options=options or {},
        subentries_data=subentries
        if subentries is not None
        else [*(ems_subentry(ems.address.uid) for ems in systems), firmware_subentry()],
    )
    entry.add_to_hass(hass)
    # Frozen time jumps inside callbacks, which asyncio's debug mode takes for slow ones.
    hass.loop.set_debug(enabled=False)
    world = kind(hass, freezer, broker, site, entry, memory.packages)

    @callback
    def state_changed(event: Event[EventStateChangedData]) -> None:
        world.changes.append(event)

    hass.bus.async_listen("state_changed", state_changed)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    await world.pass_time(2)
    return world

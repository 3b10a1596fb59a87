"""One run of Home Assistant, from its start to its end: a good one, or a crash at any moment."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final, override

from homeassistant import loader
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import INSTANCES, MockConfigEntry, async_test_home_assistant

from custom_components.emu_ota.const import CONF_CONNECTION, CONF_PREFIX, DOMAIN
from custom_components.emu_ota.transport import Received
from simulator.memory import MemoryTransport
from tests.site.world import PREFIX

from .time_travel import TimeTravelLoop
from .wire import Wire

if TYPE_CHECKING:
    from custom_components.emu_ota.runtime import Runtime

ENTRY_ID: Final = "model"
SETTLING: Final = 25
"""Rounds of the event loop: more than any chain of callbacks and tasks between two messages has links."""
_OURS: Final = str(Path("custom_components", DOMAIN))
_BURIAL: Final = 50
"""Rounds in which what a crash has cut off must be gone."""


class MortalTransport(MemoryTransport):
    """A connection that goes with the process: nothing is said over it, and nothing heard, after a crash."""

    def __init__(self, wire: Wire, loop: TimeTravelLoop, *, keep_session: bool) -> None:
        """Connect to a broker that takes down what is heard."""
        super().__init__(wire, keep_session=keep_session)
        self._wire = wire
        self._loop = loop
        self.before_publish: Callable[[str], None] = lambda _: None

    @override
    async def async_subscribe(
        self, topic: str, receive: Callable[[Received], None], *, optional: bool = False
    ) -> Callable[[], None]:
        def heard(message: Received) -> None:
            if not self._loop.died:
                self._wire.heard(message)
                receive(message)

        return await super().async_subscribe(topic, heard, optional=optional)

    @override
    async def async_publish(self, topic: str, payload: bytes) -> None:
        self.before_publish(topic)
        if not self._loop.died:
            await super().async_publish(topic, payload)
        if self._loop.died:
            await self._loop.create_future()  # until the burial


class Complaints(logging.Handler):
    """Warnings of ours, errors of anybody."""

    def __init__(self, loop: TimeTravelLoop) -> None:
        """Listen, as long as nobody has died."""
        super().__init__(logging.WARNING)
        self.heard: list[str] = []
        self.only_ours = False
        """Home Assistant itself calls it an error where its end cuts something off."""
        self._loop = loop

    @override
    def emit(self, record: logging.LogRecord) -> None:
        error = record.levelno >= logging.ERROR and not self.only_ours
        # Home Assistant itself uses our logger as well, and the checkout may be in a folder that is called like us.
        if (_OURS in record.pathname or error) and not self._loop.died:
            self.heard.append(f"{record.name}: {self.format(record)}")


class Life:
    """A Home Assistant with the integration."""

    def __init__(self, folder: str, subentries: list[dict[str, object]], options: dict[str, object]) -> None:
        """Describe one that finds in a folder what the one before it has left."""
        self.entry = MockConfigEntry(
            domain=DOMAIN,
            entry_id=ENTRY_ID,
            title=PREFIX,
            data={CONF_CONNECTION: "memory", CONF_PREFIX: PREFIX},
            options=options,
            subentries_data=subentries,
        )
        self.installs: list[asyncio.Task[object]] = []
        """The actions that wait for the outcome of an upgrade."""
        self._folder = folder
        self._stack = AsyncExitStack()
        self._hass: HomeAssistant | None = None

    @property
    def hass(self) -> HomeAssistant:
        """What runs."""
        assert self._hass is not None
        return self._hass

    @property
    def runtime(self) -> Runtime | None:
        """The loaded entry; None while it is not."""
        return self.entry.runtime_data if self.entry.state is ConfigEntryState.LOADED else None

    async def start(self) -> None:
        """Start; the broker may be away, then the entry is set up later."""
        home = async_test_home_assistant(config_dir=self._folder)
        self._hass = hass = await self._stack.enter_async_context(home)
        hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
        self.entry.add_to_hass(hass)
        await hass.config_entries.async_setup(self.entry.entry_id)

    async def stop(self, loop: TimeTravelLoop) -> None:
        """End in good order."""
        await self.hass.async_stop(force=True)
        await loop.jobs_done()
        await settle()
        await self._bury()

    async def crash(self, loop: TimeTravelLoop, wire: Wire) -> None:
        """Be gone: what is not on the disk or on the wire by now never will be."""
        loop.died = True
        for transport in [each for each in wire.transports if isinstance(each, MortalTransport)]:
            await transport.async_stop()
        await self._bury()
        INSTANCES.remove(self.hass)
        loop.died = False

    async def _bury(self) -> None:
        """Let nothing of it go on; but for it, only who calls this has a task."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TimeTravelLoop)
        died, loop.died = loop.died, True
        left: set[asyncio.Task[object]] = set()
        for _ in range(_BURIAL):
            loop.cancel_timers()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.sleep(0)
        assert not left
        await self._stack.aclose()
        loop.died = died


async def settle() -> None:
    """Let everything that is due now happen."""
    for _ in range(SETTLING):
        await asyncio.sleep(0)

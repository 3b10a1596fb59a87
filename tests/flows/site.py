"""A simulated site for the flows to find: an EMS that answers at once, or not at all."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.emu_ota.protocol.topics import EmsAddress
from custom_components.emu_ota.transport import Transport
from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport
from simulator.downloads import MemoryDownloads
from simulator.ems import EmsSettings, SimulatedEms
from simulator.emu import SimulatedEmu
from simulator.faults import Fault
from simulator.happenings import Happening, What
from simulator.memory import MemoryBroker, MemoryTransport
from simulator.site import LiveSite
from simulator.timings import FAST
from tests.mosquitto import Mosquitto

PREFIX = "v1/wudun/demo"
UID = "iYRkfVpi77"
OTHER_UID = "bK2pWq81xs"

ANSWER_TIMEOUT = 10
"""Seconds that a flow waits for an answer."""


@dataclass(slots=True)
class SimulatedSite:
    """EMSs at work."""

    systems: dict[str, SimulatedEms]
    heard: asyncio.Event

    def silence(self, uid: str) -> None:
        """Let an EMS ignore what it is asked."""
        self.systems[uid].faults.on(Fault.NO_ANSWER)

    def speak(self, uid: str) -> None:
        """Let an EMS answer again."""
        self.systems[uid].faults.off(Fault.NO_ANSWER)

    async def async_wait_in_vain(self, hass: HomeAssistant) -> None:
        """Wait until an EMS ignores a question, and let the time for its answer go by."""
        await asyncio.wait_for(self.heard.wait(), ANSWER_TIMEOUT)
        self.heard.clear()
        await asyncio.sleep(0.5)  # whoever asked has come to waiting, also on a busy machine
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=ANSWER_TIMEOUT))


@asynccontextmanager
async def running_site(transport: Transport, addresses: Iterable[EmsAddress]) -> AsyncGenerator[SimulatedSite]:
    """Run EMSs with one EMU each until the end of the block."""
    heard = asyncio.Event()

    def tell(happening: Happening) -> None:
        if happening.what is What.IGNORED:
            heard.set()

    settings = EmsSettings(timings=FAST)
    systems = {address.uid: SimulatedEms(address, [SimulatedEmu(2)], settings, tell) for address in addresses}
    live = LiveSite(transport, systems.values(), MemoryDownloads())
    await live.start()
    try:
        yield SimulatedSite(systems, heard)
    finally:
        await live.stop()


@asynccontextmanager
async def site_on(
    broker: Mosquitto, prefix: str = PREFIX, *, authority: str | None = None
) -> AsyncGenerator[SimulatedSite]:
    """Run the EMS UID on a real broker, with TLS where there is the certificate of an authority."""
    settings = BrokerSettings(
        host=broker.host,
        port=broker.port,
        client_id="the site",
        tls=authority is not None,
        ca_certificate=authority,
    )
    async with running_site(BrokerTransport(settings), [EmsAddress(prefix, UID)]) as site:
        yield site


@asynccontextmanager
async def site_in_memory(broker: MemoryBroker) -> AsyncGenerator[SimulatedSite]:
    """Run the EMSs UID and OTHER_UID on a broker in memory."""
    addresses = [EmsAddress(PREFIX, UID), EmsAddress(PREFIX, OTHER_UID)]
    async with running_site(MemoryTransport(broker), addresses) as site:
        yield site

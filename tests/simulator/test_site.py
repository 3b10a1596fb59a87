"""A site drives its EMSs in virtual time, and in real time over real brokers and real HTTP."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import override

import pytest

from custom_components.emu_ota.protocol.commands import Command, Stamp, ask_progress, ask_versions, order_upgrade
from custom_components.emu_ota.protocol.models import (
    DownloadStatus,
    Message,
    ProgressResult,
    UpgradeResult,
    VersionResult,
)
from custom_components.emu_ota.protocol.parser import parse
from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange
from custom_components.emu_ota.transport import Received, Transport
from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport
from simulator.downloads import HttpDownloads, MemoryDownloads
from simulator.embedded_broker import BrokerFailed, BrokerKind, EmbeddedBroker, find_mosquitto
from simulator.ems import DownloadRequest, EmsSettings, Fetched, SimulatedEms
from simulator.emu import SimulatedEmu
from simulator.faults import Fault
from simulator.memory import MemoryBroker, MemoryTransport
from simulator.package import build_package, md5_of
from simulator.package_server import PackageServer
from simulator.retaining import RetainingTransport
from simulator.site import LiveSite, Site
from simulator.timings import FAST

from .bench import ADDRESS, LINK, NEW, OLD, START

STAMP = Stamp(mid="mid", trace_id="trace", timestamp=1)
PACKAGE = build_package(NEW)


class Controller:
    """Asks and commands over a transport, and hears the results."""

    def __init__(self, transport: Transport, address: EmsAddress = ADDRESS) -> None:
        """Speak with the EMS at an address."""
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.retained: list[bool] = []
        self._transport = transport
        self._address = address

    async def start(self) -> None:
        """Connect and hear results."""
        await self._transport.async_start()
        for exchange in Exchange:
            await self._transport.async_subscribe(self._address.topic(exchange, Direction.RESULT), self._receive)

    async def send(self, command: Command) -> None:
        """Publish a command."""
        await self._transport.async_publish(command.topic, command.payload)

    async def next[Kind: Message](self, kind: type[Kind]) -> Kind:
        """Return the next message of a kind."""
        async with asyncio.timeout(10):
            while not isinstance(message := await self.heard.get(), kind):
                pass
            return message

    async def stop(self) -> None:
        """Disconnect."""
        await self._transport.async_stop()

    def _receive(self, received: Received) -> None:
        message = parse(received.topic, received.payload)
        assert message is not None
        self.retained.append(received.retained)
        self.heard.put_nowait(message)


def make_ems(address: EmsAddress = ADDRESS, settings: EmsSettings | None = None) -> SimulatedEms:
    """Return an EMS with one EMU."""
    return SimulatedEms(address, [SimulatedEmu(2)], settings)


@asynccontextmanager
async def broker_of(kind: BrokerKind) -> AsyncGenerator[EmbeddedBroker]:
    """Run a broker of a kind, where it is installed."""
    if kind is BrokerKind.MOSQUITTO and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    async with EmbeddedBroker(kind=kind) as broker:
        yield broker


async def test_in_virtual_time_nothing_happens_but_in_advance() -> None:
    broker = MemoryBroker()
    now = START
    ems = make_ems()
    downloads = MemoryDownloads({LINK: PACKAGE})
    site = Site(MemoryTransport(broker), [ems], downloads, clock=lambda: now)
    controller = Controller(MemoryTransport(broker))
    await site.start()
    await controller.start()

    await controller.send(order_upgrade(ADDRESS, STAMP, 2, LINK, md5_of(PACKAGE)))
    await asyncio.sleep(0.05)
    assert controller.heard.empty()
    assert downloads.fetched == []

    now += 3600
    await site.advance(now)
    assert controller.heard.get_nowait()
    assert downloads.fetched == [LINK]
    assert ems.emu(2).version == NEW
    assert site.next_due() is None
    await site.stop()


async def test_the_size_of_the_steps_changes_nothing() -> None:
    """Downloads are answered as soon as they are asked for, even within one long step."""

    async def payloads(step: float) -> list[bytes]:
        broker = MemoryBroker()
        now = START
        site = Site(MemoryTransport(broker), [make_ems()], MemoryDownloads({LINK: PACKAGE}), clock=lambda: now)
        await site.start()
        command = order_upgrade(ADDRESS, STAMP, 2, LINK, md5_of(PACKAGE))
        broker.publish(command.topic, command.payload)
        await asyncio.sleep(0)
        while now < START + 400:
            now += step
            await site.advance(now)
        command = ask_versions(ADDRESS, STAMP)
        broker.publish(command.topic, command.payload)
        await asyncio.sleep(0)
        await site.advance(now + 1)
        return [message.payload for message in broker.published]

    assert await payloads(0.5) == await payloads(400)


async def test_several_systems_share_a_connection() -> None:
    broker = MemoryBroker()
    other = EmsAddress(ADDRESS.prefix, "other")
    site = Site(MemoryTransport(broker), [make_ems(), make_ems(other)], MemoryDownloads(), clock=lambda: START)
    controller = Controller(MemoryTransport(broker), other)
    await site.start()
    await controller.start()
    await controller.send(ask_versions(other, STAMP))
    await site.advance(START + 1)
    assert len(broker.payloads(other.topic(Exchange.VERSION, Direction.RESULT))) == 1
    assert broker.payloads(ADDRESS.topic(Exchange.VERSION, Direction.RESULT)) == []


async def test_a_site_that_has_lost_its_connection_goes_on_without_a_word() -> None:
    broker = MemoryBroker()
    site = Site(MemoryTransport(broker), [make_ems()], MemoryDownloads({LINK: PACKAGE}), clock=lambda: START)
    await site.start()
    command = order_upgrade(ADDRESS, STAMP, 2, LINK, md5_of(PACKAGE))
    broker.publish(command.topic, command.payload)
    await asyncio.sleep(0)
    broker.connected = False
    await site.advance(START + 3600)
    assert site.systems[0].emu(2).version == NEW
    assert broker.payloads(ADDRESS.topic(Exchange.UPGRADE, Direction.RESULT)) == []


async def test_retained_results_are_retained_by_the_broker() -> None:
    broker = MemoryBroker()
    ems = make_ems()
    ems.faults.on(Fault.RETAINED_RESULTS)
    site = Site(MemoryTransport(broker), [ems], MemoryDownloads(), clock=lambda: START)
    await site.start()
    command = ask_versions(ADDRESS, STAMP)
    broker.publish(command.topic, command.payload)
    await asyncio.sleep(0)
    await site.advance(START + 1)
    assert list(broker.retained) == [ADDRESS.topic(Exchange.VERSION, Direction.RESULT)]


@pytest.mark.parametrize("kind", BrokerKind)
async def test_a_whole_upgrade_over_a_real_broker_and_real_http(kind: BrokerKind, tmp_path: Path) -> None:
    (tmp_path / "package").write_bytes(PACKAGE)
    async with broker_of(kind) as broker, PackageServer(tmp_path) as server:
        ems = make_ems(settings=EmsSettings(timings=FAST))
        here = BrokerSettings(host=broker.host, port=broker.port, client_id="site")
        there = BrokerSettings(host=broker.host, port=broker.port, client_id="controller")
        site = LiveSite(RetainingTransport(here), [ems], HttpDownloads())
        transport = BrokerTransport(there, keep_session=False)
        controller = Controller(transport)
        await site.start()
        await controller.start()

        await controller.send(order_upgrade(ADDRESS, STAMP, 2, server.url("package"), "0" * 32))
        assert (await controller.next(UpgradeResult)).status is DownloadStatus.MD5_MISMATCH
        await controller.send(order_upgrade(ADDRESS, STAMP, 2, server.url("package"), md5_of(PACKAGE)))
        assert (await controller.next(UpgradeResult)).status is DownloadStatus.HANDED_OVER
        version: str | None = OLD
        while version != NEW:
            await controller.send(ask_progress(ADDRESS, STAMP, 2))
            version = (await controller.next(ProgressResult)).report.version
        assert controller.retained.count(True) == 0

        ems.faults.on(Fault.RETAINED_RESULTS, times=1)
        await controller.send(ask_versions(ADDRESS, STAMP))
        await controller.next(VersionResult)
        late = Controller(BrokerTransport(BrokerSettings(host=broker.host, port=broker.port, client_id="late")))
        await late.start()
        await late.next(VersionResult)
        assert late.retained == [True]
        for ended in (site, late, controller):
            await ended.stop()


async def test_a_download_does_not_keep_the_ems_from_answering() -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    class SlowDownloads(MemoryDownloads):
        @override
        async def fetch(self, request: DownloadRequest) -> Fetched:
            asked.set()
            await go_on.wait()
            return await super().fetch(request)

    broker = MemoryBroker()
    site = LiveSite(MemoryTransport(broker), [make_ems(settings=EmsSettings(timings=FAST))], SlowDownloads())
    controller = Controller(MemoryTransport(broker))
    await site.start()
    await controller.start()
    await controller.send(order_upgrade(ADDRESS, STAMP, 2, LINK, md5_of(PACKAGE)))
    await asked.wait()
    await controller.send(ask_versions(ADDRESS, STAMP))
    await controller.next(VersionResult)
    go_on.set()
    assert (await controller.next(UpgradeResult)).status is DownloadStatus.DOWNLOAD_FAILED
    await site.stop()


@pytest.mark.parametrize("kind", BrokerKind)
async def test_an_embedded_broker_speaks_both_versions_and_leaves_its_ports(kind: BrokerKind) -> None:
    async with broker_of(kind) as broker:
        ports = {broker.port, broker.port_v311}
        for port in ports:
            _, writer = await asyncio.open_connection(broker.host, port)
            writer.close()
        with pytest.raises(BrokerFailed, match="taken"):
            await EmbeddedBroker(broker.port, kind).start()
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(broker.host, port)

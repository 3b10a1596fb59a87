"""A real Home Assistant that can be killed, a real broker, and EMSs that are upgraded in seconds."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
import json
from pathlib import Path
from threading import Event
import time
from typing import Final, cast
from uuid import uuid4

import aiohttp
import orjson

from custom_components.emu_ota.protocol.commands import Stamp, ask_versions
from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange, product_key_prefix
from custom_components.emu_ota.transport import Received
from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport
from scripts.demo import home_assistant
from scripts.demo.api import HomeAssistantApi
from scripts.demo.processes import Program
from scripts.demo.site import CONFIG_FLOW, DOMAIN, SUBENTRY_FLOW
from simulator.downloads import HttpDownloads
from simulator.ems import EmsSettings, SimulatedEms
from simulator.emu import SimulatedEmu
from simulator.package import build_package, md5_of
from simulator.package_server import PackageServer
from simulator.site import LiveSite
from simulator.timings import REALISTIC
from simulator.wire import Revision
from tests.mosquitto import Mosquitto, free_port

NEW: Final = "emu-v1.2.0"
PACKAGE: Final = f"{NEW}.tar.gz"
SPEEDS: Final = {"home_assistant": 60, "broker": 30}
"""By connection, how much faster than a real site its EMSs are: an upgrade takes 3 s, or 6 s."""
EMUS: Final = (2, 3)
ASK_EVERY: Final = 0.25
"""Seconds between the questions of somebody else, whose answers Home Assistant hears too: the EMSs are faster than it
asks by itself."""
ORDERED_FOR: Final = 10 * 60.0
"""Seconds until an order that nothing is heard of is given up."""

type Record = dict[str, object]


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order on the wire."""

    uid: str
    device_id: int
    mid: str


@dataclass
class KilledSite:
    """Two entries, one on Home Assistant's MQTT and one on a connection of its own, with an EMS each per round."""

    config: Path
    url: str
    link: str
    md5: str
    core: Program
    session: aiohttp.ClientSession
    api: HomeAssistantApi
    orders: list[Ordered] = field(default_factory=list)
    """All orders that went over the wire."""
    heard: list[Callable[[], None]] = field(default_factory=list)
    """What is called at each order, at once."""

    async def start_core(self) -> None:
        """Start Home Assistant, log in, and wait until everything is set up."""
        await self.core.start()
        self.api = HomeAssistantApi(self.session, self.url)
        await self.api.wait_until_up(self.core.check)
        await self.api.login()
        await self.api.wait_until_running()

    async def call(self, service: str, data: dict[str, object], query: str = "") -> Record:
        """Call an action of ours."""
        headers = {"Authorization": f"Bearer {self.api.tokens['access_token']}"}
        url = f"{self.url}/api/services/{DOMAIN}/{service}{query}"
        async with self.session.post(url, headers=headers, json=data) as response:
            assert response.status == 200, (service, response.status, await response.text())
            answer: object = await response.json()
        return answer if isinstance(answer, dict) else {}

    async def history(self) -> list[Record]:
        """Return the upgrades that have ended, newest first."""
        answer = await self.call("get_history", {}, "?return_response")
        return cast("dict[str, list[Record]]", answer["service_response"])["upgrades"]

    async def install(self, uids: list[str]) -> None:
        """Upgrade every EMU of these EMSs, and wait for all of them."""
        entity_ids = [entity_id(uid, device_id) for uid in uids for device_id in EMUS]
        order = {"download_url": self.link, "md5": self.md5, "version": NEW}
        await self.call("upgrade", {"entity_id": entity_ids, **order})

    def files(self, kind: str) -> list[Path]:
        """Return the files of a kind, one per entry."""
        return sorted((self.config / ".storage").glob(f"{DOMAIN}.*.{kind}"))

    def stored(self, kind: str) -> list[Record]:
        """Return the upgrades in the files of a kind; a file is always whole."""
        return [
            upgrade
            for file in self.files(kind)
            for upgrade in json.loads(file.read_text(encoding="utf-8"))["data"]["upgrades"]
        ]

    def knows_in_storage(self, uids: Iterable[str]) -> bool:
        """Tell whether Home Assistant has written its configuration and its users, which it does some time later."""
        storage = self.config / ".storage"
        entries = (storage / "core.config_entries").read_text(encoding="utf-8")
        return (storage / "auth").exists() and all(f'"{uid}"' in entries for uid in uids)

    def watch_phases(self, stop: Event, met: Callable[[list[Record]], bool]) -> None:
        """Read what is under way as often as it is written, until it is as wanted, or until told to stop."""
        seen: object = None
        while not stop.is_set():
            written = [file.stat().st_mtime_ns for file in self.files("upgrades")]
            if written != seen:
                seen = written
                if met(self.stored("upgrades")):
                    return
            time.sleep(0.0005)

    def age(self, ids: set[str], seconds: float) -> None:
        """Make upgrades in storage as old as if Home Assistant had watched them for so many seconds more."""
        for file in self.files("upgrades"):
            content = json.loads(file.read_text(encoding="utf-8"))
            for upgrade in content["data"]["upgrades"]:
                if upgrade["id"] in ids:
                    upgrade["since"] -= seconds
            file.write_text(json.dumps(content), encoding="utf-8")


def entity_id(uid: str, device_id: int) -> str:
    """Return the id of the update of an EMU."""
    return f"update.{uid.lower()}_emu_{device_id}_firmware"


def uid_of(connection: str, number: int) -> str:
    """Return the uid of the EMS of a round."""
    return f"{connection.partition('_')[0]}{number:02}"


def addresses(rounds: int) -> Iterator[tuple[str, EmsAddress]]:
    """Yield the EMSs, with the connection of the entry that knows each."""
    for connection in SPEEDS:
        for number in range(rounds):
            yield connection, EmsAddress(product_key_prefix(connection), uid_of(connection, number))


@asynccontextmanager
async def run_killed_site(folder: Path, rounds: int) -> AsyncGenerator[KilledSite]:
    """Run the site; all that it consists of ends with the context."""
    config, port = folder / "config", free_port()
    home_assistant.seed(config, port)
    package = build_package(NEW, components=(3, 21), size=1000)
    (folder / "packages").mkdir()
    (folder / "packages" / PACKAGE).write_bytes(package)
    async with AsyncExitStack() as running:
        broker = running.enter_context(Mosquitto())
        server = await running.enter_async_context(PackageServer(folder / "packages"))
        systems = [
            SimulatedEms(
                address,
                [SimulatedEmu(device_id) for device_id in EMUS],
                EmsSettings(revision=Revision.C, timings=REALISTIC.faster(SPEEDS[connection])),
            )
            for connection, address in addresses(rounds)
        ]
        site = LiveSite(_transport(broker, "site"), systems, HttpDownloads())
        await site.start()
        running.push_async_callback(site.stop)
        url = f"http://127.0.0.1:{port}"
        session = await running.enter_async_context(aiohttp.ClientSession())
        core = home_assistant.program(config)
        plant = KilledSite(
            config, url, server.url(PACKAGE), md5_of(package), core, session, HomeAssistantApi(session, url)
        )
        listener = await _listen(plant, broker, rounds)
        running.push_async_callback(listener.async_stop)
        asking = asyncio.create_task(_ask(listener, rounds))
        running.callback(asking.cancel)
        running.push_async_callback(core.stop)
        await plant.start_core()
        await _introduce(plant, broker.port, rounds)
        yield plant


def _transport(broker: Mosquitto, name: str) -> BrokerTransport:
    return BrokerTransport(BrokerSettings(host=broker.host, port=broker.port, client_id=name), keep_session=False)


async def _listen(plant: KilledSite, broker: Mosquitto, rounds: int) -> BrokerTransport:
    listener = _transport(broker, "listener")

    def heard(received: Received) -> None:
        for call in tuple(plant.heard):
            call()
        command = orjson.loads(received.payload)
        plant.orders.append(Ordered(command["device_uid"], int(command["sub_device_id"]), command["mid"]))

    for _, address in addresses(rounds):
        await listener.async_subscribe(address.topic(Exchange.UPGRADE, Direction.COMMAND), heard)
    await listener.async_start()
    return listener


async def _ask(transport: BrokerTransport, rounds: int) -> None:
    while True:
        for _, address in addresses(rounds):
            stamp = Stamp(mid=str(uuid4()), trace_id="somebody else", timestamp=round(time.time() * 1000))
            command = ask_versions(address, stamp)
            await transport.async_publish(command.topic, command.payload)
        await asyncio.sleep(ASK_EVERY)


async def _introduce(plant: KilledSite, port: int, rounds: int) -> None:
    """Go through the flows that a person would go through."""
    other = {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"}
    mqtt = {"broker": "127.0.0.1", "port": port, "protocol": "5", "other_settings": other}
    await plant.api.run_flow(CONFIG_FLOW, {"handler": "mqtt"}, mqtt)
    advanced = {"transport": "tcp", "ws_path": "/mqtt", "keepalive": 60, "verify_certificate": True}
    own: dict[str, object] = {"host": "127.0.0.1", "port": port, "tls": False, "advanced": advanced}
    for connection in SPEEDS:
        answers: list[dict[str, object]] = [{"next_step_id": connection}]
        answers += [own] if connection == "broker" else []
        answers.append({"next_step_id": "product_key"})
        answers.append({"product_key": connection, "device_uid": uid_of(connection, 0)})
        await plant.api.run_flow(CONFIG_FLOW, {"handler": DOMAIN}, *answers)
        (entry,) = [each for each in await plant.api.entries(DOMAIN) if each["title"] == product_key_prefix(connection)]
        for number in range(1, rounds):
            handler = {"handler": [entry["entry_id"], "ems"]}
            await plant.api.run_flow(SUBENTRY_FLOW, handler, {"device_uid": uid_of(connection, number)})
    while not plant.knows_in_storage(address.uid for _, address in addresses(rounds)):  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.2)

"""The simulator as a program of its own."""

from argparse import ArgumentParser, Namespace
import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
import signal
import tempfile
import uuid

import orjson

from custom_components.emu_ota.protocol.topics import EmsAddress, product_key_prefix
from custom_components.emu_ota.transport import TransportError
from custom_components.emu_ota.transport.broker import BrokerSettings

from . import state
from .arguments import FIRST_EMU, FaultAt, Firmware, parser
from .downloads import HttpDownloads
from .embedded_broker import BrokerFailed, EmbeddedBroker
from .ems import EmsSettings, SimulatedEms
from .emu import SimulatedEmu
from .happenings import Happening, What
from .package import build_package, md5_of
from .package_server import PackageServer
from .retaining import RetainingTransport
from .site import LiveSite
from .timings import REALISTIC

_DEFAULT_EMS = "SIM0000001"
_DEFAULT_PACKAGE = "emu-v1.1.0"


class _Fatal(Exception):
    """The simulator cannot run; says why to a person."""


@dataclass(frozen=True, slots=True)
class _Console:
    """Says what happens, in lines of text or of JSON."""

    json: bool

    def say(self, event: str, **values: str | int) -> None:
        """Say something of the simulator itself."""
        details = ", ".join(f"{key} {value}" for key, value in values.items())
        self._line({"event": event, **values}, f"{event}: {details}" if details else event)

    def tell(self, happening: Happening) -> None:
        """Say what happened at an EMS."""
        at = datetime.fromtimestamp(happening.at, UTC)
        body: dict[str, object] = {
            "event": "happening",
            "at": at.isoformat(timespec="milliseconds"),
            "ems": happening.uid,
            "emu": happening.emu,
            "what": happening.what.name.lower(),
            **happening.details,
        }
        self._line(body, f"{at.astimezone():%H:%M:%S} {happening.line()}")

    def _line(self, body: dict[str, object] | dict[str, str | int], text: str) -> None:
        print(orjson.dumps(body).decode() if self.json else text, flush=True)  # noqa: T201 - this is a program


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator until Ctrl-C; return its exit code."""
    command_line = parser()
    options = command_line.parse_args(arguments)
    _check(command_line, options)
    try:
        asyncio.run(_run(options))
    except _Fatal as error:
        command_line.exit(1, f"{command_line.prog}: {error}\n")
    return 0


def _check(command_line: ArgumentParser, options: Namespace) -> None:
    uids: list[str] = options.ems or [_DEFAULT_EMS]
    emus = range(FIRST_EMU, FIRST_EMU + int(options.emus))
    named = [*options.offline, *(one.emu for one in options.firmware), *(one.setting.emu for one in options.fault)]
    if len(set(uids)) < len(uids):
        command_line.error("two EMSs have the same uid")
    if strangers := [emu for emu in named if emu is not None and emu not in emus]:
        command_line.error(f"there is no EMU {strangers[0]}")
    if strange := [one.uid for one in options.fault if one.uid is not None and one.uid not in uids]:
        command_line.error(f"there is no EMS {strange[0]}")
    if not options.broker and options.port == 0:
        command_line.error("port 0 goes with --broker")


async def _run(options: Namespace) -> None:
    console = _Console(options.json)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        settings = await _broker(options, console, stack)
        await _packages(options, console, stack)
        site = await stack.enter_async_context(_site(options, settings, console))
        console.say("ready")
        ended = asyncio.create_task(site.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([ended, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if ended.done():
            await ended
        ended.cancel()
    console.say("stopped")


async def _broker(options: Namespace, console: _Console, stack: AsyncExitStack) -> BrokerSettings:
    host, port = options.host, options.port
    if options.broker:
        broker = EmbeddedBroker(port)
        try:
            await stack.enter_async_context(broker)
        except BrokerFailed as error:
            raise _Fatal(error) from error
        host, port = broker.host, broker.port
        console.say("broker", kind=broker.kind, host=host, port=port, port_v311=broker.port_v311)
    return BrokerSettings(
        host=host,
        port=port,
        client_id=f"emu_ota_simulator_{uuid.uuid4().hex[:12]}",
        username=options.username,
        password=options.password,
        tls=options.tls,
        verify_certificate=not options.insecure,
        ca_certificate=_text(options.ca),
        client_certificate=_text(options.certificate),
        client_key=_text(options.key),
        websockets=options.ws_path is not None,
        ws_path=options.ws_path or "/mqtt",
    )


def _text(file: Path | None) -> str | None:
    try:
        return None if file is None else file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _Fatal(f"cannot read {file}: {error}") from error


async def _packages(options: Namespace, console: _Console, stack: AsyncExitStack) -> None:
    if options.packages is None and options.serve_port is None:
        return
    folder: Path = options.packages or Path(
        stack.enter_context(tempfile.TemporaryDirectory(prefix="emu-ota-packages-"))
    )
    server = PackageServer(folder, options.serve_port or 0)
    versions: list[str] = options.package or [_DEFAULT_PACKAGE]
    try:
        packages = _build(folder, versions, options.package_size)
        await stack.enter_async_context(server)
    except OSError as error:
        raise _Fatal(f"cannot serve packages: {error}") from error
    for version, package in packages.items():
        console.say("package", version=version, url=server.url(_name(version)), md5=md5_of(package), size=len(package))


def _build(folder: Path, versions: Iterable[str], size: int) -> dict[str, bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    packages = {version: build_package(version, size=size) for version in versions}
    for version, package in packages.items():
        (folder / _name(version)).write_bytes(package)
    return packages


def _name(version: str) -> str:
    return f"{version}.tar.gz"


@asynccontextmanager
async def _site(options: Namespace, settings: BrokerSettings, console: _Console) -> AsyncGenerator[LiveSite]:
    systems: list[SimulatedEms] = []

    def tell(happening: Happening) -> None:
        console.tell(happening)
        if happening.what is What.RETURNED and options.state is not None:
            state.store(options.state, systems)

    systems.extend(_ems(options, uid) for uid in options.ems or [_DEFAULT_EMS])
    if options.state is not None:
        state.restore(options.state, systems)
    for ems in systems:
        ems.tell = tell
        for emu in ems.emus:
            console.say(
                "EMU",
                ems=ems.address.uid,
                emu=emu.device_id,
                runs=emu.version,
                status="running" if emu.online else "offline",
                topics=f"{ems.address.prefix}/{ems.address.uid}/ota/...",
            )
    site = LiveSite(RetainingTransport(settings), systems, HttpDownloads(rate=options.download_rate))
    try:
        await site.start()
        yield site
    except TransportError as error:
        raise _Fatal(f"{type(error).__name__}: {error}") from error
    finally:
        await site.stop()


def _ems(options: Namespace, uid: str) -> SimulatedEms:
    ems = SimulatedEms(
        EmsAddress(options.prefix or product_key_prefix("demo"), uid),
        [_emu(options, device_id) for device_id in range(FIRST_EMU, FIRST_EMU + options.emus)],
        EmsSettings(
            revision=options.revision,
            timings=REALISTIC.faster(options.speed),
            tells_reply=options.reply,
            trailing_commas=options.trailing_commas,
            rests_at_512=options.rests_at_512,
            progress_at_rest=not options.no_progress_at_rest,
            seed=options.seed,
        ),
    )
    faults: list[FaultAt] = options.fault
    for fault in faults:
        if fault.uid in (None, uid):
            ems.faults.add(fault.setting)
    return ems


def _emu(options: Namespace, device_id: int) -> SimulatedEmu:
    emu = SimulatedEmu(device_id, online=device_id not in options.offline, boards=options.boards)
    firmware: list[Firmware] = options.firmware
    for one in firmware:
        if one.emu in (None, device_id):
            emu.version = one.version
    return emu

"""A broker of our own, on the loopback interface: mosquitto where it is installed, else rumqttd out of `iotcore`."""

import asyncio
from enum import StrEnum
from importlib.util import find_spec
import os
from pathlib import Path
import shutil
import socket
import sys
import tempfile
from typing import Final, Self

# Debian and Homebrew put it where a user's PATH does not lead.
_MORE_FOLDERS: Final = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_START_LIMIT: Final = 15.0
"""Seconds; both take well below one, on a busy machine a few."""
_STOP_LIMIT: Final = 5.0
_ATTEMPT_LIMIT: Final = 2.0
_PAUSE: Final = 0.05

# A CONNECT (clean start, keep-alive 10 s, client id "ready"), and how its answer begins.
_CONNECT_V5: Final = b"\x10\x12\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x05ready"
_CONNECT_V311: Final = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x0a\x00\x05ready"
_CONNACK: Final = b"\x20"
_DISCONNECT: Final = b"\xe0\x00"

# One message of 1 MiB, the largest that the integration reads, must go through; nothing is held back.
_RUMQTTD: Final = "import sys; from iotcore import Broker; Broker(config_path=sys.argv[1]).run_forever()"
_RUMQTTD_SETTINGS: Final = """
id = 0
[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 10000
max_segment_size = 104857600
max_segment_count = 10
"""
_RUMQTTD_LISTENER: Final = """
[{version}.1]
name = "{version}"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[{version}.1.connections]
connection_timeout_ms = 60000
max_payload_size = 2097152
max_inflight_count = 1000
dynamic_filters = true
"""


class BrokerKind(StrEnum):
    """The brokers that can be started."""

    MOSQUITTO = "mosquitto"
    IOTCORE = "iotcore"


class BrokerFailed(Exception):
    """The broker did not start."""


class EmbeddedBroker:
    """A broker without passwords, on 127.0.0.1 only.

    `port` speaks MQTT 5; `port_v311` MQTT 3.1.1 (the same port, except with iotcore).
    """

    host = "127.0.0.1"

    def __init__(self, port: int = 0, kind: BrokerKind | None = None) -> None:
        """Make one that is not started; port 0: any free one; `kind` None: mosquitto if it is installed."""
        self.kind = kind or (BrokerKind.MOSQUITTO if find_mosquitto() else BrokerKind.IOTCORE)
        self.port = port
        self.port_v311 = port
        self._process: asyncio.subprocess.Process | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def start(self) -> None:
        """Start it and wait until it answers. Raises BrokerFailed."""
        self.port = _free_port(self.port)
        self.port_v311 = self.port if self.kind is BrokerKind.MOSQUITTO else _free_port(0)
        # In a session of its own: a Ctrl-C in the terminal reaches only us, and everybody can still say goodbye to it.
        self._process = await asyncio.create_subprocess_exec(
            *self._command(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(_START_LIMIT):
                await self._answering(self._process)
        except TimeoutError:
            await self.stop()
            msg = f"{self.kind} does not answer on port {self.port}"
            raise BrokerFailed(msg) from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it; nothing of it stays behind."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(_STOP_LIMIT):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _command(self) -> list[str]:
        if self.kind is BrokerKind.MOSQUITTO:
            program = find_mosquitto()
            if program is None:
                msg = "mosquitto is not installed"
                raise BrokerFailed(msg)
            return [program, "-p", str(self.port)]  # without a configuration on the loopback interface only
        if find_spec("iotcore") is None:
            msg = "neither mosquitto nor iotcore is installed"
            raise BrokerFailed(msg)
        self._folder = tempfile.TemporaryDirectory(prefix="emu-ota-broker-")
        settings = Path(self._folder.name, "rumqttd.toml")
        listeners = (("v5", self.port), ("v4", self.port_v311))
        text = "".join(_RUMQTTD_LISTENER.format(version=version, port=port) for version, port in listeners)
        settings.write_text(_RUMQTTD_SETTINGS + text, encoding="ascii")
        return [sys.executable, "-c", _RUMQTTD, str(settings)]

    async def _answering(self, process: asyncio.subprocess.Process) -> None:
        for port, connect in ((self.port, _CONNECT_V5), (self.port_v311, _CONNECT_V311)):
            while not await _answers(self.host, port, connect):
                if process.returncode is not None:
                    msg = f"{self.kind} ended by itself"
                    raise BrokerFailed(msg)
                await asyncio.sleep(_PAUSE)

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        await self.stop()


def find_mosquitto() -> str | None:
    """Return where mosquitto is installed, or None."""
    return shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_MORE_FOLDERS)))


def _free_port(port: int) -> int:
    """Return a port that is free now: this one, or any for 0. Raises BrokerFailed."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((EmbeddedBroker.host, port))
        except OSError as error:
            msg = f"port {port} is taken"
            raise BrokerFailed(msg) from error
        return int(probe.getsockname()[1])


async def _answers(host: str, port: int, connect: bytes) -> bool:
    """Tell whether a broker accepts a client there."""
    try:
        async with asyncio.timeout(_ATTEMPT_LIMIT):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(connect)
                await writer.drain()
                answer = await reader.read(1)
                writer.write(_DISCONNECT)
                await writer.drain()
            finally:
                writer.close()
    except OSError:
        return False
    return answer == _CONNACK

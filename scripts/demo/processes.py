"""The programs that the site consists of, each ended by its own process id."""

import asyncio
from collections.abc import Mapping, Sequence
import contextlib
import os
from pathlib import Path
import signal
import socket
from typing import Final

STOP_TIMEOUT: Final = 30
"""Seconds; Home Assistant, the slowest, takes 2 to 5 to write its state and end."""

TAIL: Final = 30
"""Lines of a program's log that are shown when it ends by itself."""


class ProgramError(Exception):
    """A program of the site cannot start, or ended by itself."""

    def __init__(self, program: str, what: str) -> None:
        """Say which program, and what happened to it."""
        super().__init__(f"{program} {what}")


class Program:
    """A program with its log, in a session of its own: Ctrl-C reaches only us, and we end things in their order."""

    def __init__(self, name: str, command: Sequence[str], *, folder: Path, log: Path, env: Mapping[str, str]) -> None:
        """Describe it; nothing runs yet."""
        self.name = name
        self.log = log
        self._command = command
        self._folder = folder
        self._env = env
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; what it says goes to its log."""
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self._folder,
                env=self._env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )

    async def wait(self) -> int:
        """Return its exit code once it has ended."""
        if self._process is None:
            raise ProgramError(self.name, "was not started.")
        return await self._process.wait()

    def check(self) -> None:
        """Raise ProgramError when it has ended, with the end of its log."""
        if self._process is not None and self._process.returncode is not None:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
            raise ProgramError(
                self.name, "\n".join([f"ended with {self._process.returncode}. Its last lines:", *lines])
            )

    def kill(self) -> None:
        """End it at once, without giving it a chance; `wait` tells when that is done."""
        if self._process is not None and self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """End it and wait until it has ended."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            # It leads its session, so its own children (the broker) go with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def listens(port: int) -> bool:
    """Return whether somebody accepts connections on this port of the loopback interface."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def is_free(port: int) -> bool:
    """Return whether a program could listen on this port of the loopback interface."""
    with socket.socket() as probe:
        # As the programs themselves do: a connection that has just been closed does not hold a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port

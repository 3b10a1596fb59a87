"""A real broker for tests: mosquitto on a free port of 127.0.0.1.

    with Mosquitto(users={"site": "secret"}) as broker:
        ...  # broker.host, broker.port, broker.restart()

Under pytest-homeassistant-custom-component the test, or the fixture that starts it, needs `socket_enabled`.
"""

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
import hashlib
import json
import os
from pathlib import Path
import shutil
import socket
import subprocess
import tempfile
import time
from types import TracebackType
from typing import Final, Self

from .certificates import Issued

HOST: Final = "127.0.0.1"
START_TIMEOUT: Final = 10.0
STOP_TIMEOUT: Final = 5.0


def executable() -> str | None:
    """Return where mosquitto is, None where it is not installed."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, kw_only=True, slots=True)
class MosquittoTls:
    """A listener with TLS, and whose client certificates it wants, if it wants any."""

    server: Issued
    client_authority: str | None = None


class Mosquitto:
    """One mosquitto process with its own folder; anonymous, without TLS, unless told otherwise.

    `acl` is the text of mosquitto's ACL file (it withholds messages, but grants every subscription);
    `refused_subscriptions` are topics whose SUBSCRIBE is refused with a reason code, `refused_messages` topics whose
    PUBLISH is (both through the dynamic security plugin). `persistent` keeps sessions and retained messages over a
    restart. `port` is chosen at the first start and stays.
    """

    def __init__(  # noqa: PLR0913 - one option each of a broker's configuration
        self,
        *,
        users: Mapping[str, str] | None = None,
        tls: MosquittoTls | None = None,
        acl: str | None = None,
        refused_subscriptions: Collection[str] = (),
        refused_messages: Collection[str] = (),
        persistent: bool = False,
        options: Collection[str] = (),
        port: int | None = None,
    ) -> None:
        """Take note only; `start`, or entering it, runs it. `options` are further lines of its configuration."""
        self.host = HOST
        self._users = users
        self._tls = tls
        self._acl = acl
        self._refused = {"subscribeLiteral": refused_subscriptions, "publishClientSend": refused_messages}
        self._persistent = persistent
        self._options = options
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def port(self) -> int:
        """Its port; known once it was started."""
        assert self._port is not None, "not started yet"
        return self._port

    @property
    def log(self) -> str:
        """What it has logged since it was made."""
        assert self._folder is not None, "not started yet"
        return Path(self._folder.name, "log").read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Self:
        """Run it."""
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it and remove its folder."""
        self.close()

    def start(self) -> None:
        """Run it until it listens."""
        assert self._process is None, "runs already"
        mosquitto = executable()
        assert mosquitto is not None, "mosquitto is not installed"
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="mosquitto_")
        if self._port is None:
            self._port = free_port()
        configuration = self._configure(Path(self._folder.name))
        started = len(self.log) if Path(self._folder.name, "log").exists() else 0
        with Path(self._folder.name, "log").open("ab") as log:
            self._process = subprocess.Popen([mosquitto, "-v", "-c", configuration], stdout=log, stderr=log)  # noqa: S603 - our own words
        deadline = time.monotonic() + START_TIMEOUT
        while " running" not in self.log[started:]:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                message = f"mosquitto did not start:\n{self.log[started:]}"
                raise RuntimeError(message)
            time.sleep(0.01)

    def stop(self) -> None:
        """Have it end in good order; its clients see the connection closed."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_TIMEOUT)
            self._process = None

    def kill(self) -> None:
        """End it without giving it a chance."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT)
            self._process = None

    def restart(self) -> None:
        """Stop it and run it again on the same port."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _configure(self, folder: Path) -> Path:
        lines = [
            f"listener {self.port} {HOST}",
            f"allow_anonymous {'false' if self._users else 'true'}",
            f"persistence {'true' if self._persistent else 'false'}",
            f"persistence_location {folder}/",
            "sys_interval 0",
        ]
        if os.getuid() == 0:
            lines.append("user root")  # else it becomes somebody who may not read this folder
        if self._tls is not None:
            lines += [
                f"certfile {_written(folder / 'server.pem', self._tls.server.certificate)}",
                f"keyfile {_written(folder / 'server.key', self._tls.server.key)}",
            ]
            if self._tls.client_authority is not None:
                lines += [
                    f"cafile {_written(folder / 'ca.pem', self._tls.client_authority)}",
                    "require_certificate true",
                ]
        if any(self._refused.values()):
            lines += self._dynamic_security(folder)
        elif self._users is not None:
            users = "".join(f"{name}:{_hashed(password)}\n" for name, password in self._users.items())
            lines.append(f"password_file {_written(folder / 'users', users)}")
        if self._acl is not None:
            lines.append(f"acl_file {_written(folder / 'acl', self._acl)}")
        return _written(folder / "mosquitto.conf", "\n".join((*lines, *self._options, "")))

    def _dynamic_security(self, folder: Path) -> list[str]:
        plugin = next(Path("/usr/lib").glob("**/mosquitto_dynamic_security.so"))
        roles = [{"rolename": "everybody"}]
        acls = [
            {"acltype": kind, "topic": topic, "priority": 1, "allow": False}
            for kind, topics in self._refused.items()
            for topic in topics
        ]
        clients = []
        for name, password in (self._users or {}).items():
            salt, digest = _digest(password)
            clients.append(
                {"username": name, "salt": salt, "password": digest, "iterations": _ITERATIONS, "roles": roles}
            )
        allowed = ("publishClientSend", "publishClientReceive", "subscribe", "unsubscribe")
        content = {
            "defaultACLAccess": dict.fromkeys(allowed, True),
            "clients": clients,
            "groups": [{"groupname": "anonymous", "roles": roles, "clients": []}],
            "roles": [{"rolename": "everybody", "acls": acls}],
            "anonymousGroup": "anonymous",
        }
        path = _written(folder / "security.json", json.dumps(content))
        return [f"plugin {plugin}", f"plugin_opt_config_file {path}"]


_ITERATIONS: Final = 101  # mosquitto's own default


def _digest(password: str) -> tuple[str, str]:
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return base64.b64encode(salt).decode(), base64.b64encode(digest).decode()


def _hashed(password: str) -> str:
    salt, digest = _digest(password)
    return f"$7${_ITERATIONS}${salt}${digest}"


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path

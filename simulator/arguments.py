"""The command line of the simulator."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
import os
from pathlib import Path
import re
from typing import Final

from custom_components.emu_ota.protocol.errors import CommandError
from custom_components.emu_ota.protocol.models import Component, Stage
from custom_components.emu_ota.protocol.topics import is_level, is_prefix, product_key_prefix, tenant_prefix

from .emu import MAX_BOARDS
from .faults import DESCRIPTIONS, Fault, FaultSetting
from .wire import Revision

PASSWORD_VARIABLE: Final = "EMU_OTA_SIMULATOR_PASSWORD"  # noqa: S105 - a name
FIRST_EMU: Final = 2
MAX_SPEED: Final = 1000.0
_FAULT: Final = re.compile(r"(?P<name>[a-z0-9_]+)(?:@(?P<where>[^*:]+))?(?:\*(?P<times>[0-9]+))?(?::(?P<rest>.+))?")
_EPILOG: Final = """\
faults, --fault NAME[@WHERE][*TIMES][:KEY=VALUE,...]
  WHERE   an EMU (@2), an EMS (@UID) or an EMU of one EMS (@UID/2); without it all of them
  TIMES   how often it strikes, without it always; what counts as once is said below
  KEY     seconds, stage (1-5), percent (0-100), component (3, 21-26), version

{faults}

examples
  python -m simulator --broker --serve-port 8090
      a broker, a site with three EMUs, and a package to upgrade them with
  python -m simulator --host 127.0.0.1 --username ems --tenant acme --ems iYRkfVpi77 --revision C
      one EMS on a broker that exists; its password is taken from {variable}
  python -m simulator --broker --speed 10 --fault stall@3*1:percent=40 --fault garbage
      everything ten times as fast; EMU 3 stands still once, and the topics carry garbage

It ends with Ctrl-C.
"""


@dataclass(frozen=True, slots=True)
class FaultAt:
    """A fault, and the EMS that it is for (None: every EMS)."""

    uid: str | None
    setting: FaultSetting


@dataclass(frozen=True, slots=True)
class Firmware:
    """A version, and the EMU that runs it (None: every EMU)."""

    emu: int | None
    version: str


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    faults = "\n".join(f"  {fault:<24}{DESCRIPTIONS[fault]}" for fault in Fault)
    command_line = argparse.ArgumentParser(
        prog="python -m simulator",
        description="Simulates EMSs and their EMUs on an MQTT broker: they answer, download, upgrade and fail as told.",
        epilog=_EPILOG.format(faults=faults, variable=PASSWORD_VARIABLE),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_connection(command_line)
    _add_site(command_line)
    _add_packages(command_line)
    output = command_line.add_argument_group("running")
    output.add_argument("--state", type=Path, metavar="FILE", help="keep the EMUs' versions there between two runs")
    output.add_argument("--json", action="store_true", help="one JSON object per line in place of text")
    return command_line


def _add_connection(command_line: argparse.ArgumentParser) -> None:
    broker = command_line.add_argument_group("broker")
    broker.add_argument("--broker", action="store_true", help="bring one: mosquitto if it is installed, else iotcore")
    broker.add_argument("--host", default="127.0.0.1", help="of the broker (default: %(default)s)")
    broker.add_argument("--port", type=_number(0, 65535), default=1883, help="0 with --broker: a free one (1883)")
    broker.add_argument("--username")
    broker.add_argument("--password", default=os.environ.get(PASSWORD_VARIABLE), help=f"or in ${PASSWORD_VARIABLE}")
    broker.add_argument("--tls", action="store_true", help="connect with TLS")
    broker.add_argument("--ca", type=Path, metavar="FILE", help="PEM of the authority that the broker is trusted by")
    broker.add_argument("--certificate", type=Path, metavar="FILE", help="PEM of a client certificate")
    broker.add_argument("--key", type=Path, metavar="FILE", help="PEM of its key")
    broker.add_argument("--insecure", action="store_true", help="trust any certificate")
    broker.add_argument("--ws-path", metavar="PATH", help="connect through websockets at this path, e.g. /mqtt")


def _add_site(command_line: argparse.ArgumentParser) -> None:
    site = command_line.add_argument_group("site")
    scheme = site.add_mutually_exclusive_group()
    scheme.add_argument(
        "--tenant", type=_prefix(tenant_prefix), dest="prefix", metavar="TENANT", help="topics v1/user/TENANT/..."
    )
    scheme.add_argument(
        "--product-key",
        type=_prefix(product_key_prefix),
        dest="prefix",
        metavar="KEY",
        help="topics v1/wudun/KEY/... (default: demo)",
    )
    scheme.add_argument("--prefix", type=_prefix(_any_prefix), help="topics PREFIX/...")
    site.add_argument("--ems", action="append", type=_uid, metavar="UID", help="an EMS; repeat for more (SIM0000001)")
    site.add_argument("--emus", type=_number(0, 1000), default=3, metavar="N", help="EMUs 2 to N+1 per EMS (3)")
    site.add_argument("--boards", type=_number(0, MAX_BOARDS), default=2, metavar="N", help="boards per EMU (2)")
    site.add_argument(
        "--offline", action="append", type=_number(0), default=[], metavar="ID", help="this EMU is offline"
    )
    site.add_argument(
        "--firmware",
        action="append",
        type=_firmware,
        default=[],
        metavar="[ID=]VERSION",
        help="what the EMUs, or one EMU, run (emu-v1.0.0)",
    )
    site.add_argument(
        "--revision", type=Revision, choices=list(Revision), default=Revision.B, help="of the protocol (B)"
    )
    site.add_argument("--reply", action="store_true", help="results carry `reply`")
    site.add_argument("--rests-at-512", action="store_true", help="C and D: EMUs at rest show 512")
    site.add_argument(
        "--no-progress-at-rest", action="store_true", help="emu_upgrade_result is answered only during upgrades"
    )
    site.add_argument(
        "--trailing-commas",
        action=argparse.BooleanOptionalAction,
        help="write them as the vendor's samples do (default: revision B does)",
    )
    site.add_argument(
        "--download-rate",
        type=_number(1),
        metavar="BYTES",
        help="per second, how fast an EMS downloads (as fast as it can)",
    )
    site.add_argument("--fault", action="append", type=_fault, default=[], help="see below; repeat for more")
    site.add_argument(
        "--speed", type=_speed, default=1.0, metavar="FACTOR", help="how much faster than a real site (1)"
    )
    site.add_argument("--seed", type=int, default=0, help="of the message ids (0)")


def _add_packages(command_line: argparse.ArgumentParser) -> None:
    packages = command_line.add_argument_group(
        "packages", "built, and served over HTTP, with either of the first two options"
    )
    packages.add_argument("--packages", type=Path, metavar="DIR", help="folder for them (a temporary one)")
    packages.add_argument(
        "--serve-port", type=_number(0, 65535), metavar="PORT", help="where to serve them (a free one)"
    )
    packages.add_argument("--package", action="append", metavar="VERSION", help="one to build (emu-v1.1.0)")
    packages.add_argument(
        "--package-size", type=_number(0, 1 << 30), default=1 << 20, metavar="BYTES", help="of each (1048576)"
    )


def _number(least: int, most: int | None = None) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else -1
        if value < least or (most is not None and value > most):
            limits = f"at least {least}" if most is None else f"{least} to {most}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, {limits}")
        return value

    return number


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= MAX_SPEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a factor above 0, {MAX_SPEED} at most")
    return speed


def _prefix(scheme: Callable[[str], str]) -> Callable[[str], str]:
    def prefix(text: str) -> str:
        try:
            return scheme(text)
        except CommandError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error

    return prefix


def _any_prefix(text: str) -> str:
    if not is_prefix(text):
        raise CommandError("no topic levels")
    return text


def _uid(text: str) -> str:
    if not is_level(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a topic level")
    return text


def _firmware(text: str) -> Firmware:
    one = re.fullmatch(r"([0-9]{1,18})=(.*)", text)
    return Firmware(int(one[1]), one[2]) if one else Firmware(None, text)


def _fault(text: str) -> FaultAt:
    parts = _FAULT.fullmatch(text)
    if parts is None or parts["name"] not in Fault:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not NAME[@WHERE][*TIMES][:KEY=VALUE,...] with a name from --help"
        )
    uid, emu = _where(parts["where"])
    values = dict(_key_value(item) for item in (parts["rest"] or "").split(",") if item)
    try:
        setting = FaultSetting(
            fault=Fault(parts["name"]),
            emu=emu,
            times=int(parts["times"]) if parts["times"] else None,
            seconds=float(values.pop("seconds")) if "seconds" in values else None,
            stage=Stage(int(values.pop("stage"))) if "stage" in values else None,
            percent=int(values.pop("percent")) if "percent" in values else None,
            component=Component(int(values.pop("component"))) if "component" in values else None,
            version=values.pop("version", None),
        )
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error
    if values:
        raise argparse.ArgumentTypeError(f"{text!r}: there is no key {', '.join(values)}")
    return FaultAt(uid, setting)


def _where(text: str | None) -> tuple[str | None, int | None]:
    if text is None:
        return None, None
    if re.fullmatch(r"[0-9]{1,18}", text):
        return None, int(text)
    one = re.fullmatch(r"([^/]+)/([0-9]{1,18})", text)
    return (one[1], int(one[2])) if one else (text, None)


def _key_value(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value

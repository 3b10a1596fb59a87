"""What survives between two runs of the simulator: the versions of its EMUs."""

from collections.abc import Iterable
import contextlib
from pathlib import Path

import orjson

from .ems import SimulatedEms


def restore(file: Path, systems: Iterable[SimulatedEms]) -> None:
    """Give the EMUs the versions of the last run; a file that is not there, or not ours, changes nothing."""
    known: object = None
    with contextlib.suppress(OSError, ValueError):
        known = orjson.loads(file.read_bytes())
    for ems in systems:
        versions = _member(known, ems.address.uid)
        for emu in ems.emus:
            version = _member(versions, str(emu.device_id))
            if isinstance(version, str):
                emu.version = version


def store(file: Path, systems: Iterable[SimulatedEms]) -> None:
    """Keep the versions of the EMUs."""
    versions = {ems.address.uid: {str(emu.device_id): emu.version for emu in ems.emus} for ems in systems}
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_bytes(orjson.dumps(versions, option=orjson.OPT_INDENT_2))
    fresh.replace(file)


def _member(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None

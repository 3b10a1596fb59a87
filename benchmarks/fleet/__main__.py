"""Measures all subjects at all sizes and prints the table: `scripts/bench --help`.

Each subject and size has a process of its own, in turns, so that a machine that is slow for a while is slow for all.
What a process found is kept at once: a run that was cut off goes on where it was.
"""

import argparse
from collections.abc import Iterator
import os
from pathlib import Path
import platform
import re
import sys
import time
from typing import Final

from tests.mosquitto import Mosquitto

from .counts import counts
from .figures import ABSOLUTE, DISCOVERED, RATIOS, SIZES
from .home_assistant import release
from .kept import Job, Kept
from .shape import Shape
from .subjects import Part, Subject
from .table import table, verdicts, write

QUICK: Final = SIZES[:2]
PEERS: Final = frozenset({Subject.YAML, Subject.EXPERT})
SMALL: Final = 100
"""EMUs up to which all is over so soon that a slow second of the machine spoils it: these are measured more often."""
MORE: Final = 2
"""Processes that these have besides."""
DEAR: Final = 500
"""EMUs from which on a peer takes minutes: it is measured in one process only, with fewer rounds, and not its memory.

What it is held to is far off, and each of its messages is so long that a few are enough.
"""
DEAR_ROUNDS: Final = 2


def jobs(sizes: tuple[Shape, ...], processes: int) -> Iterator[Job]:
    """Yield what to measure, in turns."""
    for turn in range(processes + MORE):
        for shape in sizes:
            if turn >= processes and shape.emus > SMALL:
                continue
            for subject in (Subject.OURS, Subject.BARE, Subject.ONCE):
                yield Job(subject, shape, Part.SET_UP, turn)
            for subject in (Subject.OURS, Subject.YAML, Subject.EXPERT, Subject.BARE):
                if turn and is_dear(subject, shape):
                    continue
                yield Job(subject, shape, Part.TIME, turn)
                if not turn and not is_dear(subject, shape):
                    yield Job(subject, shape, Part.MEMORY, turn)
        if turn < processes:
            yield Job(Subject.OURS, DISCOVERED, Part.TIME, turn)


def rounds(subject: Subject, shape: Shape, of_large: int) -> int:
    """Return how many rounds each process takes."""
    if is_dear(subject, shape):
        return DEAR_ROUNDS
    return of_large * 3 if shape.emus <= SMALL else of_large


def is_dear(subject: Subject, shape: Shape) -> bool:
    """Tell whether a subject takes minutes at a size."""
    return subject in PEERS and shape.emus >= DEAR


def machine() -> str:
    """Return what measures: its processor, where the system tells that, and its cores."""
    told = Path("/proc/cpuinfo")
    names = (
        re.findall(r"^model name\s*: (.+)$", told.read_text(encoding="utf-8"), re.MULTILINE) if told.exists() else []
    )
    return f"{os.cpu_count()} cores of {names[0] if names else platform.machine()}"


def over_time(kept: Kept) -> str:
    """Return the table of what a fleet costs over time."""
    shares, counted = kept.lasting, counts()
    minutes = counted["minutes"]
    return verdicts(
        [
            ("1,000 EMUs on 100 EMSs, idle: share of one core", shares["idle"] * 100, 1, " %"),
            ("… while 4 upgrades run", shares["upgrading"] * 100, 5, " %"),
            ("idle: MQTT messages sent per EMS and hour", counted["messages"], 4, ""),
            ("idle, 100 EMSs: timers of ours per hour", counted["timers"], 500, ""),
            (f"recorder rows of an upgrade of {minutes:.3g} minutes", counted["rows"], 60 + 6 * minutes, ""),
        ]
    )


def main() -> None:
    """Measure, print, and write."""
    command_line = argparse.ArgumentParser(prog="scripts/bench", description="Measures a fleet of EMUs.")
    command_line.add_argument("--quick", action="store_true", help="small sizes only, three processes for each")
    command_line.add_argument("--processes", type=int, default=3, help="of each at large sizes (%(default)s)")
    command_line.add_argument("--rounds", type=int, default=7, help="in each process, at large sizes (%(default)s)")
    command_line.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this file as well")
    command_line.add_argument(
        "--keep",
        type=Path,
        metavar="FILE",
        help="what is found goes here at once, and what is here is not measured again",
    )
    options = command_line.parse_args()
    sizes, processes = (QUICK, 1) if options.quick else (SIZES, options.processes)
    kept, started = Kept(options.keep), time.monotonic()
    with Mosquitto() as broker:
        for job in jobs(sizes, processes):
            if job in kept:
                continue
            minutes = (time.monotonic() - started) / 60
            print(f"{minutes:5.1f} min: {job}", file=sys.stderr, flush=True)
            kept.measure(job, broker.port, rounds(job.subject, job.shape, options.rounds))
            if job.subject is Subject.BARE and job.part is Part.TIME:
                print(table("ratios so far", RATIOS, kept.medians()), end="\n\n", flush=True)
        if not kept.lasting:
            print("over time", file=sys.stderr, flush=True)
            kept.measure_lasting(broker.port)
    text = "\n\n".join(
        (
            f"Home Assistant {release()}, Python {platform.python_version()}, {platform.system()}, {machine()}.",
            table("ratios by EMUs", RATIOS, kept.medians()),
            over_time(kept),
            table("absolute by EMUs", ABSOLUTE, kept.medians()),
        )
    )
    print(text)
    if options.write:
        write(options.write, text)


if __name__ == "__main__":
    main()

"""Measures all subjects at all sizes and prints the table: `scripts/bench --help`.

Each subject and size has a process of its own, in turns, so that a machine that is slow for a while is slow for all.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
import json
import os
from pathlib import Path
import platform
from statistics import median
import subprocess
import sys
import time
from typing import Final

from tests.mosquitto import Mosquitto

from .counts import counts
from .figures import ABSOLUTE, DISCOVERED, RATIOS, SIZES, Values
from .home_assistant import release
from .shape import Shape
from .subjects import Subject
from .table import table, verdicts, write

QUICK: Final = SIZES[:2]
DEAR: Final = 500
"""EMUs from which on a peer takes minutes: it is measured in one process only, with fewer rounds, and not its memory.

What it is held to is far off, and each of its messages is so long that a few are enough.
"""
DEAR_ROUNDS: Final = 2

type Job = tuple[Subject, Shape, bool]
"""What to measure, and whether its memory in place of its time."""


def jobs(sizes: tuple[Shape, ...], passes: int) -> Iterator[Job]:
    """Yield what to measure, in turns."""
    for turn in range(passes):
        for shape in sizes:
            for subject in Subject:
                dear = is_dear(subject, shape)
                if dear and turn:
                    continue
                yield subject, shape, False
                if not turn and not dear:
                    yield subject, shape, True
        yield Subject.OURS, DISCOVERED, False


def is_dear(subject: Subject, shape: Shape) -> bool:
    """Tell whether a subject takes minutes at a size."""
    return subject in {Subject.YAML, Subject.EXPERT} and shape.emus >= DEAR


def measure(job: Job, port: int, rounds: int) -> dict[str, list[float]]:
    """Run the process of a job. Raises CalledProcessError."""
    subject, shape, memory = job
    command = [sys.executable, "-m", "benchmarks.fleet.subject", subject, str(shape.emus)]
    command += ["--systems", str(shape.systems), "--prefix", shape.prefix, "--port", str(port)]
    command += ["--rounds", str(rounds), *(["--memory"] if memory else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=900)  # noqa: S603 - our own program
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def over_time(port: int) -> str:
    """Return the table of what a fleet costs over time."""
    print("over time", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.fleet.lasting", str(port)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=900)  # noqa: S603 - our own program
    shares: dict[str, float] = json.loads(done.stdout)
    counted = counts()
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


def medians(found: dict[tuple[Subject, Shape, str], list[float]]) -> Values:
    """Return the median over processes of each median over rounds."""
    return {key: median(values) for key, values in found.items()}


def main() -> None:
    """Measure, print, and write."""
    command_line = argparse.ArgumentParser(prog="scripts/bench", description="Measures a fleet of EMUs.")
    command_line.add_argument("--quick", action="store_true", help="small sizes only, one pass")
    command_line.add_argument("--passes", type=int, default=2, help="processes per subject and size (%(default)s)")
    command_line.add_argument("--rounds", type=int, default=5, help="in each process (%(default)s)")
    command_line.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this file as well")
    options = command_line.parse_args()
    sizes, passes = (QUICK, 1) if options.quick else (SIZES, options.passes)
    found: dict[tuple[Subject, Shape, str], list[float]] = defaultdict(list)
    started = time.monotonic()
    with Mosquitto() as broker:
        for job in jobs(sizes, passes):
            subject, shape, memory = job
            minutes = (time.monotonic() - started) / 60
            print(f"{minutes:5.1f} min: {subject} {shape}{' memory' if memory else ''}", file=sys.stderr, flush=True)
            rounds = DEAR_ROUNDS if is_dear(subject, shape) else options.rounds
            for what, values in measure(job, broker.port, rounds).items():
                found[subject, shape, what].append(median(values))
        lasting = over_time(broker.port)
    result = medians(found)
    text = "\n\n".join(
        (
            f"Home Assistant {release()}, Python {platform.python_version()}, {os.cpu_count()} cores.",
            table("ratios by EMUs", RATIOS, result),
            lasting,
            table("absolute by EMUs", ABSOLUTE, result),
        )
    )
    print(text)
    if options.write:
        write(options.write, text)


if __name__ == "__main__":
    main()

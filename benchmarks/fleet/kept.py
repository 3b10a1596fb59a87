"""What the processes of a run found, kept in a file as well where one is given."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import asdict, dataclass
import json
from pathlib import Path
from statistics import median
import subprocess
import sys
from typing import Final, override

from .figures import Values
from .shape import Shape
from .subjects import PACE, Part, Subject

TIMEOUT: Final = 900.0
TRIES: Final = 3
"""Of a process: once in a while Home Assistant's MQTT is not loaded, and what else was measured is worth keeping."""
LASTING: Final = "over time"
IN_PACES: Final = frozenset({"unchanged", "changed", "versions kept", "progress", "stage", "set_up"})
"""What is measured in paces, and not in seconds, bytes or numbers."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a process is for."""

    subject: Subject
    shape: Shape
    part: Part
    turn: int

    @property
    def key(self) -> str:
        """What it is called in the file."""
        return json.dumps([self.subject, asdict(self.shape), self.part, self.turn])

    @override
    def __str__(self) -> str:
        shape = self.shape
        return f"turn {self.turn + 1}, {self.subject}, {shape.emus} EMUs on {shape.systems} EMSs, {self.part}"


class Kept:
    """What was found, by job: lists of paces, seconds, bytes or numbers by what was measured, one for each round."""

    def __init__(self, path: Path | None) -> None:
        """Begin with what a file holds from a run that was cut off."""
        self.lasting: dict[str, float] = {}
        """The shares of one core that a fleet takes over time."""
        self._path = path
        self._keys: set[str] = set()
        self._found: dict[tuple[Subject, Shape, str], list[float]] = defaultdict(list)
        self._paces: list[float] = []
        lines = path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else []
        for line in lines:
            key, found = json.loads(line)
            if key == LASTING:
                self.lasting = found
            elif PACE in found or json.loads(key)[2] == Part.MEMORY:  # else it is from when times were in seconds
                subject, shape, part, turn = json.loads(key)
                self._take(Job(Subject(subject), Shape(**shape), Part(part), turn), found)

    def __contains__(self, job: Job) -> bool:
        """Tell whether a job is done."""
        return job.key in self._keys

    def measure(self, job: Job, port: int, rounds: int) -> None:
        """Run the process of a job. Raises CalledProcessError."""
        shape = job.shape
        command = ["subject", job.subject, str(shape.emus), "--systems", str(shape.systems), "--prefix", shape.prefix]
        command += ["--port", str(port), "--rounds", str(rounds), "--part", job.part]
        found: dict[str, list[float]] = json.loads(_run_until_it_works(command))
        self._take(job, found)
        self._keep(job.key, found)

    def measure_lasting(self, port: int) -> None:
        """Run the process that tells what a fleet costs over time. Raises CalledProcessError."""
        self.lasting = json.loads(_run(["lasting", str(port)]))
        self._keep(LASTING, self.lasting)

    def medians(self) -> Values:
        """Return the median over processes of each median over rounds; times in seconds at the run's median pace."""
        found = {key: median(values) for key, values in self._found.items()}
        pace = median(self._paces) if self._paces else 1.0
        return {key: value * pace if key[2] in IN_PACES else value for key, value in found.items()}

    def _take(self, job: Job, found: dict[str, list[float]]) -> None:
        self._keys.add(job.key)
        for what, values in found.items():
            if what == PACE:
                self._paces += values
            else:
                self._found[job.subject, job.shape, what].append(median(values))

    def _keep(self, key: str, found: object) -> None:
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, found]) + "\n")


def _run_until_it_works(command: list[str]) -> bytes:
    for _ in range(TRIES - 1):
        with suppress(subprocess.CalledProcessError):  # it has said why
            return _run(command)
    return _run(command)


def _run(command: list[str]) -> bytes:
    program, *arguments = command
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", f"benchmarks.fleet.{program}", *arguments],
        stdout=subprocess.PIPE,
        check=True,
        timeout=TIMEOUT,
    )
    return done.stdout

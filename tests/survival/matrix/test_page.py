"""docs/reliability.md says what the matrix says, and what it names is there."""

from pathlib import Path
import subprocess
import sys

import pytest

from scripts import reliability_page

from .cells import Restart, cells
from .hard_cases import HARD_CASES
from .page import ANY_PHASE, WHAT, text
from .rows import ROWS

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reliability.md"
REASON, ENDS = 1, slice(2, 2 + len(Restart))


def test_the_page_is_current() -> None:
    run = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, ROOT / "scripts" / "reliability_page.py", "--check"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("there", [False, True], ids=["missing", "outdated"])
def test_a_page_that_is_not_current_is_told_and_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, there: bool
) -> None:
    page = tmp_path / "reliability.md"
    if there:
        page.write_text("# What happens\n", encoding="utf-8")
    assert reliability_page.main(["--check"], page) == 1
    assert "run scripts/reliability_page.py" in capsys.readouterr().err
    assert reliability_page.main([], page) == 0
    assert page.read_bytes() == PAGE.read_bytes()


def test_the_page_has_every_cell() -> None:
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    shown = {
        (what, phase, restart, end)
        for line in lines
        if len(line) >= ENDS.stop
        for what in line[0].split("<br>")
        for phase in line[1].split(", ")
        for restart, end in zip(Restart, line[ENDS], strict=True)
    }
    for cell in cells(ROWS):
        of_phase, of_any = ((WHAT[cell.fault], phase, cell.restart, text(cell)) for phase in (cell.phase, ANY_PHASE))
        assert of_phase in shown or of_any in shown, str(cell)


@pytest.mark.parametrize("test", [test for case in HARD_CASES for test in case.tests])
def test_the_tests_of_the_hard_cases_are_there(test: str) -> None:
    path, name = test.split("::")
    function, _, part = name.rstrip("]").partition("[")
    source = (ROOT / "tests" / path).read_text(encoding="utf-8")
    assert f"def {function}(" in source
    assert part in source

"""The diagram in docs/ says what the table says."""

from pathlib import Path
import subprocess
import sys

import pytest

from custom_components.emu_ota.protocol.upgrade import Phase
from custom_components.emu_ota.protocol.upgrade_machine import TRANSITIONS

ROOT = Path(__file__).parents[2]
GENERATOR = Path("scripts") / "upgrade_diagram.py"
PAGE = Path("docs") / "upgrade-machine.md"


def _check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own script
        [sys.executable, root / GENERATOR, "--check"], capture_output=True, check=False, text=True
    )


def test_the_page_is_current() -> None:
    run = _check(ROOT)

    assert run.returncode == 0, run.stderr


def test_the_page_has_every_transition() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")

    for (phase, signal), (target, effects) in TRANSITIONS.items():
        done = f" / {', '.join(effects)}" if effects else ""
        assert f"\n    {phase} --> {target} : {signal}{done}\n" in text
    assert text.count(" --> ") == len(TRANSITIONS) + 2
    assert f"    [*] --> {Phase.QUEUED}\n" in text
    assert f"    {Phase.ENDED} --> [*]\n" in text


@pytest.mark.parametrize("there", [False, True], ids=["missing", "outdated"])
def test_a_page_that_is_not_current_is_told_and_written_anew(*, tmp_path: Path, there: bool) -> None:
    package = Path("custom_components") / "emu_ota" / "protocol"
    for path in (GENERATOR, *(module.relative_to(ROOT) for module in (ROOT / package).glob("*.py"))):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())
    (tmp_path / PAGE).parent.mkdir()
    if there:
        (tmp_path / PAGE).write_text("# The upgrade machine\n", encoding="utf-8")

    run = _check(tmp_path)
    assert (run.returncode, run.stdout) == (1, "")
    assert "run scripts/upgrade_diagram.py" in run.stderr

    subprocess.run([sys.executable, tmp_path / GENERATOR], check=True)  # noqa: S603 - our own script
    assert (tmp_path / PAGE).read_bytes() == (ROOT / PAGE).read_bytes()

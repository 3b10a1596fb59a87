"""What is counted in place of timed: by the tests that guard it, under a clock of their own."""

from pathlib import Path
import subprocess
import sys
import tempfile
from typing import Final
from xml.etree import ElementTree as ET

TESTS: Final = ("tests/site/test_cost.py", "tests/site/test_recorder_rows.py")
COUNTING: Final = "idle_hour or whole_upgrade"


def counts() -> dict[str, float]:
    """Return the counts by name. Raises CalledProcessError where a test fails."""
    with tempfile.TemporaryDirectory(prefix="emu-ota-benchmark-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", *TESTS, "-k", COUNTING, f"--junitxml={report}"]
        subprocess.run(command, stdout=sys.stderr, check=True, timeout=600)  # noqa: S603 - our own program
        properties = ET.parse(report).iter("property")  # noqa: S314 - pytest has just written it
        return {each.attrib["name"]: float(each.attrib["value"]) for each in properties}

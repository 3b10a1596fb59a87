"""A million messages of a hostile broker, with a fixed seed: `.venv/bin/python -m benchmarks.hostile`.

It is the test of tests/survival/test_hostile_broker.py with more of them: see there, and in hostile_site.py beside it,
what is delivered and what must hold. Any broken promise ends it.
"""

import argparse
import os
from pathlib import Path
import sys
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
TEST: Final = "tests/survival/test_hostile_broker.py::test_a_great_many_hostile_messages"

if __name__ == "__main__":
    command_line = argparse.ArgumentParser(description="A hostile broker with a fixed seed.")
    command_line.add_argument("--messages", type=int, default=1_000_000, help="to deliver (%(default)s)")
    os.environ["EMU_OTA_HOSTILE_MESSAGES"] = str(command_line.parse_args().messages)
    os.chdir(ROOT)
    sys.exit(pytest.main(["-q", "--durations=1", "--show-capture=no", "--log-cli-level=INFO", TEST]))

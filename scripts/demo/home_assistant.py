"""A Home Assistant that starts in seconds, asks nothing, and listens on the loopback interface only."""

import json
import os
from pathlib import Path
import sys
from typing import Final

from .processes import Program

ROOT: Final = Path(__file__).parents[2]

RESTART: Final = 100
"""The exit code with which Home Assistant asks to be started again (homeassistant.const.RESTART_EXIT_CODE)."""

CONFIGURATION: Final = """\
homeassistant:
  auth_mfa_modules: []

automation: []
frontend:
history:
logbook:

logger:
  default: warning
  logs:
    custom_components.emu_ota: debug
    # Neither is needed to look at firmware.
    haffmpeg: critical
    homeassistant.components.camera.img_util: critical
"""

ONBOARDING_DONE: Final = ["core_config", "analytics", "integration"]
"""All but the user: Home Assistant would set up integrations that want the internet in those steps."""


def seed(config: Path, port: int) -> None:
    """Make the configuration folder, or bring the one that is there to this port."""
    storage = config / ".storage"
    storage.mkdir(parents=True, exist_ok=True)
    configuration = config / "configuration.yaml"
    if not configuration.exists():
        configuration.write_text(CONFIGURATION, encoding="utf-8")
        _store(storage, "onboarding", 4, {"done": ONBOARDING_DONE})
    # Version 1 on purpose: what Home Assistant migrates it takes as confirmed, what it finds it puts on trial.
    _store(storage, "http", 1, {"server_host": ["127.0.0.1"], "server_port": port})
    integration = config / "custom_components" / "emu_ota"
    integration.parent.mkdir(exist_ok=True)
    if not integration.exists():
        integration.unlink(missing_ok=True)
        integration.symlink_to(ROOT / "custom_components" / "emu_ota", target_is_directory=True)


def _store(storage: Path, key: str, version: int, data: dict[str, object]) -> None:
    content = {"version": version, "minor_version": 1, "key": key, "data": data}
    (storage / key).write_text(json.dumps(content), encoding="utf-8")


def program(config: Path, python: str = sys.executable) -> Program:
    """Return Home Assistant on this configuration folder, not yet started; `python` is one that has it installed."""
    command = [python, "-m", "homeassistant", "--config", str(config), "--log-no-color"]
    # Their pinned versions have no wheel for this Python; scripts/setup installed later ones.
    command += ["--skip-pip-packages", "pymicro-vad,pyspeex-noise"]
    # Without bytecode every start compiles Home Assistant anew: 8 s instead of 2 s.
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}
    # Not in the checkout: its own custom_components would come before the configuration's.
    return Program("Home Assistant", command, folder=config, log=config.parent / "home-assistant.log", env=env)

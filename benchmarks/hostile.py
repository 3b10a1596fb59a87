"""A hostile broker with a fixed seed: `.venv/bin/python -m benchmarks.hostile`.

The integration is real, on a Home Assistant and a broker of the tests; see tests/survival/hostile_site.py for what is
delivered and what must hold. Any broken promise ends it.
"""

import argparse
import asyncio
import logging
from pathlib import Path
import sys
import tempfile
import time
from typing import Final, cast

from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from pytest_homeassistant_custom_component.common import async_test_home_assistant

from custom_components.emu_ota import connection
from simulator.memory import MemoryBroker, MemoryTransport
from tests.site.on_disk import WorldOnDisk
from tests.site.world import async_make_world
from tests.survival.hostile_site import HostileSite, end_in_peace, hostile_ems

SEED: Final = 20261126


async def main(folder: Path, messages: int, freezer: FrozenDateTimeFactory) -> None:
    """Attack, and print what came of it. Raises AssertionError."""
    broker = MemoryBroker()
    connection.TRANSPORTS["memory"] = lambda _hass, _data: MemoryTransport(broker)
    async with async_test_home_assistant(config_dir=str(folder)) as hass:
        hass.data.pop(DATA_CUSTOM_COMPONENTS)
        world = await async_make_world(hass, freezer, broker, [hostile_ems()], kind=WorldOnDisk)
        site = HostileSite(world, SEED)
        await site.attack(messages)
        print("\n".join(site.verdict()), flush=True)
        await end_in_peace(site)
        await world.site.stop()
        await hass.async_stop(force=True)


if __name__ == "__main__":
    command_line = argparse.ArgumentParser(description="A hostile broker with a fixed seed.")
    command_line.add_argument("--messages", type=int, default=1_000_000, help="to deliver (%(default)s)")
    options = command_line.parse_args()
    logging.basicConfig(level=logging.WARNING)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="emu-ota-benchmark-") as temporary, freeze_time() as frozen:
        try:
            asyncio.run(main(Path(temporary), options.messages, cast("FrozenDateTimeFactory", frozen)))
        except AssertionError as error:
            sys.exit(f"Broken: {error}")
    print(f"{time.perf_counter() - started:.0f} s")

"""What a fleet costs over time: `python -m benchmarks.fleet.lasting --help`; prints JSON.

1,000 EMUs on 100 EMSs that answer whatever they are asked, at rest and while four of them upgrade, in real time.
"""

import argparse
import asyncio
import json
import logging
from pathlib import Path
import sys
import tempfile
import time
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.runner import create_event_loop

from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport
from simulator.downloads import MemoryDownloads
from simulator.ems import EmsSettings, SimulatedEms
from simulator.emu import SimulatedEmu
from simulator.package import build_package
from simulator.site import LiveSite
from simulator.wire import Revision
from tests.mosquitto import HOST

from .home_assistant import add_mqtt, running
from .shape import NEW, Shape
from .subjects import LINK, Subject, async_set_up

FLEET: Final = Shape(1000, 100)
UPGRADING: Final = 4
SECONDS: Final = 60.0
ASKS_PER_MINUTE: Final = 7
"""100 EMSs each 15 minutes; in a minute of benchmark they are asked by their buttons, which costs a little more."""
BUTTON: Final = "button.{}_refresh"
STATE_TIMEOUT: Final = 120


async def simulate(port: int) -> None:
    """Be the EMSs, until this process is ended."""
    settings = EmsSettings(revision=Revision.D)
    systems = [
        SimulatedEms(FLEET.address(uid), [SimulatedEmu(number, success=511) for number in FLEET.device_ids], settings)
        for uid in FLEET.uids
    ]
    transport = BrokerTransport(BrokerSettings(host=HOST, port=port, client_id="fleet"), keep_session=False)
    site = LiveSite(transport, systems, MemoryDownloads({LINK: build_package(NEW)}))
    await site.start()
    print("ready", flush=True)
    await site.wait()


async def share(hass: HomeAssistant, *, asks: int = 0) -> float:
    """Return the share of one core that the event loop's thread takes; meanwhile so many EMSs are asked."""
    before, started = time.thread_time(), time.monotonic()
    for uid in FLEET.uids[:asks]:
        entity_id = BUTTON.format(uid.lower())
        await hass.services.async_call("button", "press", {"entity_id": entity_id}, blocking=True)
        await asyncio.sleep(SECONDS / asks)
    await asyncio.sleep(max(0.0, started + SECONDS - time.monotonic()))
    return (time.thread_time() - before) / (time.monotonic() - started)


async def until_many(hass: HomeAssistant, ending: str, state: str, number: int) -> None:
    """Wait until so many entities whose ids end so are in a state. Raises TimeoutError."""
    for _ in range(STATE_TIMEOUT):
        if sum(each.state == state for each in hass.states.async_all() if each.entity_id.endswith(ending)) >= number:
            return
        await asyncio.sleep(1)
    raise TimeoutError(f"{ending} are not {state}")


async def measure(port: int) -> dict[str, float]:
    """Return the shares."""
    simulator = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.fleet.lasting", str(port), "--simulate", stdout=asyncio.subprocess.PIPE
    )
    try:
        if simulator.stdout is None or not await simulator.stdout.readline():
            raise RuntimeError("the EMSs do not start")
        with tempfile.TemporaryDirectory(prefix="emu-ota-benchmark-") as folder:
            async with running(Path(folder), {}) as hass:
                await add_mqtt(hass, port)
                await async_set_up(hass, Subject.OURS, FLEET, port)
                await until_many(hass, "_status", "running", FLEET.emus)
                await asyncio.sleep(20)  # Home Assistant writes its registries after 10 s
                idle = await share(hass, asks=ASKS_PER_MINUTE)
                updates = [f"update.{uid.lower()}_emu_1_firmware" for uid in FLEET.uids[:UPGRADING]]
                install = hass.services.async_call("update", "install", {"entity_id": updates}, blocking=True)
                hass.async_create_background_task(install, "benchmark install")
                await until_many(hass, "_upgrade_stage", "transferring", UPGRADING)
                return {"idle": idle, "upgrading": await share(hass)}
    finally:
        simulator.terminate()
        await simulator.wait()


if __name__ == "__main__":
    command_line = argparse.ArgumentParser(description="Measures what a fleet costs over time.")
    command_line.add_argument("port", type=int, help="of the broker")
    command_line.add_argument("--simulate", action="store_true", help="be the EMSs in place of measuring")
    options = command_line.parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    if options.simulate:
        asyncio.run(simulate(options.port))
    else:
        with asyncio.Runner(loop_factory=create_event_loop) as runner:
            print(json.dumps(runner.run(measure(options.port))))

"""A blueprint of ours, imported and filled in by a person, on a simulated site."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
import shutil

from homeassistant.core import ServiceCall
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_mock_service

from simulator.ems import SimulatedEms
from simulator.emu import SimulatedEmu

from .world import World, simulated_ems

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"

NIGHTLY = "emu_ota/nightly_upgrade_window.yaml"
STAGED = "emu_ota/staged_upgrade.yaml"

FAILED = ("name", "version", "outcome", "reason", "upgraded")
"""What the actions after a failure can use."""


def three_emus() -> list[SimulatedEms]:
    """Return a site with the EMUs 2, 3 and 5, all online."""
    return [simulated_ems(emus=[SimulatedEmu(2), SimulatedEmu(3), SimulatedEmu(5)])]


def firmware(world: World, *device_ids: int) -> list[str]:
    """Return the update entities of EMUs."""
    return [world.entity_id("update", "firmware", device_id) for device_id in device_ids]


def local_time(minutes: float) -> str:
    """Return the time of day so many minutes from now, by the clock of the site."""
    return f"{dt_util.now() + timedelta(minutes=minutes):%H:%M:%S}"


@dataclass
class BlueprintRun:
    """The automation or script made of a blueprint, and what it told."""

    world: World
    entity_id: str
    finished: list[ServiceCall]
    failed: list[ServiceCall]

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        state = self.world.hass.states.get(self.entity_id)
        assert state is not None
        return bool(state.attributes["current"])

    @property
    def finishes(self) -> list[list[str]]:
        """The names that each notification at the end named."""
        return [call.data["upgraded"] for call in self.finished]

    @property
    def failures(self) -> list[tuple[object, ...]]:
        """What each notification of a failure told, in the order of FAILED."""
        return [tuple(call.data[key] for key in FAILED) for call in self.failed]

    async def ended(self, seconds: float = 6 * 3600, step: float = 10) -> None:
        """Let time go by until it is over."""
        await self.world.until(lambda: not self.running, seconds, step)


async def use_blueprint(world: World, domain: str, path: str, inputs: Mapping[str, object]) -> BlueprintRun:
    """Import a blueprint and make an automation or a script of it, that tells when it has finished or failed."""
    hass = world.hass
    target = Path(hass.config.path("blueprints", domain, path))
    target.parent.mkdir(parents=True)
    shutil.copy(BLUEPRINTS / domain / path, target)
    run = BlueprintRun(
        world,
        f"{domain}.upgrade_them",
        async_mock_service(hass, "test", "finished"),
        async_mock_service(hass, "test", "failed"),
    )
    given = {
        "on_finished": [{"action": "test.finished", "data": {"upgraded": "{{ upgraded }}"}}],
        "on_failure": [{"action": "test.failed", "data": {key: f"{{{{ {key} }}}}" for key in FAILED}}],
        **inputs,
    }
    used = {"alias": "Upgrade them", "use_blueprint": {"path": path, "input": given}}
    config = {domain: [used] if domain == "automation" else {"upgrade_them": used}}
    assert await async_setup_component(hass, domain, config)
    await hass.async_block_till_done()
    assert not run.running
    return run


async def reload(world: World) -> None:
    """Reload the entry, without waiting for what waits for an upgrade."""
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.settle()

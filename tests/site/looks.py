"""Where tests look to see what Home Assistant shows of a site."""

import logging

from homeassistant.helpers import device_registry as dr
import pytest

from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.coordinator import EmsCoordinator
from custom_components.emu_ota.runtime import emu_identifier

from .world import UID, World


def device(world: World, device_id: int | None = 2, uid: str = UID) -> dr.DeviceEntry:
    """Return the device of an EMU, or of the EMS."""
    found = find_device(world, device_id, uid)
    assert found is not None
    return found


def find_device(world: World, device_id: int | None = 2, uid: str = UID) -> dr.DeviceEntry | None:
    """Return a device, or None where there is none."""
    identifier = (DOMAIN, uid) if device_id is None else emu_identifier(uid, device_id)
    return dr.async_get(world.hass).async_get_device_by_identifier(identifier, world.entry.entry_id)


def shown(world: World, key: str, device_id: int = 2, uid: str = UID) -> str:
    """Return the state of an EMU's sensor."""
    return world.state("sensor", key, device_id, uid).state


def connection(world: World, uid: str = UID) -> str:
    """Return whether an EMS is connected: on or off."""
    return world.state("binary_sensor", "connection", None, uid).state


def dropped(world: World, uid: str = UID) -> int:
    """Return how many messages and reports of an EMS were not used."""
    coordinator: EmsCoordinator = world.entry.runtime_data.systems[uid].coordinator
    return coordinator.reports.dropped.total()


async def fall_silent(world: World, uid: str = UID) -> None:
    """Let time go by until the EMS of the test has left two questions unanswered."""
    await world.until(lambda: connection(world, uid) == "off", 2000, 5)


def told(caplog: pytest.LogCaptureFixture, part: str) -> list[str]:
    """Return the lines that the integration has logged at INFO or above and that contain a text."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("custom_components.emu_ota")
        and record.levelno >= logging.INFO
        and part in record.getMessage()
    ]

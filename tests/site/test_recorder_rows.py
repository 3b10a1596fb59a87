"""What an upgrade leaves in the database of Home Assistant's recorder."""

from collections.abc import Callable
import time

from homeassistant.components.recorder.db_schema import States
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance, session_scope
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import async_wait_recording_done
from pytest_homeassistant_custom_component.typing import RecorderInstanceContextManager

from .by_hand import HandEms, report
from .world import NEW


@pytest.fixture
def mock_recorder_before_hass(async_test_recorder: RecorderInstanceContextManager) -> None:
    """Have a recorder from the beginning."""


async def rows(hass: HomeAssistant) -> int:
    """Return how many states the recorder's database holds."""

    def count() -> int:
        with session_scope(hass=hass, read_only=True) as session:
            return session.query(States).count()

    await async_wait_recording_done(hass)
    return await get_instance(hass).async_add_executor_job(count)


async def test_the_rows_of_one_whole_upgrade(
    recorder_mock: object, hand: HandEms, record_property: Callable[[str, object], None]
) -> None:
    """Seven components with a hundred steps each: at most 60 rows, and 6 per minute."""
    world, asked = hand.world, 0

    async def tell(stage: int, content: int, component: int, seconds: float = 1) -> None:
        """Report the EMU, and answer what was asked in the meantime."""
        nonlocal asked
        await world.tick(seconds)
        told = report(success=512, device=component, stage=stage, content=content)
        await hand.progress(told)
        if (asks := world.asks()) > asked:
            asked = asks
            await hand.versions(told, reply=hand.last_mid())

    await hand.versions(report(), reply=hand.last_mid())
    before, started = await rows(world.hass), time.time()
    await world.install()
    for component in (3, 21, 22, 23, 24, 25, 26):
        for stage in (1, 2):
            await tell(stage, 0, component, 2)
        for percent in range(101):
            await tell(3, percent, component)
        for stage in (4, 5):
            await tell(stage, 100, component, 2)
    await hand.versions(report(success=511, version=NEW))
    await world.tick(1)
    assert world.last_upgrade() == ("succeeded", None)
    added, minutes = await rows(world.hass) - before, (time.time() - started) / 60
    record_property("rows", added)
    record_property("minutes", round(minutes, 1))
    assert 7 * 5 <= added <= 60 + 6 * minutes

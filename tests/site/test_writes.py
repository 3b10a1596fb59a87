"""Which states are written, and how often: each is a row in the recorder."""

import pytest

from custom_components.emu_ota.emu_reports import EMUS_PER_SLICE, NEW_EMUS_PER_SLICE

from .by_hand import HandEms, Writes, report
from .looks import fall_silent, shown
from .world import NEW, World

FOLLOWING = ("status", "upgrade_stage", "upgrade_component", "reported_result")
"""The sensors of an EMU that are there only while its EMS answers."""


def ids(world: World, device_id: int, *keys: str) -> list[str]:
    """Return the ids of some sensors of an EMU, sorted."""
    return sorted(world.entity_id("sensor", key, device_id) for key in keys)


async def test_a_list_that_says_nothing_new_writes_nothing(hand: HandEms) -> None:
    await hand.versions(report(), report(3))
    writes = Writes(hand.world)
    for _ in range(5):
        await hand.versions(report(), report(3))
        await hand.progress(report(3))
    assert writes.take() == []


@pytest.mark.usefixtures("every_entity_enabled")
async def test_an_answer_that_says_nothing_new_changes_only_when_the_ems_last_answered(world: World) -> None:
    writes = Writes(world)
    await world.hass.services.async_call(
        "button", "press", {"entity_id": world.entity_id("button", "refresh", None)}, blocking=True
    )
    await world.pass_time(2)
    written = set(writes.take()) - {world.entity_id("button", "refresh", None)}
    assert world.entity_id("sensor", "last_answer", None) in written
    assert written <= {world.entity_id("sensor", key, None) for key in ("last_answer", "response_time")}


async def test_a_list_writes_exactly_the_entities_that_changed(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report(), report(3), report(4))
    writes = Writes(world)
    await hand.versions(report(), report(3, status=3), report(4))
    assert writes.take() == ids(world, 3, "status")
    await hand.versions(report(), report(3, version=NEW), report(4, success=0))
    assert writes.take() == sorted(
        [
            world.entity_id("event", "upgrade", 3),  # nobody here has changed that version
            world.entity_id("update", "firmware", 3),
            *ids(world, 3, "status"),
            *ids(world, 4, "reported_result"),
        ]
    )
    await hand.progress(report(4, success=0, stage=4))
    assert writes.take() == sorted(
        [
            world.entity_id("event", "upgrade", 4),  # nobody here has ordered that
            world.entity_id("update", "firmware", 4),
            *ids(world, 4, "upgrade_stage", "upgrade_component", "reported_result"),
        ]
    )


async def test_nothing_is_written_while_nothing_happens(world: World) -> None:
    writes = Writes(world)
    await world.pass_time(3600, 10)
    assert writes.take() == []


@pytest.mark.parametrize("emus", [2, EMUS_PER_SLICE + NEW_EMUS_PER_SLICE])
async def test_the_first_answer_writes_each_entity_once(hand: HandEms, emus: int) -> None:
    world, writes = hand.world, Writes(hand.world)
    await hand.versions(*(report(number) for number in range(1, emus + 1)))
    assert writes.take() == sorted(
        [
            world.entity_id("binary_sensor", "connection", None),
            world.entity_id("button", "refresh", None),
            *(
                entity_id
                for number in range(1, emus + 1)
                for entity_id in (
                    world.entity_id("update", "firmware", number),
                    world.entity_id("event", "upgrade", number),
                    *ids(world, number, *FOLLOWING, "last_upgrade"),
                )
            ),
        ]
    )
    assert {shown(world, "status", number) for number in range(1, emus + 1)} == {"running"}


@pytest.mark.parametrize("emus", [2, EMUS_PER_SLICE + 1])
async def test_an_answer_that_ends_a_silence_writes_each_entity_that_follows_once(hand: HandEms, emus: int) -> None:
    world = hand.world
    await hand.versions(*(report(number) for number in range(1, emus + 1)))
    await fall_silent(world)
    writes = Writes(world)
    await hand.versions(report(1, status=3), *(report(number) for number in range(2, emus + 1)))
    assert writes.take() == sorted(
        [
            world.entity_id("binary_sensor", "connection", None),
            world.entity_id("button", "refresh", None),
            *(entity_id for number in range(1, emus + 1) for entity_id in ids(world, number, *FOLLOWING)),
        ]
    )
    assert (shown(world, "status", 1), shown(world, "status", emus)) == ("fault", "running")


@pytest.mark.usefixtures("every_entity_enabled")
async def test_progress_is_written_at_most_every_ten_seconds(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report(stage=3, content=0))
    entity_ids = [world.entity_id("update", "firmware"), world.entity_id("sensor", "upgrade_progress")]
    writes = Writes(world)
    for percent in range(1, 51):  # from 55 s on, an EMS that answers nothing may count as silent
        await world.tick(1)
        await hand.progress(report(stage=3, content=percent))
    written = writes.take()
    assert set(written) == set(entity_ids)
    for entity_id in entity_ids:
        assert 4 <= written.count(entity_id) <= 5


@pytest.mark.usefixtures("every_entity_enabled")
async def test_a_new_stage_is_written_at_once(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report(stage=3, content=0))
    await world.tick(1)
    await hand.progress(report(stage=3, content=7))
    await hand.progress(report(stage=4, content=100))
    assert shown(world, "upgrade_stage") == "verifying"
    assert shown(world, "upgrade_progress") == "unknown"
    assert world.update().attributes["update_percentage"] is None


@pytest.mark.usefixtures("every_entity_enabled")
async def test_progress_that_stops_is_shown_where_it_stopped(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report(stage=3, content=0))
    await hand.progress(report(stage=3, content=60))
    await world.tick(1)
    await hand.progress(report(stage=3, content=100))
    await world.pass_time(10)
    assert shown(world, "upgrade_progress") == "100"
    assert world.update().attributes["update_percentage"] == 100


async def test_progress_that_waits_to_be_shown_leaves_nothing_behind(hand: HandEms) -> None:
    await hand.versions(report(stage=3, content=0))
    await hand.progress(report(stage=3, content=60))
    assert await hand.world.hass.config_entries.async_unload(hand.world.entry.entry_id)


async def test_falling_silent_writes_each_entity_that_follows_once(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report())
    writes = Writes(world)
    await fall_silent(world)
    assert writes.take() == sorted(
        [
            world.entity_id("binary_sensor", "connection", None),
            world.entity_id("button", "refresh", None),
            *ids(world, 2, *FOLLOWING),
        ]
    )

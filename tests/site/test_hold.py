"""What keeps the queue of an EMS after an outcome that the EMS may not know of: it may still be at work."""

import time

import pytest

from simulator.faults import Fault

from .world import UID, World, ems_subentry


async def lost(world: World) -> None:
    """Lose an upgrade of EMU 2 to an EMS that is silent for half an hour, and at work on it all the same after that."""
    world.ems.faults.on(Fault.EMS_RESTART, 2, times=1, seconds=1800)
    assert await world.ended(await world.install(2)) is not None
    assert world.last_upgrade() == ("lost", "did_not_return")


async def test_after_an_outcome_by_deadline_the_queue_holds_until_nothing_has_moved_for_ten_minutes(
    world: World,
) -> None:
    await lost(world)
    install = await world.install(3)
    await world.until(lambda: world.ems.emu(2).restarting, step=5)
    assert world.ordered() == [2]
    restarting_at = time.time()
    await world.until(lambda: len(world.orders()) == 2, step=5)
    assert time.time() - restarting_at > 500
    assert await world.ended(install) is None
    assert world.last_upgrade(2) == ("succeeded", None)


@pytest.mark.parametrize("reloads", [1, 2])
async def test_a_restart_of_ours_does_not_end_the_hold(world: World, reloads: int) -> None:
    await lost(world)
    await world.until(lambda: world.ems.emu(2).restarting, step=5)
    restarting_at = time.time()
    for _ in range(reloads):
        await world.reload()
    install = await world.install(3)
    await world.until(lambda: len(world.orders()) == 2, step=5)
    assert time.time() - restarting_at > 500
    assert await world.ended(install) is None


async def test_a_hold_that_has_ended_does_not_come_back_with_a_restart(world: World) -> None:
    await lost(world)
    await world.pass_time(3600, 30)
    await world.reload()
    await world.pass_time(5)
    install = await world.install(3)
    await world.until(lambda: len(world.orders()) == 2, 10)
    assert await world.ended(install) is None


async def test_what_an_ems_is_still_at_work_on_is_not_ordered_again(world: World) -> None:
    await lost(world)
    await world.until(lambda: not world.update().attributes["in_progress"], step=10)
    error = await world.ended(await world.install(2))
    assert error is not None
    assert error.translation_key == "upgrade_already_installed"
    assert world.ordered() == [2]


async def test_a_stalled_upgrade_holds_the_queue_no_longer_than_it_takes_to_see_that_nothing_moves(
    world: World,
) -> None:
    world.ems.faults.on(Fault.STALL, 2)
    first, second = await world.install(2), await world.install(3)
    assert await world.ended(first) is not None
    assert world.last_upgrade() == ("failed", "stalled")
    await world.until(lambda: len(world.orders()) == 2, 120, step=5)
    assert await world.ended(second) is None


async def test_the_ems_s_own_word_holds_nothing(world: World) -> None:
    world.ems.faults.on(Fault.DOWNLOAD_FAILED, 2)
    first, second = await world.install(2), await world.install(3)
    assert await world.ended(first) is not None
    await world.until(lambda: len(world.orders()) == 2, 10, step=1)
    assert await world.ended(second) is None


async def test_a_hold_of_an_ems_that_never_answers_again_does_not_keep_the_queue_for_ever(world: World) -> None:
    first, second = await world.install(2), await world.install(3)
    await world.until(lambda: len(world.orders()) == 1)
    world.ems.faults.on(Fault.NO_ANSWER)
    assert await world.ended(first) is not None
    assert world.last_upgrade() == ("lost", "did_not_return")
    assert await world.ended(second, seconds=3 * 3600, step=30) is not None
    assert world.last_upgrade(3) == ("failed", "ems_unreachable")
    assert world.ordered() == [2]


async def test_an_ems_that_is_taken_out_and_brought_back_is_still_at_work(world: World) -> None:
    await world.install(2)
    await world.until(lambda: world.stage() == "transferring")
    await world.remove(UID)
    await world.pass_time(10)
    await world.add(ems_subentry())
    await world.pass_time(10)
    install = await world.install(3)
    await world.until(lambda: world.ems.emu(2).restarting, step=5)
    restarting_at = time.time()
    await world.until(lambda: len(world.orders()) == 2, step=5)
    assert time.time() - restarting_at > 500
    assert await world.ended(install) is None


async def test_what_was_only_queued_holds_nothing_when_its_ems_is_brought_back(world: World) -> None:
    world.ems.emu(2).online = False
    await world.install(2)
    await world.remove(UID)
    await world.add(ems_subentry())
    await world.pass_time(10)
    install = await world.install(3)
    await world.until(lambda: len(world.orders()) == 1, 10)
    assert await world.ended(install) is None

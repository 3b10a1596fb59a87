"""When an EMS is asked, and what counts as its answer."""

from itertools import pairwise
import logging

import pytest

from custom_components.emu_ota.protocol.topics import Exchange
from custom_components.emu_ota.transport import Received
from simulator.faults import Fault
from simulator.memory import MemoryBroker

from .by_hand import HandEms, ask_times, message, report
from .conftest import MakeWorld
from .looks import connection, dropped, fall_silent, shown, told
from .world import NEW, OLD, PREFIX, UID, World, ems_subentry, firmware_subentry, simulated_ems

INTERVAL = 15 * 60


# When it is asked


async def test_an_ems_is_asked_once_at_first(world: World) -> None:
    assert world.asks() == 1


async def test_at_rest_an_ems_is_asked_every_quarter_of_an_hour(world: World) -> None:
    times = await ask_times(world, 4 * INTERVAL, 5)
    assert INTERVAL / 2 - 5 <= times[0] <= INTERVAL
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses
    assert all(abs(pause - INTERVAL) <= 10 for pause in pauses)


async def test_many_emss_are_asked_at_many_times(make_world: MakeWorld) -> None:
    uids = [f"ems{number}" for number in range(8)]
    world = await make_world([simulated_ems(uid) for uid in uids])
    first = {uid: world.asks(uid) for uid in uids}
    assert first == dict.fromkeys(uids, 1)
    starts = await _first_asks(world, uids)
    assert len(set(starts)) > 1
    world.broker.connected = False
    await world.tick(1)
    world.broker.connected = True
    await world.pass_time(5)
    assert len(set(await _first_asks(world, uids))) > 1


async def _first_asks(world: World, uids: list[str]) -> list[float]:
    """Return when each EMS is asked next."""
    before = {uid: world.asks(uid) for uid in uids}
    times: dict[str, float] = {}
    for passed in range(0, INTERVAL + 20, 10):
        await world.tick(10)
        for uid in uids:
            if world.asks(uid) > before[uid]:
                times.setdefault(uid, passed)
    assert len(times) == len(uids)
    return list(times.values())


async def test_an_ask_without_an_answer_is_repeated_after_a_minute_and_two_make_it_silent(world: World) -> None:
    world.ems.faults.on(Fault.NO_ANSWER)
    start = world.asks()
    await world.until(lambda: world.asks() == start + 1, INTERVAL + 10, 5)
    await world.pass_time(30, 5)
    assert connection(world) == "on"
    times = await ask_times(world, 240)
    assert [later - earlier for earlier, later in pairwise(times)] == [60, 60, 60]
    assert 25 <= times[0] <= 35
    assert connection(world) == "off"


async def test_one_lost_answer_is_no_silence(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.ems.faults.on(Fault.NO_ANSWER, times=1)
    start = world.asks()
    await world.until(lambda: world.asks() == start + 2, INTERVAL + 100, 5)
    await world.pass_time(20)
    assert connection(world) == "on"
    assert not told(caplog, "stopped answering")
    assert await ask_times(world, 300, 5) == []


async def test_falling_silent_and_coming_back_is_one_line_each(world: World, caplog: pytest.LogCaptureFixture) -> None:
    assert not told(caplog, UID)
    world.ems.faults.on(Fault.NO_ANSWER)
    await world.until(lambda: connection(world) == "off", 2 * INTERVAL, 5)
    await world.pass_time(600, 5)
    assert told(caplog, UID) == [f"EMS {UID} has stopped answering"]
    assert all(
        record.levelno == logging.INFO
        for record in caplog.records
        if UID in record.getMessage() and record.levelno > logging.DEBUG
    )
    world.ems.faults.off(Fault.NO_ANSWER)
    await world.until(lambda: connection(world) == "on", 70)
    await world.pass_time(INTERVAL, 5)
    assert told(caplog, UID)[1:] == [f"EMS {UID} answers"]


async def test_a_running_upgrade_is_asked_about_often(world: World) -> None:
    install = await world.install()
    await world.until(lambda: world.stage() == "transferring")
    versions = await ask_times(world, 20)
    progress = await ask_times(world, 20, name="emu_upgrade_result")
    assert len(versions) <= 1
    assert len(progress) == 4
    await world.until(lambda: world.stage() == "restarting")
    assert 2 <= len(await ask_times(world, 30)) <= 3
    await world.until(install.done)
    await install


async def test_versions_are_asked_every_half_minute_while_upgrading(world: World) -> None:
    world.ems.faults.on(Fault.STALL)
    install = await world.install()
    await world.until(lambda: world.stage() == "transferring")
    await world.pass_time(60, 5)
    assert len(await ask_times(world, 300, 5)) == 10
    world.ems.faults.off(Fault.STALL)
    await world.until(install.done)
    await install
    assert await ask_times(world, 120, 5) == []


async def test_the_button_asks_at_once(world: World) -> None:
    before = world.asks()
    await world.hass.services.async_call(
        "button", "press", {"entity_id": world.entity_id("button", "refresh", None)}, blocking=True
    )
    assert world.asks() == before + 1


# What is an answer


async def test_only_the_answer_to_a_question_for_versions_connects(hand: HandEms) -> None:
    assert connection(hand.world) == "off"
    await hand.progress(report())
    assert connection(hand.world) == "off"
    await hand.versions(report())
    assert connection(hand.world) == "on"


async def test_questions_for_progress_that_nobody_answers_disconnect_nothing(hand: HandEms) -> None:
    await hand.versions(report())
    install = await hand.world.install()
    await hand.versions(report())
    for _ in range(12):
        await hand.world.pass_time(10, 5)
        await hand.versions(report(stage=3, content=50))
    assert connection(hand.world) == "on"
    install.cancel()


async def test_a_late_answer_still_counts(hand: HandEms) -> None:
    await hand.world.pass_time(30, 5)
    await hand.versions(report())
    assert connection(hand.world) == "on"
    assert hand.world.update().attributes["installed_version"] == OLD


async def test_a_late_answer_that_an_upgrade_waits_for_is_not_asked_for_again(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report())
    await fall_silent(world)
    await world.pass_time(15)
    install = await world.install()
    asked = hand.last_mid()
    await world.pass_time(15)
    before = world.asks()
    assert hand.last_mid() == asked
    await hand.versions(report(), reply=asked)
    assert (world.ordered(), world.asks()) == ([2], before)
    install.cancel()


async def test_an_answer_to_somebody_else_is_news_but_no_answer(hand: HandEms) -> None:
    await hand.versions(report(), reply="00000000-0000-4000-8000-000000000000")
    assert connection(hand.world) == "off"
    assert hand.world.update().attributes["installed_version"] == OLD
    await hand.versions(report(), reply=hand.last_mid())
    assert connection(hand.world) == "on"


async def test_a_silent_ems_that_answers_somebody_else_is_asked_at_once(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report())
    await world.until(lambda: connection(world) == "off", 2 * INTERVAL, 5)
    await world.pass_time(20)
    before = world.asks()
    await hand.versions(report(), reply="00000000-0000-4000-8000-000000000000")
    assert world.asks() == before + 1


async def test_reports_that_others_asked_for_are_heard(hand: HandEms) -> None:
    await hand.versions(report())
    await hand.versions(report(version=NEW), report(3))
    await hand.progress(report(4, version="emu-v0.9.0"))
    assert hand.world.update().attributes["installed_version"] == NEW
    assert hand.world.update(3).attributes["installed_version"] == OLD
    assert hand.world.update(4).attributes["installed_version"] == "emu-v0.9.0"


async def test_the_response_time_is_that_of_the_answered_ask(hand: HandEms) -> None:
    world = hand.world
    await world.pass_time(4)
    await hand.versions(report(), reply=hand.last_mid())
    coordinator = world.entry.runtime_data.systems[UID].coordinator
    assert coordinator.response_time is not None
    assert 4000 <= coordinator.response_time <= 5000


async def test_what_was_retained_fills_in_what_is_not_known_and_answers_nothing(
    broker: MemoryBroker, make_world: MakeWorld
) -> None:
    topic = f"{PREFIX}/{UID}/ota/emu_version/result"
    broker.retained[topic] = message(Exchange.VERSION, [report(version="emu-v0.5.0"), report(3, version=OLD)])
    world = await make_world([], [ems_subentry(), firmware_subentry()])
    assert connection(world) == "off"
    assert world.update().attributes["installed_version"] == "emu-v0.5.0"
    await HandEms(world).versions(report(version=OLD))
    assert connection(world) == "on"
    broker.connected = False
    await world.tick(1)
    broker.connected = True
    await world.settle()
    assert world.update().attributes["installed_version"] == OLD


@pytest.mark.usefixtures("every_entity_enabled")
async def test_what_was_retained_knows_nothing_of_a_transfer_that_goes_on_now(hand: HandEms) -> None:
    await hand.versions(report(stage=3, content=None))
    assert shown(hand.world, "upgrade_progress") == "unknown"
    payload = message(Exchange.PROGRESS, report(stage=3, content=100))
    hand.world.broker.transports[-1].deliver(Received(hand.topic(Exchange.PROGRESS), payload, retained=True))
    await hand.world.settle()
    assert shown(hand.world, "upgrade_progress") == "unknown"


async def test_what_was_retained_answers_nothing_even_while_an_answer_is_awaited(hand: HandEms) -> None:
    await hand.world.tick(1)
    topic = hand.topic(Exchange.VERSION)
    payload = message(Exchange.VERSION, [report()])
    hand.world.broker.transports[-1].deliver(Received(topic, payload, retained=True))
    await hand.world.settle()
    assert hand.world.update().attributes["installed_version"] == OLD
    assert connection(hand.world) == "off"
    await hand.versions(report())
    assert connection(hand.world) == "on"


async def test_a_retained_order_result_is_dropped(broker: MemoryBroker, make_world: MakeWorld) -> None:
    data = {"device_id": 2, "download_status": 2}
    broker.retained[f"{PREFIX}/{UID}/ota/emu_upgrade/result"] = message(Exchange.UPGRADE, data)
    world = await make_world([simulated_ems()])
    install = await world.install()
    broker.connected = False
    await world.tick(1)
    broker.connected = True
    await world.until(install.done)
    await install
    assert dropped(world) == 2


async def test_what_was_queued_at_the_broker_is_news_but_no_answer(hand: HandEms) -> None:
    """An answer to an ask of before comes with the connection, ahead of any answer to the ask of after."""
    world = hand.world
    await hand.versions(report())
    await world.until(lambda: connection(world) == "off", 2 * INTERVAL, 5)
    world.broker.connected = False
    await world.tick(5)
    world.broker.connected = True
    await hand.versions(report(version=NEW))
    assert world.update().attributes["installed_version"] == NEW
    assert connection(world) == "off"
    await world.tick(5)
    assert connection(world) == "off"
    await hand.versions(report(version=NEW))
    assert connection(world) == "on"


# The connection to the broker


async def test_a_lost_broker_shows_on_the_connection_and_heals(world: World) -> None:
    world.broker.connected = False
    await world.settle()
    assert connection(world) == "off"
    assert world.state("sensor", "status").state == "unavailable"
    asked = world.asks()
    await world.pass_time(2 * INTERVAL, 10)
    assert world.asks() == asked
    world.broker.connected = True
    await world.pass_time(5)
    assert connection(world) == "on"
    assert world.state("sensor", "status").state == "running"
    assert world.asks() == asked + 1
    times = await ask_times(world, 3 * INTERVAL, 5)
    assert 2 <= len(times) <= 3

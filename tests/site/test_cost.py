"""What a message and an idle hour cost, counted: what is parsed, who is called, what is written, sent and timed."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby

from homeassistant.core import Event, EventStateChangedData, HassJob, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.util.async_ import get_scheduled_timer_handles
import orjson
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.emu_ota.asking import ANSWER_TIMEOUT
from custom_components.emu_ota.coordinator import EmsCoordinator
from custom_components.emu_ota.ems_events import EmsEvent, EmuReported, ReportsEnded
from custom_components.emu_ota.emu_reports import EMUS_PER_SLICE, NEW_EMUS_PER_SLICE
from custom_components.emu_ota.protocol.topics import Exchange
from simulator.emu import SimulatedEmu

from .by_hand import HandEms, Writes, message, report
from .conftest import MakeWorld
from .looks import fall_silent, shown, told
from .world import NEW, OLD, UID, World, simulated_ems

MANY = 4 * EMUS_PER_SLICE


def coordinator(world: World) -> EmsCoordinator:
    """Return what hears the first EMS."""
    found: EmsCoordinator = world.entry.runtime_data.systems[UID].coordinator
    return found


def calls(world: World) -> Counter[int]:
    """Count, from now on, how often those who watch an EMU are called, by EMU."""
    counted: Counter[int] = Counter()
    for device_id in coordinator(world).emus:
        coordinator(world).watch_emu(device_id, partial(counted.update, (device_id,)))
    return counted


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return what is parsed as JSON from now on."""
    parsed: list[bytes] = []
    loads = orjson.loads

    def counted(payload: bytes) -> object:
        parsed.append(payload)
        return loads(payload)

    monkeypatch.setattr(orjson, "loads", counted)
    return parsed


def many(version: str = OLD) -> list[dict[str, object]]:
    """Return the reports of many EMUs."""
    return [report(number, version=version) for number in range(1, MANY + 1)]


async def test_a_list_that_says_nothing_new_is_parsed_once_and_told_to_nobody(
    hand: HandEms, parses: list[bytes]
) -> None:
    await hand.versions(*many())
    before = dict(coordinator(hand.world).emus)
    writes, called = Writes(hand.world), calls(hand.world)
    parses.clear()
    await hand.versions(*many())
    assert len(parses) == 1
    assert not called
    assert writes.take() == []
    assert all(coordinator(hand.world).emus[device_id] is known for device_id, known in before.items())


async def test_a_list_that_says_nothing_new_is_no_news_to_who_runs_the_upgrades(
    hand: HandEms, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hand.versions(*many())
    reports = coordinator(hand.world).reports
    heard: list[EmsEvent] = []
    handle = reports.handle_event

    def hear(event: EmsEvent) -> None:
        heard.append(event)
        handle(event)

    monkeypatch.setattr(reports, "handle_event", hear)
    await hand.versions(*many())
    assert heard == [ReportsEnded()]
    await hand.versions(*many()[:-1], report(MANY, status=3))
    assert [type(event) for event in heard[1:]] == [EmuReported, ReportsEnded]


async def test_a_list_in_which_one_emu_changed_is_told_to_its_watchers_once(hand: HandEms, parses: list[bytes]) -> None:
    await hand.versions(*many())
    writes, called = Writes(hand.world), calls(hand.world)
    parses.clear()
    await hand.versions(*many()[:-1], report(MANY, status=3))
    assert len(parses) == 1
    assert called == {MANY: 1}
    assert writes.take() == [hand.world.entity_id("sensor", "status", MANY)]


async def test_an_emu_in_which_everything_changed_writes_each_state_once(hand: HandEms) -> None:
    world = hand.world
    await hand.versions(report(success=511), report(3, success=511))
    writes = Writes(world)
    await hand.versions(
        report(status=3, success=512, device=21, stage=3, content=37, version=NEW), report(3, success=511)
    )
    sensors = ("status", "upgrade_stage", "upgrade_component", "reported_result")
    others = (world.entity_id("update", "firmware"), world.entity_id("event", "upgrade"))
    assert writes.take() == sorted([*others, *(world.entity_id("sensor", key) for key in sensors)])


async def test_an_emu_whose_news_no_entity_shows_calls_no_entity(hand: HandEms) -> None:
    await hand.versions(report(content=100), report(3, content=100))
    called: Counter[int] = Counter()
    for device_id, emu in hand.world.entry.runtime_data.systems[UID].emus.items():
        emu.watch(partial(called.update, (device_id,)))
    await hand.versions(report(content=0), report(3, content=0))  # of a transfer that is over
    assert coordinator(hand.world).emus[2].progress == 0
    assert not called
    await hand.versions(report(content=0), report(3, content=0, status=3))
    assert called == {3: 1}


async def test_what_a_list_leads_to_is_done_kind_by_kind(hand: HandEms) -> None:
    """Each kind of work has code and data of its own, and a processor has room for little at a time."""
    await hand.versions(*many())
    done: list[str] = []

    @callback
    def written(event: Event[EventStateChangedData]) -> None:
        done.append(event.data["entity_id"].partition(".")[0])

    @callback
    def kept(_: Event[dr.EventDeviceRegistryUpdatedData]) -> None:
        done.append("device")

    hand.world.hass.bus.async_listen("state_changed", written)
    hand.world.hass.bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, kept)
    await hand.versions(*many(version=NEW))
    assert Counter(done) == {"event": MANY, "update": MANY, "device": MANY}
    assert [kind for kind, _ in groupby(done)] == ["event", "device", "update"] * (MANY // EMUS_PER_SLICE)


async def test_a_report_that_says_nothing_new_is_told_to_nobody_also_by_itself(
    hand: HandEms, parses: list[bytes]
) -> None:
    await hand.versions(*many())
    writes, called = Writes(hand.world), calls(hand.world)
    parses.clear()
    await hand.progress(report())
    assert (len(parses), called, writes.take()) == (1, {}, [])


async def test_what_only_a_report_of_one_emu_said_is_news_again_in_the_next_list(hand: HandEms) -> None:
    """The list as a whole is the same as the last one, but something was told in between."""
    await hand.versions(*many())
    await hand.progress(report(7, status=3))
    assert shown(hand.world, "status", 7) == "fault"
    await hand.versions(*many())
    assert shown(hand.world, "status", 7) == "running"


async def test_what_is_equal_only_to_python_is_not_the_same(hand: HandEms) -> None:
    """True, 1.0 and 1 are three things on the wire."""
    await hand.versions(report())
    await hand.versions(report() | {"status": True}, report(3))
    await hand.versions(report() | {"status": 1.0}, report(3))
    assert coordinator(hand.world).reports.dropped.total() == 2


async def progress_of_an_upgrade(hand: HandEms) -> None:
    """Bring an upgrade of ours to the transfer."""
    await hand.versions(*many(), reply=hand.last_mid())
    await hand.world.install()
    await hand.progress(report(stage=3, content=1))
    assert shown(hand.world, "upgrade_stage") == "transferring"


async def test_progress_of_an_upgrade_is_told_to_one_emu_once(hand: HandEms, parses: list[bytes]) -> None:
    await progress_of_an_upgrade(hand)
    called, writes = calls(hand.world), Writes(hand.world)
    parses.clear()
    for percent in range(2, 7):
        await hand.progress(report(stage=3, content=percent))
    assert len(parses) == 5
    assert called == {2: 5}
    assert writes.take() == []  # it is shown within ten seconds


# In slices


async def turns(world: World) -> list[int]:
    """Let the loop turn until nothing happens any more; return how many EMUs were taken over in each turn."""
    known, found, idle = coordinator(world).emus, [], 0
    while idle < 10:
        before = dict(known)
        await asyncio.sleep(0)
        changed = sum(each is not before.get(device_id) for device_id, each in known.items())
        idle = 0 if changed else idle + 1
        found += [changed] if changed else []
    return found


async def begun(world: World) -> None:
    """Wait until the first of many new versions are taken over, but not the last."""
    for _ in range(5):
        if coordinator(world).emus[1].version == NEW:
            break
        await asyncio.sleep(0)
    assert coordinator(world).emus[1].version == NEW
    assert coordinator(world).emus[MANY].version == OLD


async def test_a_long_list_gives_the_loop_back_in_between(hand: HandEms) -> None:
    await hand.versions(*many())
    hand.world.broker.publish(hand.topic(Exchange.VERSION), message(Exchange.VERSION, many(version=NEW)))
    told = await turns(hand.world)
    assert sum(told) == MANY
    assert max(told) <= EMUS_PER_SLICE


async def test_a_long_list_of_new_emus_gives_the_loop_back_in_between(hand: HandEms) -> None:
    hand.world.broker.publish(hand.topic(Exchange.VERSION), message(Exchange.VERSION, many()))
    told = await turns(hand.world)
    assert told == [NEW_EMUS_PER_SLICE] * (MANY // NEW_EMUS_PER_SLICE)


async def test_an_answer_counts_when_all_of_it_is_worked_off(hand: HandEms) -> None:
    await hand.versions(*many())
    await hand.world.pass_time(1000, 5)
    answer = message(Exchange.VERSION, many(version=NEW), reply=hand.last_mid())
    asked = coordinator(hand.world)
    before = asked.last_answer
    hand.world.broker.publish(hand.topic(Exchange.VERSION), answer)
    while asked.emus[MANY].version == OLD:
        assert asked.last_answer == before
        await asyncio.sleep(0)
    await hand.world.settle()
    assert asked.last_answer != before


async def test_an_answer_that_takes_long_to_be_worked_off_ends_a_silence_for_good(
    hand: HandEms, caplog: pytest.LogCaptureFixture
) -> None:
    world = hand.world
    await hand.versions(*many())
    await fall_silent(world)
    caplog.clear()
    answer = message(Exchange.VERSION, many(version=NEW), reply=hand.last_mid())
    world.broker.publish(hand.topic(Exchange.VERSION), answer)
    await begun(world)
    world.freezer.tick(ANSWER_TIMEOUT + 1)
    async_fire_time_changed(world.hass)
    assert coordinator(world).emus[MANY].version == OLD
    await world.settle()
    assert world.update(MANY).attributes["installed_version"] == NEW
    assert told(caplog, UID) == [f"EMS {UID} answers"]


async def test_what_comes_while_a_long_list_is_worked_off_comes_after_it(hand: HandEms) -> None:
    await hand.versions(*many())
    hand.world.broker.publish(hand.topic(Exchange.VERSION), message(Exchange.VERSION, many(version=NEW)))
    hand.world.broker.publish(hand.topic(Exchange.PROGRESS), message(Exchange.PROGRESS, report(MANY, status=3)))
    assert coordinator(hand.world).emus[MANY].version == OLD
    await hand.world.settle()
    assert shown(hand.world, "status", MANY) == "fault"
    assert hand.world.update(MANY).attributes["installed_version"] == OLD


async def test_a_flood_of_long_lists_is_worked_off_in_place_of_kept(hand: HandEms) -> None:
    await hand.versions(*many())
    for number in range(100):
        payload = message(Exchange.VERSION, many(version=f"emu-v1.0.{number}"))
        hand.world.broker.publish(hand.topic(Exchange.VERSION), payload)
    await hand.world.settle()
    await turns(hand.world)
    assert hand.world.update(MANY).attributes["installed_version"] == "emu-v1.0.99"


async def test_a_reload_writes_each_state_of_a_large_fleet_once(hand: HandEms) -> None:
    """A connection is told to all EMUs in slices; those whose turn comes later do not begin as unavailable."""
    world = hand.world
    await hand.versions(*many())
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    writes = Writes(world)
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.settle()
    await turns(world)
    written = Counter(writes.take())
    keys = ("status", "upgrade_stage", "upgrade_component", "reported_result")
    for device_id in range(1, MANY + 1):
        assert [written[world.entity_id("sensor", key, device_id)] for key in keys] == [1] * len(keys), device_id
        assert shown(world, "status", device_id) == "running"


async def test_an_entry_can_be_unloaded_in_the_middle_of_a_long_list(hand: HandEms) -> None:
    await hand.versions(*many())
    hand.world.broker.publish(hand.topic(Exchange.VERSION), message(Exchange.VERSION, many(version=NEW)))
    await begun(hand.world)
    await hand.world.reload()
    assert hand.world.update(1).attributes["installed_version"] == NEW
    assert hand.world.update(MANY).attributes["installed_version"] == OLD
    await hand.versions(*many(version=NEW))
    await turns(hand.world)
    assert hand.world.update(MANY).attributes["installed_version"] == NEW


# Over time


def due_timers_of_ours(world: World) -> Iterator[str]:
    """Yield the timers of the integration that are due by now."""
    loop = world.hass.loop
    for handle in get_scheduled_timer_handles(loop):
        if handle.cancelled() or handle.when() > loop.time():
            continue
        jobs = [each for each in handle._args or () if isinstance(each, HassJob)]  # noqa: SLF001 - nowhere else to see it
        yield from (str(job) for job in jobs if job.target.__module__.startswith("custom_components.emu_ota"))


async def test_an_idle_hour_of_a_hundred_emss(
    make_world: MakeWorld, record_property: Callable[[str, object], None]
) -> None:
    """At most 4 messages per EMS, and 500 timers in all."""
    uids = [f"EMS{number:07}" for number in range(100)]
    world = await make_world([simulated_ems(uid, [SimulatedEmu(2)]) for uid in uids])
    await world.pass_time(1800, 10)  # until the asks are spread
    sent, timers = {uid: world.asks(uid) for uid in uids}, 0
    writes = Writes(world)
    for _ in range(360):
        for seconds in (1, 9):  # so that what is asked in the second is answered, and not timed out, in the first
            world.freezer.tick(seconds)
            timers += sum(1 for _ in due_timers_of_ours(world))
            world.freezer.tick(-seconds)
            await world.tick(seconds)
    messages = max(world.asks(uid) - before for uid, before in sent.items())
    record_property("messages", messages)
    record_property("timers", timers)
    assert 1 <= messages <= 4
    assert 100 <= timers <= 500
    assert writes.take() == []

"""What is made of what an EMS says, and of what it should not say."""

import asyncio

from homeassistant.core import HomeAssistant
import orjson
import pytest

from custom_components.emu_ota.coordinator import EmsCoordinator
from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange
from custom_components.emu_ota.storage import StoredEms
from simulator.memory import MemoryBroker, MemoryTransport
from simulator.wire import GARBAGE

from .by_hand import HandEms, Writes, message, offline, report
from .conftest import MakeWorld
from .looks import connection, dropped, told
from .world import NEW, OLD, OTHER_UID, PREFIX, UID, ems_subentry, firmware_subentry


async def test_what_an_offline_emu_does_not_tell_stays_as_it_was(hand: HandEms) -> None:
    await hand.versions(report(success=1, device=22))
    await hand.versions(offline())
    assert hand.world.state("sensor", "status").state == "offline"
    assert hand.world.update().attributes["installed_version"] == OLD
    assert hand.world.state("sensor", "reported_result").state == "all_succeeded"
    await hand.versions({"device_id": 2, "status": 1})
    assert hand.world.update().attributes["installed_version"] == OLD


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        "text",
        [],
        {},
        {"device_id": 3},
        report(3) | {"device_id": "three"},
        report(3) | {"device_id": True},
        report(3) | {"status": None},
        report(3, version=5),
        report(3, version="v" * 256),
        report(3, stage=2.5),
    ],
    ids=str,
)
async def test_a_bad_report_drops_alone(hand: HandEms, bad: object) -> None:
    await hand.versions(report(), report(3))
    await hand.versions(bad, report(version=NEW))
    assert hand.world.update().attributes["installed_version"] == NEW
    assert hand.world.update(3).attributes["installed_version"] == OLD
    assert dropped(hand.world) == 1
    assert hand.world.entry.runtime_data.systems[UID].coordinator.names(3)


@pytest.mark.parametrize("exchange", Exchange)
@pytest.mark.parametrize(
    "payload",
    [*GARBAGE, b" " * (1024 * 1024 + 1), b"\xef\xbb\xbf{}", b'{"data":' * 300 + b"1" + b"}" * 300],
    ids=lambda payload: f"{payload[:24]!r} {len(payload)}",
)
async def test_garbage_changes_nothing_and_is_counted(hand: HandEms, exchange: Exchange, payload: bytes) -> None:
    await hand.versions(report(), report(3))
    writes = Writes(hand.world)
    before = hand.world.hass.states.async_all()
    await hand.send(exchange, payload)
    await hand.send(exchange, payload)
    assert writes.take() == []
    assert hand.world.hass.states.async_all() == before
    assert dropped(hand.world) >= 2


async def test_a_flood_of_garbage_is_no_flood_of_lines(hand: HandEms, caplog: pytest.LogCaptureFixture) -> None:
    await hand.versions(report())
    caplog.clear()
    for number in range(200):
        await hand.send(Exchange.VERSION, b"garbage %d" % number)
    assert not told(caplog, "")
    assert dropped(hand.world) == 200


async def test_a_message_too_many_emus_long_is_dropped_whole(hand: HandEms) -> None:
    await hand.versions(report())
    await hand.versions(*(report(number) for number in range(3, 1004)))
    assert list(hand.world.entry.runtime_data.systems[UID].coordinator.emus) == [2]
    assert dropped(hand.world) == 1


async def test_an_ems_has_at_most_a_thousand_emus_and_the_first_ones_stay(
    hass: HomeAssistant, broker: MemoryBroker
) -> None:
    """Without entities, of which it would take eight thousand."""
    transport = MemoryTransport(broker)
    await transport.async_start()
    address = EmsAddress(PREFIX, UID)
    coordinator = EmsCoordinator(hass, transport, address=address, name=UID, stored=StoredEms(), changed=lambda: None)
    await coordinator.async_subscribe()
    topic = address.topic(Exchange.VERSION, Direction.RESULT)
    broker.publish(topic, message(Exchange.VERSION, [report(number) for number in range(1000)]))
    broker.publish(topic, message(Exchange.VERSION, [report(1000), report(7, version=NEW)]))
    for _ in range(300):  # it is worked off in slices
        await asyncio.sleep(0)
    assert len(coordinator.emus) == 1000
    assert coordinator.emus[7].version == NEW
    assert coordinator.reports.dropped.total() == 1
    coordinator.stop()
    await transport.async_stop()


async def test_an_envelope_that_is_missing_or_odd_drops_nothing(hand: HandEms) -> None:
    await hand.send(Exchange.VERSION, orjson.dumps({"data": [report()]}))
    odd = {"mid": 7, "type": [], "device_uid": "other", "timestamp": -1, "trace_id": {}, "data": [report(version=NEW)]}
    await hand.send(Exchange.VERSION, orjson.dumps(odd))
    assert hand.world.update().attributes["installed_version"] == NEW
    assert connection(hand.world) == "on"
    assert dropped(hand.world) == 0


async def test_unknown_codes_are_logged_once_each_and_shown_as_unknown(
    hand: HandEms, caplog: pytest.LogCaptureFixture
) -> None:
    world = hand.world
    await hand.versions(report())
    for _ in range(3):
        await hand.versions(report(status=7, stage=8, device=27))
        await hand.progress(report(3, status=7, stage=8, device=27))
    assert world.state("sensor", "status").state == "unknown"
    assert world.state("sensor", "upgrade_stage").state == "unknown"
    assert world.state("sensor", "upgrade_component").state == "unknown"
    assert len(told(caplog, "status 7")) == len(told(caplog, "stage 8")) == len(told(caplog, "component 27")) == 1
    assert world.update().state == "on"


async def test_ever_new_codes_are_no_flood_of_lines(hand: HandEms, caplog: pytest.LogCaptureFixture) -> None:
    await hand.versions(report())
    caplog.clear()
    for number in range(500):
        await hand.versions(report(status=100 + number))
    assert 0 < len(told(caplog, "")) < 10
    assert hand.world.state("sensor", "status").state == "unknown"


async def test_other_emss_on_the_same_topics_are_none_of_ours(hand: HandEms) -> None:
    await hand.versions(report())
    writes = Writes(hand.world)
    await HandEms(hand.world, OTHER_UID).versions(report(version=NEW), report(9))
    assert writes.take() == []
    assert hand.world.update().attributes["installed_version"] == OLD


@pytest.mark.parametrize(
    ("exchange", "body"),
    [
        (Exchange.VERSION, {"mid": "m"}),
        (Exchange.PROGRESS, {"mid": "m", "sub_device_id": 2}),
        (
            Exchange.UPGRADE,
            {"mid": "m", "sub_device_id": 77, "data": {"download_url": "http://x/y", "md5_code": "0" * 32}},
        ),
        (Exchange.UPGRADE, {"mid": "m"}),
    ],
)
async def test_commands_of_others_that_do_not_concern_us_change_nothing(
    hand: HandEms, exchange: Exchange, body: dict[str, object]
) -> None:
    await hand.versions(report())
    writes = Writes(hand.world)
    await hand.send(exchange, orjson.dumps(body), Direction.COMMAND)
    assert writes.take() == []


async def test_a_broker_that_does_not_show_the_orders_of_others_costs_nothing_else(
    hass: HomeAssistant, broker: MemoryBroker, make_world: MakeWorld
) -> None:
    broker.refused.add(f"{PREFIX}/{UID}/ota/emu_upgrade/command")
    # The simulator needs that topic; without it the EMS still answers all questions.
    world = await make_world([], [ems_subentry(), firmware_subentry()])
    await HandEms(world).versions(report())
    assert connection(world) == "on"

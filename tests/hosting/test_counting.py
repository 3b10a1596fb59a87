"""What is counted of the fetches: while they run, over several of them, and over a restart."""

from dataclasses import asdict
from pathlib import Path

from homeassistant.core import HomeAssistant
import orjson

from custom_components.emu_ota.firmware.hosting import Hosting
from custom_components.emu_ota.protocol.fetched import MAX_ADDRESSES, MAX_RANGES, Fetched, fetched_from_record

from .served import PACKAGE, TOKEN, Reader, Served, serve

SIZE = len(PACKAGE)


async def test_a_fetch_is_told_of_from_its_beginning_to_its_end(served: Served) -> None:
    assert await served.fetch() == PACKAGE
    last = await served.settled()
    first = served.told[0]
    assert (first.requests, first.running, first.sent, first.whole) == (1, 1, 0, False)
    assert (last.requests, last.running, last.sent, last.covered, last.whole) == (1, 0, SIZE, SIZE, True)
    assert last.addresses == ("127.0.0.1",)
    assert last.last_at is not None
    covered = [fetched.covered for fetched in served.told]
    assert covered == sorted(covered)
    assert 3 < len(covered) <= 102


async def test_a_second_fetch_counts_anew_but_covers_nothing_new(served: Served) -> None:
    for _ in range(2):
        await served.fetch()
        await served.settled()
    assert (served.last.requests, served.last.sent, served.last.covered) == (2, 2 * SIZE, SIZE)


async def test_the_whole_can_come_in_parts_in_any_order(served: Served) -> None:
    await served.fetch("bytes=1500000-")
    assert not (await served.settled()).whole
    await served.fetch("bytes=0-999999")
    last = await served.settled()
    assert not last.whole
    assert last.ranges == ((0, 1_000_000), (1_500_000, SIZE))
    await served.fetch("bytes=900000-1499999")
    last = await served.settled()
    assert last.whole
    assert last.ranges == ((0, SIZE),)
    assert last.sent == SIZE + 100_000


async def test_a_fetch_cut_by_a_restart_goes_on_afterwards(hass: HomeAssistant, package: Path) -> None:
    async with serve(hass, package, Hosting(hass)) as served, Reader(served.client) as reader:
        await reader.ask(served.url)
        cut = await served.until(lambda fetched: fetched.covered > 0)
    assert cut.running == 1
    assert 0 < cut.covered < SIZE
    stored = orjson.dumps(asdict(cut))  # as Home Assistant writes it, and what it finds after a crash

    async with serve(hass, package, Hosting(hass)) as served:
        served.hosting.close(TOKEN)
        offer = served.open(fetched_from_record(orjson.loads(stored)))
        assert offer.fetched.running == 0
        assert await served.fetch(f"bytes={cut.covered}-") == PACKAGE[cut.covered :]
        last = await served.settled()
    assert last.whole
    assert (last.requests, last.sent) == (2, SIZE)


async def test_opening_again_disturbs_no_fetch_and_tells_the_new_one(served: Served) -> None:
    async with Reader(served.client) as reader:
        await reader.ask(served.url)
        await reader.status()
        before, served.told = served.told, []
        count = len(before)
        assert served.open(Fetched()).fetched == before[-1]
    last = await served.settled()
    assert last.requests == 1
    assert len(before) == count


async def test_a_fetch_that_ran_when_its_offer_was_closed_takes_no_place_in_the_next(served: Served) -> None:
    async with Reader(served.client) as reader:
        await reader.ask(served.url)
        cut = await served.until(lambda fetched: fetched.running == 1)
        served.hosting.close(TOKEN)
        assert served.open(cut).fetched.running == 0
        assert await served.fetch() == PACKAGE
        assert (await served.settled()).requests == 2


async def test_a_slow_fetch_is_told_of_although_it_makes_no_per_cent(hass: HomeAssistant, package: Path) -> None:
    for told_every, expected in ((0.0, 4), (3600.0, 2)):
        async with serve(hass, package, Hosting(hass, told_every=told_every)) as served:
            offer = served.open()
            with served.hosting.fetch(offer, "192.0.2.1") as sent:
                sent(0, 1)
                sent(1, 2)
            assert len(served.told) == expected
            assert served.last.ranges == ((0, 2),)


def test_addresses_are_bounded_and_the_latest_is_kept() -> None:
    fetched = Fetched()
    for number in range(10):
        fetched = fetched.begun(f"192.0.2.{number}", 0).begun("192.0.2.200", 1)
    assert len(fetched.addresses) == MAX_ADDRESSES
    assert fetched.addresses[-2:] == ("192.0.2.9", "192.0.2.200")


def test_ranges_are_bounded_and_the_smallest_is_forgotten() -> None:
    fetched = Fetched()
    for number in range(MAX_RANGES + 10):
        fetched = fetched.with_sent(number * 1000, number * 1000 + 1 + number, 10**6, 0)
    assert len(fetched.ranges) == MAX_RANGES
    assert fetched.ranges[0] == (10_000, 10_011)
    assert not fetched.whole
    fetched = fetched.with_sent(0, 10**6, 10**6, 0)
    assert fetched.ranges == ((0, 10**6),)
    assert fetched.whole

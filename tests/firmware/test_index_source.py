"""When an index is asked, and what comes of it."""

import asyncio

from homeassistant.util import dt as dt_util
import pytest

from custom_components.emu_ota.firmware.index import Refusal
from custom_components.emu_ota.firmware.index_fetch import FetchFault
from custom_components.emu_ota.firmware.index_source import ASK_INTERVAL, IndexState

from .index_bench import DAY, NEW, Bench
from .index_server import IndexServer


async def test_an_index_is_asked_at_once_where_it_never_was(bench: Bench) -> None:
    source = await bench.async_start()

    assert bench.versions == ["emu-v1.0.0"]
    assert source.state.releases[0].download_url == str(bench.url).replace("index.json", "a.bin")
    assert (source.state.checked_at, source.state.failing_since, source.state.last_error) == (
        dt_util.utcnow(),
        None,
        None,
    )
    assert bench.changes == 1


async def test_without_a_url_nothing_happens(bench: Bench, index: IndexServer) -> None:
    bench.url = None

    source = await bench.async_start()
    await bench.async_pass_time(DAY)

    assert source.state == IndexState()
    assert str(await bench.async_refresh()) == "no_url"
    assert index.requests == []


async def test_an_index_is_asked_every_twelve_hours_and_a_little_sooner(bench: Bench, index: IndexServer) -> None:
    await bench.async_start()

    await bench.async_pass_time(0.89 * ASK_INTERVAL)
    assert len(index.requests) == 1

    index.body = NEW
    await bench.async_pass_time(0.11 * ASK_INTERVAL)
    assert len(index.requests) == 2
    assert bench.versions == ["emu-v1.0.0", "emu-v1.2.0"]
    assert [(refused.name, refused.reason) for refused in bench.source.state.refused] == [
        ("emu-v1.3.0", Refusal.INVALID)
    ]

    await bench.async_pass_time(ASK_INTERVAL)
    assert len(index.requests) == 3


async def test_many_homes_do_not_ask_at_the_same_moment(bench: Bench, index: IndexServer) -> None:
    await bench.async_start()
    pauses = []
    for asked in range(1, 11):
        await bench.async_pass_time(0.9 * ASK_INTERVAL - 1)
        assert len(index.requests) == asked
        pauses.append(0)
        while len(index.requests) == asked:
            await bench.async_pass_time(60)
            pauses[-1] += 60

    assert len(set(pauses)) > 3
    assert max(pauses) <= 0.1 * ASK_INTERVAL + 60


async def test_somebody_can_ask_now(bench: Bench, index: IndexServer) -> None:
    await bench.async_start()
    index.body = NEW

    assert await bench.async_refresh() is None

    assert bench.versions == ["emu-v1.0.0", "emu-v1.2.0"]
    # The next ask is due when half a day has gone by since this one.
    await bench.async_pass_time(0.89 * ASK_INTERVAL)
    assert len(index.requests) == 2


async def test_who_does_not_wait_hears_of_it_as_a_change(bench: Bench, index: IndexServer) -> None:
    source = await bench.async_start()
    index.body = NEW

    source.ask()
    await bench.async_pass_time(0)
    assert bench.versions == ["emu-v1.0.0", "emu-v1.2.0"]
    assert bench.changes == 2

    await source.async_stop()
    source.ask()
    await bench.async_pass_time(0)
    assert len(index.requests) == 2


async def test_those_who_ask_while_an_ask_is_under_way_wait_for_it(bench: Bench, index: IndexServer) -> None:
    await bench.async_start()
    index.answer = index.wait
    index.body = NEW

    asks = [asyncio.create_task(bench.async_refresh()) for _ in range(3)]
    index.asked.clear()
    await index.asked.wait()
    index.resume.set()

    assert await asyncio.gather(*asks) == [None, None, None]
    assert len(index.requests) == 2
    assert bench.versions == ["emu-v1.0.0", "emu-v1.2.0"]


async def test_one_who_gives_up_waiting_leaves_the_ask_to_the_others(bench: Bench, index: IndexServer) -> None:
    await bench.async_start()
    index.answer = index.wait
    index.body = NEW
    impatient, patient = (asyncio.create_task(bench.async_refresh()) for _ in range(2))
    index.asked.clear()
    await index.asked.wait()

    impatient.cancel()
    index.resume.set()

    assert await patient is None
    assert bench.versions == ["emu-v1.0.0", "emu-v1.2.0"]


async def test_an_unchanged_index_is_not_sent_again(bench: Bench, index: IndexServer) -> None:
    index.headers = {"ETag": '"one"', "Last-Modified": "Sun, 01 Nov 2026 08:00:00 GMT"}
    source = await bench.async_start()
    assert "If-None-Match" not in index.requests[0]
    assert "If-Modified-Since" not in index.requests[0]
    index.body = b"is not sent"

    await bench.async_pass_time(ASK_INTERVAL)

    assert index.requests[1]["If-None-Match"] == '"one"'
    assert index.requests[1]["If-Modified-Since"] == "Sun, 01 Nov 2026 08:00:00 GMT"
    assert bench.versions == ["emu-v1.0.0"]
    assert (source.state.checked_at, source.state.failing_since) == (dt_util.utcnow(), None)


@pytest.mark.parametrize("etag", ['"größe"', '"' + "e" * 300 + '"'], ids=["no ASCII", "too long"])
async def test_an_odd_etag_is_not_sent_back(bench: Bench, index: IndexServer, etag: str) -> None:
    index.headers = {"ETag": etag}
    await bench.async_start()

    assert await bench.async_refresh() is None

    assert "If-None-Match" not in index.requests[1]


async def test_relative_urls_start_behind_all_redirects(bench: Bench, index: IndexServer) -> None:
    bench.url = index.url_of("/moved")

    source = await bench.async_start()

    assert source.state.releases[0].download_url == index.url_of("/releases/a.bin")


async def test_an_unchanged_index_that_has_moved_takes_its_packages_along(bench: Bench, index: IndexServer) -> None:
    index.headers = {"ETag": '"one"'}
    bench.url, index.moved_to = index.url_of("/moved"), "/index.json"
    source = await bench.async_start()
    assert source.state.releases[0].download_url == index.url_of("/a.bin")
    index.body, index.moved_to = b"is not sent", "/releases/index.json"

    assert await bench.async_refresh() is None

    assert source.state.releases[0].download_url == index.url_of("/releases/a.bin")


async def test_a_source_that_is_stopped_asks_no_more(bench: Bench, index: IndexServer) -> None:
    source = await bench.async_start()
    index.answer = index.wait
    ask = asyncio.create_task(bench.async_refresh())
    index.asked.clear()
    await index.asked.wait()

    await source.async_stop()

    for error in (await ask, await bench.async_refresh()):
        assert error is not None
        assert error.fault is FetchFault.INTERRUPTED
    bench.url = index.url_of("/moved")
    await source.async_entry_updated()
    await bench.async_pass_time(2 * DAY)
    assert len(index.requests) == 2
    assert bench.versions == ["emu-v1.0.0"]

"""What is remembered of an index over a restart, and what is forgotten."""

import asyncio
from datetime import timedelta
import json

from homeassistant.util import dt as dt_util
import pytest

from custom_components.emu_ota.firmware.index_fetch import FetchFault
from custom_components.emu_ota.firmware.index_source import ASK_INTERVAL, IndexState
from custom_components.emu_ota.firmware.index_storage import IndexStorage

from .index_bench import DAY, ENTRY_ID, NEW, OLD, STORE, Bench, Stored
from .index_server import IndexServer


async def test_an_unchanged_index_is_not_sent_again_after_a_restart(bench: Bench, index: IndexServer) -> None:
    index.headers = {"ETag": '"one"'}
    await bench.async_start()
    await bench.async_restart()
    index.body = b"is not sent"

    assert await bench.async_refresh() is None

    assert index.requests[1]["If-None-Match"] == '"one"'
    assert bench.versions == ["emu-v1.0.0"]


async def test_releases_are_known_after_a_restart_without_network(bench: Bench, index: IndexServer) -> None:
    index.body = NEW
    before = (await bench.async_start()).state
    await index.server.close()

    source = await bench.async_restart()

    assert source.state == before
    assert len(index.requests) == 1


async def test_an_ask_that_fell_due_meanwhile_goes_out_soon_after_the_start(bench: Bench, index: IndexServer) -> None:
    await bench.async_start()
    await bench.source.async_stop()
    bench.freezer.tick(timedelta(days=30))

    await bench.async_start()
    await bench.async_pass_time(60)

    assert len(index.requests) == 2


async def test_an_ask_that_is_not_due_waits_over_a_restart(bench: Bench, index: IndexServer) -> None:
    await bench.async_start()
    await bench.async_pass_time(ASK_INTERVAL / 2)
    await bench.async_restart()

    await bench.async_pass_time(ASK_INTERVAL / 2 - 1)
    assert len(index.requests) == 1
    await bench.async_pass_time(61)
    assert len(index.requests) == 2


async def test_a_clock_that_was_put_back_does_not_silence_the_source(bench: Bench, index: IndexServer) -> None:
    await bench.async_start()
    await bench.source.async_stop()
    bench.freezer.move_to(dt_util.utcnow() - timedelta(days=365))

    await bench.async_start()
    await bench.async_pass_time(ASK_INTERVAL + 60)

    assert len(index.requests) == 2


async def test_another_url_forgets_what_the_old_one_said(
    bench: Bench, index: IndexServer, hass_storage: Stored
) -> None:
    index.headers = {"ETag": '"one"'}
    source = await bench.async_start()
    index.answer = index.wait
    bench.url = index.url_of("/releases/index.json")

    await source.async_entry_updated()

    assert source.state == IndexState()
    assert bench.changes == 2
    assert STORE not in hass_storage
    index.body = NEW
    index.resume.set()
    await bench.async_pass_time(0)
    assert bench.versions == ["emu-v1.0.0", "emu-v1.2.0"]
    assert "If-None-Match" not in index.requests[1]


async def test_options_that_leave_the_url_as_it_is_change_nothing(bench: Bench, index: IndexServer) -> None:
    source = await bench.async_start()

    await source.async_entry_updated()
    await bench.async_pass_time(0)

    assert bench.versions == ["emu-v1.0.0"]
    assert (len(index.requests), bench.changes) == (1, 1)


async def test_a_url_that_is_taken_away_takes_everything_with_it(
    bench: Bench, index: IndexServer, hass_storage: Stored
) -> None:
    source = await bench.async_start()
    bench.url = None

    await source.async_entry_updated()
    await bench.async_pass_time(DAY)

    assert source.state == IndexState()
    assert STORE not in hass_storage
    assert len(index.requests) == 1


async def test_an_ask_under_way_ends_with_its_url(bench: Bench, index: IndexServer) -> None:
    source = await bench.async_start()
    index.answer = index.wait
    ask = asyncio.create_task(bench.async_refresh())
    index.asked.clear()
    await index.asked.wait()
    bench.url = None

    await source.async_entry_updated()
    index.resume.set()

    error = await ask
    assert error is not None
    assert error.fault is FetchFault.INTERRUPTED
    assert source.state == IndexState()


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:1/index.json"], ids=["none", "another"])
async def test_a_url_that_was_changed_while_we_were_away_forgets_too(
    bench: Bench, index: IndexServer, url: str | None
) -> None:
    await bench.async_start()
    bench.url = url

    source = await bench.async_restart()

    assert source.state.releases == ()
    assert source.state.checked_at is None


async def test_removing_the_storage_leaves_nothing(bench: Bench, hass_storage: Stored) -> None:
    source = await bench.async_start()
    assert STORE in hass_storage
    await source.async_stop()

    await IndexStorage(bench.hass, ENTRY_ID).async_remove()

    assert STORE not in hass_storage


@pytest.mark.parametrize(
    "amiss",
    [
        {"url_sha256": None},
        {"checked_at": "yesterday"},
        {"checked_at": []},
        {"copy": {}},
        {"copy": []},
        {"copy": {"body": OLD.decode(), "base": "http://[::1", "etag": None, "last_modified": None}},
        {"copy": {"body": "{}", "base": "http://127.0.0.1/", "etag": '"one"', "last_modified": None}},
    ],
    ids=lambda amiss: json.dumps(amiss)[:40],
)
async def test_what_was_stored_amiss_is_fetched_anew(
    bench: Bench, index: IndexServer, hass_storage: Stored, amiss: dict[str, object]
) -> None:
    await bench.async_start()
    await bench.source.async_stop()
    stored = hass_storage[STORE]["data"]
    assert isinstance(stored, dict)
    stored.update(amiss)

    await bench.async_start()

    assert len(index.requests) == 2
    assert "If-None-Match" not in index.requests[-1]
    assert bench.versions == ["emu-v1.0.0"]


@pytest.mark.parametrize("data", [[], {}, "", 1], ids=json.dumps)
async def test_what_was_not_stored_by_us_is_fetched_anew(
    bench: Bench, index: IndexServer, hass_storage: Stored, data: object
) -> None:
    hass_storage[STORE] = {"version": 1, "minor_version": 1, "key": STORE, "data": data}

    await bench.async_start()

    assert bench.versions == ["emu-v1.0.0"]


async def test_a_url_that_changes_while_the_source_stops_is_not_asked(bench: Bench, index: IndexServer) -> None:
    source = await bench.async_start()
    index.answer = index.wait
    ask = asyncio.create_task(bench.async_refresh())
    index.asked.clear()
    await index.asked.wait()
    bench.url = index.url_of("/moved")

    updated = asyncio.create_task(source.async_entry_updated())
    await asyncio.sleep(0)  # it waits for the ask under way to end
    await source.async_stop()
    await asyncio.gather(ask, updated)
    index.answer = None
    await bench.async_pass_time(DAY)

    assert len(index.requests) == 2

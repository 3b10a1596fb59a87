"""What is kept of an index that fails, and when its failing is a problem."""

from dataclasses import replace
from datetime import timedelta
import json

from homeassistant.util import dt as dt_util
import pytest

from custom_components.emu_ota.firmware.index import IndexFault
from custom_components.emu_ota.firmware.index_fetch import FetchFault
from custom_components.emu_ota.firmware.index_source import ASK_AGAIN, ASK_INTERVAL

from .index_bench import DAY, HOUR, STORE, Bench, Stored
from .index_server import IndexServer


async def test_a_failure_keeps_what_was_known_and_is_tried_again_within_the_hour(
    bench: Bench, index: IndexServer, caplog: pytest.LogCaptureFixture
) -> None:
    source = await bench.async_start()
    before = source.state
    index.status = 503
    await bench.async_pass_time(ASK_INTERVAL)
    failed_at = dt_util.utcnow()
    await bench.async_pass_time(ASK_AGAIN)
    await bench.async_pass_time(ASK_AGAIN)

    assert len(index.requests) == 4
    assert bench.versions == ["emu-v1.0.0"]
    assert source.state == replace(before, failing_since=failed_at, last_error=FetchFault.HTTP_STATUS)
    assert bench.changes == 4

    index.status = 200
    await bench.async_pass_time(ASK_AGAIN)

    assert source.state == replace(before, checked_at=dt_util.utcnow())
    told = [record.message for record in caplog.records if "firmware index" in record.message]
    assert told == [
        "The firmware index cannot be read: http_status 503; it is asked again every hour",
        "The firmware index can be read again",
    ]


async def test_failing_is_a_problem_after_three_days(bench: Bench, index: IndexServer) -> None:
    source = await bench.async_start()
    index.status = 503
    await bench.async_pass_time(ASK_INTERVAL)
    for _ in range(71):
        await bench.async_pass_time(HOUR)
        assert not source.overdue(dt_util.utcnow())

    await bench.async_pass_time(HOUR)
    assert source.overdue(dt_util.utcnow())
    assert bench.versions == ["emu-v1.0.0"]

    index.status = 200
    await bench.async_pass_time(HOUR)
    assert not source.overdue(dt_util.utcnow())


async def test_an_index_that_never_could_be_read_is_a_problem_too(bench: Bench, index: IndexServer) -> None:
    index.status = 404
    source = await bench.async_start()
    assert not source.overdue(dt_util.utcnow())

    await bench.async_pass_time(3 * DAY)

    assert source.overdue(dt_util.utcnow())
    assert source.state.checked_at is None


async def test_failing_goes_on_over_a_restart_but_is_no_problem_before_it_was_tried_twice(
    bench: Bench, index: IndexServer
) -> None:
    await bench.async_start()
    index.status = 503
    await bench.async_refresh()
    failing_since = dt_util.utcnow()
    await bench.source.async_stop()
    bench.freezer.tick(timedelta(days=10))

    source = await bench.async_start()
    loaded = source.state
    assert (loaded.failing_since, loaded.last_error) == (failing_since, None)
    assert not source.overdue(dt_util.utcnow())

    await bench.async_pass_time(60)
    assert source.state == replace(loaded, last_error=FetchFault.HTTP_STATUS)
    assert not source.overdue(dt_util.utcnow())

    await bench.async_pass_time(HOUR)
    assert source.state.failing_since == failing_since
    assert source.overdue(dt_util.utcnow())


async def test_no_password_is_kept_or_logged(
    bench: Bench, index: IndexServer, hass_storage: Stored, caplog: pytest.LogCaptureFixture
) -> None:
    bench.url = index.url.replace("//", "//user:s3cret@") + "?key=s3cret"
    source = await bench.async_start()
    assert index.requests[0]["Authorization"].startswith("Basic ")
    index.status = 401

    error = await bench.async_refresh()

    assert error is not None
    assert error.status == 401
    for told in (caplog.text, json.dumps(hass_storage[STORE]), repr(source.state), repr(error), str(error)):
        assert "s3cret" not in told


async def test_an_index_that_is_none_any_more_keeps_the_last_good_one(bench: Bench, index: IndexServer) -> None:
    source = await bench.async_start()
    index.body = b"<html>Please log in</html>"

    error = await bench.async_refresh()

    assert error is not None
    assert error.fault is IndexFault.NOT_JSON
    assert source.state.last_error is IndexFault.NOT_JSON
    assert bench.versions == ["emu-v1.0.0"]
    await bench.async_restart()
    assert bench.versions == ["emu-v1.0.0"]

"""The action `emu_ota.test_download`: does the address work that an EMS would be given?"""

import asyncio
from collections.abc import Awaitable, Callable
import logging
import re
import shutil
import time
from types import SimpleNamespace

from aiohttp import web
from aiohttp.test_utils import TestServer
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.util.json import JsonValueType
import pytest
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.emu_ota import download_test
from custom_components.emu_ota.const import DOMAIN, LOGGER

from .hosted import Hosted
from .world import World

type Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def result(world: World, context: Context | None = None) -> dict[str, JsonValueType]:
    """Call the action, and return its response."""
    response = await world.hass.services.async_call(
        DOMAIN,
        "test_download",
        {"config_entry_id": world.entry.entry_id},
        blocking=True,
        return_response=True,
        context=context,
    )
    assert response is not None
    return response


async def proxy(answer: Answer) -> TestServer:
    """Return a server that stands where an EMS would look for Home Assistant."""
    app = web.Application()
    app.router.add_get("/api/emu_ota/firmware/{token}/{name}", answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server(access_log=None)
    return server


async def answered(hosted: Hosted, answer: Answer) -> dict[str, JsonValueType]:
    """Return the result of a test whose request is answered by somebody else."""
    server = await proxy(answer)
    try:
        return await result(await hosted.world(options={"download_base_url": str(server.make_url("/"))}))
    finally:
        await server.close()


async def test_a_test_file_comes_through_the_very_view_that_an_ems_would_use(
    hosted: Hosted, caplog: pytest.LogCaptureFixture
) -> None:
    world = await hosted.world()
    answer = await result(world)
    assert answer.pop("milliseconds") is not None
    assert answer == {
        "result": "ok",
        "bytes": download_test.TEST_SIZE,
        "base_url": hosted.base,
        "warnings": ["loopback"],
    }
    assert hosted.kept() == []
    assert world.orders() == []


async def test_its_token_is_random_dead_afterwards_and_never_logged(
    hosted: Hosted, caplog: pytest.LogCaptureFixture
) -> None:
    paths: list[str] = []

    async def note(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        async with hosted.client.get(request.path) as response:
            return web.Response(status=response.status, body=await response.read())

    server = await proxy(note)
    try:
        world = await hosted.world(options={"download_base_url": str(server.make_url("/"))})
        results = [await result(world) for _ in range(2)]
    finally:
        await server.close()
    assert [each["result"] for each in results] == ["ok", "ok"]
    assert len(set(paths)) == 2
    for path in paths:
        token = path.split("/")[-2]
        assert re.fullmatch(r"[A-Za-z0-9_-]{22}", token)
        assert await hosted.status(hosted.base + path) == 404
        logged = [
            record.getMessage()
            for record in caplog.records
            if record.name.startswith(LOGGER.name) or record.levelno >= logging.INFO
        ]
        assert not any(token in line for line in logged)


async def test_a_test_file_that_comes_in_pieces_is_whole(hosted: Hosted) -> None:
    async def slowly(request: web.Request) -> web.StreamResponse:
        async with hosted.client.get(request.path) as original:
            content = await original.read()
        response = web.StreamResponse()
        await response.prepare(request)
        for start in range(0, len(content), 20_000):
            await response.write(content[start : start + 20_000])
            await asyncio.to_thread(time.sleep, 0.02)
        return response

    assert (await answered(hosted, slowly))["result"] == "ok"


async def test_without_an_address_there_is_nothing_to_test(hosted: Hosted) -> None:
    hosted.hass.config.api = None
    world = await hosted.world(options={"download_base_url": ""})
    assert await result(world) == {"result": "no_address", "base_url": None, "warnings": []}
    assert hosted.kept() == []


@pytest.mark.parametrize("status", [301, 401, 403, 404, 500])
async def test_an_answer_of_somebody_else_is_told_by_its_status(hosted: Hosted, status: int) -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 301 else None)

    answer = await answered(hosted, refuse)
    assert (answer["result"], answer["status"]) == ("refused", status)
    assert hosted.kept() == []


@pytest.mark.parametrize("body", [b"", b"<html>", bytes(download_test.TEST_SIZE), bytes(download_test.TEST_SIZE * 40)])
async def test_anything_else_than_the_test_file_is_damaged(hosted: Hosted, body: bytes) -> None:
    async def another(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body)

    assert (await answered(hosted, another))["result"] == "damaged"
    assert hosted.kept() == []


async def test_an_address_where_nobody_answers_cannot_be_connected_to(hosted: Hosted, unused_tcp_port: int) -> None:
    world = await hosted.world(options={"download_base_url": f"http://127.0.0.1:{unused_tcp_port}"})
    assert (await result(world))["result"] == "cannot_connect"
    assert hosted.kept() == []


async def test_a_connection_that_breaks_is_no_success(hosted: Hosted) -> None:
    async def hang_up(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(download_test.TEST_SIZE)})
        await response.prepare(request)
        await response.write(bytes(100))
        assert request.transport is not None
        request.transport.close()
        return response

    assert (await answered(hosted, hang_up))["result"] == "cannot_connect"


async def test_an_address_that_never_answers_times_out(hosted: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_test, "TEST_TIMEOUT", 0.0)

    async def wait(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    assert (await answered(hosted, wait))["result"] == "timed_out"
    assert hosted.kept() == []


async def test_a_full_disk_is_told(hosted: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await hosted.world()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(HomeAssistantError, match="not enough room"):
        await result(world)


async def test_only_admins_may_test_and_only_an_entry_that_is_loaded(
    hosted: Hosted, hass: HomeAssistant, hass_read_only_user: MockUser
) -> None:
    world = await hosted.world()
    with pytest.raises(Unauthorized):
        await result(world, Context(user_id=hass_read_only_user.id))
    await hass.config_entries.async_unload(world.entry.entry_id)
    with pytest.raises(ServiceValidationError):
        await result(world)

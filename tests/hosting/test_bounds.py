"""Readers that are slow, that hang up, that are many, or that cannot get enough."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from homeassistant.core import HomeAssistant
import pytest

from custom_components.emu_ota.firmware.hosting import MAX_RUNNING_OF_ONE, HostedFile, Hosting, new_token
from custom_components.emu_ota.protocol.fetched import Fetched

from .served import NAME, PACKAGE, SHA256, TOKEN, Reader, Served, complaints, serve

SIZE = len(PACKAGE)


async def test_a_reader_that_stops_reading_is_cut_off(hass: HomeAssistant, package: Path) -> None:
    async with serve(hass, package, Hosting(hass), write_timeout=0.2) as served, Reader(served.client) as reader:
        await reader.ask(served.url)
        last = await served.settled()
        assert 0 < last.covered < SIZE
        assert not last.whole
        body = (await reader.until_closed()).partition(b"\r\n\r\n")[2]
        assert last.covered <= len(body) < SIZE  # nothing counted that was still waiting here


async def test_a_reader_that_is_slow_but_reads_gets_the_whole(hass: HomeAssistant, package: Path) -> None:
    async with serve(hass, package, Hosting(hass), write_timeout=1) as served, Reader(served.client) as reader:
        begun = hass.loop.time()
        await reader.ask(served.url)
        received = await reader.read(4096)
        length = received.index(b"\r\n\r\n") + 4 + SIZE
        while len(received) < length:
            data = await reader.read(65536)
            assert data
            received += data
            await asyncio.sleep(len(data) / 1_000_000)
        assert hass.loop.time() - begun > 1.5
        assert received.endswith(PACKAGE)
        assert (await served.settled()).whole


async def test_a_reader_that_hangs_up_ends_its_request_quietly(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    async with Reader(served.client) as reader:
        await reader.ask(served.url)
        await reader.status()
        assert served.last.running == 1
    last = await served.settled()
    assert 0 < last.covered < SIZE
    assert complaints(caplog) == []


async def test_a_reader_that_hangs_up_at_once_ends_its_request_quietly(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        async with Reader(served.client) as reader:
            await reader.ask(served.url)
    await asyncio.sleep(0.1)
    assert not served.told or not (await served.settled()).whole
    assert complaints(caplog) == []
    assert await served.fetch() == PACKAGE


async def test_too_many_requests_with_one_token_have_to_wait(served: Served) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(MAX_RUNNING_OF_ONE):
            reader = await stack.enter_async_context(Reader(served.client))
            await reader.ask(served.url)
            assert await reader.status() == 200
        response = await served.client.get(served.url)
        assert response.status == 429
        assert int(response.headers["Retry-After"]) > 0
        assert served.last.requests == MAX_RUNNING_OF_ONE
    await served.settled()
    assert await served.fetch() == PACKAGE


async def test_too_many_requests_in_all_have_to_wait(hass: HomeAssistant, package: Path) -> None:
    async with serve(hass, package, Hosting(hass, max_running=2)) as served:
        other = new_token()
        file = HostedFile(path=package, name=NAME, size=SIZE, sha256=SHA256)
        served.hosting.open(other, file, fetched=Fetched(), changed=lambda _: None)
        async with Reader(served.client) as one, Reader(served.client) as two:
            for reader in (one, two):
                await reader.ask(served.url)
                assert await reader.status() == 200
            response = await served.client.get(f"/api/emu_ota/firmware/{other}/{NAME}")
            assert response.status == 503
            assert int(response.headers["Retry-After"]) > 0
        await served.settled()
        response = await served.client.get(f"/api/emu_ota/firmware/{other}/{NAME}")
        assert await response.read() == PACKAGE


async def test_a_token_is_used_up_after_so_many_bytes_also_over_a_restart(hass: HomeAssistant, package: Path) -> None:
    async with serve(hass, package, Hosting(hass, max_times=2)) as served:
        for _ in range(2):
            assert await served.fetch() == PACKAGE
            await served.settled()
        used_up = served.last
        response = await served.client.get(served.url)
        assert response.status == 429
        assert int(response.headers["Retry-After"]) >= 3600
    async with serve(hass, package, Hosting(hass, max_times=2)) as served:
        served.hosting.close(TOKEN)
        served.open(used_up)
        assert (await served.client.head(served.url)).status == 429

"""What a request for a package is answered."""

from pathlib import Path

from homeassistant.core import HomeAssistant
import pytest

from custom_components.emu_ota.firmware.hosting import HOSTING, HostedFile, new_token

from .served import NAME, PACKAGE, SHA256, TOKEN, Reader, Served

SIZE = len(PACKAGE)


async def test_the_package_comes_whole_and_as_it_is(served: Served) -> None:
    response = await served.client.get(served.url, headers={"Accept-Encoding": "gzip, deflate, br"})
    assert response.status == 200
    assert await response.read() == PACKAGE
    assert response.history == ()
    assert response.headers["Content-Length"] == str(SIZE)
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["ETag"] == f'"{SHA256}"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store, no-transform"
    assert "Content-Encoding" not in response.headers
    assert "aiohttp" not in response.headers["Server"]


async def test_head_tells_the_size_and_sends_nothing(served: Served) -> None:
    response = await served.client.head(served.url, headers={"Range": "bytes=5-9"})
    assert response.status == 200
    assert response.headers["Content-Length"] == str(SIZE)
    assert response.headers["ETag"] == f'"{SHA256}"'
    assert await response.read() == b""
    settled = await served.settled()
    assert (settled.requests, settled.sent, settled.whole) == (1, 0, False)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, SIZE),
        ("bytes=100-199999", 100, 200_000),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        (f"bytes=5-{SIZE}", 5, SIZE),
        ("bytes=5-99999999999999999999", 5, SIZE),
        ("bytes=-1", SIZE - 1, SIZE),
        ("bytes=-300000", SIZE - 300_000, SIZE),
        ("bytes=-99999999999999999999", 0, SIZE),
        ("BYTES=1-2", 1, 3),
    ],
)
async def test_a_range_is_sent(served: Served, asked: str, start: int, stop: int) -> None:
    response = await served.client.get(served.url, headers={"Range": asked})
    assert response.status == 206
    assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert response.headers["Content-Length"] == str(stop - start)
    assert response.headers["ETag"] == f'"{SHA256}"'
    assert await response.read() == PACKAGE[start:stop]
    assert (await served.settled()).ranges == ((start, stop),)


@pytest.mark.parametrize(
    "asked",
    [
        f"bytes={SIZE}-",
        f"bytes={SIZE}-{SIZE + 5}",
        "bytes=5-4",
        "bytes=-0",
        "bytes=-",
        "bytes=",
        "bytes=a-b",
        "bytes=--1",
        "bytes=0x0-0x1",
        "bytes=1.5-2",
        "bytes=5",
        "bytes= 0-1",
        "bytes=\u0660-\u0665",  # digits, but none of HTTP's
        "bytes=0-" + "9" * 5000,
        "bytes=" + "9" * 21 + "-",
    ],
)
async def test_a_range_that_makes_no_sense_is_refused_with_the_size(served: Served, asked: str) -> None:
    response = await served.client.get(served.url, headers={"Range": asked})
    assert response.status == 416
    assert response.headers["Content-Range"] == f"bytes */{SIZE}"
    settled = await served.settled()
    assert (settled.requests, settled.sent) == (1, 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-1,5-9"},
        {"Range": "bytes=0-," * 800},
        {"Range": "items=0-1"},
        {"Range": ""},
        {"Range": "bytes=5-9", "If-Range": '"another"'},
        {"Range": "bytes=5-9", "If-Range": f'W/"{SHA256}"'},
        {"Range": "bytes=5-9", "If-Range": "Sun, 01 Nov 2026 00:00:00 GMT"},
        {"If-None-Match": f'"{SHA256}"'},
        {"If-None-Match": "*"},
    ],
    ids=str,
)
async def test_the_whole_is_sent_where_a_part_is_not_meant(served: Served, headers: dict[str, str]) -> None:
    response = await served.client.get(served.url, headers=headers)
    assert response.status == 200
    assert await response.read() == PACKAGE


async def test_two_ranges_in_two_lines_are_several_too(served: Served) -> None:
    response = await served.client.get(served.url, headers=[("Range", "bytes=0-1"), ("Range", "bytes=5-9")])
    assert response.status == 200


async def test_a_range_of_the_same_package_is_sent(served: Served) -> None:
    assert await served.fetch("bytes=5-9", **{"If-Range": f'"{SHA256}"'}) == PACKAGE[5:10]


async def test_what_is_not_offered_looks_like_what_does_not_exist(
    hass: HomeAssistant, served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing, closed = new_token(), new_token()
    file = HostedFile(path=tmp_path / "no-such-file", name=NAME, size=1, sha256=SHA256)
    for token in (missing, closed):
        served.hosting.open(token, file, fetched=served.open().fetched, changed=served.tell)
    served.hosting.close(closed)
    answers = set()
    for path in (
        f"/api/emu_ota/firmware/{new_token()}/{NAME}",
        f"/api/emu_ota/firmware/{TOKEN}/another.tar.gz",
        f"/api/emu_ota/firmware/{closed}/{NAME}",
        f"/api/emu_ota/firmware/{missing}/{NAME}",
        "/api/emu_ota/firmware",
        "/api/no/such/path",
    ):
        response = await served.client.get(path)
        answers.add((response.status, await response.read(), tuple(response.headers)))
    assert len(answers) == 1
    assert answers.pop()[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_not_allowed(served: Served, method: str) -> None:
    response = await served.client.request(method, served.url)
    assert response.status == 405
    assert served.told == []


@pytest.mark.parametrize("damage", ["removed", "shorter", "a folder"])
async def test_a_package_that_is_not_what_it_was_is_missed_with_one_warning(
    served: Served, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    served.path.unlink()
    if damage == "shorter":
        served.path.write_bytes(PACKAGE[:-1])
    elif damage == "a folder":
        served.path.mkdir()
    for _ in range(3):
        assert (await served.client.get(served.url)).status == 404
    warnings = [record.getMessage() for record in caplog.records if record.name.startswith("custom_components.emu")]
    assert len(warnings) == 1
    assert "missing or damaged" in warnings[0]
    assert TOKEN not in warnings[0]
    assert (await served.settled()).requests == 3


async def test_a_package_that_goes_while_it_is_sent_cuts_the_reader_off(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    async with Reader(served.client) as reader:
        await reader.ask(served.url)
        assert await reader.status() == 200
        served.path.unlink()
        assert len(await reader.until_closed()) < SIZE
    assert "missing or damaged" in caplog.text
    assert not (await served.settled()).whole


async def test_closing_cuts_off_who_reads_just_then(served: Served) -> None:
    async with Reader(served.client) as reader:
        await reader.ask(served.url)
        assert await reader.status() == 200
        served.hosting.close(TOKEN)
        told = len(served.told)
        assert len(await reader.until_closed()) < SIZE
    assert len(served.told) == told
    assert (await served.client.get(served.url)).status == 404
    served.hosting.close(TOKEN)  # nothing to close is no error


async def test_the_hosting_of_home_assistant_can_be_found(hass: HomeAssistant, served: Served) -> None:
    assert hass.data[HOSTING] is served.hosting
    assert served.hosting.find(TOKEN) is not None
    assert served.hosting.find(TOKEN[:-1]) is None


def test_every_token_is_new_short_and_as_it_is_in_a_url() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert {len(token) for token in tokens} == {22}  # 22 characters of 6 bits hold 128
    assert all(token.replace("-", "").replace("_", "").isalnum() and token.isascii() for token in tokens)

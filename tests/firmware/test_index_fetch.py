"""What is found behind an index URL, over real HTTP."""

from collections.abc import Callable

from aiohttp import ClientSession, ClientTimeout
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
import pytest

from custom_components.emu_ota.firmware.index import MAX_INDEX, IndexFault
from custom_components.emu_ota.firmware.index_fetch import (
    CannotRefresh,
    FetchFault,
    IndexCopy,
    RefreshFault,
    async_fetch_index,
)

from .index_server import Answer, IndexServer


@pytest.fixture
async def session(hass: HomeAssistant, index: IndexServer) -> ClientSession:
    """Return the session that the integration uses."""
    return async_get_clientsession(hass)


async def refused(session: ClientSession, url: str, *, known: IndexCopy | None = None) -> CannotRefresh:
    """Return the error that a fetch raises."""
    with pytest.raises(CannotRefresh) as caught:
        await async_fetch_index(session, url, known)
    assert caught.value.__cause__ is None
    return caught.value


async def test_a_document_is_returned_as_it_is(session: ClientSession, index: IndexServer) -> None:
    index.body = b"\xef\xbb\xbfwhatever"
    index.headers = {"ETag": 'W/"one"', "Last-Modified": "Sun, 01 Nov 2026 08:00:00 GMT"}

    copy = await async_fetch_index(session, index.url + "?a=b")

    assert copy.body == b"\xef\xbb\xbfwhatever"
    assert str(copy.base) == index.url
    assert (copy.etag, copy.last_modified) == ('W/"one"', "Sun, 01 Nov 2026 08:00:00 GMT")
    assert index.requests[0]["Accept-Encoding"] == "identity"


async def test_a_document_may_have_the_largest_size(session: ClientSession, index: IndexServer) -> None:
    index.body = bytes(MAX_INDEX)
    assert (await async_fetch_index(session, index.url)).body == index.body

    index.body = bytes(MAX_INDEX + 1)
    assert (await refused(session, index.url)).fault is IndexFault.TOO_LARGE


@pytest.mark.parametrize(
    "answer", [lambda index: index.announce, lambda index: index.pour], ids=["announced", "without an end"]
)
async def test_a_document_of_100_mb_is_cut_off(
    session: ClientSession, index: IndexServer, answer: Callable[[IndexServer], Answer]
) -> None:
    index.answer = answer(index)

    assert (await refused(session, index.url)).fault is IndexFault.TOO_LARGE
    # What is beyond the limit is in the buffers of the connection.
    assert index.sent < 3 * MAX_INDEX


async def test_a_coded_document_is_not_decoded(session: ClientSession, index: IndexServer) -> None:
    """A few kilobytes of it could become gigabytes."""
    index.headers = {"Content-Encoding": "gzip"}
    index.body = b"\x1f\x8b\x08 as it came"

    assert (await async_fetch_index(session, index.url)).body == index.body


@pytest.mark.parametrize("status", [204, 206, 304, 401, 404, 500, 503])
async def test_any_other_status_is_told(session: ClientSession, index: IndexServer, status: int) -> None:
    index.status = status

    error = await refused(session, index.url)

    assert (error.fault, error.status, str(error)) == (FetchFault.HTTP_STATUS, status, f"http_status {status}")


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("/circle", FetchFault.CANNOT_CONNECT),
        ("ftp://192.0.2.1/index.json", FetchFault.CANNOT_CONNECT),
        ("http://127.0.0.1:99999/", FetchFault.CANNOT_CONNECT),
        ("/nowhere", FetchFault.HTTP_STATUS),
    ],
)
async def test_a_redirect_that_leads_nowhere_is_refused(
    session: ClientSession, index: IndexServer, target: str, fault: RefreshFault
) -> None:
    index.moved_to = target

    assert (await refused(session, index.url_of("/moved"))).fault is fault


@pytest.mark.parametrize(
    "patience", [ClientTimeout(total=0.05), ClientTimeout(sock_read=0.05)], ids=["in all", "between two bytes"]
)
async def test_a_server_that_takes_too_long_is_told(
    session: ClientSession, index: IndexServer, patience: ClientTimeout
) -> None:
    index.answer = index.wait

    with pytest.raises(CannotRefresh) as caught:
        await async_fetch_index(session, index.url, patience=patience)

    assert caught.value.fault is FetchFault.TIMEOUT


@pytest.mark.parametrize(
    "url",
    [
        "",
        "index.json",
        "ws://127.0.0.1/",
        "ftp://127.0.0.1/index.json",
        "file:///etc/passwd",
        "http://",
        "http://[::1",
        "http://xn--/",
    ],
)
async def test_a_url_that_is_none_is_refused(session: ClientSession, url: str) -> None:
    assert (await refused(session, url)).fault is FetchFault.INVALID_URL


async def test_a_server_that_is_not_there_is_told(session: ClientSession, index: IndexServer) -> None:
    url = index.url
    await index.server.close()

    assert (await refused(session, url)).fault is FetchFault.CANNOT_CONNECT


async def test_a_server_that_does_not_speak_tls_is_told(session: ClientSession, index: IndexServer) -> None:
    assert (await refused(session, index.url.replace("http:", "https:"))).fault is FetchFault.TLS_ERROR


async def test_a_document_that_breaks_off_is_refused(session: ClientSession, index: IndexServer) -> None:
    index.answer = index.break_off

    assert (await refused(session, index.url)).fault is FetchFault.CANNOT_CONNECT


async def test_an_error_never_quotes_the_url(session: ClientSession, index: IndexServer) -> None:
    for url in (index.url_of("/nowhere"), "http://127.0.0.1:1/", "ftp://127.0.0.1/", "http://127.0.0.1:99999/"):
        error = await refused(session, url.replace("//", "//user:s3cret@") + "?key=s3cret")
        assert "s3cret" not in f"{error!r} {error.__cause__!r}"

"""What is found behind a link, over real HTTP."""

from collections.abc import AsyncGenerator

from aiohttp import ClientSession
import pytest

from custom_components.emu_ota.firmware.link import CannotDownload, LinkedFile, async_fetch, parse_link

from .files import LONG_NAME, PACKAGE, PACKAGE_MD5, FileServer


@pytest.fixture
async def session(files: FileServer) -> AsyncGenerator[ClientSession]:
    """Return a session that is closed before the server is."""
    async with ClientSession() as session:
        yield session


@pytest.mark.parametrize("path", ["package.bin", "chunked.bin", "encoded.tar.gz"])
async def test_a_file_is_told_by_its_md5_and_its_size(files: FileServer, session: ClientSession, path: str) -> None:
    url = files.url(path)
    found = await async_fetch(session, url, lambda _: None)
    assert found == LinkedFile(url=url, md5=PACKAGE_MD5, size=len(PACKAGE))


async def test_progress_rises_to_the_whole_and_is_told_at_most_once_per_cent(
    files: FileServer, session: ClientSession
) -> None:
    told: list[float] = []
    await async_fetch(session, files.url("package.bin"), told.append)
    assert told == sorted(set(told))
    assert 1 < len(told) <= 100
    assert told[-1] == 1


async def test_no_progress_is_told_where_the_server_hides_the_size(files: FileServer, session: ClientSession) -> None:
    told: list[float] = []
    await async_fetch(session, files.url("chunked.bin"), told.append)
    assert told == []


async def test_a_redirect_is_followed_and_the_address_behind_it_is_kept(
    files: FileServer, session: ClientSession
) -> None:
    found = await async_fetch(session, files.url("moved"), lambda _: None)
    assert found.url == files.url("package.bin")


async def test_an_address_too_long_for_the_protocol_is_not_kept(files: FileServer, session: ClientSession) -> None:
    found = await async_fetch(session, files.url("moved-far"), lambda _: None)
    assert f"/{LONG_NAME}" in files.requests
    assert found.url == files.url("moved-far")


@pytest.mark.parametrize("path", ["missing.bin", "truncated.bin", "page", "empty.bin", "huge.bin"])
async def test_what_is_no_package_is_refused(files: FileServer, session: ClientSession, path: str) -> None:
    with pytest.raises(CannotDownload):
        await async_fetch(session, files.url(path), lambda _: None)


@pytest.mark.parametrize("path", ["package.bin", "chunked.bin"])
async def test_a_file_above_the_limit_is_refused(files: FileServer, session: ClientSession, path: str) -> None:
    with pytest.raises(CannotDownload):
        await async_fetch(session, files.url(path), lambda _: None, limit=len(PACKAGE) - 1)
    assert (await async_fetch(session, files.url(path), lambda _: None, limit=len(PACKAGE))).size == len(PACKAGE)


async def test_a_server_that_is_not_there_is_refused(files: FileServer, session: ClientSession) -> None:
    url = files.url("package.bin")
    await files.server.close()
    with pytest.raises(CannotDownload):
        await async_fetch(session, url, lambda _: None)


async def test_an_error_never_quotes_the_link(files: FileServer, session: ClientSession) -> None:
    url = files.url("missing.bin?token=s3cret").replace("//", "//user:s3cret@")
    with pytest.raises(CannotDownload) as caught:
        await async_fetch(session, url, lambda _: None)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("http://192.0.2.1/a.tar.gz", "http://192.0.2.1/a.tar.gz"),
        ("https://example.com:8443/a?b=c#d", "https://example.com:8443/a?b=c"),
        ("HTTPS://Example.com/a", "https://example.com/a"),
        ("http://example.com/a b", "http://example.com/a%20b"),
        ("http://example.com/" + "a" * 236, "http://example.com/" + "a" * 236),
        ("http://example.com/" + "a" * 237, None),
        ("ftp://example.com/a", None),
        ("file:///etc/passwd", None),
        ("example.com/a", None),
        ("http://", None),
        ("http:///a", None),
        ("http://example.com:99999/a", None),
        ("", None),
    ],
)
def test_a_link_is_one_that_an_ems_can_fetch(text: str, link: str | None) -> None:
    assert parse_link(text) == link

"""Demo packages, and how an EMS fetches, checks and unpacks them."""

from collections.abc import AsyncGenerator
import io
from pathlib import Path
import tarfile

import aiohttp
import pytest

from custom_components.emu_ota.protocol.models import DownloadStatus
from simulator.downloads import Downloads, HttpDownloads, MemoryDownloads
from simulator.ems import DownloadRequest, Fetched
from simulator.package import Archive, Manifest, NotAPackage, build_package, md5_of, read_package
from simulator.package_server import PackageServer

NAME = "emu-v1.2.0.tar.gz"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[PackageServer]:
    """Serve a folder."""
    async with PackageServer(tmp_path) as server:
        yield server


async def fetched(downloads: Downloads, link: str, md5: str) -> Fetched:
    """Return what becomes of a download."""
    try:
        return await downloads.fetch(DownloadRequest(1, link, md5))
    finally:
        await downloads.close()


@pytest.mark.parametrize("archive", Archive)
def test_a_package_says_what_it_holds(archive: Archive) -> None:
    package = build_package("emu-v1.2.0", components=(3, 21), size=100_000, archive=archive)
    assert read_package(io.BytesIO(package)) == Manifest("emu-v1.2.0", (3, 21))
    assert len(package) > 100_000
    assert package == build_package("emu-v1.2.0", components=(3, 21), size=100_000, archive=archive)
    assert md5_of(package) != md5_of(build_package("emu-v1.2.1"))


def _archive(member: str, content: bytes) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as package:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        package.addfile(info, io.BytesIO(content))
    return archive.getvalue()


NO_PACKAGES = {
    "empty": b"",
    "text": b"firmware",
    "cut off": build_package("emu-v1.2.0")[:1000],
    "cut off zip": build_package("emu-v1.2.0", archive=Archive.ZIP)[:1000],
    "no manifest": _archive("firmware.bin", b"firmware"),
    "manifest is no JSON": _archive("manifest.json", b"{"),
    "manifest is no object": _archive("manifest.json", b"[]"),
    "no version": _archive("manifest.json", b"{}"),
    "components are no numbers": _archive("manifest.json", b'{"version": "v", "components": ["emu"]}'),
}


@pytest.mark.parametrize("content", NO_PACKAGES.values(), ids=NO_PACKAGES)
def test_what_is_no_package_is_refused(content: bytes) -> None:
    with pytest.raises(NotAPackage):
        read_package(io.BytesIO(content))


async def test_a_package_is_really_fetched_and_its_md5_really_checked(tmp_path: Path, server: PackageServer) -> None:
    package = build_package("emu-v1.2.0", size=300_000)
    (tmp_path / NAME).write_bytes(package)
    assert await fetched(HttpDownloads(), server.url(NAME), md5_of(package).upper()) == Manifest("emu-v1.2.0")
    assert await fetched(HttpDownloads(), server.url(NAME), "0" * 32) is DownloadStatus.MD5_MISMATCH


async def test_a_file_that_is_no_package_cannot_be_unpacked(tmp_path: Path, server: PackageServer) -> None:
    (tmp_path / NAME).write_bytes(b"firmware")
    assert await fetched(HttpDownloads(), server.url(NAME), md5_of(b"firmware")) is DownloadStatus.UNPACK_FAILED


@pytest.mark.parametrize("link", ["missing", "", "http://127.0.0.1:1/gone", "http://", "nonsense"])
async def test_a_link_that_leads_nowhere_fails_the_download(link: str, server: PackageServer) -> None:
    full = link if link in {"", "nonsense"} or "//" in link else server.url(link)
    assert await fetched(HttpDownloads(), full, "0" * 32) is DownloadStatus.DOWNLOAD_FAILED


async def test_downloads_from_memory_check_the_same() -> None:
    package = build_package("emu-v1.2.0")
    downloads = MemoryDownloads({"link": package, "text": b"firmware"})
    assert await fetched(downloads, "link", md5_of(package)) == Manifest("emu-v1.2.0")
    assert await fetched(downloads, "link", "0" * 32) is DownloadStatus.MD5_MISMATCH
    assert await fetched(downloads, "text", md5_of(b"firmware")) is DownloadStatus.UNPACK_FAILED
    assert await fetched(downloads, "other", "0" * 32) is DownloadStatus.DOWNLOAD_FAILED
    assert downloads.fetched == ["link", "link", "text", "other"]


async def test_the_server_knows_heads_and_ranges_and_nothing_outside_its_folder(
    tmp_path: Path, server: PackageServer
) -> None:
    (tmp_path / NAME).write_bytes(b"0123456789")
    async with aiohttp.ClientSession() as session:
        async with session.head(server.url(NAME)) as response:
            assert (response.status, response.headers["Content-Length"]) == (200, "10")
        async with session.get(server.url(NAME), headers={"Range": "bytes=4-"}) as response:
            assert (response.status, await response.read()) == (206, b"456789")
        async with session.get(server.url("%2e%2e/%2e%2e/etc/passwd")) as response:
            assert response.status in {403, 404}

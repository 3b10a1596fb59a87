"""Packages are kept as files, whole or not at all."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
import gzip
import hashlib
import io
from pathlib import Path
import resource
import tarfile
from threading import Event
import zipfile

from homeassistant.core import HomeAssistant
from hypothesis import given, strategies as st
import pytest

from custom_components.emu_ota.firmware.archives import PackageKind, kind_of
from custom_components.emu_ota.firmware.packages import (
    EmptyPackage,
    NoRoom,
    PackageRefused,
    PackageStore,
    PackageTooLarge,
    StoredPackage,
)

from .served import PACKAGE, SHA256

STORED = StoredPackage(
    sha256=SHA256, md5=hashlib.md5(PACKAGE, usedforsecurity=False).hexdigest(), size=len(PACKAGE), kind=None
)
OTHER = "0" * 64

type Keep = Callable[[PackageStore, Path], Awaitable[StoredPackage]]


async def _by_copy(store: PackageStore, source: Path) -> StoredPackage:
    return await store.async_store(source)


async def _by_writer(store: PackageStore, source: Path) -> StoredPackage:
    data = await asyncio.to_thread(source.read_bytes)
    async with store.writer() as writer:
        for start in range(0, len(data), 100_000):
            await writer.write(data[start : start + 100_000])
        return await writer.finish()


both_ways = pytest.mark.parametrize("keep", [_by_copy, _by_writer])


def _files(store: PackageStore) -> list[str]:
    return sorted(path.name for path in store.folder.iterdir()) if store.folder.exists() else []


@contextmanager
def _file_size_limit(size: int) -> Generator[None]:
    """Let the system refuse to write more than that into a file, as a full disk would: in the middle of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@both_ways
async def test_a_package_is_kept_under_its_sha256(hass: HomeAssistant, package: Path, keep: Keep) -> None:
    store = PackageStore(hass)
    assert not await store.async_exists(SHA256)
    assert await keep(store, package) == STORED
    assert await store.async_exists(SHA256)
    assert store.path(SHA256) == Path(hass.config.path("emu_ota", "packages", SHA256))
    assert store.path(SHA256).read_bytes() == PACKAGE
    assert _files(store) == [SHA256]


@both_ways
async def test_the_same_package_is_kept_once_and_healed(hass: HomeAssistant, package: Path, keep: Keep) -> None:
    store = PackageStore(hass)
    await keep(store, package)
    store.path(SHA256).write_bytes(b"damaged")
    assert await keep(store, package) == STORED
    assert store.path(SHA256).read_bytes() == PACKAGE
    assert _files(store) == [SHA256]


@both_ways
async def test_an_empty_package_is_refused(hass: HomeAssistant, tmp_path: Path, keep: Keep) -> None:
    store = PackageStore(hass)
    (tmp_path / "empty").touch()
    with pytest.raises(EmptyPackage):
        await keep(store, tmp_path / "empty")
    assert _files(store) == []


@both_ways
async def test_a_package_above_the_limit_is_refused(hass: HomeAssistant, package: Path, keep: Keep) -> None:
    store = PackageStore(hass, limit=len(PACKAGE) - 1)
    with pytest.raises(PackageTooLarge):
        await keep(store, package)
    assert _files(store) == []
    assert await keep(PackageStore(hass, limit=len(PACKAGE)), package) == STORED


@both_ways
async def test_a_disk_that_gets_full_leaves_nothing_behind(hass: HomeAssistant, package: Path, keep: Keep) -> None:
    store = PackageStore(hass)
    for size in (1000, 1024**2 + 1000):  # in the first chunk, in a later one
        with _file_size_limit(size), pytest.raises(NoRoom) as caught:
            await keep(store, package)
        assert isinstance(caught.value.__cause__, OSError)
        assert _files(store) == []
    assert await keep(store, package) == STORED


@both_ways
async def test_home_assistant_keeps_its_share_of_the_disk(hass: HomeAssistant, package: Path, keep: Keep) -> None:
    store = PackageStore(hass, keep_free=2**62)
    with pytest.raises(NoRoom):
        await keep(store, package)
    assert _files(store) == []


@both_ways
async def test_a_folder_that_cannot_be_written_is_no_room(hass: HomeAssistant, package: Path, keep: Keep) -> None:
    store = PackageStore(hass)
    store.folder.parent.write_bytes(b"a file where the folder should be")
    with pytest.raises(NoRoom):
        await keep(store, package)


@both_ways
async def test_a_name_that_is_taken_by_a_folder_is_no_room(hass: HomeAssistant, package: Path, keep: Keep) -> None:
    store = PackageStore(hass)
    (store.folder / SHA256 / "something").mkdir(parents=True)
    with pytest.raises(NoRoom):
        await keep(store, package)
    assert _files(store) == [SHA256]


async def test_a_file_that_cannot_be_read_is_refused(hass: HomeAssistant, tmp_path: Path) -> None:
    with pytest.raises(PackageRefused):
        await PackageStore(hass).async_store(tmp_path / "no-such-file")


async def test_it_can_be_stored_within_a_job_of_the_executor(hass: HomeAssistant, package: Path) -> None:
    store = PackageStore(hass)
    assert await hass.async_add_executor_job(store.store, package) == STORED


async def test_a_writer_that_is_not_finished_keeps_nothing(hass: HomeAssistant) -> None:
    store = PackageStore(hass)
    async with store.writer() as writer:
        await writer.write(PACKAGE)
        assert len(_files(store)) == 1
    assert _files(store) == []


async def test_a_writer_whose_source_fails_keeps_nothing(hass: HomeAssistant) -> None:
    store = PackageStore(hass)

    async def mirror() -> None:
        async with store.writer() as writer:
            await writer.write(PACKAGE)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await mirror()
    assert _files(store) == []


async def test_a_cancelled_writer_keeps_nothing_wherever_it_was(hass: HomeAssistant) -> None:
    store = PackageStore(hass)

    async def write_much() -> None:
        async with store.writer() as writer:
            for _ in range(200):
                await writer.write(PACKAGE)
            await writer.finish()

    for step in range(20):
        task = hass.async_create_task(write_much())
        for _ in range(step):
            await asyncio.sleep(0)
        await asyncio.sleep(0.001 * step)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await hass.async_block_till_done()
        assert _files(store) == []


async def test_a_writer_cancelled_while_it_cleans_up_keeps_nothing(hass: HomeAssistant) -> None:
    store = PackageStore(hass)
    reached = asyncio.Event()
    busy = Event()

    async def write_and_give_up() -> None:
        async with store.writer() as writer:
            await writer.write(PACKAGE)
            for _ in range(200):  # more than there are threads: what comes now has to wait
                hass.async_add_executor_job(busy.wait, 10)
            reached.set()

    task = hass.async_create_task(write_and_give_up())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(_files(store)) == 1
    busy.set()
    await hass.async_block_till_done()
    assert _files(store) == []


async def test_what_comes_after_the_end_of_a_writer_is_lost(hass: HomeAssistant) -> None:
    store = PackageStore(hass)
    async with store.writer() as writer:
        await writer.write(PACKAGE)
    await writer.write(PACKAGE)
    with pytest.raises(EmptyPackage):
        await writer.finish()
    assert _files(store) == []


async def test_a_package_can_be_removed(hass: HomeAssistant, package: Path) -> None:
    store = PackageStore(hass)
    await store.async_remove(SHA256)  # not there yet: no error
    await store.async_store(package)
    await store.async_remove(SHA256)
    assert not await store.async_exists(SHA256)


async def test_what_cannot_be_removed_is_logged(hass: HomeAssistant, caplog: pytest.LogCaptureFixture) -> None:
    store = PackageStore(hass)
    store.path(SHA256).mkdir(parents=True)
    await store.async_remove(SHA256)
    assert "Cannot remove" in caplog.text


async def test_sweeping_removes_what_nobody_uses_and_what_a_crash_left(hass: HomeAssistant, package: Path) -> None:
    store = PackageStore(hass)
    await store.async_sweep([])  # nothing has ever been stored: no error
    await store.async_store(package)
    for name in (OTHER, "0123456789abcdef-7.part", "notes.txt", OTHER[:-1]):
        (store.folder / name).write_bytes(b"x")
    async with store.writer() as writer:
        await writer.write(PACKAGE + b"x")
        await store.async_sweep([SHA256])
        assert (await writer.finish()).size == len(PACKAGE) + 1  # what is just being written stays
    assert {SHA256, "notes.txt", OTHER[:-1]} < set(_files(store))
    assert len(_files(store)) == 4
    await store.async_sweep({SHA256})
    assert _files(store) == sorted([SHA256, "notes.txt", OTHER[:-1]])
    await store.async_sweep(())
    assert _files(store) == sorted(["notes.txt", OTHER[:-1]])


@pytest.mark.parametrize(
    "sha256", ["", "..", "../../secrets.yaml", SHA256.upper(), SHA256[:-1], SHA256 + "0", SHA256 + "\n", "\u0660" * 64]
)
async def test_nothing_but_a_sha256_becomes_a_path(hass: HomeAssistant, sha256: str) -> None:
    store = PackageStore(hass)
    with pytest.raises(ValueError, match="64"):
        store.path(sha256)
    with pytest.raises(ValueError, match="64"):
        await store.async_remove(sha256)
    with pytest.raises(ValueError, match="64"):
        await store.async_exists(sha256)


def _tar(mode: str, form: int = tarfile.USTAR_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=form) as archive:  # type: ignore[call-overload]  # any mode
        member = tarfile.TarInfo("firmware.bin")
        member.size = 5000
        archive.addfile(member, io.BytesIO(PACKAGE[:5000]))
    return buffer.getvalue()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("firmware.bin", PACKAGE[:5000])
    return buffer.getvalue()


def _old_tar() -> bytes:
    """Return a tar of before POSIX: without its magic, with its checksum."""
    header = bytearray(_tar("w")[:512])
    header[257:] = bytes(255)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (_zip(), PackageKind.ZIP),
        (_tar("w"), PackageKind.TAR),
        (_tar("w", tarfile.GNU_FORMAT), PackageKind.TAR),
        (_tar("w", tarfile.PAX_FORMAT), PackageKind.TAR),
        (_old_tar(), PackageKind.TAR),
        (_tar("w:gz"), PackageKind.TAR_GZ),
        (_tar("w:bz2"), None),
        (gzip.compress(PACKAGE), None),
        (gzip.compress(bytes(50_000_000)), None),
        (b"\x1f\x8b\x08 and no more", None),
        (b"PK\x05\x06" + bytes(18), None),
        (bytes(10_240), None),
        (b"<html>Please log in</html>", None),
        (b"x", None),
    ],
    ids=[
        "zip",
        "tar",
        "tar of gnu",
        "tar of pax",
        "tar before posix",
        "tar.gz",
        "tar.bz2",
        "gzip",
        "bomb",
        "broken gzip",
        "empty zip",
        "zeros",
        "page",
        "byte",
    ],
)
@both_ways
async def test_archives_are_told_by_their_content(
    hass: HomeAssistant, tmp_path: Path, keep: Keep, data: bytes, kind: PackageKind | None
) -> None:
    source = tmp_path / "misleading.zip"
    source.write_bytes(data)
    assert (await keep(PackageStore(hass), source)).kind is kind


@given(st.binary(max_size=600), st.integers(0, 500))
def test_any_bytes_are_some_kind_or_none(noise: bytes, at: int) -> None:
    kind_of(noise)
    for archive in (_tar("w"), _tar("w:gz"), _zip()):
        kind_of(archive[:at] + noise + archive[at + len(noise) :])

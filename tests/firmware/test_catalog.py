"""What is offered when several sources know a version."""

from datetime import date
from itertools import permutations

import pytest

from custom_components.emu_ota.firmware.catalog import Catalog, Conflict, combine
from custom_components.emu_ota.firmware.release import Release, Source

from .documents import MD5, OTHER_MD5, OTHER_SHA256, SHA256


def of(source: Source, version: str = "emu-v1.2.0", *, md5: str = MD5, sha256: str | None = None) -> Release:
    """Return a release as one source knows it."""
    return Release(version=version, download_url=f"http://192.0.2.1/{source}", md5=md5, sha256=sha256, source=source)


UPLOAD, MIRROR, LINK, INDEX = (of(source) for source in Source)


def test_nothing_comes_of_nothing() -> None:
    assert combine([]) == Catalog()


def test_different_versions_are_all_offered() -> None:
    one, other = of(Source.INDEX, "emu-v1.0.0"), of(Source.INDEX, "emu-v1.2.0", md5=OTHER_MD5)

    assert combine([one, other]) == Catalog(releases=(one, other))


@pytest.mark.parametrize(
    ("known", "offered"),
    [
        ((UPLOAD, MIRROR, LINK, INDEX), UPLOAD),
        ((MIRROR, LINK, INDEX), MIRROR),
        ((LINK, INDEX), LINK),
        ((UPLOAD, INDEX), UPLOAD),
        ((INDEX,), INDEX),
        ((INDEX, INDEX), INDEX),
    ],
    ids=lambda value: "-".join(only.source for only in value) if isinstance(value, tuple) else value.source,
)
def test_the_same_file_comes_from_the_nearest_source(known: tuple[Release, ...], offered: Release) -> None:
    for candidates in permutations(known):
        assert combine(candidates) == Catalog(releases=(offered,))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (of(Source.UPLOAD), of(Source.INDEX, md5=OTHER_MD5)),
        (of(Source.LINK), of(Source.LINK, md5=OTHER_MD5)),
        (of(Source.UPLOAD, sha256=SHA256), of(Source.INDEX, sha256=OTHER_SHA256)),
        (of(Source.UPLOAD, sha256=SHA256), of(Source.INDEX, sha256=SHA256, md5=OTHER_MD5)),
    ],
    ids=["MD5", "MD5, one source", "SHA-256", "MD5, though the SHA-256 is the same"],
)
def test_a_version_that_is_two_files_is_a_conflict(one: Release, other: Release) -> None:
    neighbour = of(Source.INDEX, "emu-v1.0.0")
    conflict = Conflict(version="emu-v1.2.0", sources=(one.source, other.source))

    for candidates in permutations((one, neighbour, other)):
        assert combine(candidates) == Catalog(releases=(neighbour,), conflicts=(conflict,))


def test_a_conflict_takes_every_source_with_it() -> None:
    """Two against one is no proof: the index may be what the link was copied from."""
    odd = of(Source.UPLOAD, md5=OTHER_MD5)

    assert combine([LINK, INDEX, odd]) == Catalog(
        conflicts=(Conflict(version="emu-v1.2.0", sources=(Source.UPLOAD, Source.LINK, Source.INDEX)),)
    )


def test_a_conflict_is_seen_across_a_source_that_does_not_know_the_hash() -> None:
    one, between, other = of(Source.UPLOAD, sha256=SHA256), of(Source.LINK), of(Source.INDEX, sha256=OTHER_SHA256)

    assert len(combine([one, between, other]).conflicts) == 1


def test_hashes_are_the_same_in_either_case() -> None:
    loud = of(Source.UPLOAD, md5=MD5.upper(), sha256=SHA256.upper())

    assert combine([of(Source.INDEX, sha256=SHA256), loud]) == Catalog(releases=(loud,))


def test_what_the_nearest_source_leaves_open_the_next_fills_in() -> None:
    """The minimum above all: an upload of the same file needs what the publisher says it needs."""
    upload = Release(
        version="emu-v1.2.0", download_url="", md5=MD5, sha256=SHA256, size=7, notes="Ours.", source=Source.UPLOAD
    )
    index = Release(
        version="emu-v1.2.0",
        download_url="http://192.0.2.1/a.bin",
        md5=MD5,
        size=8,
        released=date(2026, 11, 1),
        summary="In a sentence.",
        notes="Theirs.",
        url="http://192.0.2.1/notes",
        min_version="emu-v1.0.0",
        source=Source.INDEX,
    )

    (offered,) = combine([index, upload]).releases

    assert offered == Release(
        version="emu-v1.2.0",
        download_url="",
        md5=MD5,
        sha256=SHA256,
        size=7,
        released=date(2026, 11, 1),
        summary="In a sentence.",
        notes="Ours.",
        url="http://192.0.2.1/notes",
        min_version="emu-v1.0.0",
        source=Source.UPLOAD,
    )

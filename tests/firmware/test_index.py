"""What an index says, and what of it is refused."""

from datetime import date

import pytest
from yarl import URL

from custom_components.emu_ota.firmware.index import (
    MAX_INDEX,
    MAX_RELEASES,
    IndexFault,
    InvalidIndex,
    Refusal,
    RefusedRelease,
    parse_index,
)
from custom_components.emu_ota.firmware.release import Release, Source

from .documents import (
    BAD,
    BASE,
    GOOD,
    MD5,
    OTHER_MD5,
    OTHER_SHA256,
    SHA256,
    UNSAID_BY_THE_SCHEMA,
    WHOLE,
    Json,
    document,
    release,
)

NEIGHBOUR = release(version="emu-v0.9.0")
REFUSED = {**BAD, **UNSAID_BY_THE_SCHEMA}


def test_everything_that_an_index_can_say() -> None:
    index = parse_index(document(WHOLE), BASE)

    assert index.refused == ()
    assert index.releases == (
        Release(
            version="emu-v1.2.0",
            download_url="https://firmware.example.com/emu/packages/emu-v1.2.0.tar.gz",
            md5=MD5,
            sha256=SHA256,
            size=18874368,
            released=date(2026, 11, 1),
            summary="Charges in the cold.",
            notes="## New\n\n- Charging below 5 °C\n",
            url="https://example.com/notes",
            min_version="emu-v1.0.0",
            source=Source.INDEX,
        ),
    )


def test_what_an_index_leaves_out_is_not_known() -> None:
    (only,) = parse_index(document(release()), BASE).releases

    assert only == Release(
        version="emu-v1.2.0",
        download_url="https://firmware.example.com/emu/a.bin",
        md5=MD5,
        source=Source.INDEX,
    )


def test_empty_texts_say_nothing() -> None:
    (only,) = parse_index(document(release(summary="", notes="")), BASE).releases

    assert (only.summary, only.notes) == (None, None)


def test_digits_are_kept_in_lower_case() -> None:
    (only,) = parse_index(document(release(md5=MD5.upper(), sha256=SHA256.upper())), BASE).releases

    assert (only.md5, only.sha256) == (MD5, SHA256)


@pytest.mark.parametrize("item", GOOD.values(), ids=GOOD)
def test_a_good_release_is_taken(item: Json) -> None:
    index = parse_index(document(item, NEIGHBOUR), BASE)

    assert index.refused == ()
    assert len(index.releases) == 2


@pytest.mark.parametrize(("item", "reason", "field"), REFUSED.values(), ids=REFUSED)
def test_a_bad_release_is_refused_alone(item: Json, reason: Refusal, field: str | None) -> None:
    index = parse_index(document(NEIGHBOUR, item), BASE)

    assert [only.version for only in index.releases] == ["emu-v0.9.0"]
    (refused,) = index.refused
    assert (refused.reason, refused.field) == (reason, field)


@pytest.mark.parametrize(
    ("item", "name"),
    [
        (release(size=0), "emu-v1.2.0"),
        ({"version": "emu-v1.2.0"}, "emu-v1.2.0"),
        ({}, "#2"),
        (17, "#2"),
        (release(version=17), "#2"),
        (release(version=""), "#2"),
        (release(version="v" * 256), "v" * 63 + "…"),
        (release(version="a\n\u202eb", size=0), "a\ufffd\ufffdb"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_refused_release_is_called_by_its_version_or_its_place(item: Json, name: str) -> None:
    (refused,) = parse_index(document(NEIGHBOUR, item), BASE).refused

    assert refused.name == name


def test_an_unknown_key_is_named_in_one_short_line() -> None:
    (refused,) = parse_index(document(release(**{"key\n" + "y" * 300: 1})), BASE).refused

    assert refused.field == "key\ufffd" + "y" * 59 + "…"


@pytest.mark.parametrize(
    ("base", "url", "absolute"),
    [
        ("https://example.com/emu/index.json", "a.bin", "https://example.com/emu/a.bin"),
        ("https://example.com/emu/index.json", "./a.bin", "https://example.com/emu/a.bin"),
        ("https://example.com/emu/index.json", "../a.bin", "https://example.com/a.bin"),
        ("https://example.com/emu/index.json", "../../../a.bin", "https://example.com/a.bin"),
        ("https://example.com/emu/index.json", "/a.bin", "https://example.com/a.bin"),
        ("https://example.com/emu/index.json", "//192.0.2.1:8080/a.bin", "https://192.0.2.1:8080/a.bin"),
        ("https://example.com/emu/index.json", "//[2001:db8::1]/a.bin", "https://[2001:db8::1]/a.bin"),
        ("https://example.com/emu/index.json", "?file=a", "https://example.com/emu/index.json?file=a"),
        ("https://example.com/emu/index.json", "http://192.0.2.1/a.bin", "http://192.0.2.1/a.bin"),
        ("https://example.com/emu/index.json", "a%20b.bin", "https://example.com/emu/a%20b.bin"),
        ("https://example.com/emu/index.json", "a/b@c:d", "https://example.com/emu/a/b@c:d"),
        ("https://example.com/emu/", "a.bin", "https://example.com/emu/a.bin"),
        ("https://example.com", "a.bin", "https://example.com/a.bin"),
        ("http://192.0.2.1:8080/index.json", "a.bin", "http://192.0.2.1:8080/a.bin"),
        # What opens the index is no business of the EMS, nor of who hears its orders.
        ("https://user:s3cret@example.com/index.json?key=s3cret", "a.bin", "https://example.com/a.bin"),
        ("https://user:s3cret@example.com/index.json?key=s3cret", "?a", "https://example.com/index.json?a"),
    ],
)
def test_a_relative_url_starts_where_the_index_is(base: str, url: str, absolute: str) -> None:
    (only,) = parse_index(document(release(url=url, notes_url=url)), URL(base)).releases

    assert (only.download_url, only.url) == (absolute, absolute)


def test_the_longest_url_counts_when_it_is_absolute() -> None:
    longest = 255 - len("https://firmware.example.com/emu/")

    (only,) = parse_index(document(release(url="a" * longest)), BASE).releases
    assert only.download_url == f"https://firmware.example.com/emu/{'a' * longest}"

    (refused,) = parse_index(document(release(url="a" * (longest + 1))), BASE).refused
    assert refused.reason is Refusal.TOO_LONG


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        ({}, {"md5": OTHER_MD5}, "md5"),
        ({"sha256": SHA256}, {"md5": OTHER_MD5, "sha256": SHA256}, "md5"),
        ({"sha256": SHA256}, {"sha256": OTHER_SHA256}, "sha256"),
        ({"size": 1}, {"size": 2}, "size"),
        ({"min_version": "emu-v1.0.0"}, {"min_version": "emu-v1.1.0"}, "min_version"),
    ],
)
def test_a_version_that_is_two_files_is_refused_altogether(
    one: dict[str, Json], other: dict[str, Json], field: str
) -> None:
    third = release(url="c.bin")

    index = parse_index(document(release(**one), NEIGHBOUR, release(url="b.bin", **other), third), BASE)

    assert [only.version for only in index.releases] == ["emu-v0.9.0"]
    assert index.refused == (RefusedRelease(name="emu-v1.2.0", reason=Refusal.CONFLICT, field=field),)


def test_a_version_that_is_one_file_twice_counts_once() -> None:
    again = release(md5=MD5.upper(), sha256=SHA256, url="b.bin", size=7, summary="Again.", min_version="emu-v1.0.0")

    index = parse_index(document(release(summary="First."), NEIGHBOUR, again, release()), BASE)

    assert index.refused == ()
    first, neighbour = index.releases
    assert neighbour.version == "emu-v0.9.0"
    assert (first.download_url, first.summary) == ("https://firmware.example.com/emu/a.bin", "First.")
    assert (first.sha256, first.size, first.min_version) == (SHA256, 7, "emu-v1.0.0")


def test_versions_that_are_written_differently_are_different() -> None:
    """`1.0` and `1.0.0` are the same number, but an EMU reports only one of the two."""
    index = parse_index(document(release(version="emu-v1.0"), release(version="emu-v1.0.0", md5=OTHER_MD5)), BASE)

    assert [only.version for only in index.releases] == ["emu-v1.0", "emu-v1.0.0"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", IndexFault.NOT_JSON),
        (b"<!doctype html><title>Log in</title>", IndexFault.NOT_JSON),
        (b"\xff\xfe{\x00}\x00", IndexFault.NOT_JSON),
        (b'{"format":1,"releases":[],}', IndexFault.NOT_JSON),
        (b'{"format":1,"releases":[NaN]}', IndexFault.NOT_JSON),
        (b'{"format":1,"releases":["\\ud800"]}', IndexFault.NOT_JSON),
        (b'{"format":1,"releases":' + b"[" * 100_000, IndexFault.NOT_JSON),
        (b"null", IndexFault.NOT_AN_OBJECT),
        (b"[]", IndexFault.NOT_AN_OBJECT),
        (b'"releases"', IndexFault.NOT_AN_OBJECT),
        (b"{}", IndexFault.WRONG_FORMAT),
        (b'{"releases":[]}', IndexFault.WRONG_FORMAT),
        (b'{"format":2,"releases":[]}', IndexFault.WRONG_FORMAT),
        (b'{"format":"1","releases":[]}', IndexFault.WRONG_FORMAT),
        (b'{"format":true,"releases":[]}', IndexFault.WRONG_FORMAT),
        (b'{"format":null,"releases":[]}', IndexFault.WRONG_FORMAT),
        (b'{"format":1}', IndexFault.NO_RELEASES),
        (b'{"format":1,"releases":null}', IndexFault.NO_RELEASES),
        (b'{"format":1,"releases":{}}', IndexFault.NO_RELEASES),
        (document(*[None] * (MAX_RELEASES + 1)), IndexFault.TOO_MANY_RELEASES),
        (b" " * (MAX_INDEX + 1), IndexFault.TOO_LARGE),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_is_no_index_is_refused_as_a_whole(body: bytes, reason: IndexFault) -> None:
    with pytest.raises(InvalidIndex) as caught:
        parse_index(body, BASE)

    assert caught.value.reason is reason


@pytest.mark.parametrize(
    "body",
    [
        b'{"format":1,"releases":[]}',
        b'{"format":1.0,"releases":[]}',
        b'\xef\xbb\xbf{"format":1,"releases":[]}',
        document(name="Firmware of the plant", generated={"at": 1}),
        b'{"format":1,"releases":[]}'.ljust(MAX_INDEX),
    ],
    ids=["empty", "a number as JSON may write it", "a byte order mark", "other keys", "the largest"],
)
def test_an_index_may_say_nothing(body: bytes) -> None:
    index = parse_index(body, BASE)

    assert (index.releases, index.refused) == ((), ())


def test_the_longest_index_is_read_whole() -> None:
    versions = [f"emu-v1.{number}" for number in range(MAX_RELEASES)]

    index = parse_index(document(*(release(version=version) for version in versions)), BASE)

    assert [only.version for only in index.releases] == versions

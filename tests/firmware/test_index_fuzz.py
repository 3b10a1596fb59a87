"""Whatever the bytes are: an index comes out, or InvalidIndex, and nothing else."""

from contextlib import suppress
import json
import re

from hypothesis import example, given, strategies as st
import orjson
from yarl import URL

from custom_components.emu_ota.firmware.index import URL_REFERENCE, Index, InvalidIndex, parse_index
from custom_components.emu_ota.firmware.release import Source

from .documents import BASE, GOOD, MD5, OTHER_MD5, SHA256, WHOLE, Json, document, release

SAMPLE = document(*GOOD.values())

awkward = st.sampled_from(
    [
        *("²", "٣", "", "\0", "a" * 256, "emu-v" + "9" * 5000, "emu-v1.2.0", "bms-v9", MD5, OTHER_MD5, SHA256),
        *("http://[::1", "http://xn--/", "http://a:99999/", "//", "//@", "?", "http://%zz/", "2026-13-01"),
        *(0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**64 - 1, -(2**63), 1e308, -1e308, 5e-324, 1.0, -0.0),
        *(None, True, False),
    ]
)
scalars = awkward | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*WHOLE]) | st.text(), inner, max_size=6)
    ),
    max_leaves=20,
)
urls = st.text("ahtps:/?@[]%.#0 \0é", max_size=20) | st.from_regex(URL_REFERENCE, fullmatch=True)


def parse_or_refuse(body: bytes) -> Index | None:
    """Parse: any error other than InvalidIndex fails the test, and so does a release that could not be ordered."""
    with suppress(InvalidIndex):
        index = parse_index(body, BASE)
        assert len({only.version for only in index.releases}) == len(index.releases)
        for only in index.releases:
            assert 1 <= len(only.version) <= 255
            assert only.download_url is not None
            assert len(only.download_url) <= 255
            assert URL(only.download_url).scheme in {"http", "https"}
            assert URL(only.download_url).user is None
            assert re.fullmatch("[0-9a-f]{32}", only.md5)
            assert only.source is Source.INDEX
        return index
    return None


@given(st.binary(max_size=300))
def test_random_bytes(body: bytes) -> None:
    parse_or_refuse(body)


@given(st.text('{}[],:"\\0123456789.eE+-formatversluadnull \r\n\té²\0', max_size=80))
def test_random_text_that_looks_like_json(text: str) -> None:
    parse_or_refuse(text.encode())


@given(
    edits=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=5)
)
def test_an_index_with_bytes_exchanged(edits: list[tuple[int, int, bytes]]) -> None:
    changed = bytearray(SAMPLE)
    for at, length, put in edits:
        changed[at : at + length] = put
    parse_or_refuse(bytes(changed))


@given(values)
def test_json_of_any_shape(body: Json) -> None:
    parse_or_refuse(json.dumps(body, ensure_ascii=False).encode(errors="replace"))


@given(
    st.lists(st.dictionaries(st.sampled_from([*WHOLE]), values).map(lambda item: release(**item)) | values, max_size=4)
)
def test_known_keys_with_values_of_any_type(items: list[Json]) -> None:
    body = json.dumps({"format": 1, "releases": items}, ensure_ascii=False).encode(errors="replace")

    index = parse_or_refuse(body)

    assert index is not None
    assert len(index.releases) + len(index.refused) <= len(items)
    assert bool(index.releases or index.refused) == bool(items)


@given(urls)
@example("http://xn--/")
@example("http://[::1/")
def test_any_url(url: str) -> None:
    index = parse_or_refuse(orjson.dumps({"format": 1, "releases": [release(url=url, notes_url=url)]}))

    assert index is not None
    assert len(index.releases) + len(index.refused) == 1

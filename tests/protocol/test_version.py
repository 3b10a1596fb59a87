"""How firmware versions compare."""

from hypothesis import given, strategies as st
import pytest

from custom_components.emu_ota.protocol.version import (
    MAX_VERSION_LENGTH,
    FirmwareVersion,
    is_newer,
    parse_version,
    product_of,
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("emu-v1.0.0", FirmwareVersion("emu", (1, 0, 0), None)),
        ("emu-v1", FirmwareVersion("emu", (1,), None)),
        ("emu-v01.002", FirmwareVersion("emu", (1, 2), None)),
        ("emu-v1.2.3-rc1", FirmwareVersion("emu", (1, 2, 3), "rc1")),
        ("emu-v1.2.3-rc-1.v2", FirmwareVersion("emu", (1, 2, 3), "rc-1.v2")),
        ("ems-II_x-v2.10", FirmwareVersion("ems-II_x", (2, 10), None)),
        ("emu-video-v2", FirmwareVersion("emu-video", (2,), None)),
        ("emu-v-v2", FirmwareVersion("emu-v", (2,), None)),
        ("größe 3-v2", FirmwareVersion("größe 3", (2,), None)),
        ("emu-v1-v2", FirmwareVersion("emu", (1,), "v2")),
        ("emu-v" + "9" * 250, FirmwareVersion("emu", (int("9" * 250),), None)),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_a_version_of_the_grammar_is_taken_apart(text: str, version: FirmwareVersion) -> None:
    assert parse_version(text) == version
    assert product_of(text) == version.product


OTHER_FORMS = [
    "",
    "1.0.0",
    "v1.0.0",
    "-v1.0.0",
    "emu",
    "emu-1.0.0",
    "emu-v",
    "emu-v.1",
    "emu-v1.",
    "emu-v1..2",
    "emu-v1.0.0-",
    "emu-v1.0.0 ",
    "emu-v1.0.0\n",
    "emu-v1.0.0rc1",
    "emu-v1.0.0+5",
    "emu-V1.0.0",
    "emu_v1.0.0",
    "EMU_V2.1.0",
    "V100R001C00SPC200",
    "B10",
    "emu-v-1",
    "emu-v²",
    "emu-v٣",
    "emu-v" + "9" * (MAX_VERSION_LENGTH - 4),
]


@pytest.mark.parametrize("text", OTHER_FORMS, ids=lambda text: ascii(text[:24]))
def test_a_version_of_another_form_has_no_parts_and_is_never_newer(text: str) -> None:
    assert parse_version(text) is None
    assert product_of(text) is None
    for other in ("emu-v1.0.0", "emu-v0", text, text + "1"):
        assert not is_newer(text, other)
        assert not is_newer(other, text)


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ("emu-v1.0.1", "emu-v1.0.0"),
        ("emu-v1.10.0", "emu-v1.9.9"),
        ("emu-v2", "emu-v1.99"),
        ("emu-v10", "emu-v9"),
        ("emu-v1.0.1", "emu-v1.0"),
        ("emu-v1.1", "emu-v1.0.9"),
        ("emu-v1.1-rc1", "emu-v1.0"),
        ("emu-v1.1", "emu-v1.0-rc1"),
        ("emu-v1.1-a", "emu-v1.0-z"),
        ("emu-v1.010", "emu-v1.9"),
        ("emu-v0.0.1", "emu-v0"),
    ],
)
def test_numbers_compare_as_numbers(newer: str, older: str) -> None:
    assert is_newer(newer, older)
    assert not is_newer(older, newer)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("emu-v1.0", "emu-v1.0.0"),
        ("emu-v1", "emu-v1.0.0.0"),
        ("emu-v1.0.0", "emu-v01.00.00"),
        ("emu-v1.0-rc1", "emu-v1.0-rc2"),
        ("emu-v1.0-rc1", "emu-v1.0"),
        ("emu-v1.0", "emu-v1.0"),
        ("emu-v1.0", "bms-v2.0"),
        ("emu-v1.0", "Emu-v2.0"),
        ("emu-v1.0", "emu2-v2.0"),
        ("emu-v1.0", "emu -v2.0"),
    ],
)
def test_neither_is_newer_than_the_other(one: str, other: str) -> None:
    assert not is_newer(one, other)
    assert not is_newer(other, one)


numbers = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
versions = st.builds(
    "{}-v{}{}".format, st.sampled_from(["emu", "bms"]), numbers, st.sampled_from(["", "", "-rc1", "-a"])
)
texts = versions | st.sampled_from(OTHER_FORMS) | st.text(max_size=8) | st.text("emu-v.0129²", max_size=12)


@given(texts, texts)
def test_two_versions_are_never_newer_than_each_other(one: str, other: str) -> None:
    assert not (is_newer(one, other) and is_newer(other, one))


@given(texts)
def test_no_version_is_newer_than_itself(text: str) -> None:
    assert not is_newer(text, text)


@given(versions, versions, versions)
def test_newer_carries_over(one: str, two: str, three: str) -> None:
    """And so does neither being newer, within one product; otherwise there would be no newest of many."""
    if is_newer(one, two) and is_newer(two, three):
        assert is_newer(one, three)
    if product_of(one) == product_of(two) == product_of(three) and is_newer(one, three):
        assert is_newer(one, two) or is_newer(two, three)


parts = st.text("abv-1. ", min_size=1, max_size=8).filter(lambda part: "-v" not in f"-{part}")


@given(parts, numbers, st.none() | parts)
def test_a_version_that_is_put_together_is_taken_apart_the_same_way(
    product: str, number: str, suffix: str | None
) -> None:
    text = f"{product}-v{number}" + ("" if suffix is None else f"-{suffix}")

    assert parse_version(text) == FirmwareVersion(product, tuple(map(int, number.split("."))), suffix)

"""The topic grammar, both ways."""

from itertools import product
import sys

from hypothesis import given, strategies as st
import pytest

from custom_components.emu_ota.protocol.errors import CommandError
from custom_components.emu_ota.protocol.topics import (
    MAX_LEVEL_LENGTH,
    Direction,
    EmsAddress,
    Exchange,
    OtaTopic,
    is_level,
    is_prefix,
    parse_topic,
    product_key_prefix,
    tenant_prefix,
)

LONGEST = "x" * MAX_LEVEL_LENGTH
REFUSED_LEVELS = {
    "nothing": "",
    "a plus": "a+b",
    "a lone plus": "+",
    "a hash": "a#",
    "a slash": "a/b",
    "a NUL": "a\0b",
    "a newline": "a\n",
    "a delete": "a\x7f",
    "a C1 control": "a\x9f",
    "half a surrogate pair": "a\ud800",
    "a noncharacter": "a\ufdd0",
    "the last noncharacter of the range": "a\ufdef",
    "the end of the first plane": "a\uffff",
    "nearly the end of the last plane": "a\U0010fffe",
    "too many characters": LONGEST + "x",
}
LEVELS = [
    "a",
    " ",
    "iYRkfVpi77",
    "größe",
    "名",
    "\u202e",
    "\ufffd",
    "\ufdcf",
    "\ufdf0",
    "\U0001fffd",
    "$SYS",
    "ota",
    LONGEST,
]


@pytest.mark.parametrize(
    ("prefix", "topics"),
    [
        (
            tenant_prefix("acme"),
            (
                "v1/user/acme/iYRkfVpi77/ota/emu_version/command",
                "v1/user/acme/iYRkfVpi77/ota/emu_version/result",
                "v1/user/acme/iYRkfVpi77/ota/emu_upgrade/command",
                "v1/user/acme/iYRkfVpi77/ota/emu_upgrade/result",
                "v1/user/acme/iYRkfVpi77/ota/emu_upgrade_result/command",
                "v1/user/acme/iYRkfVpi77/ota/emu_upgrade_result/result",
            ),
        ),
        (
            product_key_prefix("k3y"),
            (
                "v1/wudun/k3y/iYRkfVpi77/ota/emu_version/command",
                "v1/wudun/k3y/iYRkfVpi77/ota/emu_version/result",
                "v1/wudun/k3y/iYRkfVpi77/ota/emu_upgrade/command",
                "v1/wudun/k3y/iYRkfVpi77/ota/emu_upgrade/result",
                "v1/wudun/k3y/iYRkfVpi77/ota/emu_upgrade_result/command",
                "v1/wudun/k3y/iYRkfVpi77/ota/emu_upgrade_result/result",
            ),
        ),
        (
            "site/north",
            (
                "site/north/iYRkfVpi77/ota/emu_version/command",
                "site/north/iYRkfVpi77/ota/emu_version/result",
                "site/north/iYRkfVpi77/ota/emu_upgrade/command",
                "site/north/iYRkfVpi77/ota/emu_upgrade/result",
                "site/north/iYRkfVpi77/ota/emu_upgrade_result/command",
                "site/north/iYRkfVpi77/ota/emu_upgrade_result/result",
            ),
        ),
        (
            "p",
            (
                "p/iYRkfVpi77/ota/emu_version/command",
                "p/iYRkfVpi77/ota/emu_version/result",
                "p/iYRkfVpi77/ota/emu_upgrade/command",
                "p/iYRkfVpi77/ota/emu_upgrade/result",
                "p/iYRkfVpi77/ota/emu_upgrade_result/command",
                "p/iYRkfVpi77/ota/emu_upgrade_result/result",
            ),
        ),
    ],
    ids=["tenant", "product key", "custom prefix", "custom prefix of one level"],
)
def test_each_scheme_has_its_six_topics_both_ways(prefix: str, topics: tuple[str, ...]) -> None:
    address = EmsAddress(prefix, "iYRkfVpi77")
    parts = list(product(Exchange, Direction))

    assert [address.topic(exchange, direction) for exchange, direction in parts] == list(topics)
    assert [parse_topic(topic) for topic in topics] == [
        OtaTopic(address, exchange, direction) for exchange, direction in parts
    ]


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: ascii(level[:12]))
def test_what_can_stand_as_a_level(level: str) -> None:
    assert is_level(level)
    assert parse_topic(f"p/{level}/ota/emu_version/result") == OtaTopic(
        EmsAddress("p", level), Exchange.VERSION, Direction.RESULT
    )


@pytest.mark.parametrize("level", REFUSED_LEVELS.values(), ids=REFUSED_LEVELS)
def test_what_cannot_stand_as_a_level(level: str) -> None:
    """A slash makes two levels of one: as a uid that is another topic, of another prefix."""
    assert not is_level(level)
    for prefix in (tenant_prefix, product_key_prefix):
        with pytest.raises(CommandError):
            prefix(level)
    if "/" not in level:
        assert not is_prefix(level)
        assert not is_prefix(f"a/{level}/b")
        assert parse_topic(f"p/{level}/ota/emu_version/result") is None
        assert parse_topic(f"{level}/uid/ota/emu_version/result") is None


@pytest.mark.parametrize(
    "prefix", ["a", "a/b", "v1/user/acme", "a/b/c/d/e/f", "a/$SYS", "ota", "x/ota/emu_version", LONGEST]
)
def test_what_can_stand_as_a_prefix(prefix: str) -> None:
    assert is_prefix(prefix)


@pytest.mark.parametrize(
    "prefix",
    ["", "/", "/a", "a/", "a//b", "$SYS", "$share/g/a", "a/+", "#", "a/#", "a/b\n", "a/\0", f"{LONGEST[:-1]}/x"],
    ids=lambda prefix: ascii(prefix[:12]),
)
def test_what_cannot_stand_as_a_prefix(prefix: str) -> None:
    assert not is_prefix(prefix)
    assert parse_topic(f"{prefix}/uid/ota/emu_version/result") is None


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "/",
        "uid/ota/emu_version/result",
        "/uid/ota/emu_version/result",
        "p//ota/emu_version/result",
        "p/uid/ota/emu_version",
        "p/uid/ota/emu_version/",
        "p/uid/ota/emu_version/result/",
        "p/uid/ota/emu_version/results",
        "p/uid/ota/emu_version/Result",
        "p/uid/ota/EMU_VERSION/result",
        "p/uid/ota/VERSION/result",
        "p/uid/ota/upgrade/result",
        "p/uid/ota//result",
        "p/uid/OTA/emu_version/result",
        "p/uid/otas/emu_version/result",
        "p/uid/device_info/list/result",
        "p/uid/ota/emu_version/emu_version",
        "p/uid/ota/result/result",
        "p/uid/ota/emu_version /result",
    ],
)
def test_any_other_topic_is_none_of_ours(topic: str) -> None:
    assert parse_topic(topic) is None


def test_the_longest_tenant_still_makes_a_topic_that_is_heard() -> None:
    longest = "x" * (MAX_LEVEL_LENGTH - len("v1/user/"))
    topic = EmsAddress(tenant_prefix(longest), "uid").topic(Exchange.VERSION, Direction.RESULT)

    assert parse_topic(topic) is not None
    for too_long in (longest + "x", LONGEST):
        with pytest.raises(CommandError):
            tenant_prefix(too_long)


def test_the_longest_product_key_still_makes_a_topic_that_is_heard() -> None:
    longest = "x" * (MAX_LEVEL_LENGTH - len("v1/wudun/"))
    topic = EmsAddress(product_key_prefix(longest), "uid").topic(Exchange.VERSION, Direction.RESULT)

    assert parse_topic(topic) is not None
    with pytest.raises(CommandError):
        product_key_prefix(longest + "x")


texts = st.text(st.characters(max_codepoint=sys.maxunicode), max_size=12) | st.text("ab+#/$\0\n", max_size=6)
levels = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn"], exclude_characters="/+#"), min_size=1, max_size=12
)
prefixes = st.lists(levels, min_size=1, max_size=4).map("/".join).filter(is_prefix)


@given(prefixes, levels, st.sampled_from(Exchange), st.sampled_from(Direction))
def test_every_topic_that_we_build_is_taken_apart_again(
    prefix: str, uid: str, exchange: Exchange, direction: Direction
) -> None:
    address = EmsAddress(prefix, uid)

    assert parse_topic(address.topic(exchange, direction)) == OtaTopic(address, exchange, direction)


@given(texts | st.lists(texts, max_size=7).map("/".join) | st.text("/ota_emuvrsincdgpl", max_size=40))
def test_every_topic_that_is_taken_apart_is_built_again(topic: str) -> None:
    for candidate in (topic, f"{topic}/ota/emu_upgrade/result"):
        parts = parse_topic(candidate)
        if parts is not None:
            assert parts.address.topic(parts.exchange, parts.direction) == candidate
            assert is_prefix(parts.address.prefix)
            assert is_level(parts.address.uid)


@given(texts)
def test_a_scheme_takes_exactly_the_levels_that_are_not_too_long(text: str) -> None:
    for prefix in (tenant_prefix, product_key_prefix):
        try:
            built = prefix(text)
        except CommandError:
            assert not is_level(text)
        else:
            assert is_level(text)
            assert is_prefix(built)

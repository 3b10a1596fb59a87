"""Whatever the bytes are: a message comes out, or MalformedMessage, and nothing else."""

from collections.abc import Callable
from contextlib import suppress
import json

from hypothesis import given, strategies as st
import orjson
import pytest

from custom_components.emu_ota.protocol.errors import MalformedMessage
from custom_components.emu_ota.protocol.models import VersionResult
from custom_components.emu_ota.protocol.parser import MAX_EMUS, MAX_PAYLOAD, MAX_STRING, parse, parse_payload
from custom_components.emu_ota.protocol.topics import Direction, Exchange, OtaTopic

from .wire import ADDRESS, TOPICS, Json, name_of, sample

SAMPLES = [sample(topic.exchange, topic.direction) for topic in TOPICS]
KEYS = [
    *("trace_id", "mid", "type", "device_uid", "sub_device_id", "timestamp", "reply", "data", "device_id", "status"),
    *("emu_upgrade_success", "emu_upgrade_device", "emu_upgrade_status", "emu_upgrade_content", "emu_product_sn"),
    *("download_url", "md5_code", "download_status"),
]

every_topic = pytest.mark.parametrize("topic", TOPICS, ids=name_of)


def parse_or_refuse(topic: OtaTopic, payload: bytes) -> None:
    """Parse twice: any error other than MalformedMessage fails the test, and so does a second opinion."""
    outcomes = []
    for _ in range(2):
        try:
            outcomes.append(repr(parse_payload(topic, payload)))
        except MalformedMessage as refused:
            outcomes.append(str(refused))
    assert outcomes[0] == outcomes[1]


# Values of every wrong type, the awkward ones in front.
awkward = st.sampled_from(
    [
        *("²", "٣", "\uff12", "-", "", "\0", "a" * (MAX_STRING + 1), "emu-v" + "9" * 5000, "ota_upgrade", "2"),
        *(0, -1, 7, 27, 101, 2**31, 2**53 + 1, 2**63 - 1, 2**64 - 1, -(2**63), 1e308, -1e308, 5e-324, 1.0, -0.0),
        *(None, True, False),
    ]
)
scalars = awkward | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=20,
)


@every_topic
@given(payload=st.binary(max_size=300))
def test_random_bytes(topic: OtaTopic, payload: bytes) -> None:
    parse_or_refuse(topic, payload)


@every_topic
@given(text=st.text(alphabet='{}[],:"\\0123456789.eE+-nulltruefalse \r\n\té²\0', max_size=80))
def test_random_text_that_looks_like_json(topic: OtaTopic, text: str) -> None:
    parse_or_refuse(topic, text.encode())


@every_topic
@given(payload=st.sampled_from(SAMPLES), start=st.integers(0, 700), length=st.integers(0, 700))
def test_a_piece_of_a_sample(topic: OtaTopic, payload: bytes, start: int, length: int) -> None:
    parse_or_refuse(topic, payload[start : start + length])


@every_topic
@given(
    payload=st.sampled_from(SAMPLES),
    edits=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=5),
)
def test_a_sample_with_bytes_exchanged(topic: OtaTopic, payload: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    changed = bytearray(payload)
    for at, length, put in edits:
        changed[at : at + length] = put
    parse_or_refuse(topic, bytes(changed))


@every_topic
@given(body=values)
def test_json_of_any_shape(topic: OtaTopic, body: Json) -> None:
    parse_or_refuse(topic, json.dumps(body, ensure_ascii=False).encode(errors="replace"))


@every_topic
@given(envelope=st.dictionaries(st.sampled_from(KEYS), values), data=st.dictionaries(st.sampled_from(KEYS), values))
@pytest.mark.parametrize("listed", [False, True], ids=["object", "list"])
def test_known_fields_with_values_of_any_type(
    *, topic: OtaTopic, listed: bool, envelope: dict[str, Json], data: dict[str, Json]
) -> None:
    body: Json = envelope | {"data": [data, data] if listed else data}

    parse_or_refuse(topic, orjson.dumps(_without_lone_surrogates(body)))


def _without_lone_surrogates(value: Json) -> Json:
    text: Json = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    return text


@every_topic
@given(text=st.text(alphabet=st.characters(), max_size=20))
def test_surrogates_escaped_and_whole(topic: OtaTopic, text: str) -> None:
    for where in ("mid", "emu_product_sn", "sub_device_id", "download_url"):
        body = {where: text, "data": {"device_id": 2, "status": 1, where: text}}
        parse_or_refuse(topic, json.dumps(body).encode())
    parse_or_refuse(topic, f'{{"mid":"{text}"}}'.encode(errors="surrogatepass"))


@given(topic=st.text() | st.text(alphabet="/ota_emuversionscd+#$\0²", max_size=60), payload=st.binary(max_size=40))
def test_any_topic_at_all(topic: str, payload: bytes) -> None:
    with suppress(MalformedMessage):
        parse(topic, payload)


@given(st.lists(st.sampled_from([{"device_id": 1, "status": 1}]) | values, max_size=6))
def test_every_report_of_a_list_is_either_read_or_counted(reports: list[Json]) -> None:
    payload = json.dumps({"data": reports}, ensure_ascii=False).encode(errors="replace")

    message = parse_payload(OtaTopic(ADDRESS, Exchange.VERSION, Direction.RESULT), payload)

    assert isinstance(message, VersionResult)
    assert len(message.reports) + message.malformed == len(reports)


# The worst that a payload of the largest size can hold. The run is finite only because reading it is linear:
# for anything quadratic a mebibyte is hours.

PATHOLOGICAL: dict[str, Callable[[int], bytes]] = {
    "lists in lists": lambda size: b"[" * size,
    "objects in objects": lambda size: b'{"a":' * (size // 5),
    "closed lists in lists": lambda size: b'{"data":' + b"[" * (size // 2 - 9) + b"]" * (size // 2 - 9) + b"}",
    "an endless string": lambda size: b'"' + b"a" * (size - 1),
    "an endless string of escapes": lambda size: b'"' + b"\\" * (size - 1),
    "the same, cut off in an escape": lambda size: b'"' + b"\\" * (size - 2),
    "escaped quotes": lambda size: b'"' + b'\\"' * (size // 2 - 1),
    "quotes": lambda size: b'"' * size,
    "commas": lambda size: b"," * size,
    "commas and blanks": lambda size: b", " * (size // 2),
    "a comma before blanks": lambda size: b"[1," + b" " * (size - 3),
    "a bracket before blanks": lambda size: b"[" + b" " * (size - 1),
    "brackets and blanks": lambda size: b"[ " * (size // 2),
    "brackets and commas": lambda size: b"[," * (size // 2),
    "commas and closing brackets": lambda size: b",]" * (size // 2),
    "trailing commas": lambda size: b'{"data":[' + b"[1,]," * (size // 5 - 5) + b"],}",
    "digits": lambda size: b'{"timestamp":' + b"1" * (size - 20) + b",}",
    "a fraction": lambda size: b'{"timestamp":0.' + b"1" * (size - 22) + b",}",
    "NULs": bytes,
    "bytes that are no text": lambda size: b"\xff" * size,
    "keys": lambda size: b"{" + b",".join(b'"%d":1' % key for key in range(size // 12)) + b",}",
    "numbers for EMUs": lambda size: b'{"data":[' + b"1," * (size // 2 - 9) + b"]}",
}


@every_topic
@pytest.mark.parametrize("worst", PATHOLOGICAL.values(), ids=PATHOLOGICAL)
def test_the_largest_and_worst_payload(topic: OtaTopic, worst: Callable[[int], bytes]) -> None:
    payload = worst(MAX_PAYLOAD)
    assert MAX_PAYLOAD / 2 < len(payload) <= MAX_PAYLOAD

    with suppress(MalformedMessage):
        parse_payload(topic, payload)


@pytest.mark.parametrize("depth", [1, 500, 1000, 1022, 1023, 1024, 1025, 5000, 100_000])
@pytest.mark.parametrize("comma", [b"", b","], ids=["strict", "trailing comma"])
@every_topic
def test_any_depth(topic: OtaTopic, comma: bytes, depth: int) -> None:
    parse_or_refuse(topic, b'{"data":' + b"[" * depth + b"1" + (comma + b"]") * depth + comma + b"}")
    parse_or_refuse(topic, b'{"data":' * depth + b"1" + (comma + b"}") * depth)


def test_the_largest_site_is_far_from_the_limit_of_a_payload() -> None:
    report = sample(Exchange.PROGRESS, Direction.RESULT).split(b'"data": ')[1].rsplit(b",", 1)[0]
    payload = b'{"data":[' + b",\n".join([report] * MAX_EMUS) + b"]}"

    message = parse_payload(OtaTopic(ADDRESS, Exchange.VERSION, Direction.RESULT), payload)

    assert isinstance(message, VersionResult)
    assert len(message.reports) == MAX_EMUS
    assert len(payload) < MAX_PAYLOAD / 4

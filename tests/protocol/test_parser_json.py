"""What the parser takes for JSON: all of JSON, a trailing comma, and nothing else."""

from collections.abc import Sequence
import json

from hypothesis import given, strategies as st
import pytest

from custom_components.emu_ota.protocol.errors import Malformation, MalformedMessage
from custom_components.emu_ota.protocol.models import EmuStatus, ProgressResult, Report, VersionResult
from custom_components.emu_ota.protocol.parser import MAX_PAYLOAD, parse_payload
from custom_components.emu_ota.protocol.topics import Direction, Exchange, OtaTopic

from .wire import ADDRESS, TOPICS, Json, name_of, refusal_of_bytes

ASKED = OtaTopic(ADDRESS, Exchange.VERSION, Direction.COMMAND)  # takes any object
VERSIONS = OtaTopic(ADDRESS, Exchange.VERSION, Direction.RESULT)
PROGRESS = OtaTopic(ADDRESS, Exchange.PROGRESS, Direction.RESULT)

NO_JSON = {
    "nothing": b"",
    "blanks": b" \r\n\t",
    "a word": b"online",
    "cut off": b'{"data":[{"device_id":2',
    "cut off in a string": b'{"data":[{"devi',
    "cut off in an escape": b'{"data":"\\',
    "more behind it": b'{"data":[]}{"data":[]}',
    "a NUL behind it": b'{"data":[]}\x00',
    "a comma behind it": b'{"data":[]},',
    "a comma before it": b',{"data":[]}',
    "only a comma in a list": b'{"data":[,]}',
    "only a comma and blanks in a list": b'{"data":[ \t\r\n, ]}',
    "only a comma in an object": b'{"data":[{,}]}',
    "nothing but a comma": b"{,}",
    "two trailing commas in a list": b'{"data":[1,,]}',
    "two trailing commas in an object": b'{"data":[],,}',
    "two trailing commas with blanks": b'{"data":[1, ,]}',
    "two commas inside a list": b'{"data":[1,,2]}',
    "a leading comma in a list": b'{"data":[,1]}',
    "a leading comma in an object": b'{,"data":[]}',
    "a comma for a value": b'{"data":,}',
    "a key without a value": b'{"data",}',
    "a comma before a form feed": b'{"data":[1,\x0c]}',
    "a comma before a no-break space": b'{"data":[1,\xc2\xa0]}',
    "a comma before a comment": b'{"data":[1,/**/]}',
    "a semicolon": b'{"data":[1;]}',
    "wrong brackets": b'{"data":[1,}]',
    "a line comment": b'{"data":[] // none\n}',
    "a block comment": b'{"data":/* none */[]}',
    "a hash comment": b'{"data":[] # none\n}',
    "single quotes": b"{'data':[]}",
    "a bare key": b"{data:[]}",
    "NaN": b'{"timestamp":NaN,"data":[]}',
    "Infinity": b'{"timestamp":Infinity,"data":[]}',
    "minus Infinity": b'{"timestamp":-Infinity,"data":[]}',
    "a number beyond all floats": b'{"timestamp":1e400,"data":[]}',
    "hexadecimal": b'{"timestamp":0x10,"data":[]}',
    "a leading zero": b'{"timestamp":01,"data":[]}',
    "a leading plus": b'{"timestamp":+1,"data":[]}',
    "a bare point": b'{"timestamp":1.,"data":[]}',
    "Python's own": b'{"data":None}',
    "capitals": b'{"data":TRUE}',
    "a BOM": b'\xef\xbb\xbf{"data":[]}',
    "UTF-16": '{"data":[]}'.encode("utf-16"),
    "Latin-1": '{"mid":"größe","data":[]}'.encode("latin-1"),
    "half a surrogate pair, escaped": b'{"mid":"\\ud800","data":[]}',
    "half a surrogate pair, encoded": b'{"mid":"\xed\xa0\x80","data":[]}',
    "an overlong encoding": b'{"mid":"\xc0\xaf","data":[]}',
    "a newline in a string": b'{"mid":"a\nb","data":[]}',
    "an unknown escape": b'{"mid":"\\x41","data":[]}',
    "a comma in a string that does not end": b'{"mid":"a,}',
}


@pytest.mark.parametrize("payload", NO_JSON.values(), ids=NO_JSON)
@pytest.mark.parametrize("topic", TOPICS, ids=name_of)
def test_what_is_no_json_is_refused(topic: OtaTopic, payload: bytes) -> None:
    assert refusal_of_bytes(topic, payload) is Malformation.NOT_JSON


@pytest.mark.parametrize("payload", [b"[]", b'[{"data":[]}]', b"1", b'"{}"', b"null", b"true", b"1.5", b"[1,]"])
@pytest.mark.parametrize("topic", TOPICS, ids=name_of)
def test_json_that_is_no_object_is_refused(topic: OtaTopic, payload: bytes) -> None:
    assert refusal_of_bytes(topic, payload) is Malformation.NOT_AN_OBJECT


@pytest.mark.parametrize(
    "payload",
    [
        b'{"data":{"device_id":2,"status":1,}}',
        b'{"data":{"device_id":2,"status":1},}',
        b'{"data":{"device_id":2,"status":1\t,\r\n }\n, }',
        b' {"trace_id":"a,]","x":["\\",]",],"y":[[1,],{"z":{},},],"data":{"device_id":2,"status":1,},} ',
    ],
)
def test_a_trailing_comma_is_read_over(payload: bytes) -> None:
    message = parse_payload(PROGRESS, payload)

    assert isinstance(message, ProgressResult)
    assert message.report == Report(device_id=2, status=EmuStatus.RUNNING)


@pytest.mark.parametrize("text", ["a,]", ",}", '",]', '\\",}', "\\\\", "{,[,", 'x","y":[1,],"', "ä,]", "\\u002c]"])
def test_a_comma_inside_a_string_stays_where_it_is(text: str) -> None:
    payload = json.dumps({"trace_id": text}).encode()[:-1] + b",}"

    assert parse_payload(ASKED, payload).envelope.trace_id == text


def test_of_a_key_told_twice_the_last_counts() -> None:
    message = parse_payload(VERSIONS, b'{"data":1,"data":[{"device_id":1,"device_id":2,"status":2,"status":1}]}')

    assert isinstance(message, VersionResult)
    assert message.reports == (Report(device_id=2, status=EmuStatus.RUNNING),)


@pytest.mark.parametrize(
    "digits",
    [b"18446744073709551616", b"9" * 400, b"-9223372036854775809", b"2.0", b"2e0", b"1e-400", b"1e308"],
    ids=lambda digits: repr(digits)[:24],
)
def test_a_number_that_is_no_integer_of_64_bits_is_no_emu(digits: bytes) -> None:
    """Beyond the largest float it is no JSON either, as the decoder sees it; refused it is in both cases."""
    with pytest.raises(MalformedMessage):
        parse_payload(PROGRESS, b'{"data":{"device_id":%b,"status":1}}' % digits)


@pytest.mark.parametrize("device_id", [2**64 - 1, -(2**63)])
def test_an_integer_of_64_bits_is_an_emu(device_id: int) -> None:
    message = parse_payload(PROGRESS, b'{"data":{"device_id":%d,"status":1}}' % device_id)

    assert isinstance(message, ProgressResult)
    assert message.report.device_id == device_id


def test_a_payload_of_one_mebibyte_is_read_and_one_byte_more_is_not() -> None:
    body = b'{"data":[]}'
    largest = body + b" " * (MAX_PAYLOAD - len(body))

    assert parse_payload(VERSIONS, largest) == parse_payload(VERSIONS, body)
    assert refusal_of_bytes(VERSIONS, largest + b" ") is Malformation.TOO_LARGE


@pytest.mark.parametrize("topic", TOPICS, ids=name_of)
def test_an_oversized_payload_is_not_even_decoded(topic: OtaTopic) -> None:
    assert refusal_of_bytes(topic, b"\xff" * (MAX_PAYLOAD + 1)) is Malformation.TOO_LARGE


def test_a_refusal_never_quotes_the_payload() -> None:
    for payload in (b"hunter2", b'{"data":"hunter2"}', b'{"data":{"device_id":"hunter2","status":1}}', b'["hunter2"]'):
        with pytest.raises(MalformedMessage) as refused:
            parse_payload(PROGRESS, payload)
        assert "hunter2" not in str(refused.value)
        assert str(refused.value).startswith(f"{refused.value.kind}: ")


# The same, as a property: a second reader of JSON's grammar, over tokens, that knows trailing commas.

BLANKS = ["", "", "", " ", "\n", "\t\r\n"]
SCALARS = ["null", '"a"', '"b,]"', '"\\",}"', '"[,"', "true"]
TOKENS = ["{", "}", "[", "]", ",", ":", *SCALARS]


def _tokens_of(value: Json, commas: Sequence[bool]) -> list[str]:
    """Spell a value, with a trailing comma in its n-th container wherever `commas` says so (read from its end)."""
    left = list(commas)

    def spell(value: Json) -> list[str]:
        if not isinstance(value, list | dict):
            return [json.dumps(value)]
        keys = [[json.dumps(key), ":"] for key in value] if isinstance(value, dict) else [[] for _ in value]
        items = value.values() if isinstance(value, dict) else value
        inner: list[str] = []
        for key, item in zip(keys, items, strict=True):
            inner += [*([","] if inner else []), *key, *spell(item)]
        if inner and left and left.pop():
            inner.append(",")
        return ["{", *inner, "}"] if isinstance(value, dict) else ["[", *inner, "]"]

    return spell(value)


def _end_of_value(tokens: Sequence[str], start: int) -> int | None:
    """Return where the value that starts at a token ends, or None when none does."""
    if start >= len(tokens):
        return None
    if tokens[start] not in "[{":
        return start + 1 if tokens[start] in SCALARS else None
    closing, at = {"[": "]", "{": "}"}[tokens[start]], start + 1
    while True:
        if at < len(tokens) and tokens[at] == closing:
            return at + 1
        if closing == "}":
            if at + 1 >= len(tokens) or not tokens[at].startswith('"') or tokens[at + 1] != ":":
                return None
            at += 2
        end = _end_of_value(tokens, at)
        if end is None or end >= len(tokens) or tokens[end] not in {",", closing}:
            return None
        at = end + 1 if tokens[end] == "," else end


json_values = st.recursive(
    st.sampled_from([None, True, "a", "b,]", '",}', "[,"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b,]", "[,"]), inner, max_size=3),
    max_leaves=10,
)
spelled = st.builds(_tokens_of, json_values, st.lists(st.booleans(), max_size=8))


@st.composite
def almost_json(draw: st.DrawFn) -> list[str]:
    """Draw the tokens of a value with a few of them dropped, doubled or replaced."""
    tokens = draw(spelled)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(tokens)))
        tokens[at : at + draw(st.integers(0, 1))] = draw(st.lists(st.sampled_from(TOKENS), max_size=1))
    return tokens


def _written(tokens: Sequence[str], blanks: Sequence[str]) -> bytes:
    gaps = [*blanks, *[""] * len(tokens)]
    return "".join(token + gap for token, gap in zip(tokens, gaps, strict=False)).encode()


@given(almost_json(), st.lists(st.sampled_from(BLANKS), max_size=40))
def test_exactly_json_with_trailing_commas_is_read(tokens: list[str], blanks: list[str]) -> None:
    try:
        parse_payload(ASKED, _written(tokens, blanks))
    except MalformedMessage as refused:
        is_json = refused.kind is Malformation.NOT_AN_OBJECT
    else:
        is_json = True

    assert is_json == (_end_of_value(tokens, 0) == len(tokens))


REPORTS = st.lists(
    st.fixed_dictionaries(
        {"device_id": st.integers(-5, 5), "status": st.integers(0, 4)},
        optional={"emu_product_sn": st.text(alphabet='a,]}["\\{: \n', max_size=8), "x": json_values},
    ),
    max_size=4,
)


@given(REPORTS, st.lists(st.booleans(), max_size=12), st.lists(st.sampled_from(BLANKS), max_size=60))
def test_trailing_commas_change_nothing(reports: list[Json], commas: list[bool], blanks: list[str]) -> None:
    body: Json = {"trace_id": ",]", "data": reports}

    message = parse_payload(VERSIONS, _written(_tokens_of(body, commas), blanks))

    assert message == parse_payload(VERSIONS, json.dumps(body).encode())

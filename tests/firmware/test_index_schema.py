"""The JSON Schema for publishers says what the parser does."""

from datetime import date
import json
from pathlib import Path
import re

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]  # comes without types
import orjson
import pytest

from custom_components.emu_ota.firmware import index as limits
from custom_components.emu_ota.firmware.index import Refusal, parse_index
from custom_components.emu_ota.firmware.link import MAX_PACKAGE, MAX_URL
from custom_components.emu_ota.protocol.version import MAX_VERSION_LENGTH

from .documents import BAD, BASE, GOOD, UNSAID_BY_THE_SCHEMA, Json, document

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "firmware-index.schema.json").read_text(encoding="utf-8"))
PAGE = (DOCS / "firmware-index.md").read_text(encoding="utf-8")
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker(["date"]))
RELEASE = SCHEMA["$defs"]["release"]["properties"]


def accepts(body: bytes) -> bool:
    """Tell whether the schema accepts a document."""
    return bool(VALIDATOR.is_valid(orjson.loads(body)))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("item", GOOD.values(), ids=GOOD)
def test_what_the_parser_takes_the_schema_accepts(item: Json) -> None:
    assert accepts(document(item))


@pytest.mark.parametrize("item", [item for item, *_ in BAD.values()], ids=BAD)
def test_what_the_parser_refuses_the_schema_refuses(item: Json) -> None:
    assert not accepts(document(item))


@pytest.mark.parametrize("item", [item for item, *_ in UNSAID_BY_THE_SCHEMA.values()], ids=UNSAID_BY_THE_SCHEMA)
def test_some_things_no_schema_can_say(item: Json) -> None:
    """As soon as it can, the page must not list it any more."""
    assert accepts(document(item))


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"format":1}',
        b'{"format":2,"releases":[]}',
        b'{"format":"1","releases":[]}',
        b'{"format":true,"releases":[]}',
        b'{"format":1,"releases":{}}',
        document(*[GOOD["only what is required"]] * 1001),
    ],
    ids=lambda body: body[:40].decode(),
)
def test_what_is_no_index_is_none_to_the_schema_either(body: bytes) -> None:
    assert not accepts(body)


def test_only_publishers_are_told_of_unknown_keys_beside_the_releases() -> None:
    body = document(generated="2026-11-01")

    assert parse_index(body, BASE).refused == ()
    assert not accepts(body)
    assert accepts(document(**{"$schema": "firmware-index.schema.json"}))


def test_the_schema_knows_the_parsers_limits() -> None:
    assert SCHEMA["properties"]["format"]["const"] == limits.FORMAT
    assert SCHEMA["properties"]["releases"]["maxItems"] == limits.MAX_RELEASES
    assert SCHEMA["$defs"]["url"]["pattern"] == f"^{limits.URL_REFERENCE}$"
    assert SCHEMA["$defs"]["url"]["maxLength"] == MAX_URL
    assert SCHEMA["$defs"]["version"]["maxLength"] == MAX_VERSION_LENGTH
    assert RELEASE["md5"]["pattern"] == f"^{limits.MD5}$"
    assert RELEASE["sha256"]["pattern"] == f"^{limits.SHA256}$"
    assert RELEASE["released"]["pattern"] == f"^{limits.DATE}$"
    assert RELEASE["size"]["maximum"] == MAX_PACKAGE
    assert RELEASE["summary"]["maxLength"] == limits.MAX_SUMMARY
    assert RELEASE["notes"]["maxLength"] == limits.MAX_NOTES


def test_the_page_explains_every_key_and_whether_it_is_required() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (required)? ?\|", PAGE, re.MULTILINE)

    assert dict(rows).keys() == RELEASE.keys()
    assert [key for key, required in rows if required] == SCHEMA["$defs"]["release"]["required"]


def test_the_pages_example_is_accepted_and_read() -> None:
    example = re.search(r"```json\n(.+?)```", PAGE, re.DOTALL)
    assert example is not None
    body = example[1].encode()

    index = parse_index(body, BASE)

    assert accepts(body)
    assert index.refused == ()
    assert [only.version for only in index.releases] == ["emu-v1.2.0", "emu-v1.0.0"]
    assert index.releases[0].released == date(2026, 11, 1)


def test_every_refusal_is_in_the_tables() -> None:
    """But for the conflict, which takes two releases."""
    refusals = {reason for _, reason, _ in (*BAD.values(), *UNSAID_BY_THE_SCHEMA.values())}
    assert refusals == {*Refusal} - {Refusal.CONFLICT}

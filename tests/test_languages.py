"""Every language says all that English says, with the same placeholders, in forms that Home Assistant takes."""

import json
from pathlib import Path
import re

import pytest

from .test_translations import ROOT, leaves, placeholders

type Texts = dict[str, str]
"""By path."""

LANGUAGES = {"en", "zh-Hans", "de", "fr", "es", "nl", "ja"}
"""As Home Assistant's frontend names them."""
FILES = sorted((ROOT / "translations").glob("*.json"))
NAMES = {"EMS", "EMU", "MD5", "TCP", "WebSockets"}
"""What is called the same all over the world."""
GERMANIC = {"EMU offline", "Firmware", "Host", "Offline", "Status", "Topics", "Transport", "Upgrade"}
SHARED = {
    "de": GERMANIC | {"Name", "Port", "Version"},
    "fr": {"Options", "Port", "Topics", "Transport", "Version"},
    "es": {"Firmware", "Host", "Topics"},
    "nl": GERMANIC | {"Tenant"},
}
"""The words that a language has from English, or English from it."""


def texts_of(file: Path) -> Texts:
    """Return the texts of a language by path."""
    return dict(leaves(json.loads(file.read_text(encoding="utf-8"))))


ENGLISH = texts_of(ROOT / "translations" / "en.json")

every_language = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
every_translation = pytest.mark.parametrize(
    "file", [file for file in FILES if file.stem != "en"], ids=lambda file: file.stem
)


def test_it_speaks_exactly_these_languages() -> None:
    assert {file.stem for file in FILES} == LANGUAGES


@every_translation
def test_a_language_has_all_texts_and_no_other(file: Path) -> None:
    texts = texts_of(file)
    assert (sorted(ENGLISH.keys() - texts.keys()), sorted(texts.keys() - ENGLISH.keys())) == ([], [])


@every_translation
def test_a_text_names_what_its_english_one_names(file: Path) -> None:
    """Home Assistant drops a text with other placeholders, and shows the English one."""
    texts = texts_of(file).items()
    assert [path for path, text in texts if placeholders(text) != placeholders(ENGLISH.get(path, text))] == []


@every_translation
def test_no_text_is_still_english(file: Path) -> None:
    english = {path: text for path, text in texts_of(file).items() if text == ENGLISH.get(path)}
    may_be = NAMES | SHARED.get(file.stem, set())
    assert {path: text for path, text in english.items() if text not in may_be} == {}


@every_language
@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("empty, or with spaces around it", r"^\s|\s$|^$"),
        ("a link, which has to be a placeholder", "://"),
        ("a reference, which nothing resolves here", r"\[%key:"),
        ("HTML", r"<\w"),
        ("a quote before a brace, which takes its meaning away", r"'[{}]"),
        ("a brace that belongs to no placeholder", r"{(?!\w+})|(?<!\w)}"),
    ],
)
def test_no_text_is_one_that_home_assistant_refuses(file: Path, what: str, pattern: str) -> None:
    assert [path for path, text in texts_of(file).items() if re.search(pattern, text)] == [], what


@pytest.mark.parametrize("language", ["zh-Hans", "ja"])
def test_chinese_and_japanese_have_their_own_punctuation(language: str) -> None:
    texts = texts_of(ROOT / "translations" / f"{language}.json").items()
    assert [path for path, text in texts if re.search(r"[\u3040-\u9fff][,.;:!?()]|[,;!?()][\u3040-\u9fff]", text)] == []

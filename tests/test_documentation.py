"""The pages for site owners name everything that there is, and what they link to is there."""

import ast
import json
from pathlib import Path
import re
import struct
from urllib.parse import unquote

from homeassistant.util.yaml import load_yaml_dict
import pytest

from custom_components.emu_ota.announcements import EXTERNAL_CHANGE
from custom_components.emu_ota.emu import STAGES
from custom_components.emu_ota.firmware.address import BaseWarning
from custom_components.emu_ota.protocol.upgrade import Outcome, Reason

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
INTEGRATION = ROOT / "custom_components" / "emu_ota"
ENGLISH, CHINESE = (
    json.loads((INTEGRATION / "translations" / f"{language}.json").read_text(encoding="utf-8"))
    for language in ("en", "zh-Hans")
)
PAGES = {path.relative_to(ROOT).as_posix(): path for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"))}
CHINESE_PAGES = [name for name in PAGES if name == "README.zh-Hans.md" or name.startswith("docs/zh-Hans/")]
MAX_IMAGE = 200 * 1024
"""Bytes of a picture: a page with all of its pictures shall load on a slow line."""
MAX_WIDTH = 1600
"""Pixels: twice what a page on GitHub shows."""

type Texts = dict[str, "Texts | str"]


def page(name: str) -> str:
    """Return the text of a page."""
    return PAGES[name].read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """Return the section of a page under a heading, with those below it."""
    text = page(name)
    # What looks like a heading in an example is a comment.
    prose = re.sub(r"^```.*?^```", lambda example: example[0].replace("#", " "), text, flags=re.MULTILINE | re.DOTALL)
    match = re.search(rf"^(#+) {re.escape(heading)}$", prose, re.MULTILINE)
    assert match is not None, f"{name} has no section {heading!r}"
    end = re.compile(rf"^#{{1,{len(match[1])}}} ", re.MULTILINE).search(prose, match.end())
    return text[match.end() : end.start() if end else None]


def missing(wanted: list[str], text: str) -> list[str]:
    """Return what a text does not name, whatever the case."""
    return [each for each in wanted if each.lower() not in text.lower()]


def texts_of(branch: Texts, *names: str) -> list[str]:
    """Return the texts of all keys of these names, anywhere in a branch."""
    found: list[str] = []
    for key, below in branch.items():
        if isinstance(below, dict):
            if key in names:
                found += [text for text in below.values() if isinstance(text, str)]
            found += texts_of(below, *names)
    return found


def translated(texts: Texts, others: Texts) -> dict[str, set[str]]:
    """Return what each text, in lower case, is in another language; it may be more than one, by its place."""
    found: dict[str, set[str]] = {}
    for key, text in texts.items():
        other = others[key]
        if isinstance(text, dict) and isinstance(other, dict):
            for each, meanings in translated(text, other).items():
                found.setdefault(each, set()).update(meanings)
        elif isinstance(text, str) and isinstance(other, str):
            found.setdefault(text.lower(), set()).add(other)
    return found


# Links and pictures


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of the headings of a page."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\]\(.*?\)", "", heading).lower()).replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_links_to_is_there(name: str) -> None:
    """Pages, their sections, files and pictures."""
    dead = []
    for link, source in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", page(name)):
        target, _, anchor = (link or source).partition("#")
        if "://" in target:
            continue
        path = (PAGES[name].parent / unquote(target)).resolve() if target else PAGES[name]
        if not path.exists() or (anchor and anchor not in anchors(path.read_text(encoding="utf-8"))):
            dead.append(link or source)
    assert dead == []


@pytest.mark.parametrize("name", PAGES)
def test_a_picture_says_what_is_on_it(name: str) -> None:
    """For those who cannot see it."""
    pictures = re.findall(r"<img[^>]*>", page(name))
    assert [picture for picture in pictures if not re.search(r' alt="[^"]{10,}"', picture)] == []


@pytest.mark.parametrize("path", sorted((DOCS / "images").rglob("*.png")), ids=lambda path: path.stem)
def test_a_picture_is_used_and_of_a_sensible_size(path: Path) -> None:
    """None is left over when its page changes."""
    content = path.read_bytes()
    (width,) = struct.unpack(">I", content[16:20])
    assert len(content) <= MAX_IMAGE
    assert width <= MAX_WIDTH
    assert any(path.relative_to(DOCS).as_posix() in page(name) for name in PAGES)


def test_every_picture_is_one_that_the_browser_s_test_takes() -> None:
    """So that all of them can be taken anew when the UI has changed: see development.md, Tests."""
    journey = (ROOT / "tests" / "browser" / "test_journey.py").read_text(encoding="utf-8")
    taken = set(re.findall(r'\.picture\("([^"]+)"', journey))
    images = DOCS / "images"
    shown = {path.relative_to(images).with_suffix("").as_posix() for path in images.rglob("*.png")}
    assert shown - taken == set()


def test_every_page_can_be_reached_from_the_readme() -> None:
    """In one step, but for the one that development links to."""
    english = {name for name in PAGES if name.startswith("docs/") and name.count("/") == 1}
    linked = {f"docs/{target}" for target in re.findall(r"\]\(docs/([\w.-]+\.md)", page("README.md"))}
    assert english - linked == {"docs/upgrade-machine.md"}
    assert "(upgrade-machine.md)" in page("docs/development.md")


def test_who_picks_up_the_code_is_told_of_every_script_and_every_folder_of_tests() -> None:
    """In the tables of the page for developers; what only others call needs no row."""
    called_by_others = {"__init__", "chromium", "frontend_requirements"}
    scripts = [path for path in (ROOT / "scripts").iterdir() if path.is_file() and path.suffix in {"", ".py"}]
    names = [f"`scripts/{path.name}`" for path in scripts if path.stem not in called_by_others]
    folders = [f"`tests/{path.parent.name}`" for path in (ROOT / "tests").glob("*/__init__.py")]
    assert len(names) >= 8
    assert len(folders) >= 8
    assert missing([*names, *folders], page("docs/development.md")) == []


# Chinese


def english_of(name: str) -> str:
    """Return the name of the English page of a Chinese one."""
    return name.replace(".zh-Hans", "").replace("zh-Hans/", "")


def structure(text: str) -> dict[str, list[str] | list[int]]:
    """Return what a translation keeps: headings by their level, table rows by their cells, code without comments."""
    block = re.compile(r"^ *```\w*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
    prose = block.sub("", text)
    return {
        "headings": [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)],
        "rows": [row.count("|") for row in re.findall(r"^\|.*$", prose, re.MULTILINE)],
        "pictures": re.findall("<img", prose),
        "examples": [re.sub(r"\s*(?<!\S)#.*", "", code) for code in block.findall(text)],
    }


@pytest.mark.parametrize("name", CHINESE_PAGES)
def test_a_chinese_page_has_all_that_the_english_one_has(name: str) -> None:
    """What is changed in one and forgotten in the other shows."""
    assert structure(page(name)) == structure(page(english_of(name)))


@pytest.mark.parametrize("name", CHINESE_PAGES)
def test_a_chinese_page_and_the_english_one_link_to_each_other(name: str) -> None:
    """At the top, where a reader looks for the language."""
    chinese, english = PAGES[name], PAGES[english_of(name)]
    there = chinese.relative_to(english.parent).as_posix()
    back = english.relative_to(chinese.parent, walk_up=True).as_posix()
    assert page(name).startswith(f"[English]({back}) · **简体中文**\n")
    assert page(english_of(name)).startswith(f"**English** · [简体中文]({there})\n")


@pytest.mark.parametrize("name", CHINESE_PAGES)
def test_a_chinese_page_names_what_is_in_the_ui_as_the_ui_does(name: str) -> None:
    """Whatever the English page quotes in bold, in italics or at the start of a row."""
    english = page(english_of(name))
    quoted = re.findall(r"\*(\w[^*]*)\*", english)
    for cell in re.findall(r"^\| ([^|\n]+) \|", english, re.MULTILINE):
        quoted += re.split(r", | \(", cell.strip("*"))
    names = translated(ENGLISH, CHINESE)
    wanted = {" ".join(text.lower().split()).strip("*") for text in quoted} & names.keys()
    assert wanted
    assert [text for text in sorted(wanted) if not any(each in page(name) for each in names[text])] == []


def test_every_chinese_page_can_be_reached_from_the_chinese_readme() -> None:
    """In one step, without a detour through English."""
    linked = set(re.findall(r"\]\((docs/zh-Hans/[\w.-]+\.md)", page("README.zh-Hans.md")))
    assert {name for name in CHINESE_PAGES if name.startswith("docs/")} - linked == set()


# What there is


def test_every_field_and_option_of_the_set_up_is_explained() -> None:
    """By the name that it has in the UI."""
    config, options, subentries = ENGLISH["config"], ENGLISH["options"], ENGLISH["config_subentries"]
    set_up = texts_of(config, "data", "menu_options") + texts_of(subentries["ems"], "data")
    assert missing(set_up, page("docs/setup.md")) == []
    assert missing(texts_of(options, "data"), section("docs/setup.md", "Options")) == []
    # What changes a release has the fields of what adds it.
    steps = {step: texts for step, texts in subentries["firmware"]["step"].items() if "reconfigure" not in step}
    fields = [text for text in texts_of(steps, "data") if text != "Use it all the same"]
    assert missing(fields, section("docs/firmware.md", "The fields")) == []


def test_every_action_has_its_section_with_every_field() -> None:
    """Those of services.yaml, and what they return."""
    for action, about in load_yaml_dict(str(INTEGRATION / "services.yaml")).items():
        text = section("docs/actions.md", f"`emu_ota.{action}`")
        assert missing([f"`{field}`" for field in about.get("fields", {})], text) == []
        assert "```yaml" in text


def test_every_key_of_the_history_is_explained() -> None:
    """Those of an upgrade in the response, and of each of its phases."""
    code = ast.parse((INTEGRATION / "services.py").read_text(encoding="utf-8"))
    (record,) = (each for each in code.body if isinstance(each, ast.FunctionDef) and each.name == "_history_record")
    dicts = [each for each in ast.walk(record) if isinstance(each, ast.Dict)]
    keys = [str(key.value) for each in dicts for key in each.keys if isinstance(key, ast.Constant)]
    assert len(keys) >= 15
    text = section("docs/actions.md", "`emu_ota.get_history`")
    assert missing([f"`{key}`" for key in keys], text) == []


@pytest.mark.parametrize("kind", ["triggers", "conditions"])
def test_every_trigger_and_condition_has_its_section_with_every_option(kind: str) -> None:
    """Under its name in the UI, with targets, options and an example in YAML."""
    about = load_yaml_dict(str(INTEGRATION / f"{kind}.yaml"))
    targets = section("docs/automations.md", kind.capitalize() if kind == "triggers" else "Condition")
    assert "as targets" in targets
    for key in (key for key in about if not key.startswith(".")):
        text = section("docs/automations.md", ENGLISH[kind][key]["name"])
        assert f"`emu_ota.{key}`" in text
        assert re.search(r"```yaml\n.*emu_ota\." + key, text, re.DOTALL)
        fields = about[key].get("fields", {})
        assert missing([f"`{field}`" for field in fields], text) == []
        assert fields or "It has no options." in text


def test_every_entity_is_named_on_its_devices_section() -> None:
    """By the name that it has in the UI."""
    names = [entity["name"] for platform in ENGLISH["entity"].values() for entity in platform.values()]
    both = section("docs/entities.md", "Entities of an EMU") + section("docs/entities.md", "Entities of an EMS")
    assert missing([f"**{name}**" for name in names], both) == []
    availability = section("docs/entities.md", "When an entity is unavailable")
    assert missing(names, availability) == []


def test_every_stage_outcome_and_step_is_explained() -> None:
    """By the key that an automation needs."""
    assert missing([f"`{stage}`" for stage in STAGES], section("docs/entities.md", "Upgrade stages")) == []
    assert missing([f"`{outcome}`" for outcome in Outcome], section("docs/upgrades.md", "Outcomes")) == []
    events = section("docs/automations.md", "Events")
    assert missing([f"`{each}`" for each in ("queued", "started", *Outcome, "amended", EXTERNAL_CHANGE)], events) == []


def test_every_attribute_of_an_upgrade_is_explained_where_it_is_shown() -> None:
    """Of the sensor, and of the events."""
    for platform, key, place in (
        ("event", "upgrade", section("docs/automations.md", "Events")),
        ("sensor", "last_upgrade", section("docs/entities.md", "Entities of an EMU")),
    ):
        names = ENGLISH["entity"][platform][key]["state_attributes"]
        assert missing([f"`{name}`" for name in names], place) == []


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_says_what_happened_and_what_to_do(reason: Reason) -> None:
    """In a row with its name in the UI and its key."""
    name = ENGLISH["entity"]["sensor"]["last_upgrade"]["state_attributes"]["reason"]["state"][reason]
    rows = section("docs/troubleshooting.md", "Every reason").splitlines()
    (row,) = [row for row in rows if row.startswith(f"| {name} (`{reason}`) |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == len(["reason", "what happened", "what to do"])
    assert all(cells)


def test_every_repair_issue_about_firmware_is_on_the_list() -> None:
    """Those about an upgrade are there by their reasons."""
    issues = section("docs/troubleshooting.md", "All repair issues")
    titles = [
        issue["title"]
        for key, issue in ENGLISH["issues"].items()
        if not key.startswith("upgrade_") and key != "ems_removed"
    ]
    assert missing(titles, issues) == []
    assert "`ems_removed`" in issues


def test_every_warning_about_the_download_address_is_explained() -> None:
    """By the key that the action returns."""
    text = section("docs/firmware.md", "What the warnings mean")
    assert missing([f"`{warning}`" for warning in BaseWarning], text) == []


def test_every_result_of_a_test_download_is_explained() -> None:
    """Those that the code returns."""
    code = (INTEGRATION / "download_test.py").read_text(encoding="utf-8")
    results = set(re.findall(r'"result"(?:\]\s*=|:) "(\w+)"', code))
    assert {"ok", "no_address"} <= results
    assert missing([f"`{each}`" for each in results], section("docs/actions.md", "`emu_ota.test_download`")) == []

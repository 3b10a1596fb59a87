"""The pages in Simplified Chinese call things by the names that the UI has in Chinese."""

import json
from pathlib import Path

import pytest

from custom_components.emu_ota.protocol.upgrade import Reason

ROOT = Path(__file__).parents[1]
CHINESE = json.loads(
    (ROOT / "custom_components" / "emu_ota" / "translations" / "zh-Hans.json").read_text(encoding="utf-8")
)


def page(name: str) -> str:
    """Return the text of a page in Simplified Chinese."""
    return (ROOT / "docs" / "zh-Hans" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_row(reason: Reason) -> None:
    """By its name, with its key in brackets."""
    name = CHINESE["entity"]["sensor"]["last_upgrade"]["state_attributes"]["reason"]["state"][reason]
    brackets = "\N{FULLWIDTH LEFT PARENTHESIS}", "\N{FULLWIDTH RIGHT PARENTHESIS}"
    assert f"\n| {name}{brackets[0]}`{reason}`{brackets[1]} |" in page("troubleshooting.md")


def test_every_repair_issue_is_on_the_list() -> None:
    """By its title, with dots in place of the name of the EMU."""
    titles = [issue["title"].replace("“{name}”", "……") for issue in CHINESE["issues"].values()]
    # What follows a colon is the reason, which has a row of its own.
    wanted = {title.partition("\N{FULLWIDTH COLON}")[0] for title in titles}
    rows = [row for row in page("troubleshooting.md").splitlines() if row.startswith("| ")]
    assert {title for title in wanted if not any(title in row for row in rows)} == set()


@pytest.mark.parametrize("kind", ["triggers", "conditions"])
def test_every_trigger_and_condition_has_its_section(kind: str) -> None:
    """By its name in the editor of automations, with the names of its options."""
    for texts in CHINESE[kind].values():
        assert f"\n### {texts['name']}\n" in page("automations.md")
        for field in texts.get("fields", {}).values():
            assert f"\n| {field['name']} |" in page("automations.md")


def test_every_field_of_a_firmware_release_is_explained() -> None:
    """What changes a release has the fields of what adds it."""
    steps = CHINESE["config_subentries"]["firmware"]["step"]
    fields = {label for step in ("upload", "link", "version") for label in steps[step]["data"].values()}
    rows = [row for row in page("firmware.md").splitlines() if row.startswith("| ")]
    assert {field for field in fields if not any(field in row.split("|")[1] for row in rows)} == set()

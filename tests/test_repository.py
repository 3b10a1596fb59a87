"""What the files of the repository owe each other: versions, texts, links."""

import json
from pathlib import Path
import re
import tomllib

from homeassistant.const import MAJOR_VERSION, MINOR_VERSION, REQUIRED_PYTHON_VER
import pytest

from custom_components.emu_ota.protocol.upgrade import Outcome, Reason

ROOT = Path(__file__).parents[1]
INTEGRATION = ROOT / "custom_components" / "emu_ota"
MANIFEST = json.loads((INTEGRATION / "manifest.json").read_text(encoding="utf-8"))
ENGLISH = json.loads((INTEGRATION / "translations" / "en.json").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SHORT_SCRIPTS = ("setup", "develop", "test", "check")
LONGEST_SCRIPT = 30


def test_manifest_project_and_changelog_name_the_same_version() -> None:
    """HACS shows the release's tag, Home Assistant the manifest's version, people read the changelog."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert newest is not None
    assert MANIFEST["version"] == PROJECT["project"]["version"] == newest[1]


def test_the_manifest_is_in_hassfests_order() -> None:
    """First hassfest's two, then the alphabet's."""
    assert list(MANIFEST) == ["domain", "name", *sorted(MANIFEST.keys() - {"domain", "name"})]


def test_tests_run_with_what_users_get() -> None:
    """Every requirement of the manifest is a development dependency at the same version."""
    ours = {requirement.split(";")[0].strip() for requirement in PROJECT["dependency-groups"]["dev"]}
    assert set(MANIFEST["requirements"]) <= ours


def test_the_floor_is_the_home_assistant_that_is_tested() -> None:
    """What HACS demands is the first release of the month that the tests run with, and the Python that it demands."""
    hacs = json.loads((ROOT / "hacs.json").read_text(encoding="utf-8"))
    assert hacs["homeassistant"] == f"{MAJOR_VERSION}.{MINOR_VERSION}.0"
    assert PROJECT["project"]["requires-python"] == f">={'.'.join(map(str, REQUIRED_PYTHON_VER))}"


@pytest.mark.parametrize("name", SHORT_SCRIPTS)
def test_scripts_are_short_and_can_be_run(name: str) -> None:
    """The commands of the README."""
    script = ROOT / "scripts" / name
    assert script.stat().st_mode & 0o111
    assert len(script.read_text(encoding="utf-8").splitlines()) <= LONGEST_SCRIPT


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_of_others_are_pinned_by_commit(workflow: Path) -> None:
    """A tag can be moved to other code."""
    used = re.findall(r"uses: (\S+)", workflow.read_text(encoding="utf-8"))
    assert used
    assert [action for action in used if not re.search(r"@[0-9a-f]{40}$", action)] == []


def test_every_entity_has_a_name_and_an_icon() -> None:
    """And there is no icon for an entity that does not exist."""
    icons = json.loads((INTEGRATION / "icons.json").read_text(encoding="utf-8"))
    assert _keys(icons["entity"]) == _keys(ENGLISH["entity"])
    assert icons["services"].keys() == ENGLISH["services"].keys()


def test_every_outcome_and_reason_has_a_sentence() -> None:
    """An awaited install raises with it; success says nothing."""
    told = {f"upgrade_{cause}" for cause in (*Reason, *Outcome) if cause is not Outcome.SUCCEEDED}
    # These two always come with a reason.
    assert told - {"upgrade_lost", "upgrade_unverified"} <= ENGLISH["exceptions"].keys()


def _keys(platforms: dict[str, dict[str, object]]) -> set[str]:
    return {f"{platform}.{key}" for platform, entities in platforms.items() for key in entities}

"""The blueprints can be imported, and the examples of all pages are ones that Home Assistant takes."""

from pathlib import Path
import re
from urllib.parse import quote

from homeassistant.components.blueprint.models import Blueprint
from homeassistant.components.blueprint.schemas import BLUEPRINT_SCHEMA
from homeassistant.core import HomeAssistant
from homeassistant.helpers import condition, config_validation as cv, script, trigger
from homeassistant.util.yaml import load_yaml_dict, parse_yaml
import pytest

from .blueprint_run import BLUEPRINTS, NIGHTLY, STAGED
from .world import World

ROOT = BLUEPRINTS.parent
FILES = sorted(BLUEPRINTS.rglob("*.yaml"))
REPOSITORY = "https://github.com/emu-ota/emu_ota/blob/main/"
RAW = "https://raw.githubusercontent.com/emu-ota/emu_ota/main/"
IMPORT = "https://my.home-assistant.io/redirect/blueprint_import/?blueprint_url="
PAGE = (ROOT / "docs" / "automations.md").read_text()


def load(path: Path) -> Blueprint:
    """Return a blueprint as Home Assistant reads it."""
    data = load_yaml_dict(str(path))
    return Blueprint(
        data, path=path.name, expected_domain=path.relative_to(BLUEPRINTS).parts[0], schema=BLUEPRINT_SCHEMA
    )


def test_these_are_all() -> None:
    assert sorted([BLUEPRINTS / "automation" / NIGHTLY, BLUEPRINTS / "script" / STAGED]) == FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_blueprint_knows_where_it_comes_from_and_what_it_needs(path: Path) -> None:
    blueprint = load(path)
    assert blueprint.metadata["source_url"] == f"{REPOSITORY}{path.relative_to(ROOT)}"
    assert blueprint.metadata["homeassistant"]["min_version"] == "2026.10.0"
    assert blueprint.validate() is None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_blueprint_uses_all_that_it_asks_for_and_says_what_it_is(path: Path) -> None:
    blueprint = load(path)
    text = path.read_text()
    for name, about in blueprint.inputs.items():
        assert text.count(f"!input {name}\n") >= 1, name
        assert about["name"], name
        assert about["description"], name
        if "entity" in about["selector"]:
            assert about["selector"]["entity"]["filter"] == [{"integration": "emu_ota", "domain": ["update"]}]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_page_for_site_owners_imports_it(path: Path) -> None:
    assert f"{IMPORT}{quote(RAW + str(path.relative_to(ROOT)), safe='')}" in PAGE


EXAMPLES = [
    pytest.param(example, id=f"{page.relative_to(ROOT)}-{number}")
    for page in sorted((ROOT / "docs").rglob("*.md"))
    for number, example in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL), 1)
]


@pytest.mark.parametrize("example", EXAMPLES)
async def test_home_assistant_takes_each_example_of_the_pages(hass: HomeAssistant, world: World, example: str) -> None:
    parsed = parse_yaml(example)
    assert isinstance(parsed, dict)
    if "action" in parsed:
        parsed = {"actions": [parsed]}
    assert set(parsed) <= {"triggers", "conditions", "actions", "sequence"}
    await trigger.async_validate_trigger_config(hass, cv.TRIGGER_SCHEMA(parsed.get("triggers", [])))
    await condition.async_validate_conditions_config(hass, cv.CONDITIONS_SCHEMA(parsed.get("conditions", [])))
    for key in ("actions", "sequence"):
        await script.async_validate_actions_config(hass, cv.SCRIPT_SCHEMA(parsed.get(key, [])))

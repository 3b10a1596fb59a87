"""Every text that the code asks for is there, with the placeholders that the code gives, and no other.

That is held against English; what every language owes English is in `test_languages.py`, the texts of flows are in
`test_flow_texts.py`.
"""

import ast
from collections.abc import Iterator
import json
from pathlib import Path
import re

from homeassistant.util.yaml import load_yaml_dict
import pytest

import custom_components.emu_ota
from custom_components.emu_ota import firmware_issues
from custom_components.emu_ota.announcements import EXTERNAL_CHANGE
from custom_components.emu_ota.issues import REMEDIES
from custom_components.emu_ota.protocol.models import Component
from custom_components.emu_ota.protocol.upgrade import Outcome, Reason
from custom_components.emu_ota.sensor import EMS_SENSORS, EMU_SENSORS, PROGRESS

type Texts = dict[str, Texts | str]

ROOT = Path(custom_components.emu_ota.__file__).parent
ENGLISH: Texts = json.loads((ROOT / "translations/en.json").read_text())
ICONS: Texts = json.loads((ROOT / "icons.json").read_text())

ENTITIES = {
    "binary_sensor": {"connection"},
    "button": {"refresh"},
    "event": {"upgrade"},
    "sensor": {each.key for each in (*EMU_SENSORS, PROGRESS, *EMS_SENSORS)},
    "update": {"firmware"},
}
CAUSES = sorted({*(reason.value for reason in Reason), *(outcome.value for outcome in Outcome)} - {"succeeded"})
"""What an upgrade that did not succeed is told with: its reason, else its outcome."""
EVERY_OUTCOME_HAS_A_REASON = {"unverified", "lost"}


def branch(texts: Texts, *path: str) -> Texts:
    """Return a branch of a tree of texts."""
    for key in path:
        below = texts[key]
        assert isinstance(below, dict), path
        texts = below
    return texts


def leaves(texts: Texts, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with its path."""
    for key, below in texts.items():
        where = f"{path}.{key}" if path else key
        if isinstance(below, dict):
            yield from leaves(below, where)
        else:
            yield where, below


def message(key: str) -> str:
    """Return the text of an exception."""
    text = branch(ENGLISH, "exceptions", key)["message"]
    assert isinstance(text, str)
    return text


def placeholders(text: str) -> set[str]:
    """Return the names of the placeholders in a text."""
    return set(re.findall(r"{(\w+)}", text))


# Exceptions


def raised_in_code() -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the key and the placeholders of every exception that the code names by a literal key."""
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name == "_not_ready_key":
                for each in ast.walk(node):
                    if isinstance(each, ast.Return) and isinstance(key := each.value, ast.Constant):
                        yield str(key.value), frozenset()
            elif isinstance(node, ast.Call):
                yield from _raised_by(node)


def _raised_by(call: ast.Call) -> Iterator[tuple[str, frozenset[str]]]:
    given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    if isinstance(call.func, ast.Name) and call.func.id == "invalid_request":
        key = call.args[0]
        assert isinstance(key, ast.Constant), ast.unparse(call)
        yield str(key.value), frozenset(given)
    elif isinstance(literal := given.get("translation_key"), ast.Constant) and "translation_domain" in given:
        values = given.get("translation_placeholders")
        names = (
            [each.value for each in values.keys if isinstance(each, ast.Constant)]
            if isinstance(values, ast.Dict)
            else []
        )
        yield str(literal.value), frozenset(map(str, names))


RAISED = sorted({(key, tuple(sorted(names))) for key, names in raised_in_code()})


@pytest.mark.parametrize(("key", "given"), RAISED)
def test_an_exception_has_its_text_and_gives_every_placeholder_of_it(key: str, given: tuple[str, ...]) -> None:
    assert placeholders(message(key)) <= set(given)


@pytest.mark.parametrize("cause", sorted(set(CAUSES) - EVERY_OUTCOME_HAS_A_REASON))
def test_each_way_to_fail_says_what_happened_to_whom_and_what_to_do(cause: str) -> None:
    text = message(f"upgrade_{cause}")
    assert "name" in placeholders(text)
    assert placeholders(text) <= {"name", "version", "read_version"}
    assert text.count(".") >= 2 or cause == "failed", "cause and remedy are two sentences"


def test_no_text_of_an_exception_is_left_over() -> None:
    wanted = {key for key, _ in RAISED} | {f"upgrade_{cause}" for cause in CAUSES}
    assert set(branch(ENGLISH, "exceptions")) - wanted == set()


# Entities


def test_exactly_the_entities_that_exist_have_names() -> None:
    assert {platform: set(branch(ENGLISH, "entity", platform)) for platform in branch(ENGLISH, "entity")} == ENTITIES
    for platform, keys in ENTITIES.items():
        for key in keys:
            name = branch(ENGLISH, "entity", platform, key)["name"]
            # Entity ids are made of names: in English they are the keys.
            assert isinstance(name, str)
            assert name.lower().replace(" ", "_") == key


@pytest.mark.parametrize("sensor", [each for each in EMU_SENSORS if each.options], ids=lambda sensor: str(sensor.key))
def test_each_option_of_a_sensor_has_a_text_and_no_other(sensor: object) -> None:
    key, options = getattr(sensor, "key"), getattr(sensor, "options")  # noqa: B009 - the type is the platform's own
    assert list(branch(ENGLISH, "entity", "sensor", key, "state")) == list(options)


def test_each_step_of_an_upgrade_has_a_text_and_no_other() -> None:
    texts = branch(ENGLISH, "entity", "event", "upgrade", "state_attributes", "event_type", "state")
    assert list(texts) == ["queued", "started", *Outcome, "amended", EXTERNAL_CHANGE]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (("sensor", "last_upgrade", "reason"), list(Reason)),
        (("event", "upgrade", "reason"), list(Reason)),
        (("event", "upgrade", "outcome"), list(Outcome)),
        (("sensor", "reported_result", "succeeded_components"), [each.name.lower() for each in Component]),
    ],
)
def test_each_value_of_an_attribute_has_a_text_and_no_other(path: tuple[str, str, str], values: list[str]) -> None:
    platform, key, attribute = path
    texts = branch(ENGLISH, "entity", platform, key, "state_attributes", attribute, "state")
    assert sorted(texts) == sorted(map(str, values))


def test_both_places_say_the_same_of_a_reason() -> None:
    sensor = branch(ENGLISH, "entity", "sensor", "last_upgrade", "state_attributes", "reason")
    assert sensor == branch(ENGLISH, "entity", "event", "upgrade", "state_attributes", "reason")


def test_icons_are_of_entities_states_and_actions_that_exist() -> None:
    for platform, entities in branch(ICONS, "entity").items():
        assert isinstance(entities, dict)
        assert set(entities) <= ENTITIES[platform]
        for key, icons in entities.items():
            assert isinstance(icons, dict)
            if "state" in icons and "state" in branch(ENGLISH, "entity", platform, key):
                assert set(branch(icons, "state")) <= set(branch(ENGLISH, "entity", platform, key, "state"))
    assert set(branch(ICONS, "services")) == set(branch(ENGLISH, "services"))


# Actions


def test_each_field_of_an_action_has_its_texts_and_no_other() -> None:
    actions = load_yaml_dict(str(ROOT / "services.yaml"))
    texts = branch(ENGLISH, "services")
    assert set(texts) == set(actions)
    for name, action in actions.items():
        assert {"name", "description"} <= set(branch(texts, name))
        fields = branch(texts, name).get("fields", {})
        assert isinstance(fields, dict)
        assert set(fields) == set(action.get("fields", {}))
        for field in fields:
            assert set(branch(fields, field)) == {"name", "description"}


# Issues


def test_exactly_the_issues_that_exist_have_texts() -> None:
    """Which texts those about upgrades have, `site/test_issues.py` tells; those about releases have no dialog."""
    taken_note_of = {key for call in calls("async_create_issue") for key in strings(call, "translation_key")}
    about_upgrades = {f"upgrade_{reason}" for reason in REMEDIES}
    assert set(branch(ENGLISH, "issues")) == {*taken_note_of, *about_upgrades, *firmware_issues.KEYS}
    for key in taken_note_of:
        assert set(branch(ENGLISH, "issues", key)) == {"title", "fix_flow"}
        assert set(branch(ENGLISH, "issues", key, "fix_flow")) == {"step"}
        assert set(branch(ENGLISH, "issues", key, "fix_flow", "step")) == {"confirm"}


def test_each_dialog_of_an_issue_says_what_it_is_about_and_what_its_button_does() -> None:
    for key in branch(ENGLISH, "issues"):
        if "fix_flow" in branch(ENGLISH, "issues", key):
            steps = branch(ENGLISH, "issues", key, "fix_flow", "step")
            assert set(branch(steps, "confirm")) == {"title", "description", "submit"}


# Words to choose from, and words in other texts


def test_each_word_to_choose_has_a_text_and_no_other() -> None:
    """Words in other texts are looked up in groups; which there are in each, `site/test_firmware_issues.py` tells."""
    chosen = {
        key: strings(call, "options")
        for call in calls("SelectSelectorConfig")
        for key in strings(call, "translation_key")
    }
    looked_up = {str(call.args[0].value) for call in calls("_text") if isinstance(call.args[0], ast.Constant)}
    assert chosen
    assert set(branch(ENGLISH, "selector")) == chosen.keys() | looked_up
    for key, options in chosen.items():
        assert set(branch(ENGLISH, "selector", key, "options")) == options


def calls(name: str) -> Iterator[ast.Call]:
    """Yield every call of a function in the code."""
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == name:
                yield node


def strings(call: ast.Call, argument: str) -> set[str]:
    """Return the strings that stand in an argument, alone or in a list."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == argument]
    items = [item for value in given for item in (value.elts if isinstance(value, ast.List) else [value])]
    return {item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)}


# All texts


def test_there_is_no_kind_of_text_that_no_test_knows() -> None:
    """Flows are in `test_flow_texts.py`, what automations offer in `site/test_triggers.py`."""
    flows = {"config", "config_subentries", "options"}
    automations = {"conditions", "services", "triggers"}
    assert set(ENGLISH) == {*flows, *automations, "entity", "exceptions", "issues", "selector", "system_health"}

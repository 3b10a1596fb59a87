"""Where the integration says it stands on Home Assistant's quality scale, and what proves it, rule by rule."""

import ast
from collections.abc import Mapping
from functools import cache
import json
from pathlib import Path

from homeassistant.util.yaml import load_yaml_dict
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "custom_components" / "emu_ota"
MANIFEST = json.loads((PACKAGE / "manifest.json").read_text(encoding="utf-8"))
SCALE: dict[str, object] = load_yaml_dict(str(PACKAGE / "quality_scale.yaml"))["rules"]

SITE, FLOWS, DOCS = "site/test_", "flows/test_", "test_documentation.py::test_"

PROOF: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "bronze": {
        "action-setup": ("actions_are_there_before_any_entry",),
        "appropriate-polling": (
            "nobody_is_asked_too_often_and_no_user_can_change_that",
            f"{SITE}asking.py::test_at_rest_an_ems_is_asked_every_quarter_of_an_hour",
        ),
        "brands": ("brand_images_have_the_sizes_that_home_assistant_shows",),
        "common-modules": ("coordinator_and_base_entity_are_where_they_are_looked_for",),
        "config-flow": ("every_field_of_every_flow_is_described", f"{FLOWS}topics_flow.py"),
        "config-flow-test-coverage": ("coverage_is_demanded_where_tests_run", f"{FLOWS}broker_flow.py"),
        "dependency-transparency": ("requirements_are_pinned_typed_and_free_software",),
        "docs-actions": (f"{DOCS}every_action_has_its_section_with_every_field",),
        "docs-conditions": (f"{DOCS}every_trigger_and_condition_has_its_section_with_every_option",),
        "docs-high-level-description": ("the_documentation_has_what_the_rules_ask_for",),
        "docs-installation-instructions": ("the_documentation_has_what_the_rules_ask_for",),
        "docs-removal-instructions": ("the_documentation_has_what_the_rules_ask_for",),
        "docs-triggers": (f"{DOCS}every_trigger_and_condition_has_its_section_with_every_option",),
        "entity-event-setup": (
            "entities_listen_only_while_they_are_there",
            f"{SITE}setup.py::test_unloading_leaves_nothing_that_listens_or_asks",
        ),
        "entity-unique-id": (f"{SITE}entities.py::test_an_emu_has_every_entity_of_the_design",),
        "has-entity-name": (f"{SITE}entities.py::test_an_emu_has_every_entity_of_the_design",),
        "runtime-data": ("what_is_loaded_is_kept_with_its_entry",),
        "test-before-configure": (f"{FLOWS}broker_flow.py::test_a_port_without_a_broker_is_told",),
        "test-before-setup": (f"{SITE}setup.py::test_a_broker_that_does_not_take_us_is_tried_again_until_it_does",),
        "unique-config-entry": (f"{FLOWS}topics_flow.py::test_what_is_configured_already_is_not_configured_again",),
    },
    "silver": {
        "action-exceptions": (
            f"{SITE}actions.py::test_what_no_ems_could_use_is_refused",
            f"{SITE}actions.py::test_a_version_that_nobody_knows_is_refused_and_the_known_ones_are_named",
        ),
        "config-entry-unloading": (f"{SITE}setup.py::test_unloading_leaves_nothing_that_listens_or_asks",),
        "docs-configuration-parameters": (f"{DOCS}every_field_and_option_of_the_set_up_is_explained",),
        "docs-installation-parameters": (f"{DOCS}every_field_and_option_of_the_set_up_is_explained",),
        "entity-unavailable": (
            f"{SITE}availability.py::test_without_its_ems_the_figures_are_unavailable_and_what_actions_need_stays",
        ),
        "integration-owner": ("somebody_owns_it",),
        "log-when-unavailable": (
            f"{SITE}asking.py::test_falling_silent_and_coming_back_is_one_line_each",
            "transport/test_broker_lasting.py::test_a_loss_is_one_line_when_it_begins_and_one_when_it_ends",
        ),
        "parallel-updates": ("every_platform_says_how_many_updates_it_takes_at_once",),
        "reauthentication-flow": (
            f"{FLOWS}reauth.py::test_refused_credentials_at_the_start_are_asked_for_until_they_are_right",
        ),
        "test-coverage": ("coverage_is_demanded_where_tests_run",),
    },
    "gold": {
        "devices": (f"{SITE}entities.py::test_an_ems_and_its_emus_are_devices",),
        "diagnostics": (f"{SITE}diagnostics.py::test_no_secret_comes_out",),
        "discovery": ("what_is_discovered_are_the_two_documented_schemes", f"{FLOWS}discovery.py"),
        "discovery-update-info": (),
        "docs-data-update": ("the_documentation_has_what_the_rules_ask_for",),
        "docs-examples": (f"{SITE}blueprints.py::test_home_assistant_takes_each_example_of_the_pages",),
        "docs-known-limitations": ("the_documentation_has_what_the_rules_ask_for",),
        "docs-supported-devices": ("the_documentation_has_what_the_rules_ask_for",),
        "docs-supported-functions": (f"{DOCS}every_entity_is_named_on_its_devices_section",),
        "docs-troubleshooting": (f"{DOCS}every_reason_says_what_happened_and_what_to_do",),
        "docs-use-cases": ("the_documentation_has_what_the_rules_ask_for",),
        "dynamic-devices": (f"{SITE}availability.py::test_an_emu_appears_by_itself",),
        "entity-category": (f"{SITE}entities.py::test_an_emu_has_every_entity_of_the_design",),
        "entity-device-class": (f"{SITE}entities.py::test_an_ems_has_every_entity_of_the_design",),
        "entity-disabled-by-default": (f"{SITE}entities.py::test_an_ems_has_every_entity_of_the_design",),
        "entity-translations": ("test_repository.py::test_every_entity_has_a_name_and_an_icon",),
        "exception-translations": ("every_error_for_a_person_is_translated",),
        "icon-translations": ("test_repository.py::test_every_entity_has_a_name_and_an_icon",),
        "reconfiguration-flow": ("an_entry_can_be_reconfigured",),
        "repair-issues": (
            f"{SITE}issues.py::test_every_reason_has_a_remedy_and_the_sentences_of_its_exception",
            f"{SITE}repairs.py::test_trying_again_orders_the_same_release_and_closes_the_issue",
        ),
        "stale-devices": (
            f"{SITE}availability.py::test_the_device_of_an_emu_that_is_no_longer_named_can_be_deleted",
            f"{SITE}subentries.py::test_removing_an_ems_removes_all_of_it_and_nothing_else",
        ),
    },
    "platinum": {
        "async-dependency": ("what_is_imported_of_others_does_not_block",),
        "inject-websession": ("no_session_for_http_is_our_own",),
        "strict-typing": ("types_are_checked_strictly_and_hide_nothing",),
    },
}
"""All 54 rules, by tier, and the tests of each: by file, or by file and test; those of test_quality_rules.py by what
follows `test_`."""

RULES = {rule: tests for tier in PROOF.values() for rule, tests in tier.items()}


def test_these_are_all_rules_and_each_is_done_or_exempt_for_a_reason() -> None:
    """As they stood for Home Assistant 2026.10; what is claimed in the manifest follows."""
    assert [len(tier) for tier in PROOF.values()] == [20, 10, 21, 3]
    assert SCALE.keys() == RULES.keys()
    for rule, stands in SCALE.items():
        status = stands.get("status") if isinstance(stands, dict) else stands
        assert status in {"done", "exempt"}, rule
        if isinstance(stands, dict):
            assert len(stands["comment"].split()) >= 5, f"{rule}: the reason is a sentence"
    assert MANIFEST["quality_scale"] == "platinum"


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_that_is_done_has_a_test(rule: str) -> None:
    """One that exists: a test that was given another name is missed here."""
    exempt = isinstance(stands := SCALE[rule], dict) and stands["status"] == "exempt"
    assert bool(RULES[rule]) is not exempt
    for named in RULES[rule]:
        file, _, test = named.partition("::") if ".py" in named else ("test_quality_rules.py", "", f"test_{named}")
        assert test in _tests(file) if test else _tests(file), named


@cache
def _tests(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds) and node.name.startswith("test_"))

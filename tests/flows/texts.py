"""Holds every result of a flow against the texts that Home Assistant will look up for it."""

import json
from pathlib import Path
import re
from typing import cast

from homeassistant.config_entries import (
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
    OptionsFlow,
    SubentryFlowResult,
)
from homeassistant.data_entry_flow import FlowResultType, section
from homeassistant.helpers import config_validation as cv
import probatio

import custom_components.emu_ota
from custom_components.emu_ota.broker_form import CONF_KEEP_CERTIFICATES
from custom_components.emu_ota.forms import CONF_ADD_ANYWAY

type Texts = dict[str, Texts | str]
type Result = ConfigFlowResult | SubentryFlowResult

FIELDS_AT_TIMES = {CONF_ADD_ANYWAY, CONF_KEEP_CERTIFICATES}
"""A form has these only after an error, or with something to keep; the texts of its step have them always."""

ENGLISH: Texts = json.loads((Path(custom_components.emu_ota.__file__).parent / "translations/en.json").read_text())


def assert_texts(flow: object, result: Result) -> None:
    """Assert that a result has all its texts in English, and all that their placeholders ask for."""
    texts = _texts_of(flow)
    told = set(result.get("description_placeholders") or ())
    match result["type"]:
        case FlowResultType.FORM:
            step = _step(texts, result)
            _assert_placeholders(step, told)
            schema = result["data_schema"]
            assert schema is not None
            _assert_fields(step, schema)
            assert step.keys() <= {"title", "description", "data", "data_description", "sections"}
            probatio.to_field_list(schema, custom_serializer=cv.custom_serializer)  # as the frontend gets it, or raises
            for error in (result["errors"] or {}).values():
                _assert_placeholders(_at(texts, "error", error), told)
        case FlowResultType.MENU:
            step = _step(texts, result)
            _assert_placeholders(step, told)
            for option in cast("list[str]", result["menu_options"]):
                assert _at(step, "menu_options", option)
                assert _at(step, "menu_option_descriptions", option)
            assert step.keys() == {"title", "description", "menu_options", "menu_option_descriptions"}
        case FlowResultType.SHOW_PROGRESS:
            _assert_placeholders(_at(texts, "progress", result["progress_action"]), told)
        case FlowResultType.ABORT if not result.get("translation_domain"):
            _assert_placeholders(_at(texts, "abort", result["reason"]), told)


def _texts_of(flow: object) -> Texts:
    match flow:
        case ConfigFlow():
            return _branch(ENGLISH, "config")
        case OptionsFlow():
            return _branch(ENGLISH, "options")
        case ConfigSubentryFlow():
            return _branch(ENGLISH, "config_subentries", flow.handler[1])
        case _:
            raise AssertionError(flow)


def _step(texts: Texts, result: Result) -> Texts:
    step = _branch(texts, "step", result["step_id"])
    assert step["title"]
    assert step["description"]
    return step


def _assert_fields(step: Texts, schema: probatio.Schema) -> None:
    sections = {str(key): value for key, value in schema.schema.items() if isinstance(value, section)}
    fields = {str(key) for key in schema.schema} - sections.keys()
    for kind in ("data", "data_description"):
        texts = _branch(step, kind) if kind in step else {}
        assert texts.keys() - FIELDS_AT_TIMES <= fields <= texts.keys(), kind
    assert (_branch(step, "sections").keys() if "sections" in step else set()) == sections.keys()
    for key, inner in sections.items():
        texts = _branch(step, "sections", key)
        assert texts.keys() == {"name", "description", "data", "data_description"}
        _assert_fields(texts, inner.schema)


def _assert_placeholders(texts: Texts | str, told: set[str]) -> None:
    wanted = set(re.findall(r"{(\w+)}", json.dumps(texts)))
    assert wanted <= told


def _branch(texts: Texts, *path: str) -> Texts:
    found = _at(texts, *path)
    assert isinstance(found, dict)
    return found


def _at(texts: Texts, *path: str) -> Texts | str:
    found: Texts | str = texts
    for key in path:
        assert isinstance(found, dict)
        assert key in found, f"en.json has no {'.'.join(path)}"
        found = found[key]
    return found

"""What the rules of Home Assistant's quality scale ask of the code itself; test_quality_scale.py has the list."""

import ast
from collections.abc import Iterator, Mapping
from importlib.metadata import files, metadata
import json
from pathlib import Path
import re
import struct
import sys
import tomllib

from homeassistant.config_entries import ConfigFlow
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict
import pytest

from custom_components.emu_ota import PLATFORMS, asking
from custom_components.emu_ota.config_flow import EmuOtaConfigFlow
from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.ems_subentry_flow import EmsSubentryFlow
from custom_components.emu_ota.firmware_subentry_flow import FirmwareSubentryFlow
from custom_components.emu_ota.options_flow import OPTIONS_SCHEMA

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "custom_components" / "emu_ota"
MANIFEST = json.loads((PACKAGE / "manifest.json").read_text(encoding="utf-8"))
ENGLISH = json.loads((PACKAGE / "translations" / "en.json").read_text(encoding="utf-8"))
MODULES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
ENTITY_MODULES = {f"{platform}.py" for platform in PLATFORMS} | {"entity.py"}
ENTRY_HOOKS = {
    "async_setup_entry",
    "async_unload_entry",
    "async_remove_entry",
    "async_remove_config_entry_device",
    "async_get_config_entry_diagnostics",
    "async_get_device_diagnostics",
}


# Bronze


async def test_actions_are_there_before_any_entry(hass: HomeAssistant) -> None:
    """An automation that calls one can be checked while no entry is loaded."""
    assert await async_setup_component(hass, DOMAIN, {})
    assert (
        hass.services.async_services_for_domain(DOMAIN).keys() == load_yaml_dict(str(PACKAGE / "services.yaml")).keys()
    )


def test_nobody_is_asked_too_often_and_no_user_can_change_that() -> None:
    """At rest; while an upgrade runs somebody waits for it."""
    assert asking.ASK_INTERVAL >= 5 * 60
    assert not [key for key in OPTIONS_SCHEMA.schema if "interval" in str(key)]


def test_brand_images_have_the_sizes_that_home_assistant_shows() -> None:
    """PNG, for light and dark."""
    for theme in ("", "dark_"):
        for icon, side in ((f"{theme}icon.png", 256), (f"{theme}icon@2x.png", 512)):
            assert _size(icon) == (side, side)
        assert 128 <= min(_size(f"{theme}logo.png")) <= 256
        assert 256 <= min(_size(f"{theme}logo@2x.png")) <= 512


def _size(image: str) -> tuple[int, int]:
    content = (PACKAGE / "brand" / image).read_bytes()
    assert content.startswith(b"\x89PNG\r\n")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def test_coordinator_and_base_entity_are_where_they_are_looked_for() -> None:
    """Every entity of a platform is one of ours first."""
    assert (PACKAGE / "coordinator.py").is_file()
    ours = {node.name for node in MODULES[PACKAGE / "entity.py"].body if isinstance(node, ast.ClassDef)}
    for path, tree in MODULES.items():
        if path.name in ENTITY_MODULES - {"entity.py"}:
            found = [node for node in tree.body if isinstance(node, ast.ClassDef) and _is_entity(node)]
            assert found, path.name
            assert {ast.unparse(entity.bases[0]).partition("[")[0] for entity in found} <= ours, path.name


def _is_entity(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).endswith("Entity") for base in node.bases)


def test_every_field_of_every_flow_is_described() -> None:
    """Entry, options and subentries, in sections too."""
    assert MANIFEST["config_flow"] is True
    forms = list(_forms({key: ENGLISH[key] for key in ("config", "options", "config_subentries")}))
    assert len(forms) >= 10
    for form in forms:
        assert form["data"].keys() == form.get("data_description", {}).keys()


def _forms(texts: Mapping[str, object]) -> Iterator[dict[str, dict[str, str]]]:
    for key, below in texts.items():
        if isinstance(below, dict):
            if isinstance(below.get("data"), dict) and key != "data":
                yield below
            yield from _forms(below)


def test_requirements_are_pinned_typed_and_free_software() -> None:
    """And built in the open, which their pages on PyPI tell."""
    for requirement in MANIFEST["requirements"]:
        name, _, version = requirement.partition("==")
        about = metadata(name)
        assert about["Version"] == version
        assert any("OSI Approved" in each for each in about.get_all("Classifier", []))
        assert any(path.name == "py.typed" for path in files(name) or ())


def test_the_documentation_has_what_the_rules_ask_for() -> None:
    """What is in these sections a person has to judge; that everything is named, tests/test_documentation.py tells."""
    for page, *headings in (
        ("README.md", "What it is for", "What you need", "Installation", "First steps", "Removal"),
        ("docs/entities.md", "Supported devices", "How current everything is"),
        ("docs/limitations.md", "What the protocol does not allow", "What the integration does not do"),
        ("docs/troubleshooting.md", "The EMS does not answer", "No update is offered", "Every reason"),
    ):
        text = (ROOT / page).read_text(encoding="utf-8")
        for heading in headings:
            section = re.search(rf"^##+ {heading}\n(.+?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
            assert section is not None, f"{page}: {heading}"
            assert len(section[1].split()) >= 30, f"{page}: {heading}"


def test_entities_listen_only_while_they_are_there() -> None:
    """What is watched is watched from `async_added_to_hass` on, until Home Assistant takes the entity away."""
    watching = {
        "watch",
        "watch_all",
        "watch_ems",
        "watch_emu",
        "watch_connection",
        "async_listen",
        "async_dispatcher_connect",
    }
    watched = 0
    for path, tree in MODULES.items():
        if path.name not in ENTITY_MODULES:
            continue
        allowed = {
            call.args[0]
            for method in ast.walk(tree)
            if isinstance(method, ast.AsyncFunctionDef) and method.name == "async_added_to_hass"
            for call in ast.walk(method)
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "self.async_on_remove"
        }
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in watching:
                watched += 1
                assert call in allowed, f"{path.name}:{call.lineno}"
    assert watched


def test_what_is_loaded_is_kept_with_its_entry() -> None:
    """`hass.data` has nothing but what there is once for all entries."""
    code = {path: path.read_text(encoding="utf-8") for path in MODULES}
    assert "entry.runtime_data = runtime" in code[PACKAGE / "__init__.py"]
    assert {key for text in code.values() for key in re.findall(r"hass\.data\[(\w+)\]", text)} == {"HOSTING"}


# Silver


def test_somebody_owns_it() -> None:
    """By a name on GitHub."""
    assert MANIFEST["codeowners"]
    assert all(re.fullmatch(r"@[\w-]+", owner) for owner in MANIFEST["codeowners"])


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_says_how_many_updates_it_takes_at_once(platform: Platform) -> None:
    """And why, in a comment."""
    lines = (PACKAGE / f"{platform}.py").read_text(encoding="utf-8").splitlines()
    (number,) = [index for index, line in enumerate(lines) if line.startswith("PARALLEL_UPDATES = ")]
    assert "#" in lines[number] or lines[number - 1].startswith("#")


def test_coverage_is_demanded_where_tests_run() -> None:
    """More than 95 % of all, and every branch of the config flow, in all modules that it and its like consist of."""
    script = (ROOT / "scripts" / "test").read_text(encoding="utf-8")
    assert [int(share) for share in re.findall(r"--fail-under=(\d+)", script)] == [97, 100]
    complete = script.partition("--fail-under=100")[2].partition("--include='")[2].partition("'")[0].split(",")
    flows = [path for path in MODULES if path.stem.endswith(("_flow", "_form"))]
    assert len(flows) >= 8
    assert [path for path in flows if not any(path.match(pattern) for pattern in complete)] == []


# Gold


def test_what_is_discovered_are_the_two_documented_schemes() -> None:
    """Home Assistant subscribes to them for us; a step takes what comes."""
    assert sorted(MANIFEST["mqtt"]) == ["v1/user/+/+/ota/emu_version/result", "v1/wudun/+/+/ota/emu_version/result"]
    assert EmuOtaConfigFlow.async_step_mqtt is not ConfigFlow.async_step_mqtt


def test_every_error_for_a_person_is_translated() -> None:
    """Whatever of Home Assistant's is raised names its text."""
    ours = {
        "HomeAssistantError",
        "ServiceValidationError",
        "ConfigEntryNotReady",
        "ConfigEntryAuthFailed",
        "ConfigEntryError",
    }
    raised = 0
    for path, tree in MODULES.items():
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ours | {"failure"}:
                raised += 1
                given = {keyword.arg for keyword in call.keywords}
                assert {"translation_domain", "translation_key"} <= given, f"{path.name}:{call.lineno}"
                assert not call.args
    assert raised


def test_an_entry_can_be_reconfigured() -> None:
    """And so can what is in it."""
    for flow in (EmuOtaConfigFlow, EmsSubentryFlow, FirmwareSubentryFlow):
        assert hasattr(flow, "async_step_reconfigure"), flow.__name__


# Platinum


def test_what_is_imported_of_others_does_not_block() -> None:
    """Home Assistant and what it brings, and the one requirement, which is built on asyncio."""
    brought = {"homeassistant", "probatio", "aiohttp", "multidict", "yarl", "orjson", "certifi"}
    required = {requirement.partition("==")[0] for requirement in MANIFEST["requirements"]}
    imported = {name for tree in MODULES.values() for node in ast.walk(tree) for name in _imported(node)}
    # paho is what aiomqtt is built on: the codes of its errors.
    others = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    assert others == brought | required | {"paho"}
    assert imported & {"http.client", "socketserver", "subprocess", "urllib.request"} == set()


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (name.name for name in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
        yield node.module


def test_no_session_for_http_is_our_own() -> None:
    """The one of Home Assistant is used."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in MODULES)
    assert "async_get_clientsession(" in code
    assert "ClientSession(" not in code


def test_types_are_checked_strictly_and_hide_nothing() -> None:
    """The entry is typed wherever Home Assistant hands it over; `Any` stands only where a base class has it."""
    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["strict"] is True
    untyped, loose = [], []
    for path, tree in MODULES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            where = f"{path.name}:{node.name}"
            overrides = "override" in {ast.unparse(each) for each in node.decorator_list}
            for argument in (*node.args.args, *node.args.kwonlyargs):
                annotation = "" if argument.annotation is None else ast.unparse(argument.annotation)
                if node.name in ENTRY_HOOKS and argument.arg == "entry" and annotation != "EmuOtaConfigEntry":
                    untyped.append(where)
            if not overrides and re.search(r"\bAny\b", ast.unparse(node).partition("\n")[0]):
                loose.append(where)
    assert untyped == []
    assert loose == []

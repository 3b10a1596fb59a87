"""Arrows between the modules point down only, and what knows the protocol knows nothing else."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
import subprocess
import sys

import pytest

PACKAGE = Path(__file__).parents[1] / "custom_components" / "emu_ota"

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"const"}),
    frozenset({"protocol"}),
    frozenset({"transport", "stored_file", "stored_values"}),
    frozenset({"firmware"}),
    frozenset(
        {
            "announcements",
            "asking",
            "at_work",
            "connection",
            "download_test",
            "ems_events",
            "forms",
            "releases",
            "slices",
            "storage",
            "ticking",
            "waiting",
        }
    ),
    frozenset(
        {
            "active_upgrades",
            "discovery",
            "emu_reports",
            "firmware_form",
            "history",
            "install_errors",
            "options_flow",
            "probe",
            "upgrade_attributes",
        }
    ),
    frozenset({"coordinator"}),
    frozenset({"broker_form", "filing", "ordering", "upgrade_queue"}),
    frozenset({"upgrades", "connection_flow"}),
    frozenset({"emu"}),
    frozenset({"runtime"}),
    frozenset({"entity", "services", "subentry_flow", "issues", "firmware_issues"}),
    frozenset({"ems_subentry_flow", "firmware_subentry_flow"}),
    frozenset({"binary_sensor", "button", "event", "sensor", "update", "config_flow", "trigger", "condition"}),
    frozenset({"diagnostics", "repairs", "system_health"}),
    frozenset({"__init__"}),
)
"""From the bottom up: a module imports from the layers below its own. A folder is one module here."""

IMPURE = frozenset({"asyncio", "datetime", "logging", "random", "secrets", "socket", "threading", "time", "uuid"})
"""Of the standard library, what brings a loop, a clock, a logger or chance."""


def files() -> dict[str, Path]:
    """Return the modules by their dotted names within the package; a package's is its folder's."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


FILES = files()


def relative_imports(module: str) -> Iterator[str]:
    """Yield what a module imports of the package, as dotted names; `__init__` for the package itself."""
    path = FILES[module]
    folder = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        start = folder[: len(folder) - (node.level - 1)]
        base = ".".join([*start, *(node.module.split(".") if node.module else [])])
        for name in node.names:
            inner = f"{base}.{name.name}".lstrip(".")
            yield inner if inner in FILES else base or "__init__"


def absolute_imports(module: str) -> Iterator[str]:
    """Yield the top names of everything else that a module imports."""
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def layer(module: str) -> int:
    """Return how high a module stands."""
    top = module.partition(".")[0]
    return next(height for height, members in enumerate(LAYERS) if top in members)


def test_every_module_has_its_layer() -> None:
    """A new one has to be given a place, one that is gone leaves none."""
    placed = [module for members in LAYERS for module in members]
    assert len(placed) == len(set(placed))
    assert {module.partition(".")[0] for module in FILES} == set(placed)


@pytest.mark.parametrize("module", FILES)
def test_imports_point_down_only(module: str) -> None:
    """Within a folder they are free, as long as they do not go in circles."""
    own = module.partition(".")[0]
    others = [imported for imported in relative_imports(module) if imported.partition(".")[0] != own]
    assert [imported for imported in others if layer(imported) >= layer(module)] == []


@pytest.mark.parametrize("module", FILES)
def test_the_package_is_imported_relatively_and_never_itself(module: str) -> None:
    """Its `__init__` is Home Assistant's way in, not a place to get things from."""
    assert "custom_components" not in absolute_imports(module)
    assert "__init__" not in relative_imports(module)


def test_imports_do_not_go_in_circles() -> None:
    """Not even within a folder."""
    # A module of a folder also runs the folder's own `__init__`, but that is no choice of its.
    TopologicalSorter({module: set(relative_imports(module)) - {module} for module in FILES}).prepare()


@pytest.mark.parametrize("module", [module for module in FILES if module.partition(".")[0] == "protocol"])
def test_the_protocol_knows_nothing_else(module: str) -> None:
    """No Home Assistant, no loop, no clock, no logger, no chance: what comes out depends on what goes in alone."""
    allowed = (sys.stdlib_module_names - IMPURE) | {"orjson"}
    assert set(absolute_imports(module)) <= allowed
    assert {imported.partition(".")[0] for imported in relative_imports(module)} <= {"protocol"}
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    assert {node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} <= {0, 1}


def test_the_protocol_works_without_home_assistant() -> None:
    """It can be loaded alone, from its folder."""
    program = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("protocol", {str(PACKAGE / "protocol" / "__init__.py")!r})
module = sys.modules["protocol"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from protocol import {", ".join(name.partition(".")[2] for name in FILES if name.startswith("protocol."))}
loaded = set(sys.modules) & {{"homeassistant", "asyncio", "custom_components"}}
assert not loaded, loaded
print(parser.parse)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own program
    assert done.returncode == 0, done.stderr
    assert "parse" in done.stdout

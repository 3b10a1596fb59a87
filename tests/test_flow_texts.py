"""The texts of the flows are exactly those that their code asks for, found by reading it.

That each form has exactly the fields it has texts for, the tests of the flows see with every form they are shown
(`tests/flows/texts.py`).
"""

import ast
from collections.abc import Iterator
import inspect
from types import ModuleType

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.emu_ota import (
    broker_form,
    config_flow,
    connection_flow,
    ems_subentry_flow,
    firmware_form,
    firmware_subentry_flow,
    options_flow,
    probe,
    repairs,
    subentry_flow,
)
from custom_components.emu_ota.const import SUBENTRY_EMS, SUBENTRY_FIRMWARE
from custom_components.emu_ota.issues import REMEDIES

from .test_translations import ENGLISH, Texts, branch

type Function = ast.FunctionDef | ast.AsyncFunctionDef


class Flow:
    """The code of one kind of flow: its own module, and those that name steps, errors or aborts for it."""

    def __init__(self, handler: type, *modules: ModuleType, by_home_assistant: frozenset[str] = frozenset()) -> None:
        """Read the code. Home Assistant itself aborts the flow by some reasons, without a word of ours."""
        self.handler = handler
        self.by_home_assistant = by_home_assistant
        self._functions = [
            node
            for module in modules
            for node in ast.walk(ast.parse(inspect.getsource(module)))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]

    @property
    def steps(self) -> set[str]:
        """The steps that show a form or a menu."""
        return self._given("async_show_form", "step_id") | self._given("async_show_menu", "step_id")

    @property
    def progress(self) -> set[str]:
        """What a step says while something goes on."""
        return self._given("async_show_progress", "progress_action")

    @property
    def aborts(self) -> set[str]:
        """The reasons for which the flow ends early."""
        named = self._given("async_abort", "reason") | self._given("AbortFlow", 0)
        checks = {"already_configured" for _ in self._calls("_abort_if_unique_id_configured")}
        return named | checks | self.by_home_assistant

    @property
    def errors(self) -> set[str]:
        """What can be wrong with what was filled in: the values of dictionaries, and what functions return."""
        return {
            text
            for function in self._functions
            for node in ast.walk(function)
            for value in _error_values(node)
            if isinstance(value, ast.Constant) and isinstance(text := value.value, str) and text
        }

    @property
    def menus(self) -> dict[str, set[str]]:
        """The options of each menu."""
        return {
            step: self._texts(_argument(call, "menu_options"), function)
            for function, call in self._calls("async_show_menu")
            for step in self._texts(_argument(call, "step_id"), function)
        }

    def _given(self, name: str, argument: str | int) -> set[str]:
        """Return every text that an argument of the calls of a function can be, where it is for texts of ours."""
        return {
            text
            for function, call in self._calls(name)
            if all(keyword.arg != "translation_domain" for keyword in call.keywords)
            for text in self._texts(_argument(call, argument), function)
        }

    def _calls(self, name: str) -> Iterator[tuple[Function, ast.Call]]:
        for function in self._functions:
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == name:
                    yield function, node

    def _texts(self, value: ast.expr, function: Function) -> set[str]:
        """Return every text that an expression in a function can be. Fails where that cannot be read off the code."""
        match value:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.IfExp(body=first, orelse=second):
                return self._texts(first, function) | self._texts(second, function)
            case ast.List(elts=items):
                return {text for item in items for text in self._texts(item, function)}
            case ast.Name(id=name):
                sources = [*((each, function) for each in _assigned(name, function)), *self._passed(name, function)]
                assert sources, f"where does {name} in {function.name} come from?"
                return {text for source, where in sources for text in self._texts(source, where)}
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                returned = list(self._returned(name))
                assert returned, f"what does {name} in {function.name} return?"
                return {text for source, where in returned for text in self._texts(source, where)}
            case _:
                pytest.fail(f"cannot be read off the code: {ast.unparse(value)} in {function.name}")

    def _returned(self, name: str) -> Iterator[tuple[ast.expr, Function]]:
        """Yield what a method of the flow returns."""
        for function in self._functions:
            for node in ast.walk(function) if function.name == name else ():
                if isinstance(node, ast.Return) and node.value is not None:
                    yield node.value, function

    def _passed(self, name: str, function: Function) -> Iterator[tuple[ast.expr, Function]]:
        """Yield what is passed to a function as its parameter of that name."""
        parameters = [each.arg for each in function.args.args if each.arg != "self"]
        if name in parameters:
            for caller, call in self._calls(function.name):
                yield _argument(call, parameters.index(name)), caller


def _argument(call: ast.Call, argument: str | int) -> ast.expr:
    if isinstance(argument, int):
        return call.args[argument]
    return next(keyword.value for keyword in call.keywords if keyword.arg == argument)


def _assigned(name: str, function: Function) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                yield value
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                for target, value in zip(targets, values, strict=True):
                    if isinstance(target, ast.Name) and target.id == name:
                        yield value


def _error_values(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Dict(values=values):
            return values
        case ast.DictComp(value=value) | ast.Assign(targets=[ast.Subscript()], value=value):
            return [value]
        case ast.Return(value=ast.Constant() as value):
            return [value]
        case _:
            return []


FLOWS: dict[tuple[str, ...], Flow] = {
    ("config",): Flow(config_flow.EmuOtaConfigFlow, config_flow, connection_flow, broker_form, probe),
    ("options",): Flow(options_flow.EmuOtaOptionsFlow, options_flow),
    ("config_subentries", SUBENTRY_EMS): Flow(
        ems_subentry_flow.EmsSubentryFlow, ems_subentry_flow, subentry_flow, probe
    ),
    ("config_subentries", SUBENTRY_FIRMWARE): Flow(
        firmware_subentry_flow.FirmwareSubentryFlow,
        firmware_subentry_flow,
        firmware_form,
        subentry_flow,
        # of a version that was added while the form was open
        by_home_assistant=frozenset({"already_configured"}),
    ),
    **{
        ("issues", f"upgrade_{reason}", "fix_flow"): Flow(repairs.TryAgainFlow, repairs)
        for reason, remedy in REMEDIES.items()
        if remedy.retry
    },
}
every_flow = pytest.mark.parametrize(("path", "flow"), FLOWS.items(), ids=[".".join(path) for path in FLOWS])


def below(path: tuple[str, ...], key: str) -> Texts:
    """Return a part of the texts of a flow; empty where it has no such part."""
    texts = branch(ENGLISH, *path)
    return branch(texts, key) if key in texts else {}


@every_flow
def test_each_step_has_its_texts_and_no_other(path: tuple[str, ...], flow: Flow) -> None:
    assert flow.steps
    assert set(below(path, "step")) == flow.steps
    for step in flow.steps:
        assert callable(getattr(flow.handler, f"async_step_{step}")), "where what was filled in is sent to"


@every_flow
def test_each_abort_has_its_text_and_no_other(path: tuple[str, ...], flow: Flow) -> None:
    assert set(below(path, "abort")) == flow.aborts


@every_flow
def test_each_error_has_its_text_and_no_other(path: tuple[str, ...], flow: Flow) -> None:
    assert set(below(path, "error")) == flow.errors


@every_flow
def test_each_progress_has_its_text_and_no_other(path: tuple[str, ...], flow: Flow) -> None:
    assert set(below(path, "progress")) == flow.progress


@every_flow
def test_each_option_of_a_menu_has_its_texts_and_no_other(path: tuple[str, ...], flow: Flow) -> None:
    steps = below(path, "step")
    for step, options in flow.menus.items():
        assert set(branch(steps, step, "menu_options")) == options
        assert set(branch(steps, step, "menu_option_descriptions")) == options
        for option in options:
            assert callable(getattr(flow.handler, f"async_step_{option}"))
    assert {step for step in steps if "menu_options" in branch(steps, step)} == set(flow.menus)


@every_flow
def test_a_flow_has_no_other_kind_of_text(path: tuple[str, ...], flow: Flow) -> None:
    kinds = {"step": flow.steps, "abort": flow.aborts, "error": flow.errors, "progress": flow.progress}
    wanted = {kind for kind, keys in kinds.items() if keys}
    if path[0] == "config_subentries":
        wanted |= {"entry_type", "initiate_flow"}
        starts = {start for start in ("user", "reconfigure") if hasattr(flow.handler, f"async_step_{start}")}
        assert set(below(path, "initiate_flow")) == starts
    assert set(branch(ENGLISH, *path)) == wanted


def test_each_kind_of_subentry_has_its_texts_and_no_other() -> None:
    handlers = config_flow.EmuOtaConfigFlow.async_get_supported_subentry_types(MockConfigEntry())
    assert handlers == {path[1]: flow.handler for path, flow in FLOWS.items() if path[0] == "config_subentries"}
    assert set(branch(ENGLISH, "config_subentries")) == set(handlers)

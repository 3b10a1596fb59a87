"""Repair issues as a person sees them, and what a person does about them."""

from collections.abc import Mapping
import json
from pathlib import Path

from homeassistant.components.repairs import RepairsFlowManager, RepairsFlowResult, repairs_flow_manager
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

import custom_components.emu_ota
from custom_components.emu_ota.const import DOMAIN
from simulator.faults import Fault

from .world import UID, World

type Texts = dict[str, Texts | str]

NAME = f"{UID} EMU 2"
ENGLISH: Texts = json.loads((Path(custom_components.emu_ota.__file__).parent / "translations/en.json").read_text())


def branch(texts: Texts, *path: str) -> Texts:
    """Return a branch of a tree of texts."""
    for key in path:
        below = texts[key]
        assert isinstance(below, dict), path
        texts = below
    return texts


ISSUES = branch(ENGLISH, "issues")


def filled(texts: Texts, named: Mapping[str, str]) -> Texts:
    """Return texts with what they name put in; nothing may be missing."""
    return {
        key: below.format(**named) if isinstance(below, str) else filled(below, named) for key, below in texts.items()
    }


# Looking


def issues(world: World) -> list[ir.IssueEntry]:
    """Return the issues about upgrades that are shown."""
    return [
        issue
        for issue in ir.async_get(world.hass).issues.values()
        if issue.domain == DOMAIN
        and issue.active
        and str(issue.translation_key).startswith(("upgrade_", "ems_removed"))
    ]


def the_issue(world: World) -> ir.IssueEntry:
    """Return the only issue about upgrades that is shown."""
    (issue,) = issues(world)
    return issue


def title(issue: ir.IssueEntry) -> str:
    """Return the title of an issue."""
    return str(_texts_of(issue)["title"])


def said(issue: ir.IssueEntry) -> str:
    """Return what an issue says about cause and remedy."""
    texts = _texts_of(issue)
    if not issue.is_fixable:
        assert set(texts) == {"title", "description"}
        return str(texts["description"])
    step = branch(texts, "fix_flow", "step", "confirm")
    # The dialog has one line for its title, and the cause is the first that stands below it.
    retry = str(issue.translation_key).startswith("upgrade_")
    assert step["title"] == (
        f"Upgrade {(issue.translation_placeholders or {})['name']} again" if retry else texts["title"]
    )
    assert step["submit"]
    return str(step["description"])


def _texts_of(issue: ir.IssueEntry) -> Texts:
    return filled(branch(ISSUES, str(issue.translation_key)), issue.translation_placeholders or {})


# Doing


async def failed(world: World, *faults: Fault, device_id: int = 2, version: str | None = None) -> None:
    """Install with faults, let the outcome come, and put right what was wrong."""
    lasting = {Fault.STALL, Fault.DOES_NOT_RETURN}
    for fault in faults:
        world.ems.faults.on(fault, device_id, times=None if fault in lasting else 1)
    await world.ended(await world.install(device_id, version=version))
    for fault in faults:
        world.ems.faults.off(fault, device_id)
    assert world.last_upgrade(device_id)[0] != "succeeded"


async def _manager(world: World) -> RepairsFlowManager:
    assert await async_setup_component(world.hass, "repairs", {})
    manager = repairs_flow_manager(world.hass)
    assert manager is not None
    return manager


async def opened(world: World) -> RepairsFlowResult:
    """Open the dialog of the only issue that is shown."""
    issue = the_issue(world)
    result = await (await _manager(world)).async_init(DOMAIN, context={"issue_id": issue.issue_id})
    _check_texts(str(issue.translation_key), result)
    return result


async def submitted(world: World, dialog: RepairsFlowResult) -> RepairsFlowResult:
    """Press *Try again* in a dialog."""
    assert dialog["type"] is FlowResultType.FORM
    result = await (await _manager(world)).async_configure(dialog["flow_id"], {})
    await world.settle()
    _check_texts("upgrade_md5_mismatch", result)  # its issue may be gone, but all are refused in the same words
    return result


def _check_texts(key: str, result: RepairsFlowResult) -> None:
    """Hold what a dialog names against what its texts ask for."""
    texts, named = branch(ISSUES, key, "fix_flow"), result.get("description_placeholders") or {}
    match result["type"]:
        case FlowResultType.FORM:
            assert filled(branch(texts, "step", str(result["step_id"])), named)
        case FlowResultType.ABORT:
            text = branch(texts, "abort")[result["reason"]]
            assert isinstance(text, str)
            assert text.format(**named)


async def restarted(world: World) -> None:
    """Start Home Assistant anew, as far as issues are concerned: those that do not persist are forgotten."""
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    for issue in issues(world):
        if not issue.is_persistent:
            ir.async_delete_issue(world.hass, DOMAIN, issue.issue_id)
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.settle()

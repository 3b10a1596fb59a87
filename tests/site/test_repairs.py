"""Repair issues: what is left for a person to do after an upgrade, and trying again."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import cast

from homeassistant.components.repairs import RepairsFlowManager, RepairsFlowResult, repairs_flow_manager
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.helpers.issue_registry import IssueSeverity
from homeassistant.setup import async_setup_component
import orjson
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

import custom_components.emu_ota
from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.firmware.packages import PackageStore, StoredPackage
from custom_components.emu_ota.issues import REMEDIES
from custom_components.emu_ota.protocol.upgrade import Reason
from custom_components.emu_ota.runtime import emu_identifier
from simulator.faults import Fault
from simulator.package import build_package, md5_of

from .by_hand import HandEms, report
from .conftest import MakeWorld
from .looks import device
from .world import NEW, OLD, OTHER_UID, UID, URL, World, ems_subentry, firmware_subentry, simulated_ems

type Texts = dict[str, Texts | str]

NAME = f"{UID} EMU 2"
ENGLISH = json.loads((Path(custom_components.emu_ota.__file__).parent / "translations/en.json").read_text())
ISSUES: dict[str, Texts] = ENGLISH["issues"]
ABORTS = {"emu_busy", "entry_not_loaded", "no_download_address", "outdated", "release_gone"}


# Looking


def issues(world: World) -> list[ir.IssueEntry]:
    """Return the issues that are shown."""
    registry = ir.async_get(world.hass)
    return [issue for issue in registry.issues.values() if issue.domain == DOMAIN and issue.active]


def the_issue(world: World) -> ir.IssueEntry:
    """Return the only issue that is shown."""
    (issue,) = issues(world)
    return issue


def texts_of(issue: ir.IssueEntry) -> Texts:
    """Return the texts of an issue, with what it names put in; nothing may be missing."""
    return _filled(ISSUES[str(issue.translation_key)], issue.translation_placeholders or {})


def _filled(texts: Texts, named: dict[str, str]) -> Texts:
    return {
        key: below.format(**named) if isinstance(below, str) else _filled(below, named) for key, below in texts.items()
    }


def said(issue: ir.IssueEntry) -> str:
    """Return what an issue says about cause and remedy."""
    texts = texts_of(issue)
    if not issue.is_fixable:
        assert set(texts) == {"title", "description"}
        return str(texts["description"])
    step = texts["fix_flow"]["step"]["confirm"]  # type: ignore[index,call-overload]  # as Home Assistant has it
    assert texts["title"] == step["title"]
    assert step["submit"]
    return str(step["description"])


# Doing


async def failed(world: World, *faults: Fault, device_id: int = 2, version: str | None = None) -> None:
    """Install with faults, and let the outcome come."""
    lasting = {Fault.STALL, Fault.DOES_NOT_RETURN, Fault.EMU_FAULT}
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
    _check_texts("upgrade_md5_mismatch", result)  # its issue may be gone, but each can be refused in the same words
    return result


def _check_texts(key: str, result: RepairsFlowResult) -> None:
    """Hold what a dialog names against what its texts ask for."""
    texts = cast("Texts", ISSUES[key]["fix_flow"])
    named = dict(result.get("description_placeholders") or {})
    match result["type"]:
        case FlowResultType.FORM:
            assert _filled(cast("Texts", texts["step"]), named)
        case FlowResultType.ABORT:
            assert cast("dict[str, str]", texts["abort"])[result["reason"]].format(**named)


async def refused(world: World, dialog: RepairsFlowResult | None = None) -> str:
    """Try again in vain; return why it was refused."""
    orders = len(world.orders())
    result = await opened(world) if dialog is None else await submitted(world, dialog)
    assert result["type"] is FlowResultType.ABORT
    await world.pass_time(60, 10)
    assert len(world.orders()) == orders
    return result["reason"]


async def restarted(world: World) -> None:
    """Start Home Assistant anew, as far as issues are concerned: those that do not persist are forgotten."""
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    for issue in issues(world):
        if not issue.is_persistent:
            ir.async_delete_issue(world.hass, DOMAIN, issue.issue_id)
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.settle()


# What is shown


@pytest.mark.parametrize(
    ("faults", "reason", "severity", "fixable"),
    [
        ((Fault.NO_ANSWER,), "no_answer", "warning", True),
        ((Fault.DOWNLOAD_FAILED,), "download_failed", "warning", True),
        ((Fault.MD5_MISMATCH,), "md5_mismatch", "warning", True),
        ((Fault.CLEAR_FOLDER_FAILED,), "clear_folder_failed", "warning", True),
        ((Fault.UNPACK_FAILED,), "unpack_failed", "warning", True),
        ((Fault.HAND_OVER_FAILED,), "hand_over_failed", "warning", True),
        ((Fault.STALL,), "stalled", "error", True),
        ((Fault.ERRORS_REPORTED,), "errors_reported", "error", True),
        ((Fault.VERSION_UNCHANGED,), "version_unchanged", "warning", True),
        ((Fault.VERSION_UNCHANGED, Fault.SUCCESS_NEVER_TOLD), "version_unchanged", "warning", True),
        ((Fault.OTHER_VERSION,), "other_version", "warning", False),
        ((Fault.DOES_NOT_RETURN,), "did_not_return", "error", False),
    ],
)
async def test_an_upgrade_that_did_not_succeed_leaves_one_issue_with_cause_and_remedy(
    world: World, faults: tuple[Fault, ...], reason: str, severity: str, fixable: bool  # noqa: FBT001 - a parameter
) -> None:
    await failed(world, *faults)
    assert world.last_upgrade()[1] == reason
    issue = the_issue(world)
    assert issue.translation_key == f"upgrade_{reason}"
    assert (issue.severity, issue.is_fixable) == (IssueSeverity(severity), fixable)
    assert NAME in str(texts_of(issue)["title"])
    assert NAME in said(issue)
    assert "?" not in said(issue)
    if reason == "other_version":
        assert "emu-v9.9.9" in said(issue)


async def test_what_waited_in_vain_leaves_an_issue_too(make_world: MakeWorld) -> None:
    world = await make_world([simulated_ems()], options={"queue_timeout": 1})
    world.ems.faults.on(Fault.EMU_OFFLINE, 2)
    await world.refresh()
    assert await world.ended(await world.install())
    assert world.orders() == []
    issue = the_issue(world)
    assert (issue.translation_key, issue.is_fixable) == ("upgrade_emu_offline", True)
    assert "nothing was ordered" in said(issue)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in {"already_installed", "ems_removed"}])
def test_every_reason_has_a_remedy_and_the_sentences_of_its_exception(reason: Reason) -> None:
    texts, fixable = ISSUES[f"upgrade_{reason}"], REMEDIES[reason].retry
    assert set(texts) == {"title", "fix_flow" if fixable else "description"}
    message = ENGLISH["exceptions"][f"upgrade_{reason}"]["message"]
    if fixable:
        flow = cast("dict[str, dict[str, Texts]]", texts["fix_flow"])
        assert str(flow["step"]["confirm"]["description"]).startswith(message)
        assert set(flow["abort"]) == ABORTS
        assert flow["abort"] == cast("Texts", ISSUES["upgrade_md5_mismatch"]["fix_flow"])["abort"]
    else:
        assert str(texts["description"]).startswith(message)


def test_no_text_is_left_over() -> None:
    assert set(ISSUES) - {f"upgrade_{reason}" for reason in REMEDIES} == {"ems_removed"}


async def test_a_success_leaves_no_issue(world: World) -> None:
    assert await world.ended(await world.install()) is None
    assert issues(world) == []


async def test_what_a_user_cancelled_leaves_no_issue(world: World) -> None:
    first, second = await world.install(), await world.install(3)
    await world.call("emu_ota", "cancel", device_id=3)
    assert await world.ended(second)
    assert await world.ended(first) is None
    assert issues(world) == []


async def test_each_emu_has_an_issue_of_its_own(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH, device_id=2)
    await failed(world, Fault.DOWNLOAD_FAILED, device_id=3)
    assert {issue.translation_key for issue in issues(world)} == {"upgrade_md5_mismatch", "upgrade_download_failed"}


async def test_the_newest_upgrade_has_the_issue(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    await failed(world, Fault.DOWNLOAD_FAILED)
    assert the_issue(world).translation_key == "upgrade_download_failed"


async def test_an_issue_calls_the_emu_what_the_user_calls_it(hass: HomeAssistant, world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    registry = dr.async_get(hass)
    registry.async_update_device(device(world).id, name_by_user="Cellar")
    assert str(texts_of(the_issue(world))["title"]).startswith("Cellar ")
    hass.config_entries.async_update_subentry(world.entry, world.subentry(UID), title="Attic")
    registry.async_update_device(device(world).id, name_by_user=None)
    await world.settle()
    assert str(texts_of(the_issue(world))["title"]).startswith("Attic EMU 2 ")


async def test_devices_of_others_are_none_of_its_business(hass: HomeAssistant, world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    issue = the_issue(world)
    other = MockConfigEntry(domain="other")
    other.add_to_hass(hass)
    registry = dr.async_get(hass)
    theirs = registry.async_get_or_create(config_entry_id=other.entry_id, identifiers={emu_identifier(UID, 2)})
    registry.async_update_device(theirs.id, name_by_user="Fridge")
    registry.async_remove_device(theirs.id)
    change = {"action": "update", "device_id": theirs.id, "changes": {"name": "Freezer"}}
    hass.bus.async_fire(dr.EVENT_DEVICE_REGISTRY_UPDATED, change)
    await world.settle()
    assert the_issue(world) is issue


# Trying again


async def test_trying_again_orders_the_same_release_and_closes_the_issue(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    dialog = await opened(world)
    assert dialog["description_placeholders"]["name"] == NAME
    assert len(world.orders()) == 1
    result = await submitted(world, dialog)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert issues(world) == []
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=5)
    first, second = (orjson.loads(order)["data"] for order in world.orders())
    assert first == second
    assert issues(world) == []


async def test_trying_again_means_that_version_whatever_is_newer_by_now(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    await world.add(firmware_subentry("emu-v1.9.0", "http://127.0.0.1/emu-v1.9.0.tar.gz"))
    await submitted(world, await opened(world))
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=5)
    assert world.update().attributes["installed_version"] == NEW


async def test_trying_again_takes_the_release_as_it_is_now(world: World) -> None:
    """The remedy of a wrong MD5 is to correct it."""
    subentry = world.subentry(f"firmware:{NEW}")
    right = dict(subentry.data)
    world.hass.config_entries.async_update_subentry(world.entry, subentry, data=right | {"md5": "0" * 32})
    await world.settle()
    await world.ended(await world.install())
    assert the_issue(world).translation_key == "upgrade_md5_mismatch"
    world.hass.config_entries.async_update_subentry(world.entry, world.subentry(f"firmware:{NEW}"), data=right)
    await world.settle()
    await submitted(world, await opened(world))
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=5)


async def test_a_link_without_a_version_is_tried_again_as_it_was(world: World) -> None:
    world.ems.faults.on(Fault.DOWNLOAD_FAILED, 2, times=1)
    link = {"download_url": URL, "md5": md5_of(build_package(NEW))}
    assert await world.ended(world.call("emu_ota", "upgrade", link))
    assert "emu-v1.2.0.tar.gz" in said(the_issue(world))
    await submitted(world, await opened(world))
    await world.until(lambda: world.last_upgrade()[0] == "unverified", step=5)
    first, second = (orjson.loads(order)["data"] for order in world.orders())
    assert first == second
    issue = the_issue(world)
    assert (issue.translation_key, issue.is_fixable) == ("upgrade_no_version_given", False)
    assert NEW in said(issue)


async def test_a_failure_of_the_second_try_has_an_issue_again(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    world.ems.faults.on(Fault.DOWNLOAD_FAILED, 2, times=1)
    await submitted(world, await opened(world))
    await world.until(lambda: world.last_upgrade() == ("failed", "download_failed"), step=5)
    assert the_issue(world).translation_key == "upgrade_download_failed"


async def test_it_is_refused_where_the_release_is_gone(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    await world.remove(f"firmware:{NEW}")
    assert await refused(world) == "release_gone"
    assert issues(world)


async def test_it_is_refused_while_the_emu_is_being_upgraded(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    dialog = await opened(world)
    install = await world.install()
    result = await submitted(world, dialog)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "emu_busy")
    assert await world.ended(install) is None
    assert len(world.orders()) == 2


async def test_it_is_refused_while_somebody_else_upgrades_the_emu(hand: HandEms) -> None:
    await hand.versions(report())
    install = await hand.world.install()
    await hand.world.tick(1)
    await hand.versions(report(), reply=hand.last_mid())
    await hand.world.until(lambda: hand.world.stage() != "queued")
    await hand.world.ended(install)
    assert the_issue(hand.world).translation_key == "upgrade_no_answer"
    await hand.versions(report(stage=3, content=5))
    assert await refused(hand.world) == "emu_busy"


@pytest.mark.parametrize("gone", [False, True])
async def test_it_is_refused_where_the_entry_is_not_loaded(world: World, gone: bool) -> None:  # noqa: FBT001 - a parameter
    await failed(world, Fault.MD5_MISMATCH)
    dialog = await opened(world)
    entries = world.hass.config_entries
    await (entries.async_remove(world.entry.entry_id) if gone else entries.async_unload(world.entry.entry_id))
    assert await refused(world, dialog) == "entry_not_loaded"


async def test_it_is_refused_where_the_ems_is_gone(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    dialog = await opened(world)
    await world.remove(UID)
    assert await refused(world, dialog) == "outdated"


async def test_it_is_refused_where_nobody_knows_the_upgrade_any_more(
    world: World, hass_storage: dict[str, object]
) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    dialog = await opened(world)
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    del hass_storage[f"{DOMAIN}.{world.entry.entry_id}.history"]
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    assert await refused(world, dialog) == "outdated"


async def test_it_is_refused_where_it_has_been_settled_while_the_dialog_was_open(world: World) -> None:
    await failed(world, Fault.STALL)
    dialog = await opened(world)
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=20)
    assert await refused(world, dialog) == "outdated"


# Packages that Home Assistant serves


@pytest.fixture
async def served(hass: HomeAssistant, make_world: MakeWorld, tmp_path: Path) -> tuple[World, StoredPackage]:
    """Return a site where an upgrade with a package of ours has failed, since its EMS cannot reach us."""
    hass.config.config_dir = str(tmp_path)
    hass.config.internal_url = "http://192.0.2.1:8123"
    async with PackageStore(hass).writer() as writer:
        await writer.write(build_package(NEW))
        package = await writer.finish()
    data = {"kind": "upload", "package": package.sha256, "md5": package.md5, "size": package.size, "version": NEW}
    subentry = {"subentry_type": "firmware", "title": NEW, "unique_id": f"firmware:{NEW}", "data": data}
    world = await make_world([simulated_ems()], [ems_subentry(), subentry])
    await world.ended(await world.install())
    assert the_issue(world).translation_key == "upgrade_never_fetched"
    return world, package


async def test_a_package_of_ours_is_ordered_again_under_a_new_link(served: tuple[World, StoredPackage]) -> None:
    world, _ = served
    await submitted(world, await opened(world))
    await world.until(lambda: len(world.orders()) == 2)
    first, second = (orjson.loads(order)["data"] for order in world.orders())
    assert first["md5_code"] == second["md5_code"]
    assert first["download_url"] != second["download_url"]


async def test_it_is_refused_where_the_package_is_gone(served: tuple[World, StoredPackage]) -> None:
    world, package = served
    await PackageStore(world.hass).async_remove(package.sha256)
    assert await refused(world) == "release_gone"


async def test_it_is_refused_where_there_is_no_download_address(served: tuple[World, StoredPackage]) -> None:
    world, _ = served
    world.hass.config.internal_url = None
    world.hass.config.api = None
    assert await refused(world) == "no_download_address"


# Going away, and coming back


async def test_an_issue_goes_away_with_the_next_success(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    assert await world.ended(await world.install()) is None
    assert issues(world) == []


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.DOES_NOT_RETURN])
async def test_an_issue_goes_away_when_its_outcome_is_amended(world: World, fault: Fault) -> None:
    await failed(world, fault)
    assert issues(world)
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=20)
    assert world.events()[-1] == "amended"
    assert issues(world) == []
    await restarted(world)
    assert issues(world) == []


@pytest.mark.parametrize(("version", "left"), [(NEW, 0), ("emu-v1.1.0", 1)])
async def test_an_issue_goes_away_when_somebody_else_installs_what_was_ordered(
    world: World, version: str, left: int
) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    world.ems.emu(2).version = version
    await world.refresh()
    assert world.events()[-1] == "external_change"
    assert len(issues(world)) == left
    await restarted(world)
    assert len(issues(world)) == left


async def test_a_reinstall_that_failed_is_not_settled_by_what_runs_anyway(make_world: MakeWorld) -> None:
    url = "http://127.0.0.1/emu-v1.0.0.tar.gz"
    world = await make_world([simulated_ems()], [ems_subentry(), firmware_subentry(OLD, url)])
    await failed(world, Fault.MD5_MISMATCH, version=OLD)
    await world.refresh()
    assert the_issue(world).translation_key == "upgrade_md5_mismatch"


def ignore(world: World) -> None:
    """Ignore the only issue."""
    ir.async_get(world.hass).async_ignore(DOMAIN, the_issue(world).issue_id, ignore=True)


async def test_an_issue_stays_over_a_reload_and_stays_ignored(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    ignore(world)
    await world.reload()
    assert the_issue(world).dismissed_version is not None


async def test_a_new_failure_is_not_ignored_because_the_last_one_was(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    ignore(world)
    await failed(world, Fault.MD5_MISMATCH)
    assert the_issue(world).dismissed_version is None


async def test_an_issue_is_made_anew_at_a_start(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    before = the_issue(world)
    await restarted(world)
    after = the_issue(world)
    assert (after.issue_id, after.data, after.translation_key) == (before.issue_id, before.data, before.translation_key)
    await submitted(world, await opened(world))
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=5)


async def test_a_start_that_finds_no_broker_shows_it_all_the_same(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    world.broker.connected = False
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    ir.async_delete_issue(world.hass, DOMAIN, the_issue(world).issue_id)
    assert not await world.hass.config_entries.async_setup(world.entry.entry_id)
    assert await refused(world) == "entry_not_loaded"
    world.broker.connected = True
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)


async def test_an_issue_goes_away_with_its_ems(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    await world.remove(UID)
    assert issues(world) == []
    await restarted(world)
    assert issues(world) == []


async def test_an_issue_goes_away_with_an_ems_that_is_removed_while_the_entry_is_not_loaded(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    await world.remove(UID)
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    assert issues(world) == []


async def test_an_issue_goes_away_with_the_device_of_its_emu(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    dr.async_get(world.hass).async_remove_device(device(world).id)
    assert issues(world) == []


async def test_an_issue_goes_away_with_its_entry(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    other = MockConfigEntry(domain="other", entry_id="other")
    ir.async_create_issue(
        world.hass, other.domain, world.entry.entry_id, is_fixable=False, severity=IssueSeverity.WARNING,
        translation_key="theirs",
    )
    await world.hass.config_entries.async_remove(world.entry.entry_id)
    assert issues(world) == []
    assert ir.async_get(world.hass).async_get_issue("other", world.entry.entry_id)


async def test_an_entry_that_is_disabled_asks_for_nothing(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    await world.hass.config_entries.async_set_disabled_by(world.entry.entry_id, ConfigEntryDisabler.USER)
    assert issues(world) == []
    await world.hass.config_entries.async_set_disabled_by(world.entry.entry_id, None)
    assert the_issue(world).translation_key == "upgrade_md5_mismatch"


# An EMS that is removed in the middle of an upgrade


async def removed_in_the_middle(world: World) -> None:
    """Remove the EMS while an EMU of it is being upgraded."""
    install = await world.install()
    await world.until(lambda: world.stage() == "transferring")
    await world.remove(UID)
    await world.ended(install)


async def removed_while_unloaded(world: World) -> None:
    """Remove the EMS while an EMU of it is being upgraded, and nobody looks."""
    install = await world.install()
    await world.until(lambda: world.stage() == "transferring")
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    await world.remove(UID)
    assert await world.hass.config_entries.async_setup(world.entry.entry_id)
    await world.ended(install)


@pytest.mark.parametrize("remove", [removed_in_the_middle, removed_while_unloaded])
async def test_an_ems_that_may_go_on_by_itself_is_told_of_until_somebody_has_read_it(
    world: World, remove: Callable[[World], object]
) -> None:
    await remove(world)  # type: ignore[misc]  # both are coroutines
    assert [(each["outcome"], each["reason"]) for each in await world.history()] == [("cancelled", "ems_removed")]
    issue = the_issue(world)
    assert (issue.translation_key, issue.severity) == ("ems_removed", IssueSeverity.WARNING)
    assert "may go on by itself" in said(issue)
    assert NAME in said(issue)
    await restarted(world)
    result = await submitted(world, await opened(world))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert issues(world) == []


async def test_what_was_only_queued_cannot_go_on(world: World) -> None:
    world.ems.faults.on(Fault.EMU_OFFLINE, 2)
    await world.refresh()
    install = await world.install()
    await world.pass_time(5)
    assert world.stage() == "queued"
    await world.remove(UID)
    assert await world.ended(install)
    assert issues(world) == []


async def test_an_ems_that_is_added_again_speaks_for_itself(make_world: MakeWorld) -> None:
    world = await make_world([simulated_ems(), simulated_ems(OTHER_UID)], [ems_subentry(), firmware_subentry()])
    await removed_in_the_middle(world)
    await world.add(ems_subentry(OTHER_UID))
    assert the_issue(world).translation_key == "ems_removed"
    await world.add(ems_subentry(UID))
    assert issues(world) == []


async def test_what_is_told_of_a_removed_ems_goes_away_with_the_entry(world: World) -> None:
    await removed_in_the_middle(world)
    await world.hass.config_entries.async_remove(world.entry.entry_id)
    assert issues(world) == []

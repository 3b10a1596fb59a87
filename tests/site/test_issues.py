"""Repair issues: what is left for a person to do after an upgrade, and when nothing is."""

from collections.abc import Awaitable, Callable

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.helpers.issue_registry import IssueSeverity
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.issues import REMEDIES
from custom_components.emu_ota.protocol.upgrade import Reason
from custom_components.emu_ota.runtime import emu_identifier
from simulator.faults import Fault

from .conftest import MakeWorld
from .issues import ENGLISH, ISSUES, NAME, branch, failed, issues, opened, restarted, said, submitted, the_issue, title
from .looks import device
from .world import NEW, OLD, OTHER_UID, UID, World, ems_subentry, firmware_subentry, simulated_ems

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
    world: World,
    faults: tuple[Fault, ...],
    reason: str,
    severity: str,
    fixable: bool,  # noqa: FBT001 - a parameter
) -> None:
    await failed(world, *faults)
    assert world.last_upgrade()[1] == reason
    issue = the_issue(world)
    assert issue.translation_key == f"upgrade_{reason}"
    assert (issue.severity, issue.is_fixable) == (IssueSeverity(severity), fixable)
    assert NAME in title(issue)
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
    texts = branch(ISSUES, f"upgrade_{reason}")
    message = str(branch(ENGLISH, "exceptions", f"upgrade_{reason}")["message"])
    if REMEDIES[reason].retry:
        assert set(texts) == {"title", "fix_flow"}
        assert str(branch(texts, "fix_flow", "step", "confirm")["description"]).startswith(message)
        aborts = branch(texts, "fix_flow", "abort")
        assert set(aborts) == {"emu_busy", "entry_not_loaded", "no_download_address", "outdated", "release_gone"}
        assert aborts == branch(ISSUES, "upgrade_md5_mismatch", "fix_flow", "abort")
    else:
        assert set(texts) == {"title", "description"}
        assert str(texts["description"]).startswith(message)


def test_no_text_about_a_reason_is_left_over() -> None:
    upgrades = {key for key in ISSUES if key.startswith("upgrade_")}
    assert upgrades == {f"upgrade_{reason}" for reason in REMEDIES}


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
    assert title(the_issue(world)).startswith("Cellar ")
    hass.config_entries.async_update_subentry(world.entry, world.subentry(UID), title="Attic")
    registry.async_update_device(device(world).id, name_by_user=None)
    await world.settle()
    assert title(the_issue(world)).startswith("Attic EMU 2 ")


async def test_devices_of_others_are_none_of_its_business(hass: HomeAssistant, world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    issue = the_issue(world)
    other = MockConfigEntry(domain="other")
    other.add_to_hass(hass)
    registry = dr.async_get(hass)
    theirs = registry.async_get_or_create(config_entry_id=other.entry_id, identifiers={emu_identifier(UID, 2)})
    registry.async_update_device(theirs.id, name_by_user="Fridge")
    registry.async_remove_device(theirs.id)
    change: dr.EventDeviceRegistryUpdatedData = {"action": "update", "device_id": theirs.id, "changes": {"name": ""}}
    hass.bus.async_fire(dr.EVENT_DEVICE_REGISTRY_UPDATED, change)
    await world.settle()
    assert the_issue(world) is issue


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
        world.hass,
        other.domain,
        world.entry.entry_id,
        is_fixable=False,
        severity=IssueSeverity.WARNING,
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
    world: World, remove: Callable[[World], Awaitable[None]]
) -> None:
    await remove(world)
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


async def test_a_device_of_somebody_else_does_not_speak_for_an_ems(world: World) -> None:
    await removed_in_the_middle(world)
    other = MockConfigEntry(domain="other")
    other.add_to_hass(world.hass)
    dr.async_get(world.hass).async_get_or_create(config_entry_id=other.entry_id, identifiers={(DOMAIN, UID)})
    assert the_issue(world).translation_key == "ems_removed"


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

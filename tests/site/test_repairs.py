"""Trying an upgrade again from its repair issue."""

from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import orjson
import pytest

from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.firmware.packages import PackageStore, StoredPackage
from simulator.faults import Fault
from simulator.package import build_package, md5_of

from .by_hand import HandEms, report
from .conftest import MakeWorld
from .hosted import Hosted, upload_subentry
from .issues import NAME, failed, issues, opened, said, submitted, the_issue
from .world import NEW, OLD, UID, URL, World, ems_subentry, firmware_subentry, simulated_ems


@pytest.fixture(autouse=True)
async def _component(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, "repairs", {})  # no route can be added once there is a client


async def refused(world: World, dialog: RepairsFlowResult | None = None) -> str:
    """Try again in vain; return why it was refused."""
    orders = len(world.orders())
    result = await opened(world) if dialog is None else await submitted(world, dialog)
    assert result["type"] is FlowResultType.ABORT
    await world.pass_time(60, 10)
    assert len(world.orders()) == orders
    return result["reason"]


async def test_trying_again_orders_the_same_release_and_closes_the_issue(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    dialog = await opened(world)
    assert (dialog["description_placeholders"] or {})["name"] == NAME
    assert len(world.orders()) == 1
    result = await submitted(world, dialog)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert issues(world) == []
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=5)
    first, second = (orjson.loads(order)["data"] for order in world.orders())
    assert first == second
    assert issues(world) == []
    upgrade = world.entry.runtime_data.upgrades.history.last(UID, 2)
    assert upgrade.by_user, "a person pressed the button"


async def test_trying_again_means_that_version_whatever_is_newer_by_now(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    await world.add(firmware_subentry("emu-v1.9.0", "http://127.0.0.1/emu-v1.9.0.tar.gz"))
    await submitted(world, await opened(world))
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=5)
    assert world.update().attributes["installed_version"] == NEW


async def test_trying_again_installs_the_same_version_again_where_that_was_meant(make_world: MakeWorld) -> None:
    url = "http://127.0.0.1/emu-v1.0.0.tar.gz"
    world = await make_world([simulated_ems()], [ems_subentry(), firmware_subentry(OLD, url)])
    world.packages[url] = build_package(OLD)
    await failed(world, Fault.MD5_MISMATCH, version=OLD)
    await submitted(world, await opened(world))
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=5)
    assert len(world.orders()) == 2


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
    link: dict[str, object] = {"download_url": URL, "md5": md5_of(build_package(NEW))}
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


async def test_a_start_that_finds_no_broker_shows_it_all_the_same(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    world.broker.connected = False
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    ir.async_delete_issue(world.hass, DOMAIN, the_issue(world).issue_id)
    assert not await world.hass.config_entries.async_setup(world.entry.entry_id)
    assert await refused(world) == "entry_not_loaded"
    world.broker.connected = True
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)


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


async def test_it_is_refused_where_another_upgrade_has_failed_while_the_dialog_was_open(world: World) -> None:
    await failed(world, Fault.MD5_MISMATCH)
    dialog = await opened(world)
    await failed(world, Fault.DOWNLOAD_FAILED)
    assert await refused(world, dialog) == "outdated"
    assert the_issue(world).translation_key == "upgrade_download_failed"


async def test_it_is_refused_where_it_has_been_settled_while_the_dialog_was_open(world: World) -> None:
    await failed(world, Fault.STALL)
    dialog = await opened(world)
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=20)
    assert await refused(world, dialog) == "outdated"


# Packages that Home Assistant serves


@pytest.fixture
async def served(hass: HomeAssistant, hosted: Hosted, make_world: MakeWorld) -> tuple[World, StoredPackage]:
    """Return a site where an upgrade with a package of ours has failed, since its EMS cannot reach us."""
    hass.config.internal_url = "http://192.0.2.1:8123"
    package = await hosted.store()
    world = await make_world([simulated_ems()], [ems_subentry(), upload_subentry(package)])
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

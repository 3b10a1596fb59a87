"""The actions: who may use them, what they refuse and how they say it, what they return."""

import asyncio
from datetime import datetime, timedelta
from typing import cast

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util
import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.emu_ota.const import DOMAIN
from simulator.faults import Fault
from simulator.package import build_package, md5_of

from .by_hand import HandEms, report
from .conftest import MakeWorld
from .looks import device
from .world import NEW, OLD, OTHER_UID, UID, URL, World, ems_subentry, firmware_subentry, simulated_ems

MD5 = md5_of(build_package(NEW))
NAME = f"{UID} EMU 2"


async def refusal(world: World, domain: str, service: str, data: dict[str, object] | None = None) -> HomeAssistantError:
    """Call an action that is refused at once, and return how."""
    task = world.call(domain, service, data)
    await world.settle()
    assert task.done()
    error = task.exception()
    assert isinstance(error, HomeAssistantError)
    return error


async def history(world: World, **filters: object) -> list[dict[str, object]]:
    """Return the upgrades that the action returns."""
    response = await world.hass.services.async_call(DOMAIN, "get_history", filters, blocking=True, return_response=True)
    assert response is not None
    return cast("list[dict[str, object]]", response["upgrades"])


async def install(world: World, device_id: int = 2, uid: str = UID) -> None:
    """Install the newest release, and wait for the outcome, whatever it is."""
    task = await world.install(device_id, uid=uid)
    await world.until(task.done, step=5)
    task.exception()


# Who may


@pytest.mark.parametrize(
    ("service", "data"), [("upgrade", {"download_url": URL, "md5": MD5}), ("cancel", {}), ("get_history", {})]
)
async def test_only_administrators_may(
    hass: HomeAssistant, world: World, hass_read_only_user: MockUser, service: str, data: dict[str, object]
) -> None:
    context = Context(user_id=hass_read_only_user.id)
    target = None if service == "get_history" else {"entity_id": world.entity_id("update", "firmware")}
    with pytest.raises(Unauthorized):
        await hass.services.async_call(
            DOMAIN,
            service,
            data,
            blocking=True,
            target=target,
            context=context,
            return_response=service == "get_history",
        )
    assert not world.orders()


async def test_an_administrator_may(hass: HomeAssistant, world: World, hass_admin_user: MockUser) -> None:
    response = await hass.services.async_call(
        DOMAIN, "get_history", {}, blocking=True, return_response=True, context=Context(user_id=hass_admin_user.id)
    )
    assert response == {"upgrades": []}


# What they take


@pytest.mark.parametrize(
    ("service", "data"),
    [
        ("upgrade", {}),
        ("upgrade", {"download_url": URL}),
        ("upgrade", {"md5": MD5}),
        ("upgrade", {"download_url": URL, "md5": MD5, "force": True}),
        ("upgrade", {"download_url": [URL], "md5": MD5}),
        ("cancel", {"version": NEW}),
    ],
)
async def test_a_call_of_another_form_is_refused(world: World, service: str, data: dict[str, object]) -> None:
    task = world.call(DOMAIN, service, data)
    await world.settle()
    assert isinstance(task.exception(), probatio.Invalid)
    assert not world.orders()


LONG = "http://127.0.0.1/" + "x" * 240


@pytest.mark.parametrize(
    ("data", "key", "named"),
    [
        ({"download_url": ""}, "invalid_url", "http"),
        ({"download_url": "emu-v1.2.0.tar.gz"}, "invalid_url", "http"),
        ({"download_url": "ftp://127.0.0.1/file"}, "invalid_url", "http"),
        ({"download_url": "http://"}, "invalid_url", "http"),
        ({"download_url": "http:///file"}, "invalid_url", "http"),
        ({"download_url": "http://two words/file"}, "invalid_url", "http"),
        ({"download_url": "http://[::1/file"}, "invalid_url", "http"),
        ({"download_url": "http://127.0.0.1:99999/file"}, "invalid_url", "http"),
        ({"download_url": LONG}, "invalid_url", "255"),
        ({"md5": ""}, "invalid_md5", "32"),
        ({"md5": "0" * 31}, "invalid_md5", "0" * 31),
        ({"md5": "g" * 32}, "invalid_md5", "g" * 32),
        ({"md5": "0" * 33}, "invalid_md5", "32"),
        ({"version": ""}, "invalid_version", "255"),
        ({"version": "v" * 256}, "invalid_version", "255"),
    ],
)
async def test_what_no_ems_could_use_is_refused(world: World, data: dict[str, object], key: str, named: str) -> None:
    error = await refusal(world, DOMAIN, "upgrade", {"download_url": URL, "md5": MD5} | data)
    assert isinstance(error, ServiceValidationError)
    assert (error.translation_domain, error.translation_key) == (DOMAIN, key)
    assert named in str(error)
    assert not world.orders()
    assert world.stage() == "idle"
    await install(world)  # nothing is left of it that stands in the way
    assert world.last_upgrade() == ("succeeded", None)


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        ({"md5": MD5.upper()}, MD5.encode()),
        ({"download_url": "HTTP://127.0.0.1/emu-v1.2.0.tar.gz"}, b"http://127.0.0.1/emu-v1.2.0.tar.gz"),
        ({"download_url": "http://127.0.0.1/a file"}, b"http://127.0.0.1/a%20file"),
    ],
)
async def test_what_can_be_understood_is_put_right(world: World, given: dict[str, object], ordered: bytes) -> None:
    task = world.call(DOMAIN, "upgrade", {"download_url": URL, "md5": MD5} | given)
    await world.pass_time(2)
    assert ordered in world.orders()[0]
    task.cancel()


async def test_cancel_says_when_there_is_nothing_to_cancel(world: World) -> None:
    error = await refusal(world, DOMAIN, "cancel")
    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == "nothing_to_cancel"
    assert NAME in str(error)


async def test_cancel_says_when_it_is_too_late(world: World) -> None:
    task = await world.install()
    error = await refusal(world, DOMAIN, "cancel")
    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == "too_late_to_cancel"
    assert NAME in str(error)
    await world.until(task.done)
    await task


async def test_an_upgrade_of_an_emu_that_is_being_upgraded_is_refused(world: World) -> None:
    task = await world.install()
    error = await refusal(world, DOMAIN, "upgrade", {"download_url": URL, "md5": MD5})
    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == "already_upgrading"
    assert NAME in str(error)
    await world.until(task.done)
    await task
    assert len(world.orders()) == 1


# update.install


async def test_a_version_that_nobody_knows_is_refused_and_the_known_ones_are_named(world: World) -> None:
    error = await refusal(world, "update", "install", {"version": "emu-v7.0.0"})
    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == "unknown_version"
    for part in (NAME, "emu-v7.0.0", NEW):
        assert part in str(error)


async def test_a_version_for_another_product_is_refused(make_world: MakeWorld) -> None:
    world = await make_world([simulated_ems()], [ems_subentry(), firmware_subentry("pcs-v2.0.0")])
    error = await refusal(world, "update", "install", {"version": "pcs-v2.0.0"})
    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == "wrong_product"
    for part in (NAME, "pcs-v2.0.0", OLD):
        assert part in str(error)
    assert not world.orders()


async def test_without_a_newer_release_there_is_nothing_to_install(make_world: MakeWorld) -> None:
    world = await make_world([simulated_ems()], [ems_subentry(), firmware_subentry("emu-v0.9.0")])
    error = await refusal(world, "update", "install")
    assert world.entity_id("update", "firmware") in str(error)
    assert not world.orders()


async def test_an_older_version_is_installed_when_it_is_named(make_world: MakeWorld) -> None:
    world = await make_world([simulated_ems()], [ems_subentry(), firmware_subentry("emu-v0.9.0")])
    world.packages[URL] = build_package("emu-v0.9.0")
    task = await world.install(version="emu-v0.9.0")
    await world.until(task.done, step=5)
    await task
    assert world.update().attributes["installed_version"] == "emu-v0.9.0"


async def test_the_name_that_the_user_gave_stands_in_errors(world: World) -> None:
    dr.async_get(world.hass).async_update_device(device(world).id, name_by_user="The one in the barn")
    error = await refusal(world, DOMAIN, "cancel")
    assert "The one in the barn" in str(error)


async def test_a_call_that_is_given_up_leaves_the_upgrade_alone(world: World) -> None:
    """An automation in mode `restart` ends its run; the EMU's upgrade goes on."""
    task = await world.install()
    await world.pass_time(10)
    task.cancel()
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=5)


async def test_a_call_that_is_given_up_is_no_error_later(world: World) -> None:
    task = await world.install()
    await world.pass_time(10)
    task.cancel()
    await world.reload()
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=5)


# emu_ota.get_history


async def test_the_history_tells_each_upgrade_newest_first(world: World) -> None:
    world.ems.faults.on(Fault.MD5_MISMATCH, emu=3)
    await install(world, 2)
    await install(world, 3)
    newest, oldest = await history(world)
    assert (newest["entity_id"], newest["outcome"], newest["reason"]) == (
        world.entity_id("update", "firmware", 3),
        "failed",
        "md5_mismatch",
    )
    assert (oldest["entity_id"], oldest["outcome"], oldest["reason"]) == (
        world.entity_id("update", "firmware"),
        "succeeded",
        None,
    )
    assert (oldest["from_version"], oldest["to_version"]) == (OLD, NEW)
    assert oldest["id"] == world.state("sensor", "last_upgrade").attributes["upgrade_id"]
    queued, ordered, ended = (datetime.fromisoformat(str(oldest[key])) for key in ("queued", "ordered", "ended"))
    assert queued <= ordered < ended
    assert ended - ordered < timedelta(hours=1)


async def test_the_history_tells_all_that_is_stored_of_an_upgrade(
    hass: HomeAssistant, world: World, hass_admin_user: MockUser
) -> None:
    await install(world, 3)
    data = {"entity_id": world.entity_id("update", "firmware")}
    context = Context(user_id=hass_admin_user.id)
    action = asyncio.ensure_future(hass.services.async_call("update", "install", data, blocking=True, context=context))
    await world.until(action.done, step=10)
    by_user, by_automation = await history(world)
    assert (by_user["ordered_by"], by_automation["ordered_by"]) == ("user", "automation")
    assert (by_user["device_uid"], by_user["device_id"]) == (UID, 2)
    assert (by_user["version"], by_user["md5"], by_user["sha256"]) == (NEW, md5_of(build_package(NEW)), None)
    assert by_user["bytes_fetched"] is None, "it was not fetched from us"
    assert by_user["amended"] is None
    phases = [(str(each["phase"]), str(each["since"])) for each in cast("list[dict[str, object]]", by_user["phases"])]
    assert [phase for phase, _ in phases] == ["queued", "ordered", "upgrading", "restarting", "ended"]
    assert [since for _, since in phases] == sorted(since for _, since in phases)
    times = dict(phases)
    assert (times["queued"], times["ordered"], times["ended"]) == tuple(
        by_user[key] for key in ("queued", "ordered", "ended")
    )


async def test_the_history_of_some_emus(make_world: MakeWorld) -> None:
    world = await make_world([simulated_ems(), simulated_ems(OTHER_UID)])
    await install(world, 2)
    await install(world, 3)
    await install(world, 2, OTHER_UID)
    wanted = [world.entity_id("update", "firmware", 3), world.entity_id("update", "firmware", 2, OTHER_UID)]
    assert [each["entity_id"] for each in await history(world, entity_id=wanted)] == wanted[::-1]
    assert [each["entity_id"] for each in await history(world, entity_id=wanted[0])] == wanted[:1]
    assert len(await history(world)) == 3


@pytest.mark.parametrize("time_zone", ["given", "left out"])
async def test_the_history_of_some_time(world: World, time_zone: str) -> None:
    """A time without a zone, as the UI gives it, is Home Assistant's local time."""
    await install(world, 2)
    await world.pass_time(60, 10)
    middle = dt_util.now() if time_zone == "given" else dt_util.now().replace(tzinfo=None)
    await world.pass_time(60, 10)
    await install(world, 3)
    first, second = (world.entity_id("update", "firmware", device_id) for device_id in (2, 3))
    assert [each["entity_id"] for each in await history(world, start=middle.isoformat())] == [second]
    assert [each["entity_id"] for each in await history(world, end=middle.isoformat())] == [first]
    later = (middle + timedelta(hours=2)).isoformat()
    assert [each["entity_id"] for each in await history(world, start=middle.isoformat(), end=later)] == [second]
    assert await history(world, start=later) == []


async def test_the_history_outlives_a_reload_and_an_entity(world: World) -> None:
    await install(world)
    before = await history(world)
    await world.reload()
    assert await history(world) == before
    er.async_get(world.hass).async_remove(world.entity_id("update", "firmware"))
    assert (await history(world))[0]["entity_id"] is None


async def test_the_history_of_what_is_no_emu_is_refused(world: World) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await history(world, entity_id="update.something_else")
    assert caught.value.translation_key == "not_an_emu"
    assert "update.something_else" in str(caught.value)


async def test_a_history_that_ends_before_it_starts_is_refused(world: World) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await history(world, start="2026-11-02 12:00:00", end="2026-11-01 12:00:00")
    assert caught.value.translation_key == "end_before_start"


async def test_without_an_entry_the_history_is_empty(hass: HomeAssistant, hand: HandEms) -> None:
    await hand.versions(report())
    await hass.config_entries.async_unload(hand.world.entry.entry_id)
    assert await history(hand.world) == []

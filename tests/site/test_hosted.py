"""Upgrades with packages that Home Assistant keeps: the EMS fetches them from its view, over real HTTP."""

from pathlib import Path
import re

from homeassistant.core import HomeAssistant
import pytest

from simulator.package import build_package, md5_of
from simulator.package_server import PackageServer
from tests.firmware.index_server import serve_index

from .hosted import (
    FILE_NAME,
    Hosted,
    mirror_subentry,
    ordered,
    ordered_link,
    publish,
    really,
    token_of,
    upload_subentry,
)
from .looks import told
from .world import NEW, OLD, OTHER_UID, URL, World, firmware_subentry, simulated_ems


@pytest.mark.parametrize("kind", ["upload", "mirror"])
async def test_an_ems_fetches_what_home_assistant_keeps_and_the_upgrade_succeeds(hosted: Hosted, kind: str) -> None:
    package = await hosted.store()
    world = await hosted.world(upload_subentry(package) if kind == "upload" else mirror_subentry(package, URL))
    assert world.update().attributes["latest_version"] == NEW
    assert await world.ended(await world.install()) is None
    assert world.last_upgrade() == ("succeeded", None)
    assert world.update().attributes["installed_version"] == NEW
    link = ordered_link(world)
    assert ordered(world)["md5_code"] == package.md5
    assert re.fullmatch(
        rf"{re.escape(hosted.base)}/api/emu_ota/firmware/[A-Za-z0-9_-]{{22}}/{re.escape(FILE_NAME)}", link
    )
    assert len(link) < 200
    assert world.packages.keys() == {URL}, "nothing came from anywhere else"
    fetched = world.entry.runtime_data.upgrades.history.last(world.ems.address.uid, 2).fetched
    assert (fetched.requests, fetched.running, fetched.whole, fetched.addresses) == (1, 0, True, ("127.0.0.1",))


@pytest.mark.parametrize("right", [True, False])
async def test_a_release_of_an_index_is_installed_from_where_the_index_says_if_its_file_fits(
    hosted: Hosted, tmp_path: Path, *, right: bool
) -> None:
    package = build_package(NEW)
    (tmp_path / "package").write_bytes(package)
    async with serve_index() as index, PackageServer(tmp_path) as server:
        link = server.url("package")
        publish(index, NEW, url=link, md5=md5_of(package if right else b"another"))
        world = await hosted.world(options={"index_url": index.url})
        await really(lambda: world.update().attributes["latest_version"] == NEW)
        error = await world.ended(await world.install())
        assert ordered_link(world) == link
    if right:
        assert error is None
        assert world.update().attributes["installed_version"] == NEW
    else:
        assert error is not None
        assert error.translation_key == "upgrade_md5_mismatch"
        assert NEW in str(error)
        assert world.update().attributes["installed_version"] == OLD


async def test_the_link_begins_with_the_internal_url_where_nothing_else_is_set(
    hass: HomeAssistant, hosted: Hosted
) -> None:
    hass.config.internal_url = hosted.base
    world = await hosted.world(upload_subentry(await hosted.store()), options={"download_base_url": ""})
    assert await world.ended(await world.install()) is None
    assert ordered_link(world).startswith(f"{hosted.base}/api/emu_ota/firmware/")


async def test_each_order_has_a_token_of_its_own(hosted: Hosted) -> None:
    world = await hosted.world(
        upload_subentry(await hosted.store()), systems=[simulated_ems(), simulated_ems(OTHER_UID)]
    )
    for uid, device_id in ((world.ems.address.uid, 2), (world.ems.address.uid, 3), (OTHER_UID, 2)):
        assert await world.ended(await world.install(device_id, uid=uid)) is None
    links = [ordered_link(world, uid) for uid in (world.ems.address.uid, OTHER_UID)]
    assert len({token_of(link) for link in links}) == 2
    assert len(set(world.orders())) == 2


async def test_an_older_version_that_is_kept_can_be_installed_by_its_name(hosted: Hosted) -> None:
    old = await hosted.store(build_package("emu-v0.9.0"))
    world = await hosted.world(upload_subentry(old, "emu-v0.9.0"))
    assert world.update().state == "off"
    assert world.update().attributes["latest_version"] == OLD
    error = await world.ended(await world.install())
    assert error is not None
    assert await world.ended(await world.install(version="emu-v0.9.0")) is None
    assert world.update().attributes["installed_version"] == "emu-v0.9.0"


@pytest.mark.parametrize("address", ["", "http://"])
async def test_without_an_address_an_install_fails_at_once_and_says_what_to_set(
    hass: HomeAssistant, hosted: Hosted, address: str
) -> None:
    hass.config.api = None  # as where Home Assistant is reached through a proxy with https only
    world = await hosted.world(upload_subentry(await hosted.store()), options={"download_base_url": address})
    error = await world.ended(await world.install())
    assert error is not None
    assert error.translation_key == "no_download_address"
    assert "Set the download address in the options" in str(error)
    assert world.orders() == []
    assert world.stage() == "idle"


async def test_a_package_that_is_gone_fails_the_install_at_once_and_by_name(hosted: Hosted) -> None:
    package = await hosted.store()
    world = await hosted.world(upload_subentry(package))
    (hosted.folder / package.sha256).unlink()
    error = await world.ended(await world.install())
    assert error is not None
    assert error.translation_key == "package_missing"
    assert NEW in str(error)
    assert world.orders() == []


async def test_an_upgrade_waits_in_the_queue_for_an_address_and_fails_by_name(
    hosted: Hosted, expected_logs: list[str]
) -> None:
    """What was asked for while there was one: the address may come back, or not."""
    package = await hosted.store()
    world = await hosted.world(upload_subentry(package), options={"queue_timeout": 10})
    hosted.hass.config.api = None
    first = await world.install(2)
    await really(lambda: world.stage(2) != "idle")  # each looks for its package first, in a thread of its own
    second = await world.install(3)
    await really(lambda: world.stage(3) == "queued")
    set_base(world, "")
    assert await world.ended(first) is None, "what was ordered has its link"
    assert world.stage(3) == "queued"
    error = await world.ended(second)
    assert error is not None
    assert error.translation_key == "upgrade_no_download_address"
    assert world.last_upgrade(3) == ("failed", "no_download_address")
    third = world.call("update", "install", device_id=3)
    error = await world.ended(third)
    assert error is not None
    assert error.translation_key == "no_download_address"


async def test_an_upgrade_goes_on_when_there_is_an_address_again(hosted: Hosted) -> None:
    world = await hosted.world(upload_subentry(await hosted.store()))
    hosted.hass.config.api = None
    first = await world.install(2)
    await really(lambda: world.stage(2) != "idle")  # each looks for its package first, in a thread of its own
    second = await world.install(3)
    await really(lambda: world.stage(3) == "queued")
    set_base(world, "")
    assert await world.ended(first) is None
    await world.pass_time(60, 5)
    assert world.stage(3) == "queued"
    set_base(world, hosted.base)
    assert await world.ended(second) is None
    assert world.last_upgrade(3) == ("succeeded", None)


def set_base(world: World, base: str) -> None:
    """Change the option as a person would."""
    world.hass.config_entries.async_update_entry(
        world.entry, options={**world.entry.options, "download_base_url": base}
    )


async def test_what_an_ems_fetches_must_be_what_was_promised(
    hosted: Hosted, caplog: pytest.LogCaptureFixture, expected_logs: list[str]
) -> None:
    """A file of another size is not given out at all; one of the same size is caught by the EMS, by its MD5."""
    package = await hosted.store()
    world = await hosted.world(upload_subentry(package))
    (hosted.folder / package.sha256).write_bytes(bytes(package.size))
    await world.ended(await world.install())
    assert world.last_upgrade() == ("failed", "md5_mismatch")
    (hosted.folder / package.sha256).write_bytes(b"half of it")
    expected_logs.append("is missing or damaged")
    await world.ended(await world.install())
    assert world.last_upgrade() == ("failed", "download_failed")
    assert len(told(caplog, "is missing or damaged")) == 1


async def test_a_link_is_never_taken_for_a_package_of_ours(hosted: Hosted) -> None:
    world = await hosted.world(firmware_subentry(), options={"download_base_url": ""})
    await world.install()
    await world.until(lambda: bool(world.orders()), 60)
    assert ordered_link(world) == URL
    await world.until(lambda: world.stage() == "idle", 3600, 5)
    assert world.last_upgrade() == ("failed", "download_failed"), "the link leads nowhere, and nobody else's fault"

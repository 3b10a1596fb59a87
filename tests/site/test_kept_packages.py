"""How long packages stay on the disk, and how mirrored ones come back."""

from collections.abc import AsyncGenerator
from http import HTTPStatus
import os
from pathlib import Path

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.emu_ota.const import DOMAIN
from simulator.package import build_package
from simulator.package_server import PackageServer

from .by_hand import report
from .hosted import Hosted, Subentry, mirror_subentry, ordered_link, really, upload_subentry, work_done
from .looks import told
from .world import NEW, OTHER_UID, config_subentry, ems_subentry

PACKAGE = build_package(NEW)


async def other_entry(hass: HomeAssistant, *releases: Subentry) -> MockConfigEntry:
    """Return another entry, with an EMS of its own."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="v1/wudun/other",
        data={"connection": "memory", "prefix": "v1/wudun/other"},
        subentries_data=[ems_subentry(OTHER_UID), *releases],
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


# Removal


async def test_a_package_goes_with_its_release(hosted: Hosted) -> None:
    package = await hosted.store()
    world = await hosted.world(upload_subentry(package))
    assert hosted.kept() == [package.sha256]
    await world.remove(f"firmware:{NEW}")
    await really(lambda: hosted.kept() == [])


async def test_a_package_that_two_releases_use_goes_with_the_last(hosted: Hosted) -> None:
    package = await hosted.store()
    world = await hosted.world(upload_subentry(package), upload_subentry(package, "emu-v1.3.0"))
    await world.remove(f"firmware:{NEW}")
    await work_done(world)
    assert hosted.kept() == [package.sha256]
    await world.remove("firmware:emu-v1.3.0")
    await really(lambda: hosted.kept() == [])


async def test_a_package_goes_also_with_a_release_that_was_not_offered(hosted: Hosted) -> None:
    """Two sources that contradict each other offer nothing, and still each has its file."""
    package = await hosted.store()
    other = await hosted.store(b"other")
    conflicting = upload_subentry(other) | {"unique_id": "firmware:other"}
    world = await hosted.world(upload_subentry(package), conflicting)
    assert world.entry.runtime_data.releases.library.all() == []
    await world.remove(f"firmware:{NEW}")
    await really(lambda: hosted.kept() == [other.sha256])


async def test_another_package_for_a_release_replaces_the_first(hosted: Hosted) -> None:
    world = await hosted.world(upload_subentry(await hosted.store()))
    package = await hosted.store(build_package(NEW, size=1000))
    changed = config_subentry(upload_subentry(package))
    world.hass.config_entries.async_update_subentry(
        world.entry, world.subentry(f"firmware:{NEW}"), data=dict(changed.data)
    )
    await really(lambda: hosted.kept() == [package.sha256])
    assert await world.ended(await world.install()) is None


async def test_a_release_can_be_removed_while_it_is_being_installed_and_its_package_stays_until_the_outcome(
    hosted: Hosted,
) -> None:
    package = await hosted.store(PACKAGE)
    world = await hosted.world(upload_subentry(package))
    install = await world.install()
    await really(lambda: world.stage() != "idle")
    await world.remove(f"firmware:{NEW}")
    await work_done(world)
    assert hosted.kept() == [package.sha256]
    assert await world.ended(install) is None, "the EMS fetched it after its release was gone"
    await really(lambda: hosted.kept() == [])


async def test_what_an_upgrade_needs_stays_also_while_its_entry_is_not_loaded(
    hosted: Hosted, hass: HomeAssistant
) -> None:
    """Another entry that starts, or goes, looks for what nobody needs: long after the package was stored."""
    package = await hosted.store(PACKAGE)
    hand = await hosted.hand(upload_subentry(package))
    world = hand.world
    await hand.versions(report())
    await world.install()
    await really(lambda: world.stage() != "idle")
    await world.remove(f"firmware:{NEW}")
    assert await hass.config_entries.async_unload(world.entry.entry_id)
    age(hosted.folder / package.sha256)
    other = await other_entry(hass)
    await work_done(world)
    assert await hass.config_entries.async_remove(other.entry_id)
    assert hosted.kept() == [package.sha256]
    assert await hass.config_entries.async_setup(world.entry.entry_id)
    await world.settle()
    assert await hosted.status(ordered_link(world)) == HTTPStatus.OK


def age(path: Path) -> None:
    """Make a file so old that no flow can still be open for it."""
    os.utime(path, (0, 0))


async def test_what_nobody_uses_is_cleared_away_at_a_start_unless_a_flow_may_still_use_it(hosted: Hosted) -> None:
    used, left, fresh = [await hosted.store(content) for content in (PACKAGE, b"left behind", b"fresh")]
    age(hosted.folder / left.sha256)
    age(hosted.folder / used.sha256)
    await hosted.world(upload_subentry(used))
    await really(lambda: left.sha256 not in hosted.kept())
    assert hosted.kept() == sorted([used.sha256, fresh.sha256])


async def test_removing_an_entry_leaves_nothing_but_what_others_use(
    hosted: Hosted, hass: HomeAssistant, hass_storage: dict[str, object]
) -> None:
    shared, own = await hosted.store(PACKAGE), await hosted.store(build_package("emu-v1.3.0"))
    world = await hosted.world(upload_subentry(shared), upload_subentry(own, "emu-v1.3.0"))
    other = await other_entry(hass, upload_subentry(shared))
    assert await world.ended(await world.install()) is None
    assert await hass.config_entries.async_remove(world.entry.entry_id)
    assert hosted.kept() == [shared.sha256]
    assert [key for key in hass_storage if key.startswith(f"emu_ota.{world.entry.entry_id}")] == []
    assert await hass.config_entries.async_remove(other.entry_id)
    assert hosted.kept() == []
    assert [key for key in hass_storage if key.startswith("emu_ota.")] == []


async def test_two_entries_serve_the_same_package(hosted: Hosted, hass: HomeAssistant) -> None:
    package = await hosted.store()
    world = await hosted.world(upload_subentry(package))
    other = await other_entry(hass, upload_subentry(package))
    assert await hass.config_entries.async_remove(other.entry_id)
    assert await world.ended(await world.install()) is None


# Mirrored packages that are gone


@pytest.fixture
async def link(socket_enabled: None, tmp_path: Path) -> AsyncGenerator[PackageServer]:
    """Serve a folder with the package, as a vendor does."""
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "package").write_bytes(PACKAGE)
    async with PackageServer(tmp_path / "vendor") as server:
        yield server


async def test_a_mirrored_package_that_is_gone_is_mirrored_again_at_the_start(
    hosted: Hosted, link: PackageServer, caplog: pytest.LogCaptureFixture
) -> None:
    package = await hosted.store(PACKAGE)
    (hosted.folder / package.sha256).unlink()
    world = await hosted.world(mirror_subentry(package, link.url("package")))
    await really(lambda: hosted.kept() == [package.sha256])
    assert await world.ended(await world.install()) is None
    assert len(told(caplog, "is mirrored again")) == 1


@pytest.mark.parametrize("content", [None, b"another file", b""])
async def test_nothing_but_the_very_same_file_is_taken_and_it_is_tried_again_every_hour(
    hosted: Hosted, link: PackageServer, tmp_path: Path, content: bytes | None
) -> None:
    package, file = await hosted.store(PACKAGE), tmp_path / "vendor" / "package"
    (hosted.folder / package.sha256).unlink()
    file.unlink() if content is None else file.write_bytes(content)
    world = await hosted.world(mirror_subentry(package, link.url("package")))
    releases = world.entry.runtime_data.releases
    await really(lambda: releases.missing == {NEW})
    assert hosted.kept() == []
    file.write_bytes(PACKAGE)
    await world.tick(3601)
    await really(lambda: releases.missing == frozenset())
    assert hosted.kept() == [package.sha256]


async def test_a_file_with_the_right_md5_and_another_sha256_is_not_taken(hosted: Hosted, link: PackageServer) -> None:
    """An MD5 can be forged."""
    package = await hosted.store(b"the file of before")
    (hosted.folder / package.sha256).unlink()
    forged = mirror_subentry(package, link.url("package"))
    forged["data"] |= {"md5": (await hosted.store(PACKAGE)).md5}  # type: ignore[operator]  # a dict
    for path in hosted.folder.iterdir():
        path.unlink()
    world = await hosted.world(forged)
    await really(lambda: world.entry.runtime_data.releases.missing == {NEW})
    assert hosted.kept() == []


async def test_an_upload_that_is_gone_is_missing_until_it_is_uploaded_again(hosted: Hosted) -> None:
    package = await hosted.store(PACKAGE)
    (hosted.folder / package.sha256).unlink()
    world = await hosted.world(upload_subentry(package))
    releases = world.entry.runtime_data.releases
    await really(lambda: releases.missing == {NEW})
    await hosted.store(PACKAGE)
    await world.remove(f"firmware:{NEW}")
    await world.add(upload_subentry(package))
    await really(lambda: releases.missing == frozenset())

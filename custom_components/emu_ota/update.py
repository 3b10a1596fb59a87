"""The firmware of an EMU: what is installed, what is newer, and installing it."""

from contextlib import suppress
from dataclasses import replace
from typing import Any, override

from homeassistant.components.update import UpdateDeviceClass, UpdateEntity, UpdateEntityFeature
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .emu import Emu, EmuView
from .entity import EmuProgressEntity
from .firmware.index_fetch import CannotRefresh
from .firmware.link import parse_link
from .firmware.release import Release
from .install_errors import invalid_request, raise_for_outcome, upgrade_interrupted
from .protocol.commands import is_md5
from .protocol.upgrade import Order, Phase
from .protocol.version import MAX_VERSION_LENGTH, is_newer
from .runtime import EmuOtaConfigEntry, EntityFactory, Runtime
from .waiting import UpgradeInterrupted

# Each install waits for its outcome; who goes first is the queue's to say, where it can be seen and cancelled.
PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant, entry: EmuOtaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the update entity of every EMU, now and later."""
    runtime = entry.runtime_data
    runtime.add_platform(
        EntityFactory(
            add=async_add_entities,
            of_ems=lambda _ems: [],
            of_emu=lambda emu: [EmuFirmware(runtime, emu)],
        )
    )


type _Part = tuple[str | None, bool, str | None, Release | None]
"""What is installed, whether an upgrade is at work and on which component, and which release is shown."""


class EmuFirmware(EmuProgressEntity[_Part], UpdateEntity):
    """The firmware of an EMU: a view of its reports, the library, and its upgrade."""

    _attr_device_class = UpdateDeviceClass.FIRMWARE
    _attr_supported_features = (
        UpdateEntityFeature.INSTALL
        | UpdateEntityFeature.SPECIFIC_VERSION
        | UpdateEntityFeature.PROGRESS
        | UpdateEntityFeature.RELEASE_NOTES
    )

    def __init__(self, runtime: Runtime, emu: Emu) -> None:
        """Look at an EMU."""
        super().__init__(emu, "firmware")
        self._releases = runtime.releases
        self._library = runtime.releases.library

    @property
    @override
    def in_progress(self) -> bool:
        # Home Assistant clears the attribute when a call of `install` is over, which an upgrade may outlast.
        return self.emu.busy

    @override
    async def async_release_notes(self) -> str | None:
        release = self.emu.view.release
        return None if release is None else release.notes

    @override
    def version_is_newer(self, latest_version: str, installed_version: str) -> bool:
        return is_newer(latest_version, installed_version)

    @override
    def _part(self, view: EmuView) -> _Part:
        return view.version, view.busy, view.component, view.release

    @override
    def _take(self, part: _Part, before: _Part | None) -> None:
        installed, _, _, release = part
        if before is None or installed != before[0]:
            # Actions on unavailable entities are skipped in silence, so it stays while the EMS is away.
            self._attr_available = installed is not None
            self._attr_installed_version = installed
        elif release is before[3]:
            return
        self._attr_latest_version = installed if release is None else release.version
        if before is None or release is not before[3]:
            self._attr_release_url = None if release is None else release.url
            self._attr_release_summary = None if release is None else release.summary

    @override
    def _progress(self, view: EmuView) -> int | None:
        return view.percentage

    @override
    def _take_progress(self, progress: int | None) -> None:
        self._attr_update_percentage = progress

    @override
    async def async_install(self, version: str | None, backup: bool, **kwargs: Any) -> None:
        """Install a release and wait for the outcome; anything but a success is raised."""
        release = self._release_to_install(version)
        if release.hosted and release.sha256 is not None:
            if self._releases.offers.base.url is None:
                raise invalid_request("no_download_address")
            if not await self._releases.packages.async_exists(release.sha256):
                raise invalid_request("package_missing", version=release.version)
        await self._async_upgrade(release.order, named=version is not None)

    async def async_update(self) -> None:
        """Ask the EMS and the index now (the action `homeassistant.update_entity`)."""
        self.emu.coordinator.refresh()
        with suppress(CannotRefresh):  # it is kept in mind, and shown where it lasts
            await self._releases.index.async_refresh()

    def _release_to_install(self, version: str | None) -> Release:
        installed = self.installed_version or ""
        if version is None:
            newest = self._library.update_for(installed)
            if newest is None:
                raise invalid_request("no_newer_release", name=self._name(), installed=installed)
            return newest
        release = self._library.get(version)
        if release is None:
            known = ", ".join(each.version for each in self._library.fitting(installed)) or "-"
            raise invalid_request("unknown_version", name=self._name(), version=version, known=known)
        least = release.min_version
        if least is not None and not release.fits(installed) and replace(release, min_version=None).fits(installed):
            raise invalid_request("too_old", name=self._name(), version=version, installed=installed, least=least)
        if not release.fits(installed):
            raise invalid_request("wrong_product", name=self._name(), version=version, installed=installed)
        return release

    async def async_upgrade(self, download_url: str, md5: str, version: str | None = None) -> None:
        """Install what is behind a link (the action `emu_ota.upgrade`) and wait for the outcome."""
        link = parse_link(download_url)
        if link is None:
            raise invalid_request("invalid_url")
        if not is_md5(md5):
            raise invalid_request("invalid_md5", md5=md5)
        if version is not None and not 0 < len(version) <= MAX_VERSION_LENGTH:
            raise invalid_request("invalid_version", version=version)
        order = Order(version=version, download_url=link, md5=md5.lower())
        await self._async_upgrade(order, named=True)

    async def async_cancel(self) -> None:
        """Take this EMU's upgrade out of the queue (the action `emu_ota.cancel`)."""
        upgrade = self.emu.upgrade
        if upgrade is None:
            raise invalid_request("nothing_to_cancel", name=self._name())
        if upgrade.phase is not Phase.QUEUED:
            raise invalid_request("too_late_to_cancel", name=self._name())
        self.emu.upgrades.cancel(upgrade)

    async def _async_upgrade(self, order: Order, *, named: bool) -> None:
        if self.emu.busy:
            raise invalid_request("already_upgrading", name=self._name())
        by_user = self._context is not None and self._context.user_id is not None
        upgrades = self.emu.upgrades
        upgrade = upgrades.request(self.emu.coordinator.uid, self.emu.device_id, order, named=named, by_user=by_user)
        name = self._name()
        try:
            # The upgrade is not this call's: it goes on whatever becomes of the one who asked for it.
            ended = await upgrades.async_wait(upgrade.id)
        except UpgradeInterrupted as err:
            raise upgrade_interrupted(name) from err
        raise_for_outcome(ended, name)

    def _name(self) -> str:
        return emu_display_name(self)


def emu_display_name(entity: EmuFirmware) -> str:
    """Return what the user calls the EMU."""
    device = entity.device_entry
    return "EMU" if device is None else device.name_by_user or device.name or "EMU"

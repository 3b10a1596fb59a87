"""Which releases a config entry has: those of its `firmware` subentries, and those of its index."""

from typing import TYPE_CHECKING, Final

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from .const import (
    CONF_DOWNLOAD_BASE_URL,
    CONF_DOWNLOAD_URL,
    CONF_FILE_NAME,
    CONF_INDEX_URL,
    CONF_KIND,
    CONF_MD5,
    CONF_MIRROR,
    CONF_PACKAGE,
    CONF_RELEASE_NOTES,
    CONF_RELEASE_URL,
    CONF_SIZE,
    CONF_VERSION,
    DOMAIN,
    KIND_UPLOAD,
    SUBENTRY_FIRMWARE,
)
from .firmware.catalog import Catalog, combine
from .firmware.hosting import HOSTING
from .firmware.index_source import IndexSource
from .firmware.library import FirmwareLibrary
from .firmware.offers import Offers
from .firmware.packages import PackageStore
from .firmware.release import Release, Source

if TYPE_CHECKING:
    from .runtime import Runtime


FLOW_GRACE: Final = 3600.0
"""Seconds in which a package that nobody uses yet may belong to a flow that is still open."""


class EntryReleases:
    """The releases of one config entry, and their packages."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, changed: CALLBACK_TYPE) -> None:
        """Know none yet; `changed` is called when they are others."""
        self.library = FirmwareLibrary()
        self.packages = PackageStore(hass)
        self.catalog = Catalog()
        """What could be put together, with the conflicts."""
        self.index = IndexSource(hass, entry.entry_id, lambda: _option(entry, CONF_INDEX_URL), self.update)
        self.offers = Offers(
            hass,
            hass.data[HOSTING],
            self.packages,
            option=lambda: _option(entry, CONF_DOWNLOAD_BASE_URL),
            done=self.async_remove_unused,
        )
        self._hass = hass
        self._entry = entry
        self._changed = changed

    async def async_load(self) -> None:
        """Know all that can be known without traffic."""
        await self.index.async_load()
        self.update()

    async def async_entry_updated(self) -> None:
        """Take over changed subentries and options."""
        before = self._own_packages()
        await self.index.async_entry_updated()
        self.update()
        for package in before - self._own_packages():
            await self.async_remove_unused(package)

    @callback
    def update(self) -> None:
        """Put the releases together again."""
        subentries = self._entry.get_subentries_of_type(SUBENTRY_FIRMWARE)
        self.catalog = combine([*map(release_of, subentries), *self.index.state.releases])
        self.library.replace(self.catalog.releases)
        self._changed()

    def _own_packages(self) -> set[str]:
        return {release.sha256 for release in self.library.all() if release.hosted and release.sha256}

    async def async_remove_unused(self, package: str) -> None:
        """Remove a package, unless some release or some upgrade uses it."""
        if package not in packages_in_use(self._hass):
            await self.packages.async_remove(package)

    async def async_sweep(self) -> None:
        """Remove what crashes and abandoned flows have left behind."""
        await self.packages.async_sweep(packages_in_use(self._hass), grace=FLOW_GRACE)


def packages_in_use(hass: HomeAssistant) -> set[str]:
    """Return the packages that a release of any entry or an upgrade under way needs, by SHA-256."""
    used: set[str] = set()
    for entry in hass.config_entries.async_entries(DOMAIN):
        for subentry in entry.get_subentries_of_type(SUBENTRY_FIRMWARE):
            if CONF_PACKAGE in subentry.data:
                used.add(subentry.data[CONF_PACKAGE])
    loaded: list[ConfigEntry[Runtime]] = hass.config_entries.async_loaded_entries(DOMAIN)
    for entry in loaded:
        used |= {upgrade.order.package for upgrade in entry.runtime_data.upgrades.active if upgrade.order.package}
    return used


def release_of(subentry: ConfigSubentry) -> Release:
    """Return the release that a `firmware` subentry describes."""
    data = subentry.data
    hosted = CONF_PACKAGE in data
    if data[CONF_KIND] == KIND_UPLOAD:
        source = Source.UPLOAD
    else:
        source = Source.MIRROR if data.get(CONF_MIRROR) else Source.LINK
    return Release(
        version=data[CONF_VERSION],
        download_url=data.get(CONF_DOWNLOAD_URL),
        md5=data[CONF_MD5],
        sha256=data.get(CONF_PACKAGE),
        size=data.get(CONF_SIZE),
        notes=data.get(CONF_RELEASE_NOTES),
        url=data.get(CONF_RELEASE_URL),
        source=source,
        hosted=hosted,
        file_name=data.get(CONF_FILE_NAME),
    )


def _option(entry: ConfigEntry, key: str) -> str | None:
    return entry.options.get(key) or None

"""Which releases a config entry has: those of its `firmware` subentries, and those of its index."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

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
from .firmware.restoring import async_restore

FLOW_GRACE: Final = 3600.0
"""Seconds in which a package that nobody uses yet may belong to a flow that is still open."""

RESTORE_AGAIN: Final = 3600.0
"""Seconds after which packages that are gone are looked for again: often the network is only not up yet."""


class EntryReleases:
    """The releases of one config entry, and their packages."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        *,
        changed: CALLBACK_TYPE,
        in_use: Callable[[], Awaitable[set[str]]],
    ) -> None:
        """Know none yet.

        `changed` is called when they are others; `in_use` tells the packages that anybody needs, by SHA-256.
        """
        self.library = FirmwareLibrary()
        self.packages = PackageStore(hass)
        self.catalog = Catalog()
        """What could be put together, with the conflicts."""
        self.missing: frozenset[str] = frozenset()
        """The versions that cannot be installed, since their packages are gone."""
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
        self._listeners: list[CALLBACK_TYPE] = []
        self._own_packages = packages_of_entry(entry)
        self._in_use = in_use

    async def async_load(self) -> None:
        """Know all that can be known without traffic."""
        await self.index.async_load()
        self.update()

    async def async_entry_updated(self) -> None:
        """Take over changed subentries and options."""
        before, self._own_packages = self._own_packages, packages_of_entry(self._entry)
        await self.index.async_entry_updated()
        self.update()
        if self.missing:
            self.missing &= {release.version for release in await self._async_gone()}
            self.update()
        for package in before - self._own_packages:
            await self.async_remove_unused(package)

    @callback
    def update(self) -> None:
        """Put the releases together again."""
        subentries = self._entry.get_subentries_of_type(SUBENTRY_FIRMWARE)
        self.catalog = combine([*map(release_of, subentries), *self.index.state.releases])
        self.library.replace(self.catalog.releases)
        self._changed()
        for changed in tuple(self._listeners):
            changed()

    def watch(self, changed: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call back when anything about the releases or the index may have changed; returns what ends it."""
        self._listeners.append(changed)
        return lambda: self._listeners.remove(changed)

    @property
    def serves(self) -> bool:
        """Whether there is anything to be fetched from this Home Assistant."""
        return bool(self._own_packages)

    async def async_keep_packages(self) -> None:
        """Mirror what is gone once more, again and again until it is there; what cannot be is `missing`."""
        while gone := await self._async_gone():
            results = [await async_restore(self._hass, self.packages, release) for release in gone]
            missing = frozenset(release.version for release, there in zip(gone, results, strict=True) if not there)
            if missing != self.missing:
                self.missing = missing
                self.update()
            if not missing:
                return
            await asyncio.sleep(RESTORE_AGAIN)

    async def _async_gone(self) -> list[Release]:
        own = map(release_of, self._entry.get_subentries_of_type(SUBENTRY_FIRMWARE))
        return [
            release
            for release in own
            if release.hosted and release.sha256 is not None and not await self.packages.async_exists(release.sha256)
        ]

    async def async_remove_unused(self, package: str) -> None:
        """Remove a package, unless some release or some upgrade uses it."""
        if package not in await self._in_use():
            await self.packages.async_remove(package)

    async def async_sweep(self) -> None:
        """Remove what crashes and abandoned flows have left behind."""
        await self.packages.async_sweep(await self._in_use(), grace=FLOW_GRACE)


def packages_of_entry(entry: ConfigEntry) -> set[str]:
    """Return the packages of an entry's own releases, by SHA-256."""
    subentries = entry.get_subentries_of_type(SUBENTRY_FIRMWARE)
    return {subentry.data[CONF_PACKAGE] for subentry in subentries if CONF_PACKAGE in subentry.data}


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

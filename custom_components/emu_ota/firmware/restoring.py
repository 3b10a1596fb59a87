"""Brings back packages that are gone from the disk, such as after a backup was restored without them."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..const import LOGGER
from .link import CannotDownload
from .mirror import OtherMd5, async_mirror
from .packages import PackageRefused, PackageStore
from .release import Release, Source


async def async_restore(hass: HomeAssistant, packages: PackageStore, release: Release) -> bool:
    """Tell whether the package of a hosted release is there, if need be after it was mirrored once more.

    It has to be the very file of before: the link's owner may have put another one there.
    """
    if release.sha256 is None or await packages.async_exists(release.sha256):
        return True
    if release.source is not Source.MIRROR or release.download_url is None:
        return False
    try:
        _, package = await async_mirror(
            async_get_clientsession(hass),
            packages,
            release.download_url,
            md5=release.md5.lower(),
            progress=_ignore,
            kept=_ignore,
        )
    except (CannotDownload, OtherMd5, PackageRefused) as err:
        LOGGER.info("The package of %s is gone, and cannot be mirrored again: %r", release.version, err)
        return False
    if package.sha256 == release.sha256:
        LOGGER.info("The package of %s was gone, and is mirrored again", release.version)
        return True
    LOGGER.info("The package of %s is gone, and behind its link is another file now", release.version)
    await packages.async_remove(package.sha256)
    return False


def _ignore(_: object) -> None:
    """Nobody looks on, and what is kept here is in use, or removed at once."""

"""Which releases a config entry knows, and which of them is for whom."""

from collections.abc import Iterable
from typing import Final

from ..protocol.version import is_newer
from .release import Release

INSTALLED_REMEMBERED: Final = 256
"""Installed versions: a fleet runs a handful, and a broken device shows as many as it likes."""


class FirmwareLibrary:
    """The releases of one config entry, by version."""

    def __init__(self) -> None:
        """Begin empty."""
        self._releases: dict[str, Release] = {}
        self._updates: dict[str, Release | None] = {}
        """What was found for an installed version."""

    def replace(self, releases: Iterable[Release]) -> bool:
        """Take over these releases in place of all others; tell whether anything changed."""
        before, self._releases = self._releases, {release.version: release for release in releases}
        self._updates.clear()
        return before != self._releases

    def all(self) -> list[Release]:
        """Return the releases."""
        return list(self._releases.values())

    def get(self, version: str) -> Release | None:
        """Return the release of a version."""
        return self._releases.get(version)

    def fitting(self, installed: str) -> list[Release]:
        """Return the releases for the product that runs an installed version."""
        return [release for release in self._releases.values() if release.fits(installed)]

    def update_for(self, installed: str) -> Release | None:
        """Return the newest release that fits an installed version and is newer, or None when there is none."""
        if installed in self._updates:
            return self._updates[installed]
        newest: Release | None = None
        for release in self.fitting(installed):
            if is_newer(release.version, newest.version if newest else installed):
                newest = release
        if len(self._updates) >= INSTALLED_REMEMBERED:
            self._updates.clear()
        self._updates[installed] = newest
        return newest

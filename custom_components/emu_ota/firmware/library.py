"""Which releases a config entry knows, and which of them is for whom."""

from collections.abc import Iterable

from ..protocol.version import is_newer
from .release import Release


class FirmwareLibrary:
    """The releases of one config entry, by version."""

    def __init__(self) -> None:
        """Begin empty."""
        self._releases: dict[str, Release] = {}

    def replace(self, releases: Iterable[Release]) -> bool:
        """Take over these releases in place of all others; tell whether anything changed."""
        before, self._releases = self._releases, {release.version: release for release in releases}
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
        newest: Release | None = None
        for release in self.fitting(installed):
            if is_newer(release.version, newest.version if newest else installed):
                newest = release
        return newest

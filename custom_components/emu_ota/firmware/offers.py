"""The packages of one config entry that an EMS can fetch from this Home Assistant: one offer for one upgrade."""

from collections.abc import Awaitable, Callable

from homeassistant.core import HomeAssistant

from ..protocol.fetched import Fetched
from ..protocol.upgrade import Order
from .address import DownloadBase, download_base, package_url
from .hosting import HostedFile, Hosting
from .names import url_file_name
from .packages import PackageStore


class NoDownloadBase(Exception):
    """There is no address under which an EMS could fetch from this Home Assistant."""


class Offers:
    """Opens and closes the offers of a config entry."""

    def __init__(
        self,
        hass: HomeAssistant,
        hosting: Hosting,
        packages: PackageStore,
        *,
        option: Callable[[], str | None],
        done: Callable[[str], Awaitable[None]],
    ) -> None:
        """Offer nothing yet.

        `option` tells the base URL that the user has set; `done` hears of each package that an upgrade needs no more.
        """
        self._hass = hass
        self._hosting = hosting
        self._packages = packages
        self._option = option
        self._done = done

    @property
    def base(self) -> DownloadBase:
        """What the links of packages begin with, as it is now."""
        return download_base(self._hass, self._option())

    def link(self, order: Order, token: str) -> str:
        """Return the link under which an EMS fetches a package with a token. Raises NoDownloadBase."""
        base = self.base.url
        if base is None:
            raise NoDownloadBase
        return package_url(base, token, _name(order))

    def open(self, order: Order, token: str, fetched: Fetched | None, changed: Callable[[Fetched], None]) -> None:
        """Let the package of an order be fetched with a token; `changed` is told what was fetched so far."""
        if order.package is None or order.size is None:
            return
        path = self._packages.path(order.package)
        file = HostedFile(path=path, name=_name(order), size=order.size, sha256=order.package)
        self._hosting.open(token, file, fetched=fetched or Fetched(), changed=changed)

    def close(self, token: str) -> None:
        """Let nothing be fetched with a token any more."""
        self._hosting.close(token)

    async def async_done(self, order: Order) -> None:
        """Take note that an upgrade has ended: its package may be nobody's by now."""
        if order.package is not None:
            await self._done(order.package)


def _name(order: Order) -> str:
    return url_file_name(order.file_name or order.version or "package")

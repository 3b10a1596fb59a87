"""What a release is: a firmware version that can be installed, apart from its bytes."""

from dataclasses import dataclass

from ..protocol.upgrade import Order
from ..protocol.version import product_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A firmware version that can be installed."""

    version: str
    download_url: str
    md5: str
    """32 hexadecimal digits."""
    size: int | None = None
    """Bytes, where known."""
    notes: str | None = None
    """Markdown."""
    url: str | None = None
    """Where to read about it."""

    @property
    def order(self) -> Order:
        """What an EMS is ordered, to install it."""
        return Order(version=self.version, download_url=self.download_url, md5=self.md5, size=self.size)

    def fits(self, installed: str) -> bool:
        """Tell whether it is for the product that runs an installed version."""
        product = product_of(self.version)
        return self.version == installed if product is None else product == product_of(installed)

"""What a release is: a firmware version that can be installed, apart from its bytes."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from ..protocol.upgrade import Order
from ..protocol.version import is_newer, parse_version, product_of


class Source(StrEnum):
    """Who says that there is a release; the nearer its bytes are, the earlier in this list."""

    UPLOAD = "upload"
    MIRROR = "mirror"
    LINK = "link"
    INDEX = "index"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A firmware version that can be installed."""

    version: str
    download_url: str | None
    """Where the EMS fetches it; None where Home Assistant serves it."""
    md5: str
    """32 hexadecimal digits."""
    sha256: str | None = None
    """64 hexadecimal digits, where known."""
    size: int | None = None
    """Bytes, where known."""
    released: date | None = None
    summary: str | None = None
    """What it brings, in a sentence."""
    notes: str | None = None
    """Markdown."""
    url: str | None = None
    """Where to read about it."""
    min_version: str | None = None
    """What has to be installed at least, for it to be installed on top."""
    source: Source = Source.LINK
    hosted: bool = False
    """Whether Home Assistant serves it, by its SHA-256."""
    file_name: str | None = None
    """What the package is called, where known."""

    @property
    def order(self) -> Order:
        """What an EMS is ordered, to install it."""
        return Order(
            version=self.version,
            download_url=None if self.hosted else self.download_url,
            md5=self.md5,
            size=self.size,
            package=self.sha256 if self.hosted else None,
            file_name=self.file_name,
        )

    def fits(self, installed: str) -> bool:
        """Tell whether it is for the product that runs an installed version, and can be installed on top of that."""
        product = product_of(self.version)
        same_product = self.version == installed if product is None else product == product_of(installed)
        return same_product and (self.min_version is None or _reaches(installed, self.min_version))


def _reaches(installed: str, least: str) -> bool:
    """Tell whether a version is another or newer; what cannot be compared with it, such as its pre-release, is not."""
    if installed == least or is_newer(installed, least):
        return True
    ours, theirs = parse_version(installed), parse_version(least)
    if ours is None or theirs is None or (ours.product, ours.suffix) != (theirs.product, theirs.suffix):
        return False
    return not is_newer(least, installed)

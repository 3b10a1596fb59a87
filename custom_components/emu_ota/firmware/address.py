"""The URL under which an EMS fetches a package from this Home Assistant, and what may be wrong with it."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
import re
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.network import NoURLAvailableError, get_url
from yarl import URL

from .names import MAX_FILE_NAME
from .view import PATH

MAX_PACKAGE_URL: Final = 199
"""Characters: small devices have buffers of 256 bytes for a URL; Home Assistant's own signed paths are too long."""

_TOKEN_LENGTH: Final = 22
_MAX_BASE: Final = MAX_PACKAGE_URL - len(f"{PATH}//") - _TOKEN_LENGTH - MAX_FILE_NAME
# Docker takes its networks from here, Home Assistant's Supervisor too. Some home has it as well: then a warning is all.
_CONTAINERS: Final = IPv4Network("172.16.0.0/12")
_CONTAINER_NAMES: Final = frozenset({"homeassistant", "supervisor", "hassio", "host.docker.internal"})
_CONTAINER_ID = re.compile(r"[0-9a-f]{12}")  # what Docker names a container's host


class BaseSource(StrEnum):
    """Where a base URL comes from."""

    OPTION = "option"
    """The user's own word."""
    INTERNAL = "internal"
    """Home Assistant's internal URL."""
    NONE = "none"
    """There is none."""


class BaseWarning(StrEnum):
    """Why an EMS may fail to fetch from a base URL."""

    LOOPBACK = "loopback"
    """It leads back to whoever follows it."""
    CONTAINER = "container"
    """It is an address or a name within a computer's container network."""
    HTTPS = "https"
    """An EMS may not know who signed the certificate."""
    MDNS = "mdns"
    """A name in `.local`: an EMS may not find it."""
    LONG = "long"
    """The URL of a package would be longer than 199 characters."""
    UNUSABLE = "unusable"
    """No URL of the form http(s)://host, or an address that leads nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadBase:
    """What the URLs of packages begin with."""

    url: str | None
    """Without a slash at its end; None: there is nothing that an EMS could be given."""
    source: BaseSource
    warnings: tuple[BaseWarning, ...] = ()


def download_base(hass: HomeAssistant, option: str | None) -> DownloadBase:
    """Return the base URL: what the user has set, else Home Assistant's internal URL. Warnings refuse nothing."""
    if option:
        return _base(option, BaseSource.OPTION)
    try:
        found = get_url(hass, allow_external=False, allow_cloud=False, prefer_external=False)
    except NoURLAvailableError:
        return DownloadBase(url=None, source=BaseSource.NONE)
    return _base(found, BaseSource.INTERNAL)


def package_url(base: str, token: str, file_name: str) -> str:
    """Return the URL of a package. Tokens and file names (`names.url_file_name`) stand in it as they are."""
    return f"{base}{PATH}/{token}/{file_name}"


def _base(text: str, source: BaseSource) -> DownloadBase:
    try:
        url = URL(text.strip())
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host:
        return DownloadBase(url=None, source=source, warnings=(BaseWarning.UNUSABLE,))
    base = str(url.with_query(None).with_fragment(None)).rstrip("/")
    found = {*_host_warnings(url.host.lower().rstrip("."))}
    if url.scheme == "https":
        found.add(BaseWarning.HTTPS)
    if len(base) > _MAX_BASE:
        found.add(BaseWarning.LONG)
    return DownloadBase(url=base, source=source, warnings=tuple(warning for warning in BaseWarning if warning in found))


def _host_warnings(host: str) -> set[BaseWarning]:
    try:
        return _address_warnings(ip_address(host))
    except ValueError:
        pass
    if host == "localhost" or host.endswith(".localhost"):
        return {BaseWarning.LOOPBACK}
    if host in _CONTAINER_NAMES or _CONTAINER_ID.fullmatch(host):
        return {BaseWarning.CONTAINER}
    return {BaseWarning.MDNS} if host.endswith(".local") else set()


def _address_warnings(address: IPv4Address | IPv6Address) -> set[BaseWarning]:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback or address.is_unspecified:
        return {BaseWarning.LOOPBACK}
    if address.is_link_local or address.is_multicast or address.is_reserved:
        return {BaseWarning.UNUSABLE}
    return {BaseWarning.CONTAINER} if isinstance(address, IPv4Address) and address in _CONTAINERS else set()

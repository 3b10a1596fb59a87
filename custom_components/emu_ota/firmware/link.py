"""Fetches the file behind a link once: to see that it is there, how large it is, and what its MD5 is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
import hashlib
from http import HTTPStatus
from typing import Final

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout
from aiohttp.hdrs import ACCEPT_ENCODING
from yarl import URL

from ..protocol.commands import is_download_url

MAX_URL: Final = 255
"""Characters of a link: the protocol's limit for any string."""

MAX_PACKAGE: Final = 2 * 1024**3
"""Bytes of a package, 2 GiB: more than any EMS has room for; whatever is larger is no firmware."""

_CHUNK: Final = 64 * 1024  # bytes; hashing so much takes well under a millisecond of the event loop
# Seconds. A large file over a slow line may take long in all, so only silence ends it.
_TIMEOUT: Final = ClientTimeout(total=None, sock_connect=10, sock_read=30)


class CannotDownload(Exception):
    """The file behind a link cannot be fetched from here, or is no firmware package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedFile:
    """What was found behind a link."""

    url: str
    """Where the file was in the end, behind all redirects: EMSs may not follow them."""
    md5: str
    """32 lower-case hexadecimal digits."""
    size: int
    """Bytes."""


def parse_link(text: str) -> str | None:
    """Return a link as it goes over the wire, or None for what no EMS could fetch."""
    try:
        url = URL(text)
        host = url.host  # decoded here, and not every name can be
    except ValueError:
        return None
    link = str(url.with_fragment(None))
    usable = is_download_url(link) and host and len(link) <= MAX_URL
    return link if usable else None


async def async_fetch(
    session: ClientSession,
    link: str,
    progress: Callable[[float], None],
    *,
    limit: int = MAX_PACKAGE,
    write: Callable[[bytes], Awaitable[None]] | None = None,
) -> LinkedFile:
    """Fetch a link and return what is there. Raises CannotDownload, also above `limit` bytes, and what `write` raises.

    `progress` is told the share that has arrived, above 0 up to 1, at every per cent of it; never where the server
    does not tell the size. `write` gets the bytes as they come; without it nothing of them is kept.
    """
    try:
        # Decoded, the file would no longer be the one that an EMS gets.
        async with session.get(
            link, auto_decompress=False, headers={ACCEPT_ENCODING: "identity"}, timeout=_TIMEOUT
        ) as response:
            _check(response, limit)
            md5, size = await _async_digest(response, progress, limit, write)
            return LinkedFile(url=parse_link(str(response.url)) or link, md5=md5, size=size)
    except (ClientError, TimeoutError, OSError, ValueError) as err:
        raise CannotDownload(type(err).__name__) from err


def _check(response: ClientResponse, limit: int) -> None:
    if response.status != HTTPStatus.OK:
        msg = f"HTTP status {response.status}"
        raise CannotDownload(msg)
    if response.content_type == "text/html":
        msg = "a web page, such as a login, in place of a file"
        raise CannotDownload(msg)
    if response.content_length is not None and response.content_length > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> CannotDownload:
    return CannotDownload(f"more than {limit} bytes")


async def _async_digest(
    response: ClientResponse,
    progress: Callable[[float], None],
    limit: int,
    write: Callable[[bytes], Awaitable[None]] | None,
) -> tuple[str, int]:
    digest = hashlib.md5(usedforsecurity=False)
    size, told = 0, 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        digest.update(chunk)
        if write is not None:
            await write(chunk)
        per_cent = min(100, 100 * size // response.content_length) if response.content_length else 0
        if per_cent > told:
            told = per_cent
            progress(per_cent / 100)
    if not size:
        msg = "an empty file"
        raise CannotDownload(msg)
    return digest.hexdigest(), size

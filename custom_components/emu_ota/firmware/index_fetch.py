"""Fetches the document behind an index URL, or learns that it is what we have already."""

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
)
from aiohttp.hdrs import ACCEPT, ACCEPT_ENCODING, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED
from multidict import CIMultiDictProxy
from yarl import URL

from .index import MAX_INDEX, IndexFault

MAX_VALIDATOR: Final = 255
"""Characters of an ETag or a date that are sent back; servers use some tens."""

TIMEOUT: Final = ClientTimeout(total=120, sock_connect=10, sock_read=30)
"""Seconds. Even the largest index comes within the total over a line of 50 kB/s."""

_CHUNK: Final = 64 * 1024  # bytes


class FetchFault(StrEnum):
    """Why there is no document to look at."""

    NO_URL = "no_url"
    INTERRUPTED = "interrupted"
    """We stopped asking: the URL changed, or the entry was unloaded."""
    INVALID_URL = "invalid_url"
    CANNOT_CONNECT = "cannot_connect"
    TLS_ERROR = "tls_error"
    TIMEOUT = "timeout"
    HTTP_STATUS = "http_status"


type RefreshFault = FetchFault | IndexFault


class CannotRefresh(Exception):
    """The index cannot be read. Never quotes the URL, which may hold a password."""

    def __init__(self, fault: RefreshFault, status: int | None = None) -> None:
        """Remember the fault, and the HTTP status where the fault is one."""
        super().__init__(fault.value if status is None else f"{fault.value} {status}")
        self.fault = fault
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexCopy:
    """A document as it was fetched."""

    body: bytes
    base: URL
    """Where it was in the end, behind all redirects, without user name, password and query."""
    etag: str | None = None
    last_modified: str | None = None


async def async_fetch_index(
    session: ClientSession, url: str, known: IndexCopy | None = None, *, patience: ClientTimeout = TIMEOUT
) -> IndexCopy:
    """Return the document behind a URL; the known copy, from where it is now, when that is still the newest.

    Raises CannotRefresh. No more than MAX_INDEX bytes are taken in.
    """
    # Coded, a few bytes could become very many.
    headers = {ACCEPT: "application/json", ACCEPT_ENCODING: "identity"}
    if known is not None and known.etag is not None:
        headers[IF_NONE_MATCH] = known.etag
    if known is not None and known.last_modified is not None:
        headers[IF_MODIFIED_SINCE] = known.last_modified
    address = _address(url)
    try:
        async with session.get(address, auto_decompress=False, headers=headers, timeout=patience) as response:
            base = response.url.with_query(None)  # user name and password are out of it already
            if response.status == HTTPStatus.NOT_MODIFIED and known is not None:
                return IndexCopy(body=known.body, base=base, etag=known.etag, last_modified=known.last_modified)
            if response.status != HTTPStatus.OK:
                raise CannotRefresh(FetchFault.HTTP_STATUS, response.status)
            return IndexCopy(
                body=await _async_body(response),
                base=base,
                etag=_validator(response.headers, ETAG),
                last_modified=_validator(response.headers, LAST_MODIFIED),
            )
    # The causes are dropped: some of them quote the URL.
    except TimeoutError:
        raise CannotRefresh(FetchFault.TIMEOUT) from None
    except ClientSSLError:
        raise CannotRefresh(FetchFault.TLS_ERROR) from None
    except ClientError, OSError, ValueError:  # a ValueError where a redirect leads to what is no URL
        raise CannotRefresh(FetchFault.CANNOT_CONNECT) from None


def _address(url: str) -> URL:
    try:
        address = URL(url)
        if address.scheme in {"http", "https"} and address.host:
            return address
    except ValueError:  # a port or a host that there cannot be
        pass
    raise CannotRefresh(FetchFault.INVALID_URL)


async def _async_body(response: ClientResponse) -> bytes:
    body = bytearray()
    if response.content_length is not None and response.content_length > MAX_INDEX:
        raise CannotRefresh(IndexFault.TOO_LARGE)
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MAX_INDEX:
            raise CannotRefresh(IndexFault.TOO_LARGE)
    return bytes(body)


def _validator(headers: CIMultiDictProxy[str], name: str) -> str | None:
    """Return a header to send back next time, unless it is something that could not be stored or sent."""
    value = headers.get(name, "")
    return value if 0 < len(value) <= MAX_VALIDATOR and value.isascii() and value.isprintable() else None

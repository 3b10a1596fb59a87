"""Serves the packages that are offered: to whoever knows a token, since an EMS cannot log in."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
import re
import socket
from typing import Final

from aiohttp import hdrs, web
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView

from ..const import DOMAIN, LOGGER
from ..protocol.fetched import Range
from .hosting import HOSTING, Busy, Hosting, Offer

PATH: Final = f"/api/{DOMAIN}/firmware"
"""Where packages are; behind it come the token and the file's name."""

WRITE_TIMEOUT: Final = 60.0
"""Seconds in which a reader has to take a chunk: some 2 kB/s, a tenth of the slowest line that upgrades allow for."""

CHUNK: Final = 128 * 1024
"""Bytes read and sent in one piece: more than the 64 KiB from which on aiohttp waits for the reader."""

_SEND_BUFFER: Final = 256 * 1024
"""Bytes on their way to a reader at most. By itself Linux takes megabytes: then a slow reader would look like one that
has got everything, later like one that has stopped. Enough for some MB/s at a round trip of 100 ms."""

_RANGE = re.compile(r"bytes=(?P<first>[0-9]{0,20})-(?P<last>[0-9]{0,20})", re.IGNORECASE)

# `no-transform`: nobody between here and the EMS may pack what has to fit its MD5.
_HEADERS: Final = {
    hdrs.ACCEPT_RANGES: "bytes",
    hdrs.CACHE_CONTROL: "no-store, no-transform",
    hdrs.CONTENT_TYPE: "application/octet-stream",
    # Home Assistant adds these only to what is not sent yet when a view returns.
    "X-Content-Type-Options": "nosniff",
    hdrs.SERVER: "",
}


class NotSatisfiable(Exception):
    """A range that a package does not have."""


class _CutOff(Exception):
    """A package is not sent to its end."""


class FirmwareView(HomeAssistantView):
    """Answers with the package of an open offer, or as if there were nothing at all.

    Never with 401: Home Assistant counts that as a failed login and may ban the EMS. Never with a redirect or 304: an
    EMS may know neither. Nothing of a request becomes a path: the offer has its own.
    """

    url = f"{PATH}/{{token}}/{{file_name}}"
    name = "api:emu_ota:firmware"
    requires_auth = False

    def __init__(self, hosting: Hosting, *, write_timeout: float = WRITE_TIMEOUT) -> None:
        """Serve the offers of `hosting`; a reader that takes nothing for `write_timeout` seconds is cut off."""
        self._hosting = hosting
        self._write_timeout = write_timeout

    async def get(self, request: web.Request, token: str, file_name: str) -> web.StreamResponse:
        """Send a package, or the part of it that a range asks for."""
        offer, transport = self._hosting.find(token), request.transport
        if offer is None or file_name != offer.file.name or transport is None:
            raise web.HTTPNotFound
        try:
            with self._hosting.fetch(offer, request.remote or "") as sent:
                return await self._async_answer(request, transport, offer, sent)
        except Busy as busy:
            return web.Response(status=busy.status, headers={hdrs.RETRY_AFTER: str(busy.retry_after)})

    head = get

    async def _async_answer(
        self, request: web.Request, transport: asyncio.Transport, offer: Offer, sent: Callable[[int, int], None]
    ) -> web.StreamResponse:
        hass = request.app[KEY_HASS]
        if await hass.async_add_executor_job(_size, offer.file.path) != offer.file.size:
            offer.tell_missing()
            raise web.HTTPNotFound
        try:
            part = _requested_part(request, offer)
        except NotSatisfiable:
            headers = {**_HEADERS, hdrs.CONTENT_RANGE: f"bytes */{offer.file.size}"}
            return web.Response(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
        response = web.StreamResponse(headers={**_HEADERS, hdrs.ETAG: _etag(offer)})
        start, stop = part or (0, offer.file.size)
        response.content_length = stop - start
        if part is not None:
            response.set_status(HTTPStatus.PARTIAL_CONTENT)
            response.headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{offer.file.size}"
        try:
            _keep_little_under_way(transport)
            await self._async_send(request, response, offer, (start, stop), sent)
        except (_CutOff, OSError) as err:  # time-outs are errors of this kind too
            # Readers come and go; what they got is counted, and its length tells them that there is more.
            LOGGER.debug("A fetch of %s ended early: %r", offer.file.name, err)
            transport.abort()
        return response

    async def _async_send(
        self,
        request: web.Request,
        response: web.StreamResponse,
        offer: Offer,
        part: Range,
        sent: Callable[[int, int], None],
    ) -> None:
        position, stop = part if request.method == hdrs.METH_GET else (0, 0)
        await response.prepare(request)
        while position < stop:
            wanted = min(CHUNK, stop - position)
            chunk = await request.app[KEY_HASS].async_add_executor_job(_read, offer.file.path, position, wanted)
            if len(chunk) != wanted:
                offer.tell_missing()
                raise _CutOff("the file is gone")
            if offer.closed or self._hosting.stopped:
                raise _CutOff("the offer was closed, or Home Assistant stops")
            async with asyncio.timeout(self._write_timeout):
                await response.write(chunk)
                position += wanted
                if position == stop:
                    await response.write_eof()
            sent(position - wanted, position)


def _requested_part(request: web.Request, offer: Offer) -> Range | None:
    """Return the range that a request asks for, or None for the whole package. Raises NotSatisfiable.

    The whole is also for what RFC 9110 has a server ignore: ranges with HEAD, of another package (`If-Range`), in
    another unit, or several of them, which nobody needs here.
    """
    header = ",".join(request.headers.getall(hdrs.RANGE, ()))
    other_package = request.headers.get(hdrs.IF_RANGE, _etag(offer)) != _etag(offer)
    in_bytes = header.lower().startswith("bytes=")
    if request.method != hdrs.METH_GET or other_package or not in_bytes or "," in header:
        return None
    match = _RANGE.fullmatch(header)
    if match is None or not (match["first"] or match["last"]):
        raise NotSatisfiable
    if match["first"]:
        start = int(match["first"])
        stop = min(int(match["last"]) + 1, offer.file.size) if match["last"] else offer.file.size
    else:
        start, stop = max(0, offer.file.size - int(match["last"])), offer.file.size
    if start >= stop:
        raise NotSatisfiable
    return start, stop


def _keep_little_under_way(transport: asyncio.Transport) -> None:
    """Have a write wait until the reader has taken nearly all of it."""
    transport.set_write_buffer_limits(high=0)
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)


def _etag(offer: Offer) -> str:
    return f'"{offer.file.sha256}"'


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _read(path: Path, start: int, count: int) -> bytes:
    """Return `count` bytes of a file, fewer where it is gone. Opened each time, so nothing can stay open."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(count)
    except OSError:
        return b""


@callback
def async_setup_hosting(hass: HomeAssistant) -> Hosting:
    """Make the hosting of a Home Assistant, and its route: once, in the integration's `async_setup`."""
    hosting = hass.data[HOSTING] = Hosting(hass)
    hass.http.register_view(FirmwareView(hosting))

    @callback
    def stop(_: Event) -> None:
        hosting.stop()

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, stop)
    return hosting

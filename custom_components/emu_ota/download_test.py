"""Fetches a test file through the very link that an EMS would get (the action `emu_ota.test_download`)."""

from asyncio import timeout
import hashlib
from http import HTTPStatus
import secrets
from typing import Final

from aiohttp import ClientError, ClientResponse
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util.json import JsonValueType

from .firmware.hosting import new_token
from .firmware.offers import NoDownloadBase, Offers
from .firmware.packages import PackageStore
from .protocol.fetched import Fetched
from .protocol.upgrade import Order

TEST_SIZE: Final = 64 * 1024
"""Bytes: more than fits into one packet, and nothing to any line."""
TEST_TIMEOUT: Final = 30.0
"""Seconds: whoever waits longer for 64 KiB cannot fetch a package."""


async def async_test_download(hass: HomeAssistant, offers: Offers, packages: PackageStore) -> dict[str, JsonValueType]:
    """Return what became of fetching a test file, with a token that lives no longer than that.

    `result` is `ok`, `no_address`, `refused` (with `status`), `damaged`, `timed_out` or `cannot_connect`; `base_url`
    and `warnings` tell what an EMS would be given. That it works from here does not prove that it works from there.
    """
    base = offers.base
    answer: dict[str, JsonValueType] = {
        "base_url": base.url,
        "warnings": [warning.value for warning in base.warnings],
    }
    async with packages.writer() as writer:
        await writer.write(secrets.token_bytes(TEST_SIZE))
        stored = await writer.finish()
    token = new_token()
    order = Order(
        version=None, download_url=None, md5=stored.md5, size=stored.size, package=stored.sha256, file_name="test.bin"
    )
    offers.open(order, token, None, _ignore)
    try:
        answer |= await _async_fetch(hass, offers.link(order, token), stored.sha256)
    except NoDownloadBase:
        answer["result"] = "no_address"
    finally:
        offers.close(token)
        await packages.async_remove(stored.sha256)
    return answer


async def _async_fetch(hass: HomeAssistant, link: str, sha256: str) -> dict[str, JsonValueType]:
    started = hass.loop.time()
    try:
        async with timeout(TEST_TIMEOUT), async_get_clientsession(hass).get(link, allow_redirects=False) as response:
            status, content = response.status, await _async_read(response)
    except TimeoutError:
        return {"result": "timed_out"}
    except ClientError, ValueError:
        return {"result": "cannot_connect"}
    if status != HTTPStatus.OK:
        return {"result": "refused", "status": status}
    if hashlib.sha256(content).hexdigest() != sha256:
        return {"result": "damaged"}
    return {"result": "ok", "bytes": len(content), "milliseconds": round((hass.loop.time() - started) * 1000)}


async def _async_read(response: ClientResponse) -> bytes:
    """Return what comes, up to somewhat more than should."""
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > TEST_SIZE:
            break
    return bytes(content)


def _ignore(_: Fetched) -> None:
    """Nobody needs to know how far a test is."""

"""Requests of those who know no token, or mean no good."""

import asyncio
import gc
import logging

from homeassistant.components.http.ban import KEY_BAN_MANAGER, KEY_FAILED_LOGIN_ATTEMPTS
import pytest

from custom_components.emu_ota.firmware.hosting import new_token

from .served import NAME, PACKAGE, TOKEN, Reader, Served, complaints

TRICKS = [
    "..",
    "%2e%2e",
    "..%2f..%2f..%2fetc%2fpasswd",
    "..%5c..%5cetc",
    "%2fetc%2fpasswd",
    "%252e%252e%252f",
    "%00",
    "%0a",
    "%ff%fe",
    "%ED%A0%80",
    "%C3%A9",
    "\u00e9",
    "%",
    "%zz",
    "~root",
    "a" * 7000,
    "%20",
    "*",
    "{token}",
    "secrets.yaml",
]


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick[:30])
@pytest.mark.parametrize("place", ["token", "name", "behind token", "behind name", "before token"])
async def test_path_tricks_lead_nowhere(served: Served, trick: str, place: str) -> None:
    paths = {
        "token": f"{trick}/{NAME}",
        "name": f"{TOKEN}/{trick}",
        "behind token": f"{TOKEN}{trick}/{NAME}",
        "behind name": f"{TOKEN}/{NAME}{trick}",
        "before token": f"{trick}/{TOKEN}/{NAME}",
    }
    async with Reader(served.client) as reader:
        await reader.ask(f"/api/emu_ota/firmware/{paths[place]}")
        assert await reader.status() in {400, 404}
    assert served.told == []


@pytest.mark.parametrize("name", [NAME.upper(), NAME[:-1], "", f"{NAME}/", f"x/../{NAME}", f"./{NAME}"])
async def test_a_name_that_is_nearly_right_is_wrong(served: Served, name: str) -> None:
    async with Reader(served.client) as reader:
        await reader.ask(f"/api/emu_ota/firmware/{TOKEN}/{name}")
        assert await reader.status() in {400, 404}
    assert served.told == []


async def _ask_with_wrong_tokens(served: Served, count: int) -> int:
    """Return how many of so many requests were answered with 404."""
    assert isinstance(served.client.port, int)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.client.port)
    answers = 0
    for _ in range(0, count, 50):
        paths = [f"/api/emu_ota/firmware/{new_token()}/{NAME}" for _ in range(50)]
        writer.write("".join(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" for path in paths).encode())
        for _ in paths:
            head = await reader.readuntil(b"\r\n\r\n")
            answers += head.startswith(b"HTTP/1.1 404 ")
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
    writer.close()
    await writer.wait_closed()
    return answers


async def test_ten_thousand_wrong_tokens_cost_nothing_and_ban_nobody(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    caplog.set_level(logging.DEBUG, "custom_components.emu_ota")
    await _ask_with_wrong_tokens(served, 500)  # what is allocated once
    gc.collect()
    objects = len(gc.get_objects())
    assert await _ask_with_wrong_tokens(served, 10_000) == 10_000
    gc.collect()
    assert len(gc.get_objects()) - objects < 500
    assert complaints(caplog) == []
    assert [record for record in caplog.records if record.name.startswith("custom_components")] == []
    app = served.client.app
    assert app is not None
    assert not app[KEY_FAILED_LOGIN_ATTEMPTS]
    assert not app[KEY_BAN_MANAGER].ip_bans_lookup
    assert served.told == []
    assert await served.fetch() == PACKAGE

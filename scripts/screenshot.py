"""Take the README's pictures: of the real UI, of the site that `scripts/develop` shows.

usage: .venv/bin/python -m scripts.screenshot (needs Chromium; takes about a minute)
"""

import asyncio
import contextlib
import json
from pathlib import Path
import re
import tempfile
import time
from typing import Final

import aiohttp
from playwright.async_api import BrowserContext, Page, ViewportSize, async_playwright, expect

from scripts.chromium import ARGUMENTS, chromium
from scripts.demo.api import HomeAssistantApi
from scripts.demo.processes import free_port
from scripts.demo.run import start

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
VIEWPORT: Final[ViewportSize] = {"width": 1280, "height": 900}
SPEED: Final = 2.0
"""Times as fast as a real site; much faster, and no picture would catch the transfer."""
TRANSFER_TIMEOUT: Final = 120_000
"""Milliseconds until the transfer to the first component shows its figure."""


async def logged_in(context: BrowserContext, url: str) -> str:
    """Let the browser be the site's user; return the entity id of the first update."""
    async with aiohttp.ClientSession() as session:
        api = await HomeAssistantApi(session, url).login()
        states = await api.states()
        tokens = {
            **api.tokens,
            "hassUrl": url,
            "clientId": f"{url}/",
            "expires": int((time.time() + api.tokens["expires_in"]) * 1000),
        }
    await context.add_init_script(f"localStorage.setItem('hassTokens', JSON.stringify({json.dumps(tokens)}))")
    return next(
        state["entity_id"] for state in states if state["entity_id"].startswith("update.") and state["state"] == "on"
    )


async def take(page: Page, name: str) -> None:
    """Take a picture of the dialog."""
    # It slides in, and text and icons come one after the other.
    await page.wait_for_timeout(1500)
    await page.locator("ha-more-info-dialog wa-dialog dialog").screenshot(path=IMAGES / f"{name}.png")


async def main() -> None:
    """Start the site, press Install, take a picture before and one while it runs."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with contextlib.AsyncExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory())
        await start(port, Path(folder), SPEED, running)
        playwright = await running.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        running.push_async_callback(browser.close)
        context = await browser.new_context(viewport=VIEWPORT, device_scale_factor=2)
        update = await logged_in(context, url)
        page = await context.new_page()
        await page.goto(f"{url}/config/updates?more-info-entity-id={update}")
        more = page.locator("ha-more-info-dialog")
        await expect(more.get_by_text("What is new")).to_be_visible(timeout=30_000)
        await take(page, "update")
        await more.get_by_role("button", name="Update", exact=True).click()
        # Far enough for the bar to be seen.
        await expect(more.get_by_text(re.compile(r"Installing \([3-9]\d%\)"))).to_be_visible(timeout=TRANSFER_TIMEOUT)
        await take(page, "installing")


if __name__ == "__main__":
    asyncio.run(main())

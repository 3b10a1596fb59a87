"""A site, and a browser to look at it."""

from collections.abc import AsyncGenerator
import os
from pathlib import Path
import subprocess

from playwright.async_api import ViewportSize, async_playwright, expect
import pytest

from scripts.chromium import ARGUMENTS, chromium
from scripts.demo.home_assistant import ROOT

from .site import Site, run_site
from .ui import Frontend

PICTURES = "EMU_OTA_PICTURES"
"""An environment variable with the folder for pictures of the steps; without it none are taken.

The Chinese ones need a font that has these characters, such as Debian's fonts-noto-cjk.
"""
VIEWPORT: ViewportSize = {"width": 1280, "height": 1080}
SHARPNESS = 1.5
"""Pixels of a picture for each of the page: more than the documentation shows, and no more than GitHub likes."""
TIMEOUT = 20_000
"""Milliseconds that anything in the UI may take; what takes longer says so."""


@pytest.fixture(scope="session")
def browser_path() -> str:
    """Return the path of a Chromium."""
    try:
        return chromium()
    except SystemExit as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def newest_home_assistant(browser_path: str) -> None:
    """Have the newest Home Assistant installed; the first time takes about half a minute."""
    subprocess.run([ROOT / "scripts" / "setup-newest"], check=True)  # noqa: S603 - a script of our own


@pytest.fixture
async def site(newest_home_assistant: None, socket_enabled: None, tmp_path: Path) -> AsyncGenerator[Site]:
    """Run the site."""
    async with run_site(tmp_path) as running:
        yield running


@pytest.fixture
def pictures() -> Path | None:
    """Return the folder for pictures, where they are wanted."""
    if PICTURES not in os.environ:
        return None
    folder = Path(os.environ[PICTURES])
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
async def frontend(browser_path: str, site: Site, pictures: Path | None, tmp_path: Path) -> AsyncGenerator[Frontend]:
    """Open a browser; what it showed last is kept with the logs."""
    expect.set_options(timeout=TIMEOUT)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
        context = await browser.new_context(viewport=VIEWPORT, device_scale_factor=SHARPNESS if pictures else 1)
        context.set_default_timeout(TIMEOUT)
        page = await context.new_page()
        yield Frontend(page, site.url, pictures)
        await page.screenshot(path=tmp_path / "last.png")
        await browser.close()

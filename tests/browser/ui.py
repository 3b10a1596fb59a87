"""Home Assistant's frontend as a person uses it: by what stands on its pages."""

from dataclasses import dataclass
from pathlib import Path
import re

from playwright.async_api import Locator, Page, expect

ANIMATION = 600
"""Milliseconds that a dialog needs to stand still; only a picture has to wait for that."""


@dataclass(frozen=True, slots=True)
class Frontend:
    """A Home Assistant in a browser."""

    page: Page
    url: str
    pictures: Path | None
    """Folder for pictures of the steps; none are taken without it."""

    @property
    def flow(self) -> Locator:
        """The dialog of a flow, whatever it sets up."""
        return self.page.locator("dialog-data-entry-flow")

    @property
    def content(self) -> Locator:
        """What a page shows below its bar."""
        return self.page.locator("hass-subpage .container").first

    @property
    def more(self) -> Locator:
        """The dialog about one entity."""
        return self.page.locator("ha-more-info-dialog")

    async def open(self, path: str) -> None:
        """Go to a page."""
        await self.page.goto(f"{self.url}/{path}")

    async def speak(self, language: str) -> None:
        """Choose the language of the pages that are opened from now on."""
        await self.page.evaluate("tag => localStorage.setItem('selectedLanguage', JSON.stringify(tag))", language)

    async def log_in(self, user: str, password: str) -> None:
        """Log in on the page that everybody who is not logged in gets."""
        await self.open("")
        await self.page.locator("input[name=username]").fill(user)
        await self.page.locator("input[name=password]").fill(password)
        log_in = self.page.get_by_role("button", name="Log in", exact=True)
        await log_in.click()
        await expect(log_in).to_have_count(0)
        await expect(self.page.locator("home-assistant-main")).to_be_visible()

    async def press(self, name: str, scope: Locator | None = None) -> None:
        """Press the first button of this name, in a dialog or on the page."""
        await (scope or self.page).get_by_role("button", name=name, exact=True).first.click()

    async def choose(self, text: str) -> None:
        """Choose an item of the menu in a flow's dialog."""
        await self.flow.locator("step-flow-menu").get_by_text(text, exact=True).click()

    async def fill(self, **fields: str) -> None:
        """Fill in the form in a flow's dialog, by the keys of its fields."""
        for key, value in fields.items():
            await self.flow.locator(f"input[name={key}], textarea[name={key}]").fill(value)

    async def finish(self) -> None:
        """Close a flow's dialog at its end, with or without a look at the new devices."""
        await self.flow.get_by_role("button", name=re.compile("finish", re.IGNORECASE)).click()
        # Its host stays in the page.
        await expect(self.flow.locator("ha-dialog, ha-adaptive-dialog")).to_have_count(0)

    async def picture(self, name: str, of: Locator | None = None) -> None:
        """Take a picture, of the whole page or of a part of it, where pictures are wanted."""
        if self.pictures is None:
            return
        await self.page.mouse.move(0, 0)  # what it points at looks different
        await self.page.wait_for_timeout(ANIMATION)
        path = self.pictures / f"{name}.png"
        if of is None:
            await self.page.screenshot(path=path)
            return
        # A dialog's frame is as large as the page; what is seen of it is in the browser's own element.
        dialog = of.locator("wa-dialog dialog")
        await (dialog if await dialog.count() else of).screenshot(path=path)

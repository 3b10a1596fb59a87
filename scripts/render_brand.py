"""Draw the brand images that Home Assistant and HACS show, from the drawings in docs/brand/.

usage: .venv/bin/python -m scripts.render_brand (needs Chromium)
"""

from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from scripts.chromium import ARGUMENTS, chromium

ROOT = Path(__file__).parents[1]
DRAWINGS = ROOT / "docs" / "brand"
IMAGES = ROOT / "custom_components" / "emu_ota" / "brand"

ICON_SIZE = 256
LOGO_HEIGHT = 256
INK = {"": "#1c2a33", "dark_": "#f2f6f8"}
"""The colour of the letters, by the prefix of the file: for light and for dark pages."""


def draw(browser: Browser, page: str, name: str) -> None:
    """Write what the element `#image` of a page shows, at both densities, trimmed and on nothing."""
    for suffix, density in (("", 1), ("@2x", 2)):
        context = browser.new_context(device_scale_factor=density)
        tab = context.new_page()
        tab.set_content(page)
        tab.locator("#image").screenshot(path=IMAGES / f"{name}{suffix}.png", omit_background=True)
        context.close()


def main() -> None:
    """Draw icon and logo, each for light and for dark pages."""
    icon = (DRAWINGS / "icon.svg").read_text(encoding="utf-8")
    wordmark = (DRAWINGS / "wordmark.svg").read_text(encoding="utf-8")
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        for prefix, ink in INK.items():
            style = f"""<style>
                body {{ margin: 0 }}
                svg {{ display: block }}
                #image {{ display: inline-flex; align-items: center; color: {ink} }}
                #icon {{ width: {ICON_SIZE}px }}
                #wordmark {{ width: {LOGO_HEIGHT * 2}px; margin-left: {LOGO_HEIGHT // 4}px }}
            </style>"""
            draw(browser, f'{style}<div id="image"><div id="icon">{icon}</div></div>', f"{prefix}icon")
            logo = f'<div id="icon">{icon}</div><div id="wordmark">{wordmark}</div>'
            draw(browser, f'{style}<div id="image">{logo}</div>', f"{prefix}logo")
        browser.close()


if __name__ == "__main__":
    main()

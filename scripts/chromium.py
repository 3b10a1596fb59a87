"""The browser that draws pictures."""

import os
import shutil
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")

ARGUMENTS: Final = ("--no-sandbox",)
"""It only shows our own pages, and root in a container has no sandbox."""


def chromium() -> str:
    """Return the path of a Chromium; CHROMIUM names one that is not on the PATH. Ends with what to install."""
    for name in (os.environ.get("CHROMIUM"), *NAMES):
        if name and (path := shutil.which(name)):
            return path
    raise SystemExit("Install Chromium, or name it in CHROMIUM.")

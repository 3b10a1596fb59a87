"""What the stories need of pytest: nothing of its Home Assistant, since each makes its own."""

import logging

import pytest


@pytest.fixture(autouse=True)
def _own_integration(caplog: pytest.LogCaptureFixture) -> None:
    """Take the place of the fixture that makes one, and keep no log of thousands of starts."""
    caplog.set_level(logging.WARNING)
    for logger in ("homeassistant.loader", "aiohttp_fast_zlib"):
        caplog.set_level(logging.ERROR, logger)

"""What all tests share."""

import pytest


@pytest.fixture(autouse=True)
def _own_integration(enable_custom_integrations: None) -> None:
    """Let Home Assistant find the integration."""

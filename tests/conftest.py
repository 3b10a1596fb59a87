"""What all tests share."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `scripts/check --deep` ask for what takes hours."""
    parser.addoption("--deep", action="store_true", help="run many more rounds, and what takes hours")


@pytest.fixture
def deep(pytestconfig: pytest.Config) -> bool:
    """Tell whether many more rounds are wanted."""
    return bool(pytestconfig.getoption("--deep"))


@pytest.fixture(autouse=True)
def _own_integration(enable_custom_integrations: None) -> None:
    """Let Home Assistant find the integration."""

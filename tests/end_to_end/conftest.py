"""What the tests over a real broker share."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from simulator.package import build_package
from simulator.package_server import PackageServer
from tests.mosquitto import Mosquitto

NEW = "emu-v1.2.0"
PACKAGE = f"{NEW}.tar.gz"


@pytest.fixture
def mosquitto(socket_enabled: None) -> Generator[Mosquitto]:
    """Run a broker."""
    with Mosquitto() as broker:
        yield broker


@pytest.fixture
async def package_server(socket_enabled: None, tmp_path: Path) -> AsyncGenerator[PackageServer]:
    """Serve the package of the newer release."""
    (tmp_path / PACKAGE).write_bytes(build_package(NEW))
    async with PackageServer(tmp_path) as server:
        yield server

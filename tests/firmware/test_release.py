"""Which release is for whom."""

import pytest

from custom_components.emu_ota.firmware.release import Release
from custom_components.emu_ota.protocol.upgrade import Order

from .documents import MD5


def a_release(version: str, min_version: str | None = None) -> Release:
    """Return a release of a version."""
    return Release(version=version, download_url="http://192.0.2.1/a.bin", md5=MD5, min_version=min_version)


@pytest.mark.parametrize(
    ("version", "installed", "fits"),
    [
        ("emu-v1.2.0", "emu-v1.0.0", True),
        ("emu-v1.2.0", "emu-v1.2.0", True),
        ("emu-v1.2.0", "emu-v2.0.0", True),
        ("emu-v1.2.0", "bms-v1.0.0", False),
        ("emu-v1.2.0", "1.0.0", False),
        ("B10", "B10", True),
        ("B10", "B9", False),
        ("B10", "emu-v1.0.0", False),
    ],
)
def test_a_release_is_for_its_product(version: str, installed: str, *, fits: bool) -> None:
    assert a_release(version).fits(installed) is fits


@pytest.mark.parametrize(
    ("least", "installed", "fits"),
    [
        ("emu-v1.1.0", "emu-v1.0.9", False),
        ("emu-v1.1.0", "emu-v1.1.0", True),
        ("emu-v1.1.0", "emu-v1.1", True),
        ("emu-v1.1", "emu-v1.1.0", True),
        ("emu-v1.1.0", "emu-v1.1.1", True),
        ("emu-v1.9.0", "emu-v1.10.0", True),
        ("emu-v1.10.0", "emu-v1.9.0", False),
        ("emu-v1.1.0", "emu-v2.0.0", True),
        ("emu-v1.1.0", "emu-v1.1.1-rc1", True),
        # Suffixes have no order, so on the safe side these are not enough.
        ("emu-v1.1.0", "emu-v1.1.0-rc1", False),
        ("emu-v1.1.0-rc1", "emu-v1.1.0", False),
        ("emu-v1.1.0-rc1", "emu-v1.1.0-rc2", False),
        ("emu-v1.1.0-rc1", "emu-v1.1-rc1", True),
        # What cannot be compared.
        ("bms-v1.0.0", "emu-v1.1.0", False),
        ("1.0.0", "emu-v1.1.0", False),
        ("", "emu-v1.1.0", False),
    ],
)
def test_a_release_is_for_what_reaches_its_minimum(least: str, installed: str, *, fits: bool) -> None:
    assert a_release("emu-v1.2.0", least).fits(installed) is fits


def test_a_version_of_another_form_reaches_only_itself() -> None:
    assert a_release("B10", "B10").fits("B10")
    assert not a_release("B10", "B9").fits("B10")
    assert not a_release("B10", "emu-v1.0.0").fits("B10")


def test_an_order_names_what_an_ems_and_its_verdict_need() -> None:
    assert a_release("emu-v1.2.0", "emu-v1.0.0").order == Order(
        version="emu-v1.2.0", download_url="http://192.0.2.1/a.bin", md5=MD5
    )

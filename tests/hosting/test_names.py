"""What names of files say, and how they stand in URLs."""

import re

from hypothesis import given, strategies as st
import pytest

from custom_components.emu_ota.firmware.archives import PackageKind
from custom_components.emu_ota.firmware.names import MAX_FILE_NAME, propose_version, url_file_name


@pytest.mark.parametrize(
    ("file_name", "version"),
    [
        ("emu-v1.2.0.tar.gz", "emu-v1.2.0"),
        ("emu-v1.2.0.tgz", "emu-v1.2.0"),
        ("emu-v1.2.0.zip", "emu-v1.2.0"),
        ("emu-v1.2.0.bin", "emu-v1.2.0"),
        ("emu-v1.2.0", "emu-v1.2.0"),
        ("emu-v1.2.0-beta.1.tar", "emu-v1.2.0-beta.1"),
        ("EMU-v1.2.0.ZIP", "EMU-v1.2.0"),
        ("EMU-V1.2.0.zip", "emu-v1.2.0"),
        ("EMU-V1.2.0 (1).zip", "emu-v1.2.0"),
        ("emu-v1.2.0.tar (12).gz", "emu-v1.2.0"),
        ("emu-v1.2.0(1)(2).tar.gz", "emu-v1.2.0"),
        ("emu_v1.2.0.zip", "emu-v1.2.0"),
        ("EMU V1.2.0.zip", "emu-v1.2.0"),
        (" emu-v1.2.0.zip ", "emu-v1.2.0"),
        ("C:\\Downloads\\emu-v1.2.0.zip", "emu-v1.2.0"),
        ("/var/firmware/../emu-v1.2.0.zip", "emu-v1.2.0"),
        ("firmware.zip", None),
        ("v1.2.0.zip", None),
        ("emu-vx.zip", None),
        ("emu-v1.2.0/", None),
        ("", None),
        ("emu\x00-v1.2.0.zip", None),
        ("emu-v1.2.0\n", None),
        ("emu-v1." + "0" * 300, None),
    ],
)
def test_the_version_is_proposed_from_the_name_of_the_file(file_name: str, version: str | None) -> None:
    assert propose_version(file_name) == version


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("emu-v1.2.0", None, "emu-v1.2.0"),
        ("emu-v1.2.0", PackageKind.TAR_GZ, "emu-v1.2.0.tar.gz"),
        ("emu-v1.2.0.tgz", PackageKind.TAR_GZ, "emu-v1.2.0.tgz"),
        ("EMU-V1.2.0.ZIP", PackageKind.ZIP, "EMU-V1.2.0.zip"),
        ("emu-v1.2.0", PackageKind.TAR, "emu-v1.2.0.tar"),
        ("emu v1.2.0 (1).zip", None, "emu-v1.2.0-1-.zip"),
        ("../../etc/passwd", None, "etc-passwd"),
        ("a....b", None, "a-b"),
        (".hidden", None, "hidden"),
        ("固件", None, "package"),
        ("", PackageKind.ZIP, "package.zip"),
        ("v" * 100, PackageKind.TAR_GZ, "v" * 57 + ".tar.gz"),
        ("v" * 56 + "-x", PackageKind.TAR_GZ, "v" * 56 + ".tar.gz"),
    ],
)
def test_a_name_in_a_url_keeps_what_is_safe(name: str, kind: PackageKind | None, expected: str) -> None:
    assert url_file_name(name, kind) == expected


@given(st.text(max_size=300), st.sampled_from([None, *PackageKind]))
def test_any_name_becomes_one_that_needs_no_encoding(name: str, kind: PackageKind | None) -> None:
    safe = url_file_name(name, kind)
    assert re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.))*", safe)
    assert len(safe) <= MAX_FILE_NAME


@given(st.text(max_size=300))
def test_any_name_proposes_a_version_or_nothing(file_name: str) -> None:
    version = propose_version(file_name)
    assert version is None or "-v" in version

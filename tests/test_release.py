"""What is published of a release: built, unpacked as HACS does it, and loaded by Home Assistant."""

import hashlib
import json
from pathlib import Path
import re
import shutil
import subprocess
import sys
from types import ModuleType
from zipfile import ZipFile

from homeassistant.core import HomeAssistant
from homeassistant.loader import Integration
from homeassistant.util.yaml import load_yaml_dict
import pytest

ROOT = Path(__file__).parents[1]
INTEGRATION = Path("custom_components") / "emu_ota"
WORKFLOW = load_yaml_dict(str(ROOT / ".github" / "workflows" / "release.yml"))
CHANGELOG = """\
# Changelog

## [{version}]{day}

### Added

- Everything.

## [0.0.1] - 2026-01-01

- Nothing.
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git in a checkout."""
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603 - git itself
    return done.stdout


def release(checkout: Path, tag: str, folder: str = "dist") -> subprocess.CompletedProcess[str]:
    """Run the script as the workflow does."""
    command = [sys.executable, "scripts/release.py", tag, "--into", folder]
    return subprocess.run(command, cwd=checkout, check=False, capture_output=True, text=True)  # noqa: S603 - our own


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout like this one, on the day of a release."""
    folder = tmp_path / "checkout"
    tracked = git(ROOT, "ls-files", "-z", "--", str(INTEGRATION), "scripts/release.py", "LICENSE", "hacs.json")
    for name in filter(None, tracked.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "CHANGELOG.md").write_text(CHANGELOG.format(version="1.2.3", day=" - 2026-12-01"), encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    return folder


def installed(checkout: Path, config: Path) -> Path:
    """Unpack the asset as HACS does: into the emptied folder of the integration."""
    target = config / INTEGRATION
    target.mkdir(parents=True)
    with ZipFile(checkout / "dist" / "emu_ota.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(target)
    return target


def test_the_zip_has_the_integration_straight_in_it_with_its_licence_and_nothing_else(
    checkout: Path, tmp_path: Path
) -> None:
    """HACS takes no folder off, and reviewers look for the licence."""
    (checkout / INTEGRATION / "notes.txt").write_text("nothing that git knows", encoding="utf-8")
    built = release(checkout, "v1.2.3")
    assert built.returncode == 0, built.stderr
    target = installed(checkout, tmp_path / "config")
    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    tracked = git(ROOT, "ls-files", "-z", "--", str(INTEGRATION)).split("\0")
    assert found == {"LICENSE", *(name.removeprefix(f"{INTEGRATION}/") for name in tracked if name)}
    for name in found - {"manifest.json", "LICENSE"}:
        assert (target / name).read_bytes() == (ROOT / INTEGRATION / name).read_bytes()


def test_the_manifest_is_stamped_and_otherwise_the_same(checkout: Path, tmp_path: Path) -> None:
    """Also in its order, which hassfest demands."""
    assert release(checkout, "v1.2.3").returncode == 0
    manifest = json.loads((installed(checkout, tmp_path) / "manifest.json").read_text(encoding="utf-8"))
    ours = json.loads((ROOT / INTEGRATION / "manifest.json").read_text(encoding="utf-8"))
    assert list(manifest.items()) == list({**ours, "version": "1.2.3"}.items())


async def test_home_assistant_loads_what_hacs_installs(hass: HomeAssistant, checkout: Path, tmp_path: Path) -> None:
    """It refuses a custom integration without a version that it can read."""
    assert release(checkout, "v1.2.3").returncode == 0
    target = installed(checkout, tmp_path / "config")
    custom_components = ModuleType("custom_components")
    custom_components.__path__ = [str(target.parent)]
    integration = await hass.async_add_executor_job(Integration.resolve_from_root, hass, custom_components, "emu_ota")
    assert integration is not None
    assert integration.version == "1.2.3"
    assert integration.config_flow
    assert not integration.is_built_in


def test_the_same_commit_gives_the_same_bytes(checkout: Path) -> None:
    """Whenever, wherever and with whatever umask it was checked out."""
    assert release(checkout, "v1.2.3", "one").returncode == 0
    for path in (checkout / INTEGRATION).rglob("*.py"):
        path.chmod(0o600)
        path.touch()
    assert release(checkout, "1.2.3", "two").returncode == 0
    one, two = ((checkout / folder / "emu_ota.zip").read_bytes() for folder in ("one", "two"))
    assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest()


def test_the_notes_are_what_the_changelog_says_of_this_version(checkout: Path) -> None:
    """And not what it says of those before."""
    assert release(checkout, "v1.2.3").returncode == 0
    assert (checkout / "dist" / "notes.md").read_text(encoding="utf-8") == "### Added\n\n- Everything.\n"


@pytest.mark.parametrize(
    ("tag", "version", "day", "says"),
    [
        ("v1.2.4", "1.2.3", " - 2026-12-01", "The tag says 1.2.4, but the newest version in CHANGELOG.md is 1.2.3."),
        ("v0.0.1", "1.2.3", " - 2026-12-01", "The tag says 0.0.1, but the newest version in CHANGELOG.md is 1.2.3."),
        ("v1.2.3", "Unreleased", "", "the newest version in CHANGELOG.md is Unreleased."),
        ("v1.2.3", "1.2.3", " - Unreleased", "In CHANGELOG.md 1.2.3 has no day of release, but 'Unreleased'."),
        ("v1.2.3", "1.2.3", "", "In CHANGELOG.md 1.2.3 has no day of release, but 'nothing'."),
        ("v1.2.3", "1.2.3", " - 2026-02-31", "In CHANGELOG.md 1.2.3 has no day of release, but '2026-02-31'."),
        ("latest", "1.2.3", " - 2026-12-01", "The tag 'latest' is no version: it has to be like v1.2.0."),
        ("v1.2.3-rc1", "1.2.3", " - 2026-12-01", "The tag 'v1.2.3-rc1' is no version"),
    ],
)
def test_what_does_not_fit_together_is_refused_and_nothing_is_written(
    checkout: Path, tag: str, version: str, day: str, says: str
) -> None:
    """A release that says something else than its tag would stay wrong for ever."""
    (checkout / "CHANGELOG.md").write_text(CHANGELOG.format(version=version, day=day), encoding="utf-8")
    refused = release(checkout, tag)
    assert refused.returncode == 1
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (checkout / "dist").exists()


def test_a_changelog_without_versions_or_with_nothing_to_say_is_refused(checkout: Path) -> None:
    """Both are mistakes that only a person can put right."""
    for text, says in (("# Changelog\n", "has no heading"), ("## [1.2.3] - 2026-12-01\n", "says nothing of 1.2.3")):
        (checkout / "CHANGELOG.md").write_text(text, encoding="utf-8")
        refused = release(checkout, "v1.2.3")
        assert (refused.returncode, says in refused.stderr) == (1, True)


def test_the_workflow_publishes_what_the_script_builds() -> None:
    """It writes nothing but the release, and takes what HACS looks for."""
    job = WORKFLOW["jobs"]["release"]
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert job["permissions"] == {"contents": "write"}
    runs = "\n".join(step.get("run", "") for step in job["steps"])
    assert re.search(r"^python scripts/release\.py \"\$GITHUB_REF_NAME\" --into dist$", runs, re.MULTILINE)
    assert "${{" not in runs, "what comes from outside is no part of a program"
    hacs = json.loads((ROOT / "hacs.json").read_text(encoding="utf-8"))
    assert hacs["zip_release"] is True
    assert Path(hacs["filename"]).suffix == ".zip"

"""Build what is published of a release: the zip that HACS installs, and the release's notes out of the changelog.

Needs the checkout and git only. The files that git knows decide every byte, as they lie in the checkout: a fresh one of
the same commit gives the same zip anywhere.
"""

import argparse
from collections.abc import Iterable
import datetime as dt
import hashlib
import json
from pathlib import Path
import re
import subprocess
import sys
import time
from typing import Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

ROOT: Final = Path(__file__).resolve().parents[1]
INTEGRATION: Final = "custom_components/emu_ota"

_TAG = re.compile(r"v?(?P<version>\d+\.\d+\.\d+)")
_HEADING = re.compile(r"^## \[(?P<version>[^]]+)\](?: - (?P<date>\S+))?[ \t]*$", re.MULTILINE)
_DATE = re.compile(r"20\d\d-\d\d-\d\d")
_UNIX: Final = 3
"""The system that a zip says it was made on; it would be another one on Windows."""
_MODE: Final = 0o100644 << 16


class ReleaseRefused(Exception):
    """Something does not fit together. Nothing was written."""


def version_of(tag: str) -> str:
    """Return the version that a tag names: `v1.2.0` or `1.2.0`. Raises ReleaseRefused."""
    match = _TAG.fullmatch(tag)
    if match is None:
        raise ReleaseRefused(f"The tag {tag!r} is no version: it has to be like v1.2.0.")
    return match["version"]


def notes_of(changelog: str, version: str) -> tuple[str, str]:
    """Return the date of the newest version in a changelog, and what it says. Raises ReleaseRefused.

    The newest version has to be `version`, with the day of its release.
    """
    newest = _HEADING.search(changelog)
    if newest is None:
        raise ReleaseRefused("CHANGELOG.md has no heading of the form: ## [1.2.0] - 2026-12-01")
    if newest["version"] != version:
        raise ReleaseRefused(f"The tag says {version}, but the newest version in CHANGELOG.md is {newest['version']}.")
    date = newest["date"] or ""
    if not _is_day(date):
        raise ReleaseRefused(f"In CHANGELOG.md {version} has no day of release, but {date or 'nothing'!r}.")
    following = _HEADING.search(changelog, newest.end())
    notes = changelog[newest.end() : following.start() if following else None].strip()
    if not notes:
        raise ReleaseRefused(f"CHANGELOG.md says nothing of {version}.")
    return date, f"{notes}\n"


def _is_day(text: str) -> bool:
    try:
        return _DATE.fullmatch(text) is not None and bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def stamped(manifest: bytes, version: str) -> bytes:
    """Return a manifest with this version; everything else stays as it is."""
    return f"{json.dumps({**json.loads(manifest), 'version': version}, ensure_ascii=False, indent=2)}\n".encode()


def contents(root: Path, version: str) -> dict[str, bytes]:
    """Return what goes into the zip, by name: the files of the integration that git knows, and the licence.

    They lie straight in the zip, since HACS unpacks it into the folder of the integration.
    """
    command = ["git", "ls-files", "-z", "--", INTEGRATION]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout  # noqa: S603 - no input
    paths = [root / path for path in listed.split("\0") if path]
    files = {path.relative_to(root / INTEGRATION).as_posix(): path.read_bytes() for path in paths}
    if "manifest.json" not in files:
        raise ReleaseRefused(f"There is no {INTEGRATION}/manifest.json in this checkout.")
    files["manifest.json"] = stamped(files["manifest.json"], version)
    files["LICENSE"] = (root / "LICENSE").read_bytes()
    return files


def write_zip(path: Path, files: Iterable[tuple[str, bytes]], date: str) -> None:
    """Write a zip whose bytes depend on its contents and the date alone."""
    with ZipFile(path, "w") as archive:
        for name, content in sorted(files):
            info = ZipInfo(name, time.strptime(date, "%Y-%m-%d")[:6])
            info.create_system = _UNIX
            info.external_attr = _MODE
            # Not compressed: how it would come out depends on the version of zlib.
            info.compress_type = ZIP_STORED
            archive.writestr(info, content)


def build(root: Path, tag: str, folder: Path) -> Path:
    """Write the zip and `notes.md` into a folder, and return the zip. Raises ReleaseRefused."""
    version = version_of(tag)
    date, notes = notes_of((root / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    files = contents(root, version)
    folder.mkdir(parents=True, exist_ok=True)
    asset = folder / str(json.loads((root / "hacs.json").read_bytes())["filename"])
    write_zip(asset, files.items(), date)
    (folder / "notes.md").write_text(notes, encoding="utf-8")
    return asset


def main() -> int:
    """Build the release that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tag", help="of the release, like v1.2.0")
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="the folder for it (dist)")
    arguments = parser.parse_args()
    try:
        asset = build(ROOT, arguments.tag, arguments.into)
    except ReleaseRefused as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{hashlib.sha256(asset.read_bytes()).hexdigest()}  {asset}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Files that are uploaded as the frontend does it."""

from dataclasses import dataclass
import hashlib
import io
import os
import tarfile
import threading
from typing import Final
import zipfile

from aiohttp import FormData
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from .firmware_flow import VERSION


def _tar(mode: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]  # of literals only
        member = tarfile.TarInfo("emu.bin")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"x" * 5))
    return file.getvalue()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("emu.bin", "x" * 5)
    return file.getvalue()


ZIP: Final = _zip()
TAR: Final = _tar("w")
TAR_GZ: Final = _tar("w:gz")
NO_ARCHIVE: Final = b"no archive at all"


def sha256(content: bytes) -> str:
    """Return what a package is called by."""
    return hashlib.sha256(content).hexdigest()


def data(content: bytes, file_name: str, **told: str) -> dict[str, object]:
    """Return the data of a release that was uploaded."""
    return {
        "kind": "upload",
        "package": sha256(content),
        "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "size": len(content),
        "file_name": file_name,
        "version": VERSION,
        **told,
    }


def slow_disk(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Let files take their time to be stored: the first event tells that one is at it, the second lets it go on."""
    storing, go_on = threading.Event(), threading.Event()

    def slow(_: int) -> None:
        storing.set()
        assert go_on.wait(10)

    monkeypatch.setattr(os, "fsync", slow)
    return storing, go_on


@dataclass(frozen=True, slots=True)
class Uploads:
    """Uploads files over real HTTP."""

    hass: HomeAssistant
    client: ClientSessionGenerator

    async def __call__(self, content: str | bytes, name: str = "file.pem") -> str:
        """Upload a file, and return its id."""
        assert await async_setup_component(self.hass, "file_upload", {})
        client = await self.client()
        form = FormData(quote_fields=False)  # browsers leave blanks in names as they are
        form.add_field("file", content.encode() if isinstance(content, str) else content, filename=name)
        response = await client.post("/api/file_upload", data=form)
        assert response.status == 200
        file_id: str = (await response.json())["file_id"]
        return file_id

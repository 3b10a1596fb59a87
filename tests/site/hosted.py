"""Sites whose EMSs fetch packages from Home Assistant itself, over real HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
import hashlib
from http import HTTPStatus
from pathlib import Path
import time

from homeassistant.core import HomeAssistant
import orjson
from yarl import URL as Url  # noqa: N811 - the world has a URL

from custom_components.emu_ota.firmware.packages import PackageStore, StoredPackage
from simulator.downloads import HttpDownloads
from simulator.ems import SimulatedEms
from simulator.package import build_package, md5_of
from tests.firmware.documents import Json, document
from tests.firmware.index_server import IndexServer
from tests.hosting.served import Client

from .by_hand import HandEms
from .world import NEW, UID, World, ems_subentry, simulated_ems

FILE_NAME = "emu-v1.2.0.tar.gz"

type Subentry = dict[str, object]


def upload_subentry(package: StoredPackage, version: str = NEW, **data: object) -> Subentry:
    """Return a `firmware` subentry of kind upload, for a package that is kept."""
    data = {
        "kind": "upload",
        "package": package.sha256,
        "md5": package.md5,
        "size": package.size,
        "file_name": FILE_NAME,
        "version": version,
    } | data
    return {"subentry_type": "firmware", "title": version, "unique_id": f"firmware:{version}", "data": data}


def mirror_subentry(package: StoredPackage, url: str, version: str = NEW) -> Subentry:
    """Return a `firmware` subentry of kind link whose package is mirrored."""
    return upload_subentry(package, version, kind="link", mirror=True, download_url=url)


async def really(met: Callable[[], bool]) -> None:
    """Wait in real time, in which files and connections live, until something is so; the loop's own clock stands."""
    for _ in range(5000):
        if met():
            return
        await asyncio.to_thread(time.sleep, 0.002)
    assert met()


async def work_done(world: World) -> None:
    """Let what is being written or removed come to an end: where it is to be seen that nothing happens."""
    for _ in range(10):
        await asyncio.to_thread(time.sleep, 0.005)
        await world.settle()


@dataclass
class Hosted:
    """A Home Assistant that can be reached, and where packages can be put into its store."""

    hass: HomeAssistant
    make_world: Callable[..., Awaitable[World]]
    client: Client

    @property
    def base(self) -> str:
        """Where it can be reached."""
        return str(self.client.make_url("")).rstrip("/")

    @property
    def folder(self) -> Path:
        """Where packages are."""
        return PackageStore(self.hass).folder

    def kept(self) -> list[str]:
        """Return the SHA-256s of the packages that are there."""
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []

    async def store(self, content: bytes | None = None) -> StoredPackage:
        """Keep a package, as the flow does."""
        async with PackageStore(self.hass).writer() as writer:
            await writer.write(build_package(NEW) if content is None else content)
            return await writer.finish()

    async def world(
        self, *releases: Subentry, systems: list[SimulatedEms] | None = None, options: dict[str, object] | None = None
    ) -> World:
        """Make a site that knows these releases, and whose EMSs fetch over HTTP."""
        systems = [simulated_ems()] if systems is None else systems
        subentries = [*(ems_subentry(ems.address.uid) for ems in systems), *releases]
        options = {"download_base_url": self.base} | (options or {})
        return await self.make_world(systems, subentries, options, HttpDownloads(pauses=()))

    async def hand(self, *releases: Subentry, **options: object) -> HandEms:
        """Make a site with an EMS of the test's own."""
        options = {"download_base_url": self.base} | options
        return HandEms(await self.make_world([], [ems_subentry(), *releases], options))

    async def status(self, link: str, **headers: str) -> HTTPStatus:
        """Ask for a link of ours, and return how that is answered, once all of it has come."""
        async with self.client.get(Url(link).raw_path, headers=headers) as response:
            await response.read()
            return HTTPStatus(response.status)


def ordered(world: World, uid: str = UID) -> dict[str, str]:
    """Return what the last order said: `download_url` and `md5_code`."""
    data: dict[str, str] = orjson.loads(world.orders(uid)[-1])["data"]
    return data


def ordered_link(world: World, uid: str = UID) -> str:
    """Return the link that was ordered last."""
    return ordered(world, uid)["download_url"]


def token_of(link: str) -> str:
    """Return the token in a link of ours."""
    return Url(link).parts[-2]


def other_than(package: StoredPackage) -> StoredPackage:
    """Return a package with other hashes, which nobody has."""
    return replace(package, sha256=hashlib.sha256(b"other").hexdigest(), md5="0" * 32)


def publish(index: IndexServer, *versions: str, **changed: Json) -> None:
    """Have an index offer these versions, with packages beside it."""
    index.body = document(*({**listed(version), **changed} for version in versions))


def listed(version: str) -> dict[str, Json]:
    """Return a release as an index has it."""
    return {
        "version": version,
        "url": f"packages/{version}.tar.gz",
        "md5": md5_of(build_package(version)),
        "summary": "Charges in the cold.",
        "notes": f"## New in {version}",
        "notes_url": "https://example.com/notes",
    }

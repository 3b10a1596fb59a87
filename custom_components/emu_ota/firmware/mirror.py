"""Fetches the file behind a link once and keeps it, for EMSs that cannot or may not reach the link."""

import asyncio
from collections.abc import Callable

from aiohttp import ClientSession

from .link import LinkedFile, async_fetch
from .packages import PackageStore, PackageWriter, StoredPackage


class OtherMd5(Exception):
    """The file is there, but it has another MD5 than was told."""


async def async_mirror(  # noqa: PLR0913 - a fetch, with where it goes and who hears of it
    session: ClientSession,
    store: PackageStore,
    link: str,
    *,
    md5: str | None,
    progress: Callable[[float], None],
    kept: Callable[[StoredPackage], None],
) -> tuple[LinkedFile, StoredPackage]:
    """Keep the file behind a link, if it has the MD5 (None: any). Raises CannotDownload, PackageRefused, OtherMd5.

    `progress` as of async_fetch. `kept` is told of the package as soon as it is kept: also when the task is cancelled
    too late to prevent that.
    """
    async with store.writer() as writer:
        found = await async_fetch(session, link, progress, write=writer.write)
        if md5 not in {None, found.md5}:
            raise OtherMd5
        return found, await _async_keep(writer, kept)


async def _async_keep(writer: PackageWriter, kept: Callable[[StoredPackage], None]) -> StoredPackage:
    keeping = asyncio.ensure_future(writer.finish())
    try:
        package = await asyncio.shield(keeping)
    except asyncio.CancelledError:
        kept(await keeping)  # what is in the executor goes on
        raise
    kept(package)
    return package

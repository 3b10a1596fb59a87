"""What is remembered of a firmware index over a restart."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TypedDict

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from yarl import URL

from ..const import DOMAIN
from ..stored_file import StoredFile
from .index_fetch import IndexCopy


class _CopyRecord(TypedDict):
    body: str
    base: str
    etag: str | None
    last_modified: str | None


class _Record(TypedDict):
    url_sha256: str
    copy: _CopyRecord | None
    checked_at: float | None
    failing_since: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What an index said last, and since when it says nothing any more."""

    copy: IndexCopy | None = None
    checked_at: datetime | None = None
    """When it was last read, or last heard to be unchanged."""
    failing_since: datetime | None = None


class IndexStorage:
    """The storage of one config entry's index. A file that cannot be read costs what was in it."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Name the file; nothing is read yet."""
        # Private: URLs of packages may carry signatures.
        self._store = StoredFile[_Record](hass, f"{DOMAIN}.{entry_id}.index", precious=True)

    async def async_load(self, url: str) -> Remembered:
        """Return what is remembered of the index at a URL: nothing where the storage is of another one."""

        def read(record: _Record) -> Remembered:
            return _from_record(record) if record["url_sha256"] == _digest(url) else Remembered()

        return await self._store.async_read(read) or Remembered()

    async def async_save(self, url: str, remembered: Remembered) -> None:
        """Write what is to be remembered of the index at a URL; when this returns it survives."""
        copy = remembered.copy
        await self._store.async_save(
            {
                # Not the URL itself: it may hold a password, and is needed only to be compared.
                "url_sha256": _digest(url),
                "copy": None
                if copy is None
                else {
                    "body": copy.body.decode(),
                    "base": str(copy.base),
                    "etag": copy.etag,
                    "last_modified": copy.last_modified,
                },
                "checked_at": _timestamp(remembered.checked_at),
                "failing_since": _timestamp(remembered.failing_since),
            }
        )

    async def async_remove(self) -> None:
        """Forget it: there is no index any more."""
        await self._store.async_remove()

    async def async_remove_with_copies(self) -> None:
        """Leave nothing behind."""
        await self._store.async_remove_with_copies()


def _digest(url: str) -> str:
    return sha256(url.encode()).hexdigest()


def _timestamp(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _from_record(record: _Record) -> Remembered:
    copy = record["copy"]
    return Remembered(
        copy=None
        if copy is None
        else IndexCopy(
            body=str(copy["body"]).encode(),
            base=URL(str(copy["base"])),
            etag=copy["etag"],
            last_modified=copy["last_modified"],
        ),
        checked_at=_datetime(record["checked_at"]),
        failing_since=_datetime(record["failing_since"]),
    )


def _datetime(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else dt_util.utc_from_timestamp(timestamp)

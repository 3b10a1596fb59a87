"""What survives a restart: what is known of each EMS, the upgrades under way, and their history."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Final, NotRequired, TypedDict, cast

from homeassistant.core import HomeAssistant
from homeassistant.helpers.json import json_bytes, json_fragment
from homeassistant.util import dt as dt_util

from .const import DOMAIN, LOGGER
from .protocol.fetched import Fetched, fetched_from_record
from .protocol.models import Component, EmuStatus, Report, Stage, known_code
from .protocol.upgrade import Order, Outcome, Phase, Reason, Step, Upgrade
from .stored_file import UNREADABLE, StoredFile
from .stored_values import check_types

SAVE_DELAY: Final = 30
"""Seconds. What is known of an EMS is told again by the EMS, so writing it may wait."""
HISTORY_LENGTH: Final = 1000
"""Upgrades kept per entry: years of a site, some months of a fleet, and still a small file."""

# What JSON holds. Values are as deep as a report in an upgrade, so they are told apart where they are read.
type _Record = dict[str, object]


@dataclass(slots=True, kw_only=True)
class StoredEms:
    """What is known of one EMS."""

    bit_field: bool = False
    answering: bool = False
    emus: dict[int, Report] = field(default_factory=dict)


class _Known(TypedDict):
    systems: dict[str, _Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredActive:
    """What was under way."""

    upgrades: list[Upgrade] = field(default_factory=list)
    """Those without an outcome, in order; besides, for a moment, what has just ended."""
    held: set[str] = field(default_factory=set)
    """The EMSs, by uid, that may still be at work on what has ended for us."""


class _Upgrades(TypedDict):
    saved_at: float
    upgrades: list[_Record]
    """Read as they are here; in the history each is written as a fragment of JSON."""


class EndedUpgrade:
    """An upgrade of the history, and what is written of it: made once, since the history is long and written often."""

    __slots__ = ("_record", "upgrade")

    def __init__(self, upgrade: Upgrade) -> None:
        """Take an upgrade as it ended, or was amended."""
        self.upgrade = upgrade
        self._record: json_fragment | None = None

    @property
    def record(self) -> json_fragment:
        """The upgrade as JSON."""
        if self._record is None:
            self._record = json_fragment(json_bytes(asdict(self.upgrade)))
        return self._record


class _Active(_Upgrades):
    held: NotRequired[list[str]]


class EntryStorage:
    """The storage of one config entry. A corrupt file costs what was in it, never the start."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Name the files; nothing is read yet."""
        self._known = StoredFile[_Known](hass, f"{DOMAIN}.{entry_id}.known")
        # Precious: no order goes out before it is written; tokens are in them, and links may carry signatures.
        self._active = StoredFile[_Active](hass, f"{DOMAIN}.{entry_id}.upgrades", precious=True)
        self._history = StoredFile[_Upgrades](hass, f"{DOMAIN}.{entry_id}.history", precious=True)

    async def async_load_known(self) -> dict[str, StoredEms]:
        """Return what was known of each EMS, by uid."""
        return await self._known.async_read(lambda stored: _read(stored["systems"].items(), _ems_from_record)) or {}

    def save_known_later(self, systems: Callable[[], Mapping[str, StoredEms]]) -> None:
        """Have what is known of the EMSs written soon."""
        self._known.async_delay_save(lambda: _known_record(systems()), SAVE_DELAY)

    async def async_save_known(self, systems: Mapping[str, StoredEms]) -> None:
        """Write what is known of the EMSs now."""
        await self._known.async_save(_known_record(systems))

    async def async_load_active(self) -> StoredActive:
        """Return what was under way; an upgrade that a crash caught counts as suspended since the last write."""

        def read(stored: _Active) -> StoredActive:
            saved_at = float(stored["saved_at"])
            upgrades = _read_list(stored["upgrades"], lambda record: _upgrade_from_record(record, saved_at))
            return StoredActive(upgrades=upgrades, held=set(stored.get("held", ())))

        return await self._active.async_read(read) or StoredActive()

    async def async_save_active(self, upgrades: Iterable[Upgrade], held: Iterable[str]) -> bool:
        """Write what is under way; return whether it is on the disk, and survives."""
        return await self._active.async_write({**_upgrades_record(upgrades), "held": sorted(held)})

    async def async_load_history(self) -> list[Upgrade]:
        """Return the upgrades that have ended, oldest first."""

        def read(stored: _Upgrades) -> list[Upgrade]:
            return _read_list(stored["upgrades"], lambda record: _upgrade_from_record(record, None))

        return await self._history.async_read(read) or []

    async def async_save_history(self, upgrades: Iterable[EndedUpgrade]) -> bool:
        """Write the history; return whether it is on the disk."""
        records = cast("list[_Record]", [each.record for each in upgrades])
        return await self._history.async_write({"saved_at": dt_util.utcnow().timestamp(), "upgrades": records})

    async def async_remove(self) -> None:
        """Leave nothing behind."""
        for store in (self._known, self._active, self._history):
            await store.async_remove_with_copies()


def _read[Key, Value](records: Iterable[tuple[Key, _Record]], read: Callable[[_Record], Value]) -> dict[Key, Value]:
    values: dict[Key, Value] = {}
    for key, record in records:
        try:
            values[key] = read(record)
        except UNREADABLE:
            LOGGER.warning("What was stored of one EMS cannot be read; it is asked anew")
    return values


def _read_list[Value](records: Iterable[_Record], read: Callable[[_Record], Value]) -> list[Value]:
    values: list[Value] = []
    for record in records:
        try:
            values.append(read(record))
        except UNREADABLE:
            LOGGER.warning("One stored upgrade cannot be read; it is left out")
    return values


def _known_record(systems: Mapping[str, StoredEms]) -> _Known:
    return {
        "systems": {
            uid: {
                "bit_field": ems.bit_field,
                "answering": ems.answering,
                "emus": [asdict(report) for report in ems.emus.values()],
            }
            for uid, ems in systems.items()
        }
    }


def _ems_from_record(record: _Record) -> StoredEms:
    reports = [_report_from_record(emu) for emu in cast("list[_Record]", record["emus"])]
    return StoredEms(
        bit_field=bool(record["bit_field"]),
        answering=bool(record["answering"]),
        emus={report.device_id: report for report in reports},
    )


def _report_from_record(record: _Record) -> Report:
    values = cast("dict[str, int | None]", record)
    status, component, stage = values["status"], values["component"], values["stage"]
    if status is None or values["device_id"] is None:
        raise ValueError("a report without a device or a status")
    report = Report(
        device_id=values["device_id"],
        status=known_code(EmuStatus, status),
        success=values["success"],
        component=None if component is None else known_code(Component, component),
        stage=None if stage is None else known_code(Stage, stage),
        progress=values["progress"],
        version=cast("str | None", record["version"]),
    )
    check_types(report)
    return report


def _upgrades_record(upgrades: Iterable[Upgrade]) -> _Upgrades:
    return {"saved_at": dt_util.utcnow().timestamp(), "upgrades": [asdict(upgrade) for upgrade in upgrades]}


def _upgrade_from_record(record: _Record, saved_at: float | None) -> Upgrade:
    """Return a stored upgrade; `saved_at` is when it was last known to be under way, None for the history."""
    order = Order(**_known_fields(Order, cast("_Record", record["order"])))  # type: ignore[arg-type]  # as written by asdict
    steps = cast("list[_Record]", record["steps"])
    if not steps:
        raise ValueError("an upgrade without its phases")
    reports = {
        key: None if record[key] is None else _report_from_record(cast("_Record", record[key]))
        for key in ("baseline", "report")
    }
    read: _Record = {
        **_known_fields(Upgrade, record),
        **reports,
        "order": order,
        "fetched": None
        if record["fetched"] is None
        else fetched_from_record(_known_fields(Fetched, cast("_Record", record["fetched"]))),
        "phase": Phase(cast("str", record["phase"])),
        "steps": tuple(Step(phase=Phase(cast("str", step["phase"])), at=cast("float", step["at"])) for step in steps),
        "not_ready": None if record["not_ready"] is None else Reason(cast("str", record["not_ready"])),
        "outcome": None if record["outcome"] is None else Outcome(cast("str", record["outcome"])),
        "reason": None if record["reason"] is None else Reason(cast("str", record["reason"])),
    }
    if saved_at is not None and read["outcome"] is None and read["suspended_at"] is None:
        read["suspended_at"] = saved_at
    upgrade = Upgrade(**read)  # type: ignore[arg-type]  # as written by asdict, with its values read back
    parts: tuple[Hashable, ...] = (upgrade, order, *upgrade.steps)
    for value in parts if upgrade.fetched is None else (*parts, upgrade.fetched):
        check_types(value)
    return upgrade


def _known_fields(kind: type[Order | Upgrade | Fetched], record: _Record) -> _Record:
    """Return what this version knows of a record: a newer one may have added to it."""
    known = {each.name for each in fields(kind)}
    return {name: value for name, value in record.items() if name in known}

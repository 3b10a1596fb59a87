"""How many EMUs on how many EMSs, and what the EMSs say, to the byte the same for every subject."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
import itertools
from typing import Final
from uuid import UUID

import orjson

from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange

PREFIX: Final = "plants/north"
"""Of the sites, for all lines but one: on the documented ones Home Assistant's discovery hears every message, too."""
DOCUMENTED_PREFIX: Final = "v1/wudun/north"
OLD, OTHER, NEW = "emu-v1.0.0", "emu-v1.1.0", "emu-v1.2.0"

type Report = dict[str, int | str | None]

_numbers = itertools.count(1)


class Figures(StrEnum):
    """What an EMU reports: between any two of these every field differs."""

    AT_REST = "at rest"
    AT_WORK = "at work"


_FIGURES: Final[dict[Figures, Report]] = {
    Figures.AT_REST: {
        "status": 1,
        "emu_upgrade_success": 511,
        "emu_upgrade_device": 3,
        "emu_upgrade_status": 5,
        "emu_upgrade_content": 100,
        "emu_product_sn": OLD,
    },
    Figures.AT_WORK: {
        "status": 3,
        "emu_upgrade_success": 512,
        "emu_upgrade_device": 21,
        "emu_upgrade_status": 3,
        "emu_upgrade_content": 37,
        "emu_product_sn": OTHER,
    },
}


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody publishes."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Shape:
    """A fleet: so many EMUs in all, spread evenly over so many EMSs."""

    emus: int
    systems: int = 1
    prefix: str = PREFIX

    @property
    def uids(self) -> list[str]:
        """The EMSs."""
        return [f"EMS{number:07}" for number in range(1, self.systems + 1)]

    @property
    def device_ids(self) -> range:
        """The EMUs of each EMS."""
        return range(1, self.emus // self.systems + 1)

    def address(self, uid: str) -> EmsAddress:
        """Return where the topics of an EMS are."""
        return EmsAddress(self.prefix, uid)

    def versions(self, figures: Figures) -> list[Message]:
        """Return one version result of every EMS."""
        return [self.version_result(uid, figures) for uid in self.uids]

    def version_result(self, uid: str, figures: Figures) -> Message:
        """Return the version result of one EMS."""
        return self._result(uid, Exchange.VERSION, [self._report(each, figures) for each in self.device_ids])

    def progress(self, percent: int, *, component: int = 3) -> Message:
        """Return a progress report of the first EMU of the first EMS."""
        report: Report = self._report(1, Figures.AT_REST)
        at_work: Report = {"emu_upgrade_success": 512, "emu_upgrade_device": component, "emu_upgrade_status": 3}
        return self._result(self.uids[0], Exchange.PROGRESS, report | at_work | {"emu_upgrade_content": percent})

    def stage(self, stage: int, *, component: int = 3, success: int = 512, version: str = OLD) -> Message:
        """Return a report of the first EMU of the first EMS in a stage without progress."""
        report: Report = self._report(1, Figures.AT_REST)
        told: Report = {"emu_upgrade_success": success, "emu_upgrade_device": component, "emu_upgrade_status": stage}
        return self._result(self.uids[0], Exchange.PROGRESS, report | told | {"emu_product_sn": version})

    def handed_over(self) -> Message:
        """Return the answer to the order for that EMU."""
        return self._result(self.uids[0], Exchange.UPGRADE, {"device_id": 1, "download_status": 1})

    def _report(self, device_id: int, figures: Figures) -> Report:
        identity: Report = {"device_id": device_id}
        return identity | _FIGURES[figures]

    def _result(self, uid: str, exchange: Exchange, data: Report | Sequence[Report]) -> Message:
        body = {
            "mid": str(UUID(int=next(_numbers))),
            "type": exchange.value,
            "device_uid": uid,
            "timestamp": 1764153600000 + next(_numbers),
            "trace_id": str(UUID(int=next(_numbers))),
            "data": data,
        }
        return Message(self.address(uid).topic(exchange, Direction.RESULT), orjson.dumps(body))

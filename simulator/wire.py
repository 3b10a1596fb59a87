"""How an EMS of each revision writes its results; built by hand, so that our parser meets another author's bytes."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from random import Random
from typing import Final
import uuid

import orjson

from custom_components.emu_ota.protocol.models import Component, DownloadStatus, SuccessBit
from custom_components.emu_ota.protocol.topics import Exchange

type ReportData = Mapping[str, int | str | None]
type ResultData = ReportData | list[ReportData]

UNKNOWN_DOWNLOAD_CODE: Final = 9


class Revision(StrEnum):
    """The revision of the protocol that an EMS speaks (protocol: "Revisions")."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"

    @property
    def tells_bits(self) -> bool:
        """Whether `emu_upgrade_success` is a bit field in place of a flag."""
        return self in {Revision.C, Revision.D}


_CODES: Final = {
    DownloadStatus.HANDED_OVER: 1,
    DownloadStatus.DOWNLOAD_FAILED: 2,
    DownloadStatus.MD5_MISMATCH: 3,
    DownloadStatus.CLEAR_FOLDER_FAILED: 4,
    DownloadStatus.UNPACK_FAILED: 5,
    DownloadStatus.HAND_OVER_FAILED: 6,
}

# Revision A has three codes: whatever goes wrong with the file is 3 there.
_CODES_REVISION_A: Final = dict.fromkeys(DownloadStatus, 3) | {
    DownloadStatus.HANDED_OVER: 1,
    DownloadStatus.HAND_OVER_FAILED: 2,
}


def download_code(revision: Revision, status: DownloadStatus) -> int:
    """Return what a revision writes as `download_status`."""
    return (_CODES_REVISION_A if revision is Revision.A else _CODES)[status]


class Wire:
    """Writes the results of one EMS."""

    def __init__(self, uid: str, revision: Revision, random: Random, *, trailing_commas: bool) -> None:
        """Write for the EMS `uid`; `trailing_commas`: where the vendor's samples have them."""
        self._uid = uid
        self._revision = revision
        self._random = random
        self._trailing_commas = trailing_commas

    def result(
        self, exchange: Exchange, data: ResultData, device_id: int | None, reply: str | None, now: float
    ) -> bytes:
        """Return the payload of a result; `reply` is the mid of what it answers, None where the EMS does not tell."""
        revision_a = self._revision is Revision.A
        body: dict[str, str | int] = {
            "trace_id": self._uuid(),
            "mid": self._uuid(),
            "type": "ota_upgrade" if revision_a and exchange is Exchange.UPGRADE else exchange.value,
            "device_uid": self._uid,
        }
        if revision_a:
            body["sub_device_id"] = str(device_id or 0)
        elif device_id is not None:
            body["sub_device_id"] = device_id
        body["timestamp"] = max(1, round(now * 1000))
        if reply is not None:
            body["reply"] = reply
        # As in the samples: a comma behind the data of one result, behind the last field of two.
        data_ends = b"," if self._trailing_commas and exchange is Exchange.UPGRADE else b""
        body_ends = b",\n" if self._trailing_commas and exchange is not Exchange.VERSION else b"\n"
        encoded = orjson.dumps(data)
        return orjson.dumps(body)[:-1] + b',\n"data": ' + encoded[:-1] + data_ends + encoded[-1:] + body_ends + b"}"

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def finished_bits(components: Iterable[int]) -> int:
    """Return the bit field of an upgrade in which all of these components succeeded."""
    bits = SuccessBit.TRANSFER_ENDED | SuccessBit.EVERYTHING
    return int(bits) | sum(component_bit(component) for component in components)


def component_bit(component: int) -> int:
    """Return the bit of a component's success; a component that the protocol does not know has none."""
    return int(SuccessBit[Component(component).name]) if component in Component else 0


# What a broker may carry on a result topic that is no result, whatever the exchange.
GARBAGE: Final[tuple[bytes, ...]] = (
    b"",
    b"\x00\xff\xfe\x80",
    b"not json at all",
    b'{"mid": "8a4c0a10',
    b"null",
    b"7",
    b"[]",
    b"{}",
    b'{"data": null}',
    b'{"data": "text"}',
    b'{"data": NaN}',
    b'{"data": {"device_id": "two", "status": 1, "download_status": 1}}',
    b'{"data": {"device_id": true, "status": true, "download_status": true}}',
    b'{"data": {"device_id": 2.5, "status": 1, "download_status": 2.5}}',
    b'{"data": {"device_id": 2, "status": null, "download_status": null}}',
    b'{"data": [null, 7, "text", [], {}, {"device_id": 2}, {"device_id": null, "status": 1}]}',
    b"[" * 2000,
    b'{"data": [' * 500,
)

"""What a hostile broker delivers, by a seed; of each message is known whether it may change anything.

Whether one is well-formed is known by how it was made, without the parser that is under test.
"""

from collections.abc import Callable
from dataclasses import dataclass
import json
from random import Random
from typing import Final
from uuid import UUID

from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange

LIMIT: Final = 1024 * 1024
"""Bytes that a message may have (design: "What bad input gets")."""
LONGEST: Final = 255
"""Characters that a text may have."""
MOST_EMUS: Final = 1000

type Body = dict[str, object]


@dataclass(frozen=True, slots=True)
class Hostile:
    """A message, and how it was made."""

    kind: str
    topic: str
    payload: bytes
    retained: bool
    harmless: bool
    """Whether it may change nothing: it is not well-formed, or none of our business."""


class HostileMessages:
    """Makes messages for one EMS whose EMUs are all known with all their figures."""

    def __init__(self, random: Random, address: EmsAddress, emus: tuple[int, ...], versions: tuple[str, ...]) -> None:
        """Make what is about these EMUs, or about others; `versions` are those that reports name."""
        self._random = random
        self._address = address
        self._emus = emus
        self._versions = versions
        self._broken: tuple[Callable[[], Hostile], ...] = (
            self._random_bytes,
            self._random_text,
            self._truncated,
            self._unbalanced,
            self._not_json,
            self._mutated,
            self._wrong_data,
            self._wrong_field,
        )
        self._strange = (self._retained, self._foreign_topic, self._foreign_reply)
        self._large = (self._oversized, self._too_many, self._nested)
        self._sound = (self._report, self._list, self._answer, self._order)

    def broken(self) -> Hostile:
        """Return one that is not well-formed: it may do nothing at all. One in 300 is large."""
        return self._random.choice(self._large if self._random.random() < 1 / 300 else self._broken)()

    def strange(self) -> Hostile:
        """Return one that is well-formed, and none of our business: it may change nothing."""
        return self._random.choice(self._strange)()

    def sound(self) -> Hostile:
        """Return one that is well-formed, and that the EMS has not sent."""
        return self._random.choice(self._sound)()

    # Well-formed

    def _uuid(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _figures(self, device_id: int | None = None) -> Body:
        choice = self._random.choice
        return {
            "device_id": choice(self._emus) if device_id is None else device_id,
            "status": choice((1, 1, 1, 1, 2, 3, self._code())),
            "emu_upgrade_success": choice((0, 1, 128, 256, 512, None)),
            "emu_upgrade_device": choice((3, 21, 26, self._code(), None)),
            "emu_upgrade_status": choice((1, 2, 3, 4, 5, 5, 5, self._code(), None)),
            "emu_upgrade_content": choice((0, 50, 100, 101, -1, None)),
            "emu_product_sn": choice((*self._versions, "", None)),
        }

    def _code(self) -> int:
        """Return a code that the protocol may get one day."""
        return self._random.randint(30, 1_000_000)

    def _download_status(self) -> int:
        return self._random.choice((1, 2, 3, 4, 5, 6, self._code()))

    def _body(self, exchange: Exchange, data: object) -> Body:
        return {
            "mid": self._uuid(),
            "type": exchange.value,
            "device_uid": self._address.uid,
            "timestamp": self._random.choice((1, 1_790_000_000_000, -5, "now", None)),
            "trace_id": self._random.choice(("", "trace", None, 7)),
            "data": data,
        }

    def _data(self, exchange: Exchange) -> object:
        match exchange:
            case Exchange.VERSION:
                return [self._figures(device_id) for device_id in self._emus]
            case Exchange.PROGRESS:
                return self._figures()
            case _:
                return {"device_id": self._random.choice(self._emus), "download_status": self._download_status()}

    def _any(self) -> tuple[Exchange, Body]:
        exchange = self._random.choice(tuple(Exchange))
        return exchange, self._body(exchange, self._data(exchange))

    def _message(
        self, kind: str, exchange: Exchange, payload: bytes | Body, *, harmless: bool, retained: bool | None = None
    ) -> Hostile:
        written = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        topic = self._address.topic(exchange, Direction.RESULT)
        if retained is None:
            retained = harmless and self._random.random() < 0.3
        return Hostile(kind, topic, written, retained, harmless)

    def _report(self) -> Hostile:
        body = self._body(Exchange.PROGRESS, self._figures())
        return self._message("report", Exchange.PROGRESS, body, harmless=False)

    def _list(self) -> Hostile:
        body = self._body(Exchange.VERSION, self._data(Exchange.VERSION))
        return self._message("list", Exchange.VERSION, body, harmless=False)

    def _answer(self) -> Hostile:
        body = self._body(Exchange.UPGRADE, self._data(Exchange.UPGRADE))
        return self._message("answer", Exchange.UPGRADE, body, harmless=False)

    def _order(self) -> Hostile:
        data = {"download_url": "http://127.0.0.1/other", "md5_code": "0" * 32}
        body = self._body(Exchange.UPGRADE, data) | {"sub_device_id": self._random.choice(self._emus)}
        topic = self._address.topic(Exchange.UPGRADE, Direction.COMMAND)
        return Hostile("order", topic, json.dumps(body).encode(), retained=False, harmless=False)

    # Not well-formed, each by its construction

    def _random_bytes(self) -> Hostile:
        exchange = self._random.choice(tuple(Exchange))
        payload = self._random.randbytes(self._random.randrange(300))
        return self._message("random bytes", exchange, payload, harmless=True)

    def _random_text(self) -> Hostile:
        exchange = self._random.choice(tuple(Exchange))
        characters = self._random.choices('abc {}[]:,"\\0123456789.eE+-ntrfalsu\n\u4f60\U0001f50b', k=40)
        # Whatever that is: an object it is not.
        return self._message("random text", exchange, f"x{''.join(characters)}".encode(), harmless=True)

    def _truncated(self) -> Hostile:
        exchange, body = self._any()
        payload = json.dumps(body).encode()
        return self._message("truncated", exchange, payload[: self._random.randrange(len(payload))], harmless=True)

    def _unbalanced(self) -> Hostile:
        """One bracket or quote less: no text of ours has any inside, so that none can stand in for it."""
        exchange, body = self._any()
        payload = bytearray(json.dumps(body).encode())
        places = [place for place, byte in enumerate(payload) if byte in b'{}[]"']
        payload[self._random.choice(places)] = self._random.choice(b" x0")
        return self._message("unbalanced", exchange, bytes(payload), harmless=True)

    def _not_json(self) -> Hostile:
        exchange, body = self._any()
        payload = json.dumps(body)
        changed = self._random.choice(
            (
                payload.replace(":", ";", 1).encode(),
                payload.replace('"', "'").encode(),
                payload.encode("utf-16"),
                payload.replace('"mid": "', '"mid": "\xff', 1).encode("latin-1"),
                payload.replace('"mid": "', '"mid": "\n', 1).encode(),
                payload.replace('"data": ', '"data": NaN, "more": ', 1).encode(),
                payload.replace('"data": ', '"data": ,', 1).encode(),
                (payload + payload).encode(),
                b"[" + payload.encode() + b"]",
                json.dumps(payload).encode(),
            )
        )
        return self._message("no JSON object", exchange, changed, harmless=True)

    def _mutated(self) -> Hostile:
        """Some bytes changed to any, and one to a zero, which JSON has neither in texts nor between them."""
        exchange, body = self._any()
        payload = bytearray(json.dumps(body).encode())
        for _ in range(self._random.randrange(8)):
            payload[self._random.randrange(len(payload))] = self._random.randrange(256)
        payload[self._random.randrange(len(payload))] = 0
        return self._message("mutated", exchange, bytes(payload), harmless=True)

    def _wrong_data(self) -> Hostile:
        exchange, body = self._any()
        wrong: list[object] = [None, True, 7, 1.5, "text", {}, [[]], [None, 7, "text", {}], {"device_id": {}}]
        if exchange is not Exchange.VERSION:
            wrong += [[], [body["data"]]]
        else:
            wrong += [self._figures(), [{"device_id": 2}], [{"status": 1}]]
        body["data"] = self._random.choice(wrong)
        if self._random.random() < 0.1:
            del body["data"]
        return self._message("wrong data", exchange, body, harmless=True)

    def _wrong_field(self) -> Hostile:
        """A required field that is missing, or any field of a wrong type; in a list that in each report."""
        exchange, body = self._any()
        data = body["data"]
        for record in data if isinstance(data, list) else [data]:
            assert isinstance(record, dict)
            required = [key for key in record if key in {"device_id", "status", "download_status"}]
            if self._random.random() < 0.5:
                key, value = self._random.choice(required), self._random.choice((None, "", "gone"))
                record[key] = value
                if value == "gone":
                    del record[key]
            else:
                key = self._random.choice(tuple(record))
                wrong: list[object] = [True, False, 2.0, 1e300, [], [2], {}, {"id": 2}]
                wrong += ["v" * (LONGEST + 1), 7] if key == "emu_product_sn" else ["2", "text"]
                record[key] = self._random.choice(wrong)
        return self._message("wrong field", exchange, body, harmless=True)

    def _oversized(self) -> Hostile:
        exchange, body = self._any()
        payload = json.dumps(body).encode()
        padding = LIMIT - len(payload) + self._random.randint(1, 1000)
        return self._message("oversized", exchange, payload[:-1] + b" " * padding + b"}", harmless=True)

    def _too_many(self) -> Hostile:
        reports = [self._figures(device_id) for device_id in range(2, MOST_EMUS + 3)]
        return self._message("too many", Exchange.VERSION, self._body(Exchange.VERSION, reports), harmless=True)

    def _nested(self) -> Hostile:
        exchange = self._random.choice(tuple(Exchange))
        depth = self._random.randint(2000, 200_000)
        opening = self._random.choice((b"[", b'{"data": [', b'{"a":'))
        return self._message("nested", exchange, opening * (depth // len(opening)), harmless=True)

    # Well-formed, and none of our business

    def _retained(self) -> Hostile:
        """Old news about an order, or about EMUs that are known: it fills in what is not known, and nothing is."""
        exchange, body = self._any()
        if self._random.random() < 0.3:
            order = self._order()
            return Hostile("retained order", order.topic, order.payload, retained=True, harmless=True)
        return self._message("retained", exchange, body, harmless=True, retained=True)

    def _foreign_topic(self) -> Hostile:
        """What is for another EMS, or on topics that we have no business with."""
        exchange, body = self._any()
        prefix, uid, name = self._address.prefix, self._address.uid, exchange.value
        topic = self._random.choice(
            (
                f"{prefix}/{uid}x/ota/{name}/result",
                f"{prefix}/{uid.lower()}/ota/{name}/result",
                f"{prefix}x/{uid}/ota/{name}/result",
                f"{prefix}/{uid}/ota/{name}/result/",
                f"/{prefix}/{uid}/ota/{name}/result",
                f"{prefix}/{uid}/ota/upgrade/result",
                f"{prefix}/{uid}/ota/{name}",
                f"{prefix}/+/ota/{name}/result",
                "$SYS/broker/load",
                "",
            )
        )
        return Hostile("foreign topic", topic, json.dumps(body).encode(), retained=False, harmless=True)

    def _foreign_reply(self) -> Hostile:
        """The answer to somebody else's order."""
        body = self._body(Exchange.UPGRADE, self._data(Exchange.UPGRADE)) | {"reply": self._uuid()}
        return self._message("foreign reply", Exchange.UPGRADE, body, harmless=True, retained=False)

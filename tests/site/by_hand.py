"""An EMS that says exactly what a test has it say."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from homeassistant.core import Event, EventStateChangedData, EventStateReportedData, callback
import orjson

from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange

from .world import OLD, PREFIX, UID, World

type Fields = Mapping[str, object]


def report(device_id: int = 2, status: int = 1, **figures: object) -> dict[str, object]:
    """Return a report of an EMU at rest, with any of its figures replaced: success, device, stage, content, version."""
    values = {"success": 1, "device": 3, "stage": 5, "content": 100, "version": OLD} | figures
    return {
        "device_id": device_id,
        "status": status,
        "emu_upgrade_success": values["success"],
        "emu_upgrade_device": values["device"],
        "emu_upgrade_status": values["stage"],
        "emu_upgrade_content": values["content"],
        "emu_product_sn": values["version"],
    }


def offline(device_id: int = 2) -> dict[str, object]:
    """Return the report of an EMU that is offline: it tells nothing."""
    return report(device_id, 2, success=None, device=None, stage=None, content=None, version="")


def message(exchange: Exchange, data: object, *, reply: str | None = None, uid: str = UID) -> bytes:
    """Return the payload of a result."""
    body: dict[str, object] = {
        "mid": str(uuid4()),
        "type": exchange.value,
        "device_uid": uid,
        "timestamp": 1,
        "data": data,
    }
    return orjson.dumps(body if reply is None else body | {"reply": reply})


@dataclass
class HandEms:
    """The EMS of a world without simulated ones."""

    world: World
    uid: str = UID

    @property
    def address(self) -> EmsAddress:
        """Where its topics are."""
        return EmsAddress(PREFIX, self.uid)

    def topic(self, exchange: Exchange, direction: Direction = Direction.RESULT) -> str:
        """Return one of its topics."""
        return self.address.topic(exchange, direction)

    async def send(self, exchange: Exchange, payload: bytes, direction: Direction = Direction.RESULT) -> None:
        """Publish anything on one of its topics, and let it arrive."""
        self.world.broker.publish(self.topic(exchange, direction), payload)
        await self.world.settle()

    async def versions(self, *reports: object, reply: str | None = None) -> None:
        """Send a list of reports."""
        await self.send(Exchange.VERSION, message(Exchange.VERSION, list(reports), reply=reply, uid=self.uid))

    async def progress(self, data: object, *, reply: str | None = None) -> None:
        """Send the report of one EMU."""
        await self.send(Exchange.PROGRESS, message(Exchange.PROGRESS, data, reply=reply, uid=self.uid))

    def last_mid(self, exchange: Exchange = Exchange.VERSION) -> str:
        """Return the id of the newest command of an exchange."""
        payload = self.world.broker.payloads(self.topic(exchange, Direction.COMMAND))[-1]
        return str(orjson.loads(payload)["mid"])


class Writes:
    """Counts the states that are written from now on, whether they say something new or not."""

    def __init__(self, world: World) -> None:
        """Begin with none."""
        self.entity_ids: list[str] = []
        world.hass.bus.async_listen("state_changed", self._changed)
        world.hass.bus.async_listen("state_reported", self._reported, event_filter=_every)

    def take(self) -> list[str]:
        """Return the ids of what was written since the last call, sorted."""
        taken, self.entity_ids = sorted(self.entity_ids), []
        return taken

    @callback
    def _changed(self, event: Event[EventStateChangedData]) -> None:
        self.entity_ids.append(event.data["entity_id"])

    @callback
    def _reported(self, event: Event[EventStateReportedData]) -> None:
        self.entity_ids.append(event.data["entity_id"])


@callback
def _every(_: object) -> bool:
    """Take every event: Home Assistant wants a filter for this type."""
    return True


async def ask_times(
    world: World, seconds: float, step: float = 1.0, name: str = "emu_version", uid: str = UID
) -> list[float]:
    """Let time go by, and return when the EMS was asked, in seconds from now; each is at most one step late."""
    topic, times, before = f"{PREFIX}/{uid}/ota/{name}/command", [], 0
    before = len(world.broker.payloads(topic))
    for passed in range(1, round(seconds / step) + 1):
        await world.tick(step)
        asked = len(world.broker.payloads(topic))
        times += [passed * step] * (asked - before)
        before = asked
    return times

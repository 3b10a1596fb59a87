"""The subjects: how each is set up in a Home Assistant that is connected to the broker."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from homeassistant.config import async_hass_config_yaml
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from custom_components.emu_ota.protocol.topics import Direction, Exchange
from simulator.package import build_package, md5_of

from . import peers
from .home_assistant import add_entry, add_mqtt
from .shape import NEW, Shape

PACKAGE_MD5: Final = md5_of(build_package(NEW))
LINK: Final = "http://127.0.0.1/emu-v1.2.0.tar.gz"


class Subject(StrEnum):
    """What is measured."""

    OURS = "ours"
    YAML = "yaml"
    EXPERT = "expert"
    BARE = "bare"
    ONCE = "bare, once"
    """`bare` that also does what ours does once; only its set-up is measured."""


PACE: Final = "pace"
"""Under which name what a process found has the paces of the machine, in seconds."""


class Part(StrEnum):
    """What a process measures: all at once would spoil the time, and set-up comes only once in each."""

    TIME = "time"
    MEMORY = "memory"
    SET_UP = "set-up"


def configuration(subject: Subject, shape: Shape) -> Mapping[str, object]:
    """Return the configuration.yaml of a subject."""
    match subject:
        case Subject.YAML:
            return peers.yaml(shape)
        case Subject.EXPERT:
            return peers.expert(shape)
        case _:
            return {}


def entities(subject: Subject, shape: Shape) -> int:
    """Return how many entities of a subject have a state once it is set up."""
    match subject:
        case Subject.YAML:
            return 6 * shape.emus
        case Subject.EXPERT:
            return 6 * shape.emus + 1
        case _:
            return 7 * shape.emus + 2 * shape.systems


async def async_set_up(hass: HomeAssistant, subject: Subject, shape: Shape, port: int) -> None:
    """Set a subject up; for the peers this is Home Assistant's MQTT itself, for the others that is there already."""
    match subject:
        case Subject.OURS:
            data = {"connection": "home_assistant", "prefix": shape.prefix}
            await add_entry(hass, "emu_ota", data, subentries=[*map(_ems, shape.uids), _release()])
        case Subject.BARE | Subject.ONCE:
            topics = {uid: shape.address(uid).topic(Exchange.VERSION, Direction.RESULT) for uid in shape.uids}
            emus: dict[str, object] = {"uids": shape.uids, "device_ids": [*shape.device_ids], "topics": topics}
            await add_entry(hass, "emu_bare", emus | {"once": subject is Subject.ONCE})
        case Subject.YAML:
            await add_mqtt(hass, port)
        case Subject.EXPERT:
            await add_mqtt(hass, port)
            if not await async_setup_component(hass, "automation", await async_hass_config_yaml(hass)):
                raise RuntimeError("automation does not start")


def _ems(uid: str) -> ConfigSubentryData:
    return ConfigSubentryData(data={"device_uid": uid}, subentry_type="ems", title=uid, unique_id=uid)


def _release() -> ConfigSubentryData:
    data = {"kind": "link", "download_url": LINK, "md5": PACKAGE_MD5, "size": 1_000_000, "version": NEW}
    return ConfigSubentryData(data=data, subentry_type="firmware", title=NEW, unique_id=f"firmware:{NEW}")

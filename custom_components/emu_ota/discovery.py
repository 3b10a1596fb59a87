"""EMSs that answer somebody on Home Assistant's broker: which of them are worth a word to the user.

Home Assistant's MQTT subscribes the topics under `mqtt` in the manifest, and starts a flow for each message on them
(homeassistant/components/mqtt/discovery.py). What follows from how it does that:

- There is no saying beforehand which messages are of interest. An EMS that is set up starts a flow with every answer
  too, which has to end in its first step: 0.03 ms with one entry, 0.1 ms with a hundred, and nothing is written.
- The subscriptions have QoS 0 and are made up to a second after the connection. An answer before that is missed, and
  the next one found.
- A message with the same bytes as the one before on its topic starts no flow, whatever became of the first. Answers
  differ by their `mid` and `timestamp`, so this only ever withholds an EMS that was removed and has neither.
- The last answer of each topic is kept, and handed over again when an entry that came from it, or that ignores it, is
  removed.
- What is no UTF-8 does not come to us: Home Assistant drops it itself, and warns of each.
- None of it happens where discovery is turned off in the MQTT integration.
"""

import re
from types import MappingProxyType
from typing import Final

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo

from .const import CONF_DEVICE_UID, DOMAIN, SUBENTRY_EMS
from .protocol.errors import MalformedMessage
from .protocol.models import VersionResult
from .protocol.parser import parse_payload
from .protocol.topics import OtaTopic

_DEVICE_ID: Final = re.compile(r"_(0|-?[1-9][0-9]*)")
"""What the identifier of an EMU's device has after the uid of its EMS (`runtime.emu_identifier`)."""


@callback
def is_configured_uid(hass: HomeAssistant, uid: str) -> bool:
    """Tell whether an EMS belongs to any entry already."""
    return any(
        subentry.unique_id == uid
        for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        for subentry in entry.get_subentries_of_type(SUBENTRY_EMS)
    )


@callback
def is_uid_like_emu(entry: ConfigEntry, uid: str) -> bool:
    """Tell whether an EMS would share its device with an EMU of another EMS of the entry: `a_2` with EMU 2 of `a`.

    Which EMUs an EMS has may change, so it is the names that count.
    """
    others = [str(ems.data[CONF_DEVICE_UID]) for ems in entry.get_subentries_of_type(SUBENTRY_EMS)]
    return any(_is_like_emu_of(other, uid) or _is_like_emu_of(uid, other) for other in others)


def _is_like_emu_of(uid: str, text: str) -> bool:
    return text.startswith(uid) and _DEVICE_ID.fullmatch(text, len(uid)) is not None


def emus_of_answer(topic: OtaTopic, message: MqttServiceInfo) -> int | None:
    """Return how many EMUs an answer names, or None where it is no sign of an EMS: garbage, or retained.

    A retained answer is old news (protocol: "Topics"); the EMS may be long gone.
    """
    if message.retain:
        return None
    payload = message.payload.encode() if isinstance(message.payload, str) else bytes(message.payload)
    try:
        answer = parse_payload(topic, payload)
    except MalformedMessage:
        return None
    if not isinstance(answer, VersionResult) or (answer.malformed and not answer.reports):
        return None
    return len({report.device_id for report in answer.reports})


@callback
def add_ems(hass: HomeAssistant, entry: ConfigEntry, uid: str) -> None:
    """Add an EMS to an entry with its connection and its prefix."""
    data = MappingProxyType({CONF_DEVICE_UID: uid})
    subentry = ConfigSubentry(data=data, subentry_type=SUBENTRY_EMS, title=uid, unique_id=uid)
    hass.config_entries.async_add_subentry(entry, subentry)


@callback
def end_discovery(hass: HomeAssistant, uid: str) -> None:
    """Take back the offer to add an EMS, which is being added."""
    for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN, match_context={"unique_id": uid}):
        hass.config_entries.flow.async_abort(flow["flow_id"])

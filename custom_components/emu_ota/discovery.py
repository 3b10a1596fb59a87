"""EMSs that answer somebody on Home Assistant's broker: which of them are worth a word to the user."""

from types import MappingProxyType

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo

from .const import CONF_DEVICE_UID, DOMAIN, SUBENTRY_EMS
from .protocol.errors import MalformedMessage
from .protocol.models import VersionResult
from .protocol.parser import parse_payload
from .protocol.topics import OtaTopic


@callback
def is_configured_uid(hass: HomeAssistant, uid: str) -> bool:
    """Tell whether an EMS belongs to any entry already."""
    return any(
        subentry.unique_id == uid
        for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        for subentry in entry.get_subentries_of_type(SUBENTRY_EMS)
    )


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
def end_discovery(hass: HomeAssistant, uid: str, *, but: str | None = None) -> None:
    """Take back the offer to add an EMS, which is being added; `but` is the flow that does so, by its id."""
    for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN, match_context={"unique_id": uid}):
        if flow["flow_id"] != but:
            hass.config_entries.flow.async_abort(flow["flow_id"])

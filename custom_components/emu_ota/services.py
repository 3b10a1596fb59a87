"""The actions of the integration (design: "Actions")."""

from datetime import datetime
from typing import Final

from homeassistant.components.update import DOMAIN as UPDATE_DOMAIN
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv, entity_registry as er, service
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType
import probatio

from .announcements import to_version
from .const import CONF_DOWNLOAD_URL, CONF_MD5, CONF_VERSION, DOMAIN
from .download_test import async_test_download
from .firmware.packages import PackageRefused
from .install_errors import invalid_request
from .protocol.upgrade import Upgrade
from .runtime import EmuOtaConfigEntry
from .upgrade_attributes import iso_time

SERVICE_UPGRADE: Final = "upgrade"
SERVICE_CANCEL: Final = "cancel"
SERVICE_GET_HISTORY: Final = "get_history"
SERVICE_TEST_DOWNLOAD: Final = "test_download"

ATTR_START: Final = "start"
ATTR_END: Final = "end"


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    service.async_register_platform_entity_service(
        hass,
        DOMAIN,
        SERVICE_UPGRADE,
        entity_domain=UPDATE_DOMAIN,
        schema={
            probatio.Required(CONF_DOWNLOAD_URL): cv.string,
            probatio.Required(CONF_MD5): cv.string,
            probatio.Optional(CONF_VERSION): cv.string,
        },
        func="async_upgrade",
        admin_only=True,
    )
    service.async_register_platform_entity_service(
        hass,
        DOMAIN,
        SERVICE_CANCEL,
        entity_domain=UPDATE_DOMAIN,
        schema=None,
        func="async_cancel",
        admin_only=True,
    )
    service.async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_GET_HISTORY,
        _async_get_history,
        schema=probatio.Schema(
            {
                probatio.Optional(ATTR_ENTITY_ID): cv.entity_ids,
                probatio.Optional(ATTR_START): cv.datetime,
                probatio.Optional(ATTR_END): cv.datetime,
            }
        ),
        supports_response=SupportsResponse.ONLY,
    )
    service.async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_TEST_DOWNLOAD,
        _async_test_download,
        schema=probatio.Schema({probatio.Required(ATTR_CONFIG_ENTRY_ID): cv.string}),
        supports_response=SupportsResponse.ONLY,
    )


async def _async_test_download(call: ServiceCall) -> ServiceResponse:
    """Return what became of fetching a test file as an EMS would."""
    entry: EmuOtaConfigEntry = service.async_get_config_entry(call.hass, DOMAIN, call.data[ATTR_CONFIG_ENTRY_ID])
    releases = entry.runtime_data.releases
    try:
        return await async_test_download(call.hass, releases.offers, releases.packages)
    except PackageRefused as err:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="no_room") from err


async def _async_get_history(call: ServiceCall) -> ServiceResponse:
    """Return the upgrades that have ended, newest first."""
    registry = er.async_get(call.hass)
    wanted = call.data.get(ATTR_ENTITY_ID)
    for entity_id in wanted or ():
        entity = registry.async_get(entity_id)
        if entity is None or (entity.platform, entity.domain) != (DOMAIN, UPDATE_DOMAIN):
            raise invalid_request("not_an_emu", entity_id=entity_id)
    start, end = _utc(call.data.get(ATTR_START)), _utc(call.data.get(ATTR_END))
    if start is not None and end is not None and end < start:
        raise invalid_request("end_before_start")
    found: list[tuple[float, dict[str, JsonValueType]]] = []
    entries: list[EmuOtaConfigEntry] = call.hass.config_entries.async_loaded_entries(DOMAIN)
    for entry in entries:
        for upgrade in entry.runtime_data.upgrades.history:
            entity_id = registry.async_get_entity_id(
                UPDATE_DOMAIN, DOMAIN, f"{upgrade.uid}_{upgrade.device_id}_firmware"
            )
            ended = upgrade.ended_at or upgrade.queued_at
            if (
                (wanted is None or entity_id in wanted)
                and (start is None or ended >= start.timestamp())
                and (end is None or ended <= end.timestamp())
            ):
                found.append((ended, _history_record(upgrade, entity_id)))
    found.sort(key=lambda record: record[0], reverse=True)
    return {"upgrades": [record for _, record in found]}


def _utc(time: datetime | None) -> datetime | None:
    """Return a time in UTC; one without a time zone is local, by Home Assistant's clock and not the process's."""
    return None if time is None else dt_util.as_utc(time)


def _history_record(upgrade: Upgrade, entity_id: str | None) -> dict[str, JsonValueType]:
    order, fetched = upgrade.order, upgrade.fetched
    return {
        "id": upgrade.id,
        "entity_id": entity_id,
        # The entity may be gone by now.
        "device_uid": upgrade.uid,
        "device_id": upgrade.device_id,
        "from_version": upgrade.from_version,
        "to_version": to_version(upgrade),
        "version": order.version,
        "md5": order.md5,
        "sha256": order.package,
        "ordered_by": "user" if upgrade.by_user else "automation",
        "outcome": None if upgrade.outcome is None else upgrade.outcome.value,
        "reason": None if upgrade.reason is None else upgrade.reason.value,
        "queued": iso_time(upgrade.queued_at),
        "ordered": iso_time(upgrade.ordered_at),
        "ended": iso_time(upgrade.ended_at),
        "amended": iso_time(upgrade.amended_at),
        "bytes_fetched": None if fetched is None else fetched.sent,
        "phases": [{"phase": step.phase.value, "since": iso_time(step.at)} for step in upgrade.steps],
    }

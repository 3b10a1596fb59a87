"""The entities of one EMU, and the report that they show."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypedDict, override

from homeassistant.components.event import EventEntity
from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription
from homeassistant.components.update import UpdateDeviceClass, UpdateEntity, UpdateEntityFeature
from homeassistant.const import EntityCategory
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity

DOMAIN: Final = "emu_bare"
LATEST: Final = "emu-v1.2.0"
STATUS: Final = {1: "running", 2: "offline", 3: "fault"}
COMPONENT: Final = {3: "emu"} | {20 + number: f"communication_board_{number}" for number in range(1, 7)}
STAGE: Final = {
    1: "preparing_upgrade",
    2: "preparing_transfer",
    3: "transferring",
    4: "verifying",
    5: "idle",
}
RESULT: Final = {511: "all_succeeded", 512: "not_finished"}
SUCCEEDED: Final = {511: ["emu", *(name for name in COMPONENT.values() if name != "emu")], 512: []}
OUTCOMES: Final = ["succeeded", "unverified", "failed", "lost", "cancelled"]
EVENTS: Final = ["queued", "started", *OUTCOMES, "amended", "external_change"]

EMU_SENSORS: Final = (
    SensorEntityDescription(key="status", device_class=SensorDeviceClass.ENUM, options=list(STATUS.values())),
    SensorEntityDescription(
        key="upgrade_stage",
        device_class=SensorDeviceClass.ENUM,
        options=["idle", "queued", "ordered", *STAGE.values(), "restarting"],
    ),
    SensorEntityDescription(
        key="upgrade_component",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=list(COMPONENT.values()),
    ),
    SensorEntityDescription(
        key="upgrade_progress",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement="%",
    ),
    SensorEntityDescription(
        key="reported_result",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=["all_succeeded", "errors", "not_finished"],
    ),
    SensorEntityDescription(key="last_upgrade", device_class=SensorDeviceClass.ENUM, options=OUTCOMES),
)

AT_REST: Final = 5


class Report(TypedDict):
    """A report, as it comes from the EMS."""

    device_id: int
    status: int
    emu_upgrade_success: int
    emu_upgrade_device: int
    emu_upgrade_status: int
    emu_upgrade_content: int
    emu_product_sn: str


type BareSystems = dict[str, dict[int, BareEmu]]
"""The EMUs by EMS and number."""


class BareEntity(Entity):
    """An entity with a device."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def place(self, device: str, key: str) -> None:
        """Give it its device and its key."""
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, device)})
        self._attr_name = key.replace("_", " ").capitalize()
        self._attr_unique_id = f"{device}_{key}"


class BareSensor(BareEntity, SensorEntity):
    """A sensor."""

    _attr_native_value: str | None = None

    def __init__(self, device: str, description: SensorEntityDescription) -> None:
        """Show nothing yet."""
        self.place(device, description.key)
        self.entity_description = description

    def show(self, value: str | None, attributes: dict[str, list[str]] | None = None) -> None:
        """Show a value."""
        self._attr_native_value = value
        if attributes is not None:
            self._attr_extra_state_attributes = attributes
        self.async_write_ha_state()


class BareUpdate(BareEntity, UpdateEntity):
    """An update entity."""

    _attr_device_class = UpdateDeviceClass.FIRMWARE
    _attr_in_progress = False
    _attr_installed_version: str | None = None
    _attr_latest_version: str | None = None
    _attr_update_percentage: int | None = None
    _attr_supported_features = (
        UpdateEntityFeature.INSTALL
        | UpdateEntityFeature.SPECIFIC_VERSION
        | UpdateEntityFeature.PROGRESS
        | UpdateEntityFeature.RELEASE_NOTES
    )

    def __init__(self, device: str) -> None:
        """Show nothing yet."""
        self.place(device, "firmware")

    def show(self, installed: str, percentage: int | None) -> None:
        """Show what is installed, and how far an upgrade at work is."""
        self._attr_installed_version = installed
        self._attr_latest_version = LATEST
        self._attr_in_progress = percentage is not None
        self._attr_update_percentage = percentage
        self.async_write_ha_state()

    @override
    def version_is_newer(self, latest_version: str, installed_version: str) -> bool:
        """Spare it the comparison."""
        return latest_version != installed_version


class BareEvent(BareEntity, EventEntity):
    """An event entity."""

    _attr_event_types = EVENTS

    def __init__(self, device: str) -> None:
        """Tell nothing yet."""
        self.place(device, "upgrade")

    def tell(self, attributes: dict[str, str | None]) -> None:
        """Tell that somebody else changed the EMU."""
        self._trigger_event("external_change", attributes)
        self.async_write_ha_state()


@dataclass(slots=True)
class BareEmu:
    """One EMU."""

    uid: str
    device_id: int
    sensors: list[BareSensor]
    update: BareUpdate
    event: BareEvent
    report: Report | None = None
    keep_version: Callable[[str], None] | None = None
    """Where it is to be measured what that costs: has the version of the EMU's device kept."""

    def take(self, report: Report) -> None:
        """Show a report in which everything differs from the last."""
        before, self.report = self.report, report
        status, stage, component, _, result, _ = self.sensors
        at_work = report["emu_upgrade_status"] != AT_REST
        status.show(STATUS[report["status"]])
        stage.show(STAGE[report["emu_upgrade_status"]])
        component.show(COMPONENT[report["emu_upgrade_device"]] if at_work else None)
        result.show(
            RESULT[report["emu_upgrade_success"]], {"succeeded_components": SUCCEEDED[report["emu_upgrade_success"]]}
        )
        self.update.show(report["emu_product_sn"], report["emu_upgrade_content"] if at_work else None)
        if before is not None:
            versions = {"from_version": before["emu_product_sn"], "to_version": report["emu_product_sn"]}
            self.event.tell(versions | {"outcome": None})
        if self.keep_version is not None:
            self.keep_version(report["emu_product_sn"])


def new_emu(uid: str, device_id: int) -> BareEmu:
    """Make an EMU, and its entities."""
    device = f"{uid}_{device_id}"
    sensors = [BareSensor(device, description) for description in EMU_SENSORS]
    return BareEmu(uid, device_id, sensors, BareUpdate(device), BareEvent(device))

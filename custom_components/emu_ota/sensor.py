"""What the reports say, as sensors."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription
from homeassistant.const import EntityCategory, UnitOfRatio, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .coordinator import EmsCoordinator
from .emu import COMPONENTS, STAGES, STATUSES, Emu
from .entity import EmsEntity, EmuEntity, EmuProgressEntity
from .protocol.models import Component, ReportedResult
from .protocol.upgrade import Outcome
from .runtime import Ems, EmuOtaConfigEntry, EntityFactory, Runtime
from .upgrade_attributes import upgrade_attributes

PARALLEL_UPDATES = 0  # nothing is polled and nothing is done


@dataclass(frozen=True, kw_only=True)
class EmuSensorDescription(SensorEntityDescription):
    """A sensor of an EMU."""

    value_fn: Callable[[Emu], StateType]
    attributes_of_fn: Callable[[Emu], object] = lambda _: None
    """What the attributes are made of; they are made only when that is another than before."""
    attributes_fn: Callable[[Emu], dict[str, object]] | None = None
    follows_ems: bool = True
    """Whether it is unavailable while the EMS does not answer."""


@dataclass(frozen=True, kw_only=True)
class EmsSensorDescription(SensorEntityDescription):
    """A sensor of an EMS."""

    value_fn: Callable[[EmsCoordinator], StateType | datetime]


def _reported_result(emu: Emu) -> str | None:
    result = emu.report.result(bit_field=emu.coordinator.bit_field)
    return None if result is None else result.value


def _succeeded_components(emu: Emu) -> tuple[Component, ...] | None:
    return emu.report.succeeded_components(bit_field=emu.coordinator.bit_field)


def _component_names(emu: Emu) -> dict[str, object]:
    components = _succeeded_components(emu)
    return {} if components is None else {"succeeded_components": [COMPONENTS[each] for each in components]}


def _outcome(emu: Emu) -> str | None:
    upgrade = emu.last_upgrade
    return None if upgrade is None or upgrade.outcome is None else upgrade.outcome.value


def _last_upgrade(emu: Emu) -> dict[str, object]:
    return {} if emu.last_upgrade is None else {**upgrade_attributes(emu.last_upgrade)}


EMU_SENSORS = (
    EmuSensorDescription(
        key="status",
        device_class=SensorDeviceClass.ENUM,
        options=list(STATUSES.values()),
        value_fn=lambda emu: emu.status,
    ),
    EmuSensorDescription(
        key="upgrade_stage",
        device_class=SensorDeviceClass.ENUM,
        options=list(STAGES),
        value_fn=lambda emu: emu.stage,
    ),
    EmuSensorDescription(
        key="upgrade_component",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=list(COMPONENTS.values()),
        value_fn=lambda emu: emu.component,
    ),
    EmuSensorDescription(
        key="reported_result",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=list(ReportedResult),
        value_fn=_reported_result,
        attributes_of_fn=_succeeded_components,
        attributes_fn=_component_names,
    ),
    EmuSensorDescription(
        key="last_upgrade",
        device_class=SensorDeviceClass.ENUM,
        options=list(Outcome),
        value_fn=_outcome,
        attributes_of_fn=lambda emu: emu.last_upgrade,
        attributes_fn=_last_upgrade,
        follows_ems=False,
    ),
)

PROGRESS = SensorEntityDescription(
    key="upgrade_progress",
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
    native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
)

EMS_SENSORS = (
    EmsSensorDescription(
        key="last_answer",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda ems: ems.last_answer,
    ),
    EmsSensorDescription(
        key="response_time",
        device_class=SensorDeviceClass.DURATION,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        value_fn=lambda ems: ems.response_time,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: EmuOtaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the sensors of every EMS and EMU, now and later."""
    runtime = entry.runtime_data
    runtime.add_platform(
        EntityFactory(
            add=async_add_entities,
            of_ems=lambda ems: [EmsSensor(ems, description) for description in EMS_SENSORS],
            of_emu=lambda ems, device_id: [
                *(EmuSensor(runtime, ems, device_id, description) for description in EMU_SENSORS),
                ProgressSensor(runtime, ems, device_id),
            ],
        )
    )


class EmuSensor(EmuEntity[tuple[bool, StateType, object]], SensorEntity):
    """A sensor of an EMU."""

    entity_description: EmuSensorDescription

    def __init__(self, runtime: Runtime, ems: Ems, device_id: int, description: EmuSensorDescription) -> None:
        """Be what the description says."""
        super().__init__(runtime, ems, device_id, description.key)
        self.entity_description = description

    @override
    def _view(self) -> tuple[bool, StateType, object]:
        emu, description = self.emu, self.entity_description
        available = emu.coordinator.available if description.follows_ems else emu.report.version is not None
        return available, description.value_fn(emu), description.attributes_of_fn(emu)

    @override
    def _take(self, view: tuple[bool, StateType, object], before: tuple[bool, StateType, object] | None) -> None:
        available, self._attr_native_value, made_of = view
        if before is None or available is not before[0]:
            self._attr_available = available
        attributes_fn = self.entity_description.attributes_fn
        if attributes_fn is not None and (before is None or made_of != before[2]):
            self._attr_extra_state_attributes = attributes_fn(self.emu)


class ProgressSensor(EmuProgressEntity[tuple[bool, str | None]], SensorEntity):
    """How much of the current component's transfer is done."""

    def __init__(self, runtime: Runtime, ems: Ems, device_id: int) -> None:
        """Belong to an EMU."""
        super().__init__(runtime, ems, device_id, PROGRESS.key)
        self.entity_description = PROGRESS

    @override
    def _view(self) -> tuple[bool, str | None]:
        return self.emu.coordinator.available, self.emu.component

    @override
    def _take(self, view: tuple[bool, str | None], before: tuple[bool, str | None] | None) -> None:
        self._attr_available = view[0]

    @override
    def _progress(self) -> int | None:
        return self.emu.progress

    @override
    def _take_progress(self, progress: int | None) -> None:
        self._attr_native_value = progress


class EmsSensor(EmsEntity, SensorEntity):
    """A sensor of an EMS."""

    entity_description: EmsSensorDescription

    def __init__(self, ems: Ems, description: EmsSensorDescription) -> None:
        """Be what the description says."""
        super().__init__(ems, description.key)
        self.entity_description = description

    @property
    @override
    def native_value(self) -> StateType | datetime:
        return self.entity_description.value_fn(self.coordinator)

    @override
    def _view(self) -> StateType | datetime:
        return self.native_value

"""What the reports say, as sensors."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription
from homeassistant.const import EntityCategory, UnitOfRatio, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .coordinator import EmsCoordinator
from .emu import STAGES, Emu
from .entity import EmsEntity, EmuEntity
from .protocol.models import Component, EmuStatus, ReportedResult
from .protocol.upgrade import Outcome
from .runtime import Ems, EmuOtaConfigEntry, EntityFactory, Runtime
from .upgrade_attributes import upgrade_attributes

PARALLEL_UPDATES = 0  # nothing is polled and nothing is done

type Attributes = Mapping[str, str | int | list[str] | None]


@dataclass(frozen=True, kw_only=True)
class EmuSensorDescription(SensorEntityDescription):
    """A sensor of an EMU."""

    value_fn: Callable[[Emu], StateType]
    attributes_fn: Callable[[Emu], Attributes] | None = None
    is_progress: bool = False
    """Whether its value is progress, which is written less often."""
    follows_ems: bool = True
    """Whether it is unavailable while the EMS does not answer."""


@dataclass(frozen=True, kw_only=True)
class EmsSensorDescription(SensorEntityDescription):
    """A sensor of an EMS."""

    value_fn: Callable[[EmsCoordinator], StateType | datetime]


def _names(members: type[EmuStatus | Component]) -> list[str]:
    return [member.name.lower() for member in members]


def _reported_result(emu: Emu) -> str | None:
    result = emu.report.result(bit_field=emu.coordinator.bit_field)
    return None if result is None else result.value


def _succeeded_components(emu: Emu) -> Attributes:
    components = emu.report.succeeded_components(bit_field=emu.coordinator.bit_field)
    return {} if components is None else {"succeeded_components": [each.name.lower() for each in components]}


def _outcome(emu: Emu) -> str | None:
    upgrade = emu.last_upgrade
    return None if upgrade is None or upgrade.outcome is None else upgrade.outcome.value


def _last_upgrade(emu: Emu) -> Attributes:
    return {} if emu.last_upgrade is None else upgrade_attributes(emu.last_upgrade)


EMU_SENSORS = (
    EmuSensorDescription(
        key="status",
        device_class=SensorDeviceClass.ENUM,
        options=_names(EmuStatus),
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
        options=_names(Component),
        value_fn=lambda emu: emu.component,
    ),
    EmuSensorDescription(
        key="upgrade_progress",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        is_progress=True,
        value_fn=lambda emu: emu.progress,
    ),
    EmuSensorDescription(
        key="reported_result",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=list(ReportedResult),
        value_fn=_reported_result,
        attributes_fn=_succeeded_components,
    ),
    EmuSensorDescription(
        key="last_upgrade",
        device_class=SensorDeviceClass.ENUM,
        options=list(Outcome),
        value_fn=_outcome,
        attributes_fn=_last_upgrade,
        follows_ems=False,
    ),
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
                EmuSensor(runtime, ems, device_id, description) for description in EMU_SENSORS
            ],
        )
    )


class EmuSensor(EmuEntity, SensorEntity):
    """A sensor of an EMU."""

    entity_description: EmuSensorDescription

    def __init__(self, runtime: Runtime, ems: Ems, device_id: int, description: EmuSensorDescription) -> None:
        """Be what the description says."""
        super().__init__(runtime, ems, device_id, description.key)
        self.entity_description = description

    @property
    @override
    def available(self) -> bool:
        if self.entity_description.follows_ems:
            return super().available
        return self.emu.report.version is not None

    @property
    @override
    def native_value(self) -> StateType:
        return self.entity_description.value_fn(self.emu)

    @property
    @override
    def extra_state_attributes(self) -> Attributes | None:
        attributes_fn = self.entity_description.attributes_fn
        return None if attributes_fn is None else attributes_fn(self.emu)

    @override
    def _view(self) -> Hashable:
        if self.entity_description.is_progress:
            return self.emu.component
        attributes = self.extra_state_attributes or {}
        return self.native_value, *(str(value) for value in attributes.values())

    @override
    def _progress(self) -> int | None:
        return self.emu.progress if self.entity_description.is_progress else None


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

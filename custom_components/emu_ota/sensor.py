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
from .emu import COMPONENTS, STAGES, STATUSES, Emu, EmuView
from .entity import EmsEntity, EmuEntity, EmuProgressEntity
from .protocol.models import ReportedResult
from .protocol.upgrade import Outcome, Upgrade
from .runtime import Ems, EmuOtaConfigEntry, EntityFactory
from .upgrade_attributes import upgrade_attributes

PARALLEL_UPDATES = 0  # nothing is polled and nothing is done


type _Part = tuple[bool, StateType, object]
"""Whether it is available, its value, and what its attributes are made of."""


@dataclass(frozen=True, kw_only=True)
class EmuSensorDescription(SensorEntityDescription):
    """A sensor of an EMU."""

    part_fn: Callable[[EmuView], _Part]
    attributes_fn: Callable[[EmuView], dict[str, object]] | None = None
    """They are made only when what they are made of is another than before."""


@dataclass(frozen=True, kw_only=True)
class EmsSensorDescription(SensorEntityDescription):
    """A sensor of an EMS."""

    value_fn: Callable[[EmsCoordinator], StateType | datetime]


def _component_names(view: EmuView) -> dict[str, object]:
    components = view.succeeded
    return {} if components is None else {"succeeded_components": [COMPONENTS[each] for each in components]}


def _outcome(upgrade: Upgrade | None) -> str | None:
    return None if upgrade is None or upgrade.outcome is None else upgrade.outcome.value


def _last_upgrade(view: EmuView) -> dict[str, object]:
    return {} if view.last_upgrade is None else {**upgrade_attributes(view.last_upgrade)}


EMU_SENSORS = (
    EmuSensorDescription(
        key="status",
        device_class=SensorDeviceClass.ENUM,
        options=list(STATUSES.values()),
        part_fn=lambda view: (view.available, view.status, None),
    ),
    EmuSensorDescription(
        key="upgrade_stage",
        device_class=SensorDeviceClass.ENUM,
        options=list(STAGES),
        part_fn=lambda view: (view.available, view.stage, None),
    ),
    EmuSensorDescription(
        key="upgrade_component",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=list(COMPONENTS.values()),
        part_fn=lambda view: (view.available, view.component, None),
    ),
    EmuSensorDescription(
        key="reported_result",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=list(ReportedResult),
        part_fn=lambda view: (view.available, view.result, view.succeeded),
        attributes_fn=_component_names,
    ),
    EmuSensorDescription(
        key="last_upgrade",
        device_class=SensorDeviceClass.ENUM,
        options=list(Outcome),
        # It is about what has happened, and so stays while the EMS does not answer.
        part_fn=lambda view: (view.version is not None, _outcome(view.last_upgrade), view.last_upgrade),
        attributes_fn=_last_upgrade,
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
    entry.runtime_data.add_platform(
        EntityFactory(
            add=async_add_entities,
            of_ems=lambda ems: [EmsSensor(ems, description) for description in EMS_SENSORS],
            of_emu=lambda emu: [
                *(EmuSensor(emu, description) for description in EMU_SENSORS),
                ProgressSensor(emu),
            ],
        )
    )


class EmuSensor(EmuEntity[_Part], SensorEntity):
    """A sensor of an EMU."""

    entity_description: EmuSensorDescription

    def __init__(self, emu: Emu, description: EmuSensorDescription) -> None:
        """Be what the description says."""
        super().__init__(emu, description.key)
        self.entity_description = description

    @override
    def _part(self, view: EmuView) -> _Part:
        return self.entity_description.part_fn(view)

    @override
    def _take(self, part: _Part, before: _Part | None) -> None:
        available, self._attr_native_value, made_of = part
        if before is None or available is not before[0]:
            self._attr_available = available
        attributes_fn = self.entity_description.attributes_fn
        if attributes_fn is not None and (before is None or made_of != before[2]):
            self._attr_extra_state_attributes = attributes_fn(self.emu.view)


class ProgressSensor(EmuProgressEntity[tuple[bool, str | None]], SensorEntity):
    """How much of the current component's transfer is done."""

    def __init__(self, emu: Emu) -> None:
        """Belong to an EMU."""
        super().__init__(emu, PROGRESS.key)
        self.entity_description = PROGRESS

    @override
    def _part(self, view: EmuView) -> tuple[bool, str | None]:
        return view.available, view.component

    @override
    def _take(self, part: tuple[bool, str | None], before: tuple[bool, str | None] | None) -> None:
        self._attr_available = part[0]

    @override
    def _progress(self, view: EmuView) -> int | None:
        return view.progress

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

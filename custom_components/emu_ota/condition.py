"""The condition that an EMU is being upgraded, from the `upgrade_stage` sensors.

Nothing else imports this module: Home Assistant does not promise yet that what it builds on stays, and where it does
not, the condition is missing and everything else works.
"""

from collections.abc import Mapping
from typing import Final, override

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.components.update import DOMAIN as UPDATE_DOMAIN
from homeassistant.components.update.const import UpdateEntityStateAttribute
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import Condition, EntityStateConditionBase

from .const import DOMAIN
from .emu import STAGE_IDLE, STAGES

STAGE_KEY: Final = "upgrade_stage"


class IsUpgrading(EntityStateConditionBase):
    """An EMU's upgrade is on its way, from queued to its outcome, whoever ordered it."""

    _domain_specs: Mapping[str, DomainSpec] = {SENSOR_DOMAIN: DomainSpec()}
    _states: set[str | bool] = set[str | bool](STAGES) - {STAGE_IDLE}

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        registry = er.async_get(self._hass)
        return {
            entity_id
            for entity_id in super().entity_filter(entities)
            if (entity := registry.async_get(entity_id)) is not None
            and (entity.platform, entity.translation_key) == (DOMAIN, STAGE_KEY)
        }

    @override
    def _should_include(self, _state: State) -> bool:
        return super()._should_include(_state) or self._runs_unseen(_state)

    @override
    def is_valid_state(self, entity_state: State) -> bool:
        return super().is_valid_state(entity_state) or self._runs_unseen(entity_state)

    def _runs_unseen(self, stage: State) -> bool:
        """Tell whether an upgrade goes on whose stage cannot be seen.

        While an EMS does not answer, as it may while an EMU restarts, the sensor is unavailable. Its update still
        knows: it would be the worst moment to take the EMU for idle.
        """
        if stage.state not in self._excluded_states:
            return False
        registry = er.async_get(self._hass)
        entity = registry.async_get(stage.entity_id)
        if entity is None:
            return False
        unique_id = f"{entity.unique_id.removesuffix(STAGE_KEY)}firmware"
        update_id = registry.async_get_entity_id(UPDATE_DOMAIN, DOMAIN, unique_id)
        update = None if update_id is None else self._hass.states.get(update_id)
        return update is not None and update.attributes.get(UpdateEntityStateAttribute.IN_PROGRESS) is True


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions."""
    return {"is_upgrading": IsUpgrading}

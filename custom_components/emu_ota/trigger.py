"""Triggers for what came of an upgrade, from the `upgrade` event entities of EMUs.

Nothing else imports this module: Home Assistant does not promise yet that what it builds on stays, and where it does
not, the triggers are missing and everything else works.
"""

from collections.abc import Mapping
from typing import ClassVar, Final, override

from homeassistant.components.event import DOMAIN as EVENT_DOMAIN
from homeassistant.components.event.const import EventEntityStateAttribute
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.trigger import NotTriggeredReasonReporter, StatelessEntityTriggerBase, Trigger

from .const import DOMAIN
from .protocol.upgrade import Outcome

AMENDED: Final = "amended"


class UpgradeTrigger(StatelessEntityTriggerBase):
    """An EMU's event entity told one of these steps.

    The base fires on a new time of the event only, and never on what comes after *unavailable*: an event that a
    restart or a reload brings back is none.
    """

    _domain_specs: Mapping[str, DomainSpec] = {EVENT_DOMAIN: DomainSpec()}
    _steps: ClassVar[frozenset[str]]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        registry = er.async_get(self._hass)
        # An area has event entities of others, too, whose events may have the same names.
        return {
            entity_id
            for entity_id in super().entity_filter(entities)
            if (entity := registry.async_get(entity_id)) is not None and entity.platform == DOMAIN
        }

    @override
    def is_valid_state(self, state: State, report_not_triggered: NotTriggeredReasonReporter) -> bool:
        return state.attributes.get(EventEntityStateAttribute.EVENT_TYPE) in self._steps


class UpgradeSucceeded(UpgradeTrigger):
    """An upgrade succeeded: at its end, or by a later report that amended another outcome (to no other than this)."""

    _steps: ClassVar[frozenset[str]] = frozenset({Outcome.SUCCEEDED, AMENDED})


class UpgradeFailed(UpgradeTrigger):
    """An upgrade ended without a success that is proven. One that was cancelled did not fail."""

    _steps: ClassVar[frozenset[str]] = frozenset({Outcome.FAILED, Outcome.LOST, Outcome.UNVERIFIED})


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers."""
    return {"upgrade_succeeded": UpgradeSucceeded, "upgrade_failed": UpgradeFailed}

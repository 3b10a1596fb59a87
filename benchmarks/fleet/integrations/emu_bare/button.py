"""The button of each EMS."""

from typing import override

from homeassistant.components.button import ButtonEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .emus import BareEntity


async def async_setup_entry(
    hass: HomeAssistant, entry: ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make them."""
    for uid in entry.runtime_data:
        async_add_entities([BareButton(uid)])


class BareButton(BareEntity, ButtonEntity):
    """A button."""

    def __init__(self, uid: str) -> None:
        """Belong to an EMS."""
        self.place(uid, "refresh")

    @override
    async def async_press(self) -> None:
        """Do nothing."""

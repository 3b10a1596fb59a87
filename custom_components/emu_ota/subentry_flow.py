"""What the flows of all subentries share: they change a loaded entry in place, without a reload."""

from typing import cast

from homeassistant.config_entries import ConfigEntryState, ConfigSubentryFlow
from homeassistant.data_entry_flow import AbortFlow

from .runtime import EmuOtaConfigEntry


class SubentryFlow(ConfigSubentryFlow):
    """Adds or changes a subentry of an entry that is loaded."""

    _anyway_offered = False

    def _loaded_entry(self) -> EmuOtaConfigEntry:
        """Return the entry. Raises AbortFlow where it is not loaded: there is nobody to take up the change."""
        entry = cast("EmuOtaConfigEntry", self._get_entry())
        if entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("entry_not_loaded")
        return entry

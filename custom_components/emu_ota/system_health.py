"""What Home Assistant shows of the integration in its system information."""

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN, SUBENTRY_EMS
from .runtime import EmuOtaConfigEntry


@callback
def async_register(hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Register what is shown."""
    register.async_register_info(_async_info, f"/config/integrations/integration/{DOMAIN}")


async def _async_info(hass: HomeAssistant) -> dict[str, str | int]:
    """Return what is up of what should be."""
    entries: list[EmuOtaConfigEntry] = hass.config_entries.async_entries(
        DOMAIN, include_ignore=False, include_disabled=False
    )
    runtimes = [entry.runtime_data for entry in entries if entry.state is ConfigEntryState.LOADED]
    known = sum(1 for entry in entries for _ in entry.get_subentries_of_type(SUBENTRY_EMS))
    answering = sum(ems.coordinator.available for runtime in runtimes for ems in runtime.systems.values())
    return {
        "connections_up": f"{sum(runtime.transport.connected for runtime in runtimes)}/{len(entries)}",
        "systems_answering": f"{answering}/{known}",
        "upgrades_running": sum(upgrade.running for runtime in runtimes for upgrade in runtime.upgrades.active),
    }

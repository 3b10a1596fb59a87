"""EMU OTA: keeps the firmware of energy management units current."""

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.typing import ConfigType

from .connection import async_forget_session, is_same_session, transport_for, watch_refusal
from .const import DOMAIN
from .firmware.hosting import HOSTING
from .firmware.index_storage import IndexStorage
from .firmware.view import async_setup_hosting
from .firmware_issues import FirmwareIssues
from .issues import UpgradeIssues, delete_issues
from .runtime import EmuOtaConfigEntry, Runtime, async_remove_packages, emu_identifier
from .services import async_setup_services
from .storage import EntryStorage
from .transport import InvalidAuth, TlsError, TransportError

PLATFORMS = [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.EVENT, Platform.SENSOR, Platform.UPDATE]

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions, and the route by which EMSs fetch packages."""
    async_setup_hosting(hass)
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: EmuOtaConfigEntry) -> bool:
    """Connect, and hear every EMS of the entry. A broker that cannot be reached is tried again later."""
    runtime = Runtime(hass, entry, transport_for(hass, entry.data))
    entry.runtime_data = runtime
    issues = UpgradeIssues(hass, entry)
    entry.async_on_unload(issues.watch())
    try:
        await runtime.async_load()
        issues.show_all()
        entry.async_on_unload(await FirmwareIssues(hass, entry).async_watch())
        await runtime.transport.async_start()
    except TransportError as err:
        await runtime.transport.async_stop()
        failure = ConfigEntryAuthFailed if isinstance(err, InvalidAuth) else ConfigEntryNotReady
        raise failure(translation_domain=DOMAIN, translation_key=_not_ready_key(err)) from err
    watch_refusal(runtime.transport, lambda: entry.async_start_reauth(hass))

    def end_reauth(connected: bool) -> None:  # noqa: FBT001 - a callback's one value
        """End the question for credentials where the broker takes the present ones again."""
        if connected:
            for flow in entry.async_get_active_flows(hass, {SOURCE_REAUTH}):
                hass.config_entries.flow.async_abort(flow["flow_id"])

    entry.async_on_unload(runtime.transport.watch_connection(end_reauth))
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    runtime.start()

    async def async_stop(_: Event) -> None:
        await runtime.async_stop()

    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, async_stop))
    entry.async_on_unload(entry.add_update_listener(_async_entry_updated))
    return True


def _not_ready_key(err: TransportError) -> str:
    match err:
        case InvalidAuth():
            return "invalid_auth"
        case TlsError():
            return "tls_error"
        case _:
            return "cannot_connect"


async def _async_entry_updated(_: HomeAssistant, entry: EmuOtaConfigEntry) -> None:
    await entry.runtime_data.async_entry_updated()


async def async_unload_entry(hass: HomeAssistant, entry: EmuOtaConfigEntry) -> bool:
    """Stop; upgrades that are under way stay in storage and go on with the next setup."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        runtime = entry.runtime_data
        connected = runtime.transport.connected
        await runtime.async_stop()
        # Of a broker that it moves away from nothing is wanted any more. One that is gone need not be waited for.
        if connected and not is_same_session(runtime.data, entry.data):
            await async_forget_session(runtime.data)
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: EmuOtaConfigEntry) -> None:
    """Leave nothing behind."""
    delete_issues(hass, entry)
    storage = EntryStorage(hass, entry.entry_id)
    hosting = hass.data[HOSTING]
    upgrades = (await storage.async_load_active()).upgrades
    for upgrade in upgrades:
        if upgrade.token is not None:
            hosting.close(upgrade.token)
    await storage.async_remove()
    await IndexStorage(hass, entry.entry_id).async_remove_with_copies()
    await async_remove_packages(hass, entry, upgrades)
    await async_forget_session(entry.data)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: EmuOtaConfigEntry, device: dr.DeviceEntry
) -> bool:
    """Let the device of an EMU be deleted that its EMS no longer names and that is not being upgraded."""
    if entry.state is not ConfigEntryState.LOADED:
        return False  # nobody knows which EMUs there are
    runtime = entry.runtime_data
    for ems in runtime.systems.values():
        coordinator = ems.coordinator
        for device_id in tuple(coordinator.emus):
            if emu_identifier(coordinator.uid, device_id) in device.identifiers:
                if coordinator.names(device_id) or runtime.upgrades.current(coordinator.uid, device_id) is not None:
                    return False
                ems.forget(device_id)
                return True
    # An EMS goes with its subentry; anything else is a leftover.
    return not any((DOMAIN, uid) in device.identifiers for uid in runtime.systems)

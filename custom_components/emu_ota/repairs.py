"""The flows behind repair issues: trying an upgrade again, or taking note."""

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import probatio

from .issues import DATA_ENTRY_ID, DATA_UPGRADE_ID, issue_placeholders, unresolved
from .protocol.upgrade import Order, Upgrade
from .runtime import EmuOtaConfigEntry, Runtime

type IssueData = dict[str, str | int | float | None]


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: IssueData | None) -> RepairsFlow:
    """Return the flow of an issue: what needs no data is only taken note of."""
    if data is None:
        return ConfirmRepairFlow()
    return TryAgainFlow(str(data[DATA_ENTRY_ID]), str(data[DATA_UPGRADE_ID]))


class TryAgainFlow(RepairsFlow):
    """Orders the release of an upgrade once more. That closes the issue: a new upgrade is under way."""

    def __init__(self, entry_id: str, upgrade_id: str) -> None:
        """Be about one upgrade that has ended."""
        self._entry_id = entry_id
        self._upgrade_id = upgrade_id

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ask, then order; both only while it makes sense, since much can happen while a dialog is open."""
        entry: EmuOtaConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None or entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="entry_not_loaded")
        runtime = entry.runtime_data
        failed = runtime.upgrades.history.get(self._upgrade_id)
        ems = None if failed is None else runtime.systems.get(failed.uid)
        if failed is None or ems is None:
            return self.async_abort(reason="outdated")
        named = issue_placeholders(self.hass, entry, failed)
        order = await _async_order_again(runtime, failed)
        if order is None:
            return self.async_abort(reason="release_gone", description_placeholders=named)
        if order.package is not None and runtime.releases.offers.base.url is None:
            return self.async_abort(reason="no_download_address", description_placeholders=named)
        emu = ems.emus.get(failed.device_id)
        if emu is not None and emu.busy:
            return self.async_abort(reason="emu_busy", description_placeholders=named)
        if unresolved(self.hass, entry, failed.uid, failed.device_id) is not failed:
            return self.async_abort(reason="outdated")
        if user_input is None:
            return self.async_show_form(
                step_id="confirm", data_schema=probatio.Schema({}), description_placeholders=named
            )
        # By name: it is what the person sees before them, whatever is the newest by now.
        runtime.upgrades.request(failed.uid, failed.device_id, order, named=True, by_user=True)
        return self.async_create_entry(data={})


async def _async_order_again(runtime: Runtime, failed: Upgrade) -> Order | None:
    """Return the order for the release of an upgrade as the release is now; None where it or its package is gone."""
    if failed.order.version is None:  # what the action `emu_ota.upgrade` installs need not be a release
        return failed.order
    release = runtime.releases.library.get(failed.order.version)
    if release is None:
        return None
    package = release.order.package
    there = package is None or await runtime.releases.packages.async_exists(package)
    return release.order if there else None

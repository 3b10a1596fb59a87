"""Repair issues: the upgrades after which a person has to do something.

One issue per EMU, about its newest upgrade, with cause and remedy; it goes away by itself where there is nothing left
to do. It is made anew at every start, from the history.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.helpers.issue_registry import IssueSeverity

from .announcements import Announcement
from .const import DOMAIN
from .install_errors import outcome_placeholders
from .protocol.upgrade import Reason, Upgrade
from .runtime import EmuOtaConfigEntry, emu_identifier, emu_name

# Data of an issue that can be fixed.
DATA_ENTRY_ID: Final = "entry_id"
DATA_UPGRADE_ID: Final = "upgrade_id"


@dataclass(frozen=True, slots=True)
class Remedy:
    """What can be done about an upgrade that ended as it should not."""

    severity: IssueSeverity
    """WARNING where the EMU works, with whatever version; ERROR where it may not, or not all of it."""
    retry: bool
    """Whether the same release, ordered again, can end otherwise."""


_TRY_AGAIN: Final = Remedy(IssueSeverity.WARNING, retry=True)

REMEDIES: Final[Mapping[Reason | None, Remedy]] = {
    # Nothing was ordered. Once what it waited for is there, it can be.
    Reason.NO_DOWNLOAD_ADDRESS: _TRY_AGAIN,
    Reason.EMU_OFFLINE: _TRY_AGAIN,
    Reason.EMS_UNREACHABLE: _TRY_AGAIN,
    # The EMU never got it. A line that failed may work now, a link, a file or a folder may have been put right.
    Reason.NO_ANSWER: _TRY_AGAIN,
    Reason.NEVER_FETCHED: _TRY_AGAIN,
    Reason.DOWNLOAD_FAILED: _TRY_AGAIN,
    Reason.MD5_MISMATCH: _TRY_AGAIN,
    Reason.CLEAR_FOLDER_FAILED: _TRY_AGAIN,
    Reason.UNPACK_FAILED: _TRY_AGAIN,
    Reason.HAND_OVER_FAILED: _TRY_AGAIN,
    # The EMU fell back to what it had, and says so: flashing can work the second time.
    Reason.VERSION_UNCHANGED: _TRY_AGAIN,
    # The EMU may be half upgraded, which only another upgrade can mend; the queue waits until it is at rest.
    Reason.EMU_FAULT: Remedy(IssueSeverity.ERROR, retry=True),
    Reason.STALLED: Remedy(IssueSeverity.ERROR, retry=True),
    Reason.ERRORS_REPORTED: Remedy(IssueSeverity.ERROR, retry=True),
    # Nothing can be ordered of an EMU that is away.
    Reason.DID_NOT_RETURN: Remedy(IssueSeverity.ERROR, retry=False),
    # The package is another one than its release says: it would be the same again.
    Reason.OTHER_VERSION: Remedy(IssueSeverity.WARNING, retry=False),
    # Without a version nobody could tell the next time either.
    Reason.NO_VERSION_GIVEN: Remedy(IssueSeverity.WARNING, retry=False),
}
"""By the reason of an upgrade that failed, was lost or could not be verified; no other has one of these."""


class UpgradeIssues:
    """The repair issues about the upgrades of one config entry."""

    def __init__(self, hass: HomeAssistant, entry: EmuOtaConfigEntry) -> None:
        """Show nothing yet."""
        self._hass = hass
        self._entry = entry

    @callback
    def watch(self) -> CALLBACK_TYPE:
        """Keep the issues at what happens, until what this returns is called."""
        unwatch_upgrades = self._entry.runtime_data.upgrades.announcements.watch_all(self._announced)
        unwatch_devices = self._hass.bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, self._device_changed)

        @callback
        def unwatch() -> None:
            unwatch_upgrades()
            unwatch_devices()
            if self._entry.disabled_by is not None:
                # What is switched off asks for nothing. Over a reload they stay, with the user's wish to ignore them.
                _delete_all(self._hass, _upgrade_issue_id(self._entry, ""))

        return unwatch

    @callback
    def show_all(self) -> None:
        """Show what is left to do according to the history."""
        for upgrade in self._entry.runtime_data.upgrades.history.newest():
            self._show(upgrade.uid, upgrade.device_id)

    @callback
    def _announced(self, uid: str, device_id: int, announcement: Announcement) -> None:
        upgrade = announcement.upgrade
        if upgrade is not None and upgrade.reason is Reason.EMS_REMOVED and upgrade.ordered_at is not None:
            self._tell_removed(upgrade)
        if self._entry.runtime_data.upgrades.history.last(uid, device_id) is not None:  # else there is no issue
            self._show(uid, device_id)

    @callback
    def _device_changed(self, event: Event[dr.EventDeviceRegistryUpdatedData]) -> None:
        """Take note of an EMU or an EMS that came, went or was given another name."""
        change = event.data
        if change["action"] == "remove":
            entry_id, identifiers = change["device"]["config_entry_id"], change["device"]["identifiers"]
        else:
            if change["action"] == "update" and not change["changes"].keys() & {"name", "name_by_user"}:
                return
            device = dr.async_get(self._hass).async_get(change["device_id"], include_child_devices=False)
            if device is None:
                return
            entry_id, identifiers = device.config_entry_id, device.identifiers
        if entry_id != self._entry.entry_id:
            return
        for _, name in identifiers:
            if change["action"] == "create":  # its reports tell what becomes of it
                ir.async_delete_issue(self._hass, DOMAIN, _removed_issue_id(self._entry, name))
            uid, _, device_id = name.rpartition("_")
            if device_id.isdecimal():
                self._show(uid, int(device_id))

    def _show(self, uid: str, device_id: int) -> None:
        """Show what is left to do about an EMU, or that nothing is."""
        issue_id = _upgrade_issue_id(self._entry, emu_identifier(uid, device_id)[1])
        upgrade = unresolved(self._hass, self._entry, uid, device_id)
        if upgrade is None:
            ir.async_delete_issue(self._hass, DOMAIN, issue_id)
            return
        remedy = REMEDIES[upgrade.reason]
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            issue_id,
            data={DATA_ENTRY_ID: self._entry.entry_id, DATA_UPGRADE_ID: upgrade.id},
            is_fixable=remedy.retry,
            severity=remedy.severity,
            translation_key=f"upgrade_{upgrade.reason}",
            translation_placeholders=issue_placeholders(self._hass, self._entry, upgrade),
        )

    def _tell_removed(self, upgrade: Upgrade) -> None:
        """Tell that an EMS that nobody looks at any more may go on with an upgrade."""
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            _removed_issue_id(self._entry, upgrade.uid),
            is_fixable=True,  # by saying that it was read: nothing else would ever take it away
            is_persistent=True,  # nothing would make it anew
            severity=IssueSeverity.WARNING,
            translation_key="ems_removed",
            translation_placeholders=issue_placeholders(self._hass, self._entry, upgrade),
        )


def unresolved(hass: HomeAssistant, entry: EmuOtaConfigEntry, uid: str, device_id: int) -> Upgrade | None:
    """Return the newest upgrade of an EMU where a person has to do something about it, else None."""
    upgrades = entry.runtime_data.upgrades
    upgrade = upgrades.history.last(uid, device_id)
    if upgrade is None or upgrade.reason not in REMEDIES or upgrades.current(uid, device_id) is not None:
        return None
    if _device(hass, entry, uid, device_id) is None or _runs_what_was_ordered(entry, upgrade):
        return None
    return upgrade


def _runs_what_was_ordered(entry: EmuOtaConfigEntry, upgrade: Upgrade) -> bool:
    """Tell whether the EMU has come to the ordered version since the outcome, by whomever."""
    ems = entry.runtime_data.systems.get(upgrade.uid)
    emu = None if ems is None else ems.coordinator.emus.get(upgrade.device_id)
    at_outcome = upgrade.read_version or upgrade.from_version
    return emu is not None and emu.version == upgrade.order.version not in {None, at_outcome}


def issue_placeholders(hass: HomeAssistant, entry: EmuOtaConfigEntry, upgrade: Upgrade) -> dict[str, str]:
    """Return what the texts of an issue about an upgrade name."""
    device = _device(hass, entry, upgrade.uid, upgrade.device_id)
    name = None if device is None else device.name_by_user or device.name
    return outcome_placeholders(upgrade, name or emu_name(upgrade.uid, upgrade.device_id))


@callback
def delete_issues(hass: HomeAssistant, entry: EmuOtaConfigEntry) -> None:
    """Delete all issues of an entry that is gone."""
    _delete_all(hass, entry.entry_id)


def _delete_all(hass: HomeAssistant, beginning: str) -> None:
    for _, issue_id in tuple(ir.async_get(hass).issues):
        if issue_id.startswith(beginning):
            ir.async_delete_issue(hass, DOMAIN, issue_id)


def _device(hass: HomeAssistant, entry: EmuOtaConfigEntry, uid: str, device_id: int) -> dr.DeviceEntry | None:
    identifier = emu_identifier(uid, device_id)
    return dr.async_get(hass).async_get_device_by_identifier(identifier, entry.entry_id)


def _upgrade_issue_id(entry: EmuOtaConfigEntry, emu: str) -> str:
    return f"{entry.entry_id}_upgrade_{emu}"


def _removed_issue_id(entry: EmuOtaConfigEntry, uid: str) -> str:
    return f"{entry.entry_id}_removed_{uid}"

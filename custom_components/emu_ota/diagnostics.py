"""What can be downloaded to find out what is wrong. It may be shown to anybody: secrets stay out.

Of what the user has entered only that goes in which is known to be harmless; all else shows only that it is there.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from typing import Final

from homeassistant.components.diagnostics import REDACTED
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from yarl import URL

from .const import (
    CONF_CONNECTION,
    CONF_DEVICE_UID,
    CONF_DOWNLOAD_BASE_URL,
    CONF_DOWNLOAD_URL,
    CONF_INDEX_URL,
    CONF_KEEPALIVE,
    CONF_KIND,
    CONF_MAX_PARALLEL,
    CONF_MD5,
    CONF_MIRROR,
    CONF_PACKAGE,
    CONF_PREFIX,
    CONF_QUEUE_TIMEOUT,
    CONF_RELEASE_URL,
    CONF_SIZE,
    CONF_TLS,
    CONF_TRANSPORT,
    CONF_VERIFY_CERTIFICATE,
    CONF_VERSION,
    DOMAIN,
)
from .coordinator import EmsCoordinator
from .firmware.release import Release
from .protocol.models import Report
from .protocol.upgrade import Upgrade
from .releases import EntryReleases
from .runtime import EmuOtaConfigEntry, Runtime, emu_identifier
from .upgrade_attributes import iso_time

UPGRADES_SHOWN: Final = 20
"""Of the newest upgrades that have ended: some weeks of a site, and what people report is nearly always among them."""

_HARMLESS: Final = frozenset(
    {
        CONF_CONNECTION,
        CONF_DEVICE_UID,
        CONF_KEEPALIVE,
        CONF_KIND,
        CONF_MAX_PARALLEL,
        CONF_MD5,
        CONF_MIRROR,
        CONF_PACKAGE,
        CONF_PORT,
        CONF_QUEUE_TIMEOUT,
        CONF_SIZE,
        CONF_TLS,
        CONF_TRANSPORT,
        CONF_VERIFY_CERTIFICATE,
        CONF_VERSION,
    }
)
_URLS: Final = frozenset({CONF_DOWNLOAD_BASE_URL, CONF_DOWNLOAD_URL, CONF_INDEX_URL, CONF_RELEASE_URL})
# The documented schemes of topics; what follows is the tenant or the product key, which let their owner in.
_SCHEMES: Final = ("v1/user/", "v1/wudun/")

type Diagnostics = dict[str, object]
type IsShown = Callable[[str, int | None], bool]
"""Of an EMS's uid, and the EMU's number or None for the EMS itself."""


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: EmuOtaConfigEntry) -> Diagnostics:
    """Return what is known of an entry; of one that is not loaded, how it is set up."""
    return _diagnostics(entry, lambda _uid, _device_id: True)


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: EmuOtaConfigEntry, device: dr.DeviceEntry
) -> Diagnostics:
    """Return what is known of an EMU, or of an EMS and its EMUs, with the entry that it belongs to."""

    def is_shown(uid: str, device_id: int | None) -> bool:
        if (DOMAIN, uid) in device.identifiers:
            return True
        return device_id is not None and emu_identifier(uid, device_id) in device.identifiers

    return _diagnostics(entry, is_shown)


def _diagnostics(entry: EmuOtaConfigEntry, is_shown: IsShown) -> Diagnostics:
    found: Diagnostics = {
        "entry": {
            "version": f"{entry.version}.{entry.minor_version}",
            "state": entry.state.value,
            "data": _redacted(entry.data),
            "options": _redacted(entry.options),
            "subentries": [
                {"type": subentry.subentry_type, "data": _redacted(subentry.data)}
                for subentry in entry.subentries.values()
            ],
        }
    }
    if entry.state is ConfigEntryState.LOADED:
        found |= _runtime(entry.runtime_data, is_shown)
    return found


def _runtime(runtime: Runtime, is_shown: IsShown) -> Diagnostics:
    coordinators = [ems.coordinator for ems in runtime.systems.values()]
    return {
        "connected": runtime.transport.connected,
        "systems": [
            _system(coordinator, is_shown)
            for coordinator in coordinators
            if any(is_shown(coordinator.uid, device_id) for device_id in (None, *coordinator.emus))
        ],
        "releases": _releases(runtime.releases),
        "upgrades": {
            "active": [_upgrade(upgrade) for upgrade in _of(runtime.upgrades.active, is_shown)],
            "ended": [_upgrade(upgrade) for upgrade in islice(_of(runtime.upgrades.history, is_shown), UPGRADES_SHOWN)],
        },
    }


def _system(coordinator: EmsCoordinator, is_shown: IsShown) -> Diagnostics:
    return {
        "uid": coordinator.uid,
        "answering": coordinator.available,
        "bit_field": coordinator.bit_field,
        "last_answer": _iso(coordinator.last_answer),
        "response_time": coordinator.response_time,
        "listed": None if coordinator.reports.listed is None else sorted(coordinator.reports.listed),
        "busy": sorted(coordinator.busy),
        "dropped": dict(sorted(coordinator.reports.dropped.items())),
        "reports": [
            _report(report)
            for device_id, report in sorted(coordinator.emus.items())
            if is_shown(coordinator.uid, device_id)
        ],
    }


def _report(report: Report | None) -> Diagnostics | None:
    """Return a report with the codes that the EMS sent, known or not."""
    return None if report is None else asdict(report)


def _releases(releases: EntryReleases) -> Diagnostics:
    base, index = releases.offers.base, releases.index.state
    return {
        "known": [_release(release) for release in releases.library.all()],
        "conflicts": [asdict(conflict) for conflict in releases.catalog.conflicts],
        "index": {
            "releases": len(index.releases),
            "refused": [asdict(refused) for refused in index.refused],
            "checked": _iso(index.checked_at),
            "failing_since": _iso(index.failing_since),
            "last_error": index.last_error,
        },
        "download_base": {"url": _redacted_url(base.url), "source": base.source, "warnings": list(base.warnings)},
    }


def _release(release: Release) -> Diagnostics:
    return {
        "version": release.version,
        "source": release.source,
        "hosted": release.hosted,
        "download_url": _redacted_url(release.download_url),
        "md5": release.md5,
        "sha256": release.sha256,
        "size": release.size,
        "min_version": release.min_version,
    }


def _of(upgrades: Iterable[Upgrade], is_shown: IsShown) -> Iterable[Upgrade]:
    return (upgrade for upgrade in upgrades if is_shown(upgrade.uid, upgrade.device_id))


def _upgrade(upgrade: Upgrade) -> Diagnostics:
    order, fetched = upgrade.order, upgrade.fetched
    return {
        "id": upgrade.id,
        "uid": upgrade.uid,
        "device_id": upgrade.device_id,
        "outcome": upgrade.outcome,
        "reason": upgrade.reason,
        "order": {
            "version": order.version,
            "md5": order.md5,
            "size": order.size,
            "package": order.package,
            "download_url": _redacted_url(order.download_url),
        },
        "named": upgrade.named,
        "by_user": upgrade.by_user,
        "from_version": upgrade.from_version,
        "read_version": upgrade.read_version,
        "timeline": [{"phase": step.phase, "at": iso_time(step.at)} for step in upgrade.steps],
        "amended": iso_time(upgrade.amended_at),
        "by_deadline": upgrade.by_deadline,
        "contested": upgrade.contested,
        "news": upgrade.news,
        "success_told": upgrade.success_told,
        "not_ready": upgrade.not_ready,
        "suspended": iso_time(upgrade.suspended_at),
        "baseline": _report(upgrade.baseline),
        "report": _report(upgrade.report),
        "fetched": None
        if fetched is None
        else {
            "requests": fetched.requests,
            "addresses": len(fetched.addresses),
            "sent": fetched.sent,
            "covered": fetched.covered,
            "whole": fetched.whole,
            "last": iso_time(fetched.last_at),
        },
    }


# Redaction


def _redacted(data: Mapping[str, object]) -> Diagnostics:
    """Return what a user has entered, with all that may be a secret, or personal, hidden."""
    return {key: _redacted_value(key, value) for key, value in data.items()}


def _redacted_value(key: str, value: object) -> object:
    if key in _HARMLESS or value is None or value == "":
        return value
    if key == CONF_PREFIX:
        return _redacted_prefix(str(value))
    return _redacted_url(str(value)) if key in _URLS else REDACTED


def _redacted_prefix(prefix: str) -> str:
    """Return the scheme of a topic prefix, where it has one, and how many levels there are."""
    scheme = next((scheme for scheme in _SCHEMES if prefix.startswith(scheme)), "")
    return scheme + "/".join(REDACTED for _ in prefix.removeprefix(scheme).split("/"))


def _redacted_url(url: str | None) -> str | None:
    """Return scheme, host and port of a URL: users, paths and queries may be secrets."""
    if url is None:
        return None
    try:
        return f"{URL(url).origin()}/{REDACTED}"
    except ValueError:
        return REDACTED


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()

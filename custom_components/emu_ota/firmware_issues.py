"""Repair issues: what keeps releases from being offered, or packages from being fetched, until somebody acts.

They are made anew at every start, and go away by themselves as soon as their cause is gone.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from homeassistant.const import EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.issue_registry import IssueSeverity
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .firmware.address import BaseSource
from .releases import EntryReleases
from .runtime import EmuOtaConfigEntry

NO_DOWNLOAD_BASE: Final = "no_download_base"
DOWNLOAD_BASE_WARNING: Final = "download_base_warning"
PACKAGES_MISSING: Final = "packages_missing"
RELEASE_CONFLICT: Final = "release_conflict"
INDEX_RELEASES_REFUSED: Final = "index_releases_refused"
INDEX_UNREACHABLE: Final = "index_unreachable"
KEYS: Final = (
    NO_DOWNLOAD_BASE,
    DOWNLOAD_BASE_WARNING,
    PACKAGES_MISSING,
    RELEASE_CONFLICT,
    INDEX_RELEASES_REFUSED,
    INDEX_UNREACHABLE,
)
"""Of the issues, and of their texts."""

MAX_LISTED: Final = 20
"""Lines of a list in an issue: more than anybody puts right in one go."""

_LEARN_MORE: Final = "https://github.com/emu-ota/emu_ota/blob/main/docs/firmware.md"

type Placeholders = dict[str, str]


class FirmwareIssues:
    """The repair issues about the releases of one config entry."""

    def __init__(self, hass: HomeAssistant, entry: EmuOtaConfigEntry) -> None:
        """Show nothing yet."""
        self._hass = hass
        self._entry = entry
        self._releases: EntryReleases = entry.runtime_data.releases
        self._texts: Mapping[str, str] = {}

    async def async_watch(self) -> CALLBACK_TYPE:
        """Keep the issues at what is so, from now until what this returns is called."""
        self._texts = await async_get_translations(self._hass, self._hass.config.language, "selector", {DOMAIN})
        self._show_all()
        unwatch_releases = self._releases.watch(self._show_all)
        # Home Assistant's own address may have changed.
        unwatch_core = self._hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, self._core_changed)

        @callback
        def unwatch() -> None:
            unwatch_releases()
            unwatch_core()
            if self._entry.disabled_by is not None:
                # What is switched off asks for nothing. Over a reload they stay, with the user's wish to ignore them.
                for key in KEYS:
                    self._show(key, None)

        return unwatch

    @callback
    def _core_changed(self, _: Event) -> None:
        self._show_all()

    @callback
    def _show_all(self) -> None:
        self._show(NO_DOWNLOAD_BASE, self._no_download_base())
        self._show(DOWNLOAD_BASE_WARNING, self._download_base_warning())
        self._show(PACKAGES_MISSING, self._packages_missing())
        self._show(RELEASE_CONFLICT, self._release_conflict())
        self._show(INDEX_RELEASES_REFUSED, self._index_releases_refused())
        self._show(INDEX_UNREACHABLE, self._index_unreachable())

    def _show(self, key: str, placeholders: Placeholders | None) -> None:
        """Show an issue; None: there is none."""
        issue_id = f"{self._entry.entry_id}_{key}"
        if placeholders is None:
            ir.async_delete_issue(self._hass, DOMAIN, issue_id)
            return
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            issue_id,
            is_fixable=False,
            learn_more_url=_LEARN_MORE,
            severity=IssueSeverity.WARNING,  # what EMUs run now they go on running
            translation_key=key,
            translation_placeholders={"entry": self._entry.title, **placeholders},
        )

    def _no_download_base(self) -> Placeholders | None:
        return {} if self._releases.serves and self._releases.offers.base.url is None else None

    def _download_base_warning(self) -> Placeholders | None:
        """Warn of what was found by ourselves; what the user has set is the user's word."""
        base = self._releases.offers.base
        if not self._releases.serves or base.url is None or base.source is BaseSource.OPTION or not base.warnings:
            return None
        return {"url": base.url, "warnings": _list(self._text("download_warning", each) for each in base.warnings)}

    def _packages_missing(self) -> Placeholders | None:
        missing = self._releases.missing
        return {"versions": _list(map(_quoted, sorted(missing)))} if missing else None

    def _release_conflict(self) -> Placeholders | None:
        conflicts = self._releases.catalog.conflicts
        if not conflicts:
            return None
        return {
            "releases": _list(
                f"{_quoted(conflict.version)}: "
                + ", ".join(self._text("release_source", source) for source in dict.fromkeys(conflict.sources))
                for conflict in conflicts
            )
        }

    def _index_releases_refused(self) -> Placeholders | None:
        refused = self._releases.index.state.refused
        if not refused:
            return None
        return {
            "releases": _list(
                _quoted(each.name)
                + ("" if each.field is None else f", {_quoted(each.field)}")
                + f": {self._text('index_refusal', each.reason)}"
                for each in refused
            )
        }

    def _index_unreachable(self) -> Placeholders | None:
        index = self._releases.index
        since, error = index.state.failing_since, index.state.last_error
        if since is None or error is None or not index.overdue(dt_util.utcnow()):
            return None
        return {"since": dt_util.as_local(since).date().isoformat(), "cause": self._text("index_fault", error)}

    def _text(self, group: str, key: str) -> str:
        return self._texts[f"component.{DOMAIN}.selector.{group}.options.{key}"]


def _list(lines: Iterable[str]) -> str:
    """Return a list in Markdown, of its beginning where it is long."""
    shown = list(lines)
    rest = len(shown) - MAX_LISTED
    return "\n".join([*(f"- {line}" for line in shown[:MAX_LISTED]), *([f"- … (+{rest})"] if rest > 0 else [])])


def _quoted(name: str) -> str:
    """Return a name that somebody else has given, so that nothing of it is taken for Markdown."""
    return f"`{name.replace('`', "'")}`"

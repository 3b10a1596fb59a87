"""The flows that add and change the EMSs and the firmware of an entry, in place and without a reload."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, cast

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import (
    BooleanSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import probatio
from yarl import URL

from .const import (
    CONF_DEVICE_UID,
    CONF_DOWNLOAD_URL,
    CONF_KIND,
    CONF_MD5,
    CONF_PREFIX,
    CONF_RELEASE_NOTES,
    CONF_RELEASE_URL,
    CONF_SIZE,
    CONF_VERSION,
    DOMAIN,
    KIND_LINK,
    LOGGER,
    SUBENTRY_EMS,
    SUBENTRY_FIRMWARE,
)
from .firmware.link import CannotDownload, LinkedFile, async_fetch, parse_link
from .probe import async_answers, error_key
from .protocol.commands import is_md5
from .protocol.topics import EmsAddress, is_level
from .protocol.version import MAX_VERSION_LENGTH
from .runtime import EmuOtaConfigEntry
from .transport import TransportError

CONF_ADD_ANYWAY: Final = "add_anyway"

type Input = Mapping[str, object]

_TEXT = TextSelector()
_LINK = TextSelector(TextSelectorConfig(type=TextSelectorType.URL))
_NOTES = TextSelector(TextSelectorConfig(multiline=True))

ANYWAY_SCHEMA = probatio.Schema({probatio.Required(CONF_ADD_ANYWAY, default=False): BooleanSelector()})
EMS_SCHEMA = probatio.Schema({probatio.Required(CONF_DEVICE_UID): _TEXT, probatio.Optional(CONF_NAME): _TEXT})
RENAME_SCHEMA = probatio.Schema({probatio.Optional(CONF_NAME): _TEXT})
LINK_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_DOWNLOAD_URL): _LINK,
        probatio.Optional(CONF_MD5): _TEXT,
        probatio.Required(CONF_VERSION): _TEXT,
        probatio.Optional(CONF_RELEASE_NOTES): _NOTES,
        probatio.Optional(CONF_RELEASE_URL): _LINK,
    }
)


def text_of(user_input: Input, key: str) -> str:
    """Return what was typed into a text field, without the blanks around it."""
    return str(user_input.get(key, "")).strip()


def with_anyway(schema: probatio.Schema, *, offered: bool) -> probatio.Schema:
    """Return a schema with the field `add_anyway` where that is offered."""
    return probatio.Schema({**schema.schema, **ANYWAY_SCHEMA.schema}) if offered else schema


def is_configured_uid(hass: HomeAssistant, uid: str) -> bool:
    """Tell whether an EMS belongs to any entry already."""
    return any(
        subentry.unique_id == uid
        for entry in hass.config_entries.async_entries(DOMAIN)
        for subentry in entry.get_subentries_of_type(SUBENTRY_EMS)
    )


def firmware_unique_id(version: str) -> str:
    """Return the unique id of a release; the word before it keeps it apart from the uids of EMSs."""
    return f"{SUBENTRY_FIRMWARE}:{version}"


class _SubentryFlow(ConfigSubentryFlow):
    """What the flows of both types share."""

    _anyway_offered = False

    def _loaded_entry(self) -> EmuOtaConfigEntry:
        """Return the entry. Raises AbortFlow where it is not loaded: there is nobody to take up the change."""
        entry = cast("EmuOtaConfigEntry", self._get_entry())
        if entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("entry_not_loaded")
        return entry


class EmsSubentryFlow(_SubentryFlow):
    """Adds an EMS, or gives it another name."""

    async def async_step_user(self, user_input: Input | None = None) -> SubentryFlowResult:
        """Add an EMS that answers over the entry's connection."""
        entry = self._loaded_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            uid = text_of(user_input, CONF_DEVICE_UID)
            errors = await self._async_errors(entry, uid, anyway=bool(user_input.get(CONF_ADD_ANYWAY)))
            if not errors:
                title = text_of(user_input, CONF_NAME) or uid
                return self.async_create_entry(title=title, data={CONF_DEVICE_UID: uid}, unique_id=uid)
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(
                with_anyway(EMS_SCHEMA, offered=self._anyway_offered), user_input
            ),
            errors=errors,
        )

    async def async_step_reconfigure(self, user_input: Input | None = None) -> SubentryFlowResult:
        """Change the name; another uid would be another EMS."""
        entry, subentry = self._loaded_entry(), self._get_reconfigure_subentry()
        uid = cast("str", subentry.data[CONF_DEVICE_UID])
        if user_input is not None:
            return self.async_update_and_abort(entry, subentry, title=text_of(user_input, CONF_NAME) or uid)
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(RENAME_SCHEMA, {CONF_NAME: subentry.title}),
            description_placeholders={CONF_DEVICE_UID: uid},
        )

    async def _async_errors(self, entry: EmuOtaConfigEntry, uid: str, *, anyway: bool) -> dict[str, str]:
        if not is_level(uid):
            return {CONF_DEVICE_UID: "invalid_topic"}
        self._abort_if_configured(uid)
        address = EmsAddress(cast("str", entry.data[CONF_PREFIX]), uid)
        try:
            answers = await async_answers(entry.runtime_data.transport, address, must_answer=not anyway)
        except TransportError as err:
            return {"base": error_key(err)}
        # The answer may have taken seconds: another flow may have been faster, or the entry be gone.
        self._abort_if_configured(uid)
        self._loaded_entry()
        if answers:
            return {}
        self._anyway_offered = True
        return {CONF_DEVICE_UID: "no_answer"}

    def _abort_if_configured(self, uid: str) -> None:
        if is_configured_uid(self.hass, uid):
            raise AbortFlow("already_configured")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Release:
    """What was typed about a release, checked."""

    link: str
    md5: str
    """Lower case; empty where nobody told."""
    version: str
    notes: str
    release_url: str

    def data(self, *, link: str, md5: str, size: int | None) -> dict[str, str | int]:
        """Return the data of the subentry; what is empty is left out."""
        data: dict[str, str | int | None] = {
            CONF_KIND: KIND_LINK,
            CONF_DOWNLOAD_URL: link,
            CONF_MD5: md5,
            CONF_SIZE: size,
            CONF_VERSION: self.version,
            CONF_RELEASE_NOTES: self.notes,
            CONF_RELEASE_URL: self.release_url,
        }
        return {key: value for key, value in data.items() if value}


class FirmwareSubentryFlow(_SubentryFlow):
    """Adds a release that EMSs fetch from a link, or changes what is known of it."""

    _form: Input = MappingProxyType({})
    """What the form was last filled in with."""
    _release: _Release
    _fetching: asyncio.Task[LinkedFile | None]

    async def async_step_user(self, _: Input | None = None) -> SubentryFlowResult:
        """Let the user choose where the package comes from."""
        self._loaded_entry()
        return self.async_show_menu(step_id="user", menu_options=["link"])

    async def async_step_link(self, user_input: Input | None = None) -> SubentryFlowResult:
        """Add a release by the link to its package."""
        return self._show_form({}) if user_input is None else await self._async_submitted(user_input)

    async def async_step_reconfigure(self, user_input: Input | None = None) -> SubentryFlowResult:
        """Change a release."""
        if user_input is not None:
            return await self._async_submitted(user_input)
        self._form = self._get_reconfigure_subentry().data
        return self._show_form({})

    async def async_step_fetch(self, _: Input | None = None) -> SubentryFlowResult:
        """Show how far the file has been fetched."""
        if self._fetching.done():
            return self.async_show_progress_done(next_step_id="fetched")
        return self.async_show_progress(
            step_id="fetch",
            progress_action="fetch",
            description_placeholders={"host": URL(self._release.link).host or ""},
            progress_task=self._fetching,
        )

    async def async_step_fetched(self, _: Input | None = None) -> SubentryFlowResult:
        """Hold what was fetched against what was typed."""
        release, found = self._release, self._fetching.result()
        if found is None:
            if release.md5 and self._form.get(CONF_ADD_ANYWAY):
                return self._finish(release.data(link=release.link, md5=release.md5, size=None))
            # The EMS may reach what Home Assistant cannot, but without an MD5 it could not tell what it got.
            self._anyway_offered |= bool(release.md5)
            return self._show_form({CONF_DOWNLOAD_URL: "cannot_download"})
        if release.md5 not in {"", found.md5}:
            return self._show_form({CONF_MD5: "md5_mismatch"})
        return self._finish(release.data(link=found.url, md5=found.md5, size=found.size))

    async def _async_submitted(self, user_input: Input) -> SubentryFlowResult:
        self._form = user_input
        release = self._checked_release()
        if not isinstance(release, _Release):
            return self._show_form(release)
        known = self._changed_subentry()
        if known and (release.link, release.md5) == (known.data[CONF_DOWNLOAD_URL], known.data[CONF_MD5]):
            size = cast("int | None", known.data.get(CONF_SIZE))
            return self._finish(release.data(link=release.link, md5=release.md5, size=size))
        self._release = release
        self._fetching = self.hass.async_create_task(self._async_fetch(release.link), f"{DOMAIN} fetch a link")
        return await self.async_step_fetch()

    async def _async_fetch(self, link: str) -> LinkedFile | None:
        try:
            return await async_fetch(async_get_clientsession(self.hass), link, self.async_update_progress)
        except CannotDownload as err:
            LOGGER.debug("A firmware link cannot be fetched: %s", err)
            return None

    def _checked_release(self) -> _Release | dict[str, str]:
        """Return what was typed, or the errors in it by field."""
        errors: dict[str, str] = {}
        link = parse_link(text_of(self._form, CONF_DOWNLOAD_URL))
        if link is None:
            errors[CONF_DOWNLOAD_URL] = "invalid_url"
        md5 = text_of(self._form, CONF_MD5).lower()
        if md5 and not is_md5(md5):
            errors[CONF_MD5] = "invalid_md5"
        version = text_of(self._form, CONF_VERSION)
        if not 0 < len(version) <= MAX_VERSION_LENGTH:
            errors[CONF_VERSION] = "invalid_version"
        release_url = text_of(self._form, CONF_RELEASE_URL)
        if release_url and parse_link(release_url) is None:
            errors[CONF_RELEASE_URL] = "invalid_url"
        notes = text_of(self._form, CONF_RELEASE_NOTES)
        release = _Release(link=link or "", md5=md5, version=version, notes=notes, release_url=release_url)
        if self._exists(release):
            errors[CONF_VERSION] = "version_exists"
        return errors or release

    def _exists(self, release: _Release) -> bool:
        changed = self._changed_subentry()
        return any(
            subentry.unique_id == firmware_unique_id(release.version)
            for subentry in self._loaded_entry().subentries.values()
            if subentry is not changed
        )

    def _changed_subentry(self) -> ConfigSubentry | None:
        return self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None

    def _show_form(self, errors: dict[str, str]) -> SubentryFlowResult:
        self._loaded_entry()
        return self.async_show_form(
            step_id="reconfigure" if self.source == SOURCE_RECONFIGURE else "link",
            data_schema=self.add_suggested_values_to_schema(
                with_anyway(LINK_SCHEMA, offered=self._anyway_offered), self._form
            ),
            errors=errors,
        )

    def _finish(self, data: dict[str, str | int]) -> SubentryFlowResult:
        entry, changed = self._loaded_entry(), self._changed_subentry()
        title = str(data[CONF_VERSION])
        unique_id = firmware_unique_id(title)
        if changed is None:
            return self.async_create_entry(title=title, data=data, unique_id=unique_id)
        return self.async_update_and_abort(entry, changed, title=title, data=data, unique_id=unique_id)

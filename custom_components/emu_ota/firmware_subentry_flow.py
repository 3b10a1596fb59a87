"""The flow that adds a release to an entry, by a file or by a link, or changes what is known of it."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, cast, override

from homeassistant.components.file_upload import process_uploaded_file
from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigSubentry, SubentryFlowResult
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import UnknownFlow
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from yarl import URL

from .const import (
    CONF_DOWNLOAD_URL,
    CONF_FILE_NAME,
    CONF_KIND,
    CONF_MD5,
    CONF_MIRROR,
    CONF_PACKAGE,
    CONF_SIZE,
    CONF_VERSION,
    DOMAIN,
    KIND_LINK,
    KIND_UPLOAD,
    LOGGER,
    SUBENTRY_FIRMWARE,
)
from .firmware.link import CannotDownload, async_fetch
from .firmware.mirror import OtherMd5, async_mirror
from .firmware.names import propose_version, url_file_name
from .firmware.packages import EmptyPackage, PackageRefused, PackageStore, PackageTooLarge, StoredPackage
from .firmware_form import CHANGE_UPLOAD_SCHEMA, LINK_SCHEMA, UPLOAD_SCHEMA, VERSION_SCHEMA, About, Link
from .forms import CONF_ADD_ANYWAY, Input, text_of, with_anyway
from .runtime import packages_in_use
from .subentry_flow import SubentryFlow

type Data = Mapping[str, str | int]
type Errors = Mapping[str, str]
"""Translation keys by field."""

_UPLOADED: Final = (CONF_PACKAGE, CONF_MD5, CONF_SIZE, CONF_FILE_NAME)
_MIRRORED: Final = (CONF_MIRROR, CONF_PACKAGE, CONF_FILE_NAME)


def firmware_unique_id(version: str) -> str:
    """Return the unique id of a release; the word before it keeps it apart from the uids of EMSs."""
    return f"{SUBENTRY_FIRMWARE}:{version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upload:
    """An uploaded file that is kept: Home Assistant hands it out only once, but a form may be sent again."""

    upload_id: str
    file_name: str
    """As its owner calls it."""
    package: StoredPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetched:
    """What fetching a link has come to: a part of the data of a subentry, or errors."""

    data: Data = MappingProxyType({})
    errors: Errors = MappingProxyType({})


class FirmwareSubentryFlow(SubentryFlow):
    """Adds a release, or changes it. What it stores for that, it removes again unless a release uses it in the end."""

    _form: Input = MappingProxyType({})
    """What the form was last filled in with."""
    _upload: _Upload | None = None
    """What the form was last sent with; none: the file stays the one it was."""
    _link: Link
    _fetching: asyncio.Task[_Fetched]
    _removed = False

    def __init__(self) -> None:
        """Begin with nothing stored."""
        self._stored: set[str] = set()
        """The packages that this flow has stored, by SHA-256."""

    async def async_step_user(self, _: Input | None = None) -> SubentryFlowResult:
        """Let the user choose where the package comes from."""
        self._loaded_entry()
        return self.async_show_menu(step_id="user", menu_options=["upload", "link"])

    async def async_step_upload(self, user_input: Input | None = None) -> SubentryFlowResult:
        """Add a release by its package."""
        return self._show_upload_form({}) if user_input is None else await self._async_uploaded(user_input)

    async def async_step_link(self, user_input: Input | None = None) -> SubentryFlowResult:
        """Add a release by the link to its package."""
        return self._show_link_form({}) if user_input is None else await self._async_linked(user_input)

    async def async_step_reconfigure(self, user_input: Input | None = None) -> SubentryFlowResult:
        """Change a release; one with a link, once the form is filled in."""
        if user_input is not None:
            return await self._async_linked(user_input)
        self._form = self._get_reconfigure_subentry().data
        if self._form[CONF_KIND] == KIND_LINK:
            return self._show_link_form({})
        self._forget_upload()
        return self._show_upload_form({})

    async def async_step_reconfigure_upload(self, user_input: Input) -> SubentryFlowResult:
        """Change a release that was uploaded."""
        return await self._async_uploaded(user_input)

    async def async_step_version(self, user_input: Input | None = None) -> SubentryFlowResult:
        """Let the user confirm the version that the file's name tells, or enter another."""
        file_name = "" if self._upload is None else self._upload.file_name
        version = (propose_version(file_name) or "") if user_input is None else text_of(user_input, CONF_VERSION)
        self._form = {**self._form, CONF_VERSION: version}
        errors = About.of(self._form).errors(self._taken_versions())
        if user_input is not None and not errors:
            return await self._async_finish_upload()
        return self.async_show_form(
            step_id="version",
            data_schema=self.add_suggested_values_to_schema(VERSION_SCHEMA, {CONF_VERSION: version}),
            errors=errors if user_input is not None or version else {},
            description_placeholders={CONF_FILE_NAME: file_name},
        )

    async def async_step_fetch(self, _: Input | None = None) -> SubentryFlowResult:
        """Show how far the file has been fetched."""
        if self._fetching.done():
            return self.async_show_progress_done(next_step_id="fetched")
        return self.async_show_progress(
            step_id="fetch",
            progress_action="fetch",
            description_placeholders={"host": URL(self._link.url).host or ""},
            progress_task=self._fetching,
        )

    async def async_step_fetched(self, _: Input | None = None) -> SubentryFlowResult:
        """Take what was fetched, or tell why it was not."""
        link, fetched = self._link, self._fetching.result()
        if not fetched.errors:
            return self._finish(fetched.data)
        # The EMS may reach what Home Assistant cannot, but without an MD5 it could not tell what it got.
        if CONF_DOWNLOAD_URL in fetched.errors and link.md5 and not link.mirror:
            if self._form.get(CONF_ADD_ANYWAY):
                return self._finish({CONF_KIND: KIND_LINK, CONF_DOWNLOAD_URL: link.url, CONF_MD5: link.md5})
            self._anyway_offered = True
        return self._show_link_form(fetched.errors)

    @override
    @callback
    def async_remove(self) -> None:
        """Leave nothing behind."""
        self._removed = True
        self._remove_unused()

    async def _async_uploaded(self, user_input: Input) -> SubentryFlowResult:
        self._form = user_input
        about = About.of(user_input)
        errors = about.errors(self._taken_versions())
        proposed = not about.version and self._changed_subentry() is None
        if proposed:
            del errors[CONF_VERSION]
        if error := await self._async_package_error():
            errors[CONF_PACKAGE] = error
        if errors:
            return self._show_upload_form(errors)
        return await (self.async_step_version() if proposed else self._async_finish_upload())

    async def _async_package_error(self) -> str | None:
        """Store what was uploaded, unless it is already, and return what is wrong with it."""
        upload_id = text_of(self._form, CONF_PACKAGE)
        if not upload_id:
            self._upload = None
            return None
        if self._upload is None or self._upload.upload_id != upload_id:
            try:
                upload = await self.hass.async_add_executor_job(_store_upload, self.hass, upload_id)
            except ValueError:
                self._forget_upload()
                return "upload_gone"
            except PackageRefused as err:
                self._forget_upload()
                return _refusal(err)
            self._take_note(upload.package)
            if self._removed:
                raise UnknownFlow
            self._upload = upload
            self._remove_unused()
        if self._upload.package.kind is None and not self._form.get(CONF_ADD_ANYWAY):
            self._anyway_offered = True
            return "unknown_archive"
        return None

    async def _async_finish_upload(self) -> SubentryFlowResult:
        upload = self._upload
        if upload is None:
            return self._finish({CONF_KIND: KIND_UPLOAD, **_some(self._get_reconfigure_subentry(), _UPLOADED)})
        package = upload.package
        # The form may have been open for long, and nothing told that the package is still needed.
        if not await PackageStore(self.hass).async_exists(package.sha256):
            self._forget_upload()
            return self._show_upload_form({CONF_PACKAGE: "upload_gone"})
        data: Data = {
            CONF_KIND: KIND_UPLOAD,
            CONF_PACKAGE: package.sha256,
            CONF_MD5: package.md5,
            CONF_SIZE: package.size,
            CONF_FILE_NAME: url_file_name(upload.file_name, package.kind),
        }
        return self._finish(data)

    async def _async_linked(self, user_input: Input) -> SubentryFlowResult:
        self._form = user_input
        link = Link.of(user_input)
        if errors := link.errors | About.of(user_input).errors(self._taken_versions()):
            return self._show_link_form(errors)
        if (known := self._known(link)) is not None:
            return self._finish(known)
        self._link = link
        self._fetching = self.hass.async_create_task(self._async_fetch(link), f"{DOMAIN} fetch a link")
        return await self.async_step_fetch()

    def _known(self, link: Link) -> Data | None:
        """Return what is known of a link already, or None where it has to be fetched."""
        changed = self._changed_subentry()
        if changed is None:
            return None
        known = Link.of(changed.data)
        if link not in {known, replace(known, mirror=False)}:
            return None
        kept = _some(changed, (CONF_SIZE, *(_MIRRORED if link.mirror else ())))
        return {CONF_KIND: KIND_LINK, CONF_DOWNLOAD_URL: link.url, CONF_MD5: link.md5, **kept}

    async def _async_fetch(self, link: Link) -> _Fetched:
        session, progress = async_get_clientsession(self.hass), self.async_update_progress
        kept: Data = {}
        try:
            if link.mirror:
                file, package = await async_mirror(
                    session,
                    PackageStore(self.hass),
                    link.url,
                    md5=link.md5 or None,
                    progress=progress,
                    kept=self._take_note,
                )
                file_name = url_file_name(URL(file.url).name, package.kind)
                kept = {CONF_MIRROR: True, CONF_PACKAGE: package.sha256, CONF_FILE_NAME: file_name}
            else:
                file = await async_fetch(session, link.url, progress)
        except CannotDownload as err:
            LOGGER.debug("A firmware link cannot be fetched: %s", err)
            return _Fetched(errors={CONF_DOWNLOAD_URL: "cannot_download"})
        except PackageRefused as err:
            return _Fetched(errors={CONF_MIRROR: _refusal(err)})
        except OtherMd5:
            return _Fetched(errors={CONF_MD5: "md5_mismatch"})
        if link.md5 not in {"", file.md5}:
            return _Fetched(errors={CONF_MD5: "md5_mismatch"})
        found: Data = {CONF_KIND: KIND_LINK, CONF_DOWNLOAD_URL: file.url, CONF_MD5: file.md5, CONF_SIZE: file.size}
        return _Fetched(data={**found, **kept})

    def _taken_versions(self) -> set[str]:
        """Return the versions of the other releases. Raises AbortFlow where the entry is not loaded."""
        subentries = self._loaded_entry().get_subentries_of_type(SUBENTRY_FIRMWARE)
        changed = self._changed_subentry()
        return {subentry.data[CONF_VERSION] for subentry in subentries if subentry is not changed}

    def _changed_subentry(self) -> ConfigSubentry | None:
        return self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None

    def _show_upload_form(self, errors: Errors) -> SubentryFlowResult:
        self._loaded_entry()
        step_id, schema = "upload", UPLOAD_SCHEMA
        if self.source == SOURCE_RECONFIGURE:
            step_id, schema = "reconfigure_upload", CHANGE_UPLOAD_SCHEMA
        schema = with_anyway(schema, offered=self._anyway_offered)
        schema = self.add_suggested_values_to_schema(schema, self._form)
        return self.async_show_form(step_id=step_id, data_schema=schema, errors=dict(errors))

    def _show_link_form(self, errors: Errors) -> SubentryFlowResult:
        self._loaded_entry()
        step_id = "reconfigure" if self.source == SOURCE_RECONFIGURE else "link"
        # What is to be mirrored has to be fetched.
        schema = with_anyway(LINK_SCHEMA, offered=self._anyway_offered and not self._form.get(CONF_MIRROR))
        schema = self.add_suggested_values_to_schema(schema, self._form)
        return self.async_show_form(step_id=step_id, data_schema=schema, errors=dict(errors))

    def _forget_upload(self) -> None:
        """Have the user choose a file anew."""
        self._upload = None
        self._form = {key: value for key, value in self._form.items() if key != CONF_PACKAGE}

    def _finish(self, data: Data) -> SubentryFlowResult:
        entry, changed = self._loaded_entry(), self._changed_subentry()
        about = About.of(self._form)
        data = {**data, **about.data}
        title, unique_id = about.version, firmware_unique_id(about.version)
        if changed is None:
            return self.async_create_entry(title=title, data=data, unique_id=unique_id)
        return self.async_update_and_abort(entry, changed, title=title, data=data, unique_id=unique_id)

    @callback
    def _take_note(self, package: StoredPackage) -> None:
        """Take note of a package that this flow has stored, maybe too late."""
        self._stored.add(package.sha256)
        if self._removed:
            self._remove_unused()

    @callback
    def _remove_unused(self) -> None:
        """Remove what this flow has stored and nobody uses: no release, no upgrade, and no longer this flow."""
        needed = set() if self._removed or self._upload is None else {self._upload.package.sha256}
        for package in self._stored - needed - packages_in_use(self.hass):
            self._stored.discard(package)
            self.hass.async_create_task(PackageStore(self.hass).async_remove(package), f"{DOMAIN} remove a package")


def _some(subentry: ConfigSubentry, keys: Collection[str]) -> Data:
    """Return a part of the data of a subentry: what there is of it."""
    return {key: cast("str | int", value) for key, value in subentry.data.items() if key in keys}


def _store_upload(hass: HomeAssistant, upload_id: str) -> _Upload:
    """Store an uploaded file. Raises ValueError where there is none, and PackageRefused. Blocks: for the executor."""
    with process_uploaded_file(hass, upload_id) as path:
        return _Upload(upload_id=upload_id, file_name=path.name, package=PackageStore(hass).store(path))


def _refusal(err: PackageRefused) -> str:
    match err:
        case EmptyPackage():
            return "empty_file"
        case PackageTooLarge():
            return "too_large"
        case _:
            return "no_room"

"""What is typed about a release, checked field by field."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Self

from homeassistant.helpers.selector import FileSelector, FileSelectorConfig
import probatio

from .const import (
    CONF_DOWNLOAD_URL,
    CONF_MD5,
    CONF_MIRROR,
    CONF_PACKAGE,
    CONF_RELEASE_NOTES,
    CONF_RELEASE_URL,
    CONF_VERSION,
)
from .firmware.link import parse_link
from .forms import NOTES, TEXT, WEB_ADDRESS, YES_NO, Input, text_of
from .protocol.commands import is_md5
from .protocol.version import MAX_VERSION_LENGTH

# Anything may be chosen: what is no archive by its content is warned of.
_FILE: Final = FileSelector(FileSelectorConfig(accept="*/*"))
_ABOUT: Final = {probatio.Optional(CONF_RELEASE_NOTES): NOTES, probatio.Optional(CONF_RELEASE_URL): WEB_ADDRESS}

UPLOAD_SCHEMA: Final = probatio.Schema(
    {probatio.Required(CONF_PACKAGE): _FILE, probatio.Optional(CONF_VERSION): TEXT, **_ABOUT}
)
CHANGE_UPLOAD_SCHEMA: Final = probatio.Schema(
    {probatio.Optional(CONF_PACKAGE): _FILE, probatio.Required(CONF_VERSION): TEXT, **_ABOUT}
)
VERSION_SCHEMA: Final = probatio.Schema({probatio.Required(CONF_VERSION): TEXT})
LINK_SCHEMA: Final = probatio.Schema(
    {
        probatio.Required(CONF_DOWNLOAD_URL): WEB_ADDRESS,
        probatio.Optional(CONF_MD5): TEXT,
        probatio.Required(CONF_MIRROR, default=False): YES_NO,
        probatio.Required(CONF_VERSION): TEXT,
        **_ABOUT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What there is to say of a release wherever its package comes from."""

    version: str
    notes: str
    release_url: str

    @classmethod
    def of(cls, form: Input) -> Self:
        """Read a form."""
        return cls(
            version=text_of(form, CONF_VERSION),
            notes=text_of(form, CONF_RELEASE_NOTES),
            release_url=text_of(form, CONF_RELEASE_URL),
        )

    def errors(self, taken: Collection[str]) -> dict[str, str]:
        """Return what is wrong, by field; `taken` are the versions of other releases."""
        errors: dict[str, str] = {}
        if not 0 < len(self.version) <= MAX_VERSION_LENGTH:
            errors[CONF_VERSION] = "invalid_version"
        elif self.version in taken:
            errors[CONF_VERSION] = "version_exists"
        if self.release_url and parse_link(self.release_url) is None:
            errors[CONF_RELEASE_URL] = "invalid_url"
        return errors

    @property
    def data(self) -> dict[str, str]:
        """Its part of the data of a subentry; what is empty is left out."""
        data = {
            CONF_VERSION: self.version,
            CONF_RELEASE_NOTES: self.notes,
            CONF_RELEASE_URL: self.release_url,
        }
        return {key: value for key, value in data.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where a package is fetched from."""

    url: str
    """As it goes over the wire; empty for what no EMS could fetch."""
    md5: str
    """Lower case; empty where nobody told."""
    mirror: bool
    """Whether Home Assistant fetches it, once, and EMSs get it from there."""

    @classmethod
    def of(cls, form: Input) -> Self:
        """Read a form, or the data of a subentry."""
        return cls(
            url=parse_link(text_of(form, CONF_DOWNLOAD_URL)) or "",
            md5=text_of(form, CONF_MD5).lower(),
            mirror=bool(form.get(CONF_MIRROR)),
        )

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong, by field."""
        errors: dict[str, str] = {}
        if not self.url:
            errors[CONF_DOWNLOAD_URL] = "invalid_url"
        if self.md5 and not is_md5(self.md5):
            errors[CONF_MD5] = "invalid_md5"
        return errors

"""The form for an own connection: its fields, and the data that a sent one means."""

from typing import Final, cast

from homeassistant.components.file_upload import process_uploaded_file
from homeassistant.const import CONF_CLIENT_ID, CONF_HOST, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    FileSelector,
    FileSelectorConfig,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import probatio

from .connection import EntryData
from .const import (
    CONF_CA_CERTIFICATE,
    CONF_CLIENT_CERTIFICATE,
    CONF_CLIENT_KEY,
    CONF_CONNECTION,
    CONF_KEEPALIVE,
    CONF_TLS,
    CONF_TRANSPORT,
    CONF_VERIFY_CERTIFICATE,
    CONF_WS_PATH,
    CONNECTION_BROKER,
)
from .forms import TEXT, YES_NO, Input, text_of, whole_number
from .probe import new_client_id

CONF_ADVANCED: Final = "advanced"
CONF_KEEP_CERTIFICATES: Final = "keep_certificates"

PASSWORD_UNCHANGED: Final = "__**password_not_changed**__"  # noqa: S105 - it stands for one
"""What the form holds in place of a stored password, as that of Home Assistant's MQTT does."""

MAX_PEM: Final = 256 * 1024
"""Bytes of an uploaded certificate file: the bundle of all public authorities is about as large."""

_UPLOADS: Final = (CONF_CA_CERTIFICATE, CONF_CLIENT_CERTIFICATE, CONF_CLIENT_KEY)

_CERTIFICATE = FileSelector(FileSelectorConfig(accept=".pem,.crt,.cer,application/x-x509-ca-cert"))
_KEY = FileSelector(FileSelectorConfig(accept=".pem,.key,application/pkcs8"))
_ACCOUNT: Final[dict[object, object]] = {
    probatio.Optional(CONF_USERNAME): TextSelector(TextSelectorConfig(autocomplete="off")),
    probatio.Optional(CONF_PASSWORD): TextSelector(
        TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="new-password")
    ),
}
_ADVANCED: Final = {
    probatio.Required(CONF_TRANSPORT, default="tcp"): SelectSelector(
        SelectSelectorConfig(
            options=["tcp", "websockets"], mode=SelectSelectorMode.DROPDOWN, translation_key="transport"
        )
    ),
    probatio.Optional(CONF_WS_PATH, default="/mqtt"): TEXT,
    probatio.Optional(CONF_CLIENT_ID): TEXT,
    probatio.Required(CONF_KEEPALIVE, default=60): whole_number(5, 3600, "s"),
    probatio.Required(CONF_VERIFY_CERTIFICATE, default=True): YES_NO,
    probatio.Optional(CONF_CA_CERTIFICATE): _CERTIFICATE,
    probatio.Optional(CONF_CLIENT_CERTIFICATE): _CERTIFICATE,
    probatio.Optional(CONF_CLIENT_KEY): _KEY,
}

_KEEP: Final = {probatio.Required(CONF_KEEP_CERTIFICATES, default=True): YES_NO}

ACCOUNT_SCHEMA: Final = probatio.Schema(_ACCOUNT)

_BASIC: Final[dict[object, object]] = {
    probatio.Required(CONF_HOST): TEXT,
    probatio.Required(CONF_PORT, default=1883): whole_number(1, 65535),
    **_ACCOUNT,
    probatio.Required(CONF_TLS, default=False): YES_NO,
}

BROKER_SCHEMA: Final = probatio.Schema(
    {
        **_BASIC,
        probatio.Required(CONF_ADVANCED): section(probatio.Schema(_ADVANCED), {"collapsed": True}),
    }
)
BROKER_WITH_CERTIFICATES_SCHEMA: Final = probatio.Schema(
    {
        **_BASIC,
        probatio.Required(CONF_ADVANCED): section(probatio.Schema({**_ADVANCED, **_KEEP}), {"collapsed": True}),
    }
)


def broker_schema(stored: EntryData) -> probatio.Schema:
    """Return the form; where certificates are stored, with the choice to keep them."""
    return BROKER_WITH_CERTIFICATES_SCHEMA if stored.keys() & set(_UPLOADS) else BROKER_SCHEMA


def as_typed(stored: EntryData) -> dict[str, object]:
    """Return what the form shows of a stored connection: no password, no certificate, no key."""
    shown = (CONF_HOST, CONF_PORT, CONF_USERNAME, CONF_TLS)
    typed = {key: stored[key] for key in shown if key in stored}
    if CONF_PASSWORD in stored:
        typed[CONF_PASSWORD] = PASSWORD_UNCHANGED
    fields = [str(key) for key in _ADVANCED if str(key) not in _UPLOADS]
    return {**typed, CONF_ADVANCED: {key: stored[key] for key in fields if key in stored}}


def broker_data(user_input: Input, pem_texts: EntryData, stored: EntryData) -> dict[str, object]:
    """Return the data of the connection that a form describes; fields that are empty are left out.

    `stored` is what the connection was until now, for what the form does not show of it.
    """
    advanced = cast("Input", user_input[CONF_ADVANCED])
    data: dict[str, object] = {
        CONF_CONNECTION: CONNECTION_BROKER,
        CONF_HOST: text_of(user_input, CONF_HOST),
        CONF_PORT: user_input[CONF_PORT],
        CONF_USERNAME: text_of(user_input, CONF_USERNAME),
        CONF_PASSWORD: _password(user_input, stored),
        CONF_TLS: user_input[CONF_TLS],
        CONF_TRANSPORT: advanced[CONF_TRANSPORT],
        CONF_WS_PATH: text_of(advanced, CONF_WS_PATH),
        CONF_CLIENT_ID: text_of(advanced, CONF_CLIENT_ID) or new_client_id(),
        CONF_KEEPALIVE: advanced[CONF_KEEPALIVE],
        CONF_VERIFY_CERTIFICATE: advanced[CONF_VERIFY_CERTIFICATE],
        **(_kept_certificates(stored, pem_texts) if advanced.get(CONF_KEEP_CERTIFICATES) else {}),
        **pem_texts,
    }
    return {key: value for key, value in data.items() if value not in {None, ""}}


def _password(user_input: Input, stored: EntryData) -> object:
    typed = user_input.get(CONF_PASSWORD)
    if typed not in {None, "", PASSWORD_UNCHANGED}:
        return typed  # its blanks may belong to it
    account_removed = CONF_USERNAME in stored and not text_of(user_input, CONF_USERNAME)
    return None if account_removed else stored.get(CONF_PASSWORD)


def _kept_certificates(stored: EntryData, pem_texts: EntryData) -> EntryData:
    kept = {field: stored[field] for field in _UPLOADS if field in stored}
    if "PRIVATE KEY-----" in str(pem_texts.get(CONF_CLIENT_CERTIFICATE)):
        kept.pop(CONF_CLIENT_KEY, None)  # the new certificate brings its own
    return kept


def with_account(data: EntryData, user_input: Input) -> dict[str, object]:
    """Return the data of a connection with the credentials of a form in place of its own."""
    account = {
        CONF_USERNAME: text_of(user_input, CONF_USERNAME),
        CONF_PASSWORD: user_input.get(CONF_PASSWORD),  # its blanks may belong to it
    }
    return {key: value for key, value in {**data, **account}.items() if value not in {None, ""}}


class PemUploads:
    """The certificates and keys that were uploaded while one form was being filled in."""

    def __init__(self) -> None:
        """Begin without any."""
        # Home Assistant hands an upload out only once, but a form may be sent again after an error.
        self._texts: dict[str, str] = {}

    async def async_read(self, hass: HomeAssistant, user_input: Input) -> dict[str, object] | None:
        """Return the texts of a form's uploads by field, or None where one is no PEM, or no longer there."""
        advanced = cast("Input", user_input[CONF_ADVANCED])
        uploads = {field: cast("str", advanced[field]) for field in _UPLOADS if advanced.get(field)}
        new = [upload for upload in uploads.values() if upload not in self._texts]
        self._texts |= await hass.async_add_executor_job(_read_uploads, hass, new)
        if not self._texts.keys() >= set(uploads.values()):
            return None
        return {field: self._texts[upload] for field, upload in uploads.items()}


def _read_uploads(hass: HomeAssistant, uploads: list[str]) -> dict[str, str]:
    """Return the texts of the uploads, by id, without those that are no PEM. Blocks: for the executor."""
    texts = {upload: _read_upload(hass, upload) for upload in uploads}
    return {upload: text for upload, text in texts.items() if text is not None}


def _read_upload(hass: HomeAssistant, upload: str) -> str | None:
    try:
        with process_uploaded_file(hass, upload) as path:
            if path.stat().st_size > MAX_PEM:
                return None
            text = path.read_text("utf-8")
    except ValueError:  # there is no such upload, or it is no text
        return None
    return text if "-----BEGIN " in text else None

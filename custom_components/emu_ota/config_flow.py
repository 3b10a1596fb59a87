"""The flow that sets up an entry: a connection with a topic prefix, and the first EMS on it."""

from collections.abc import Callable, Mapping
from typing import Final, cast, override

from homeassistant.components.file_upload import process_uploaded_file
from homeassistant.config_entries import (
    ConfigEntry,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
)
from homeassistant.const import CONF_CLIENT_ID, CONF_HOST, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import AbortFlow, section
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
    CONF_DEVICE_UID,
    CONF_KEEPALIVE,
    CONF_PREFIX,
    CONF_TLS,
    CONF_TRANSPORT,
    CONF_VERIFY_CERTIFICATE,
    CONF_WS_PATH,
    CONNECTION_BROKER,
    CONNECTION_HOME_ASSISTANT,
    DOMAIN,
    SUBENTRY_EMS,
    SUBENTRY_FIRMWARE,
)
from .ems_subentry_flow import EmsSubentryFlow, is_configured_uid
from .firmware_subentry_flow import FirmwareSubentryFlow
from .forms import CONF_ADD_ANYWAY, TEXT, YES_NO, Input, text_of, whole_number, with_anyway
from .options_flow import EmuOtaOptionsFlow
from .probe import async_try_connection, async_try_ems, error_key, new_client_id
from .protocol.errors import CommandError
from .protocol.topics import EmsAddress, is_level, is_prefix, product_key_prefix, tenant_prefix
from .transport import TransportError

CONF_ADVANCED: Final = "advanced"
MQTT_DOMAIN: Final = "mqtt"

MAX_PEM: Final = 256 * 1024
"""Bytes of an uploaded certificate file: the bundle of all public authorities is about as large."""

_UPLOADS: Final = (CONF_CA_CERTIFICATE, CONF_CLIENT_CERTIFICATE, CONF_CLIENT_KEY)

# How the topics can be told, by step and field: the documented schemes of the protocol ("Topics").
_SCHEMES: Final[Mapping[str, Callable[[str], str]]] = {
    "tenant": tenant_prefix,
    "product_key": product_key_prefix,
    "prefix": str,
}


_CERTIFICATE = FileSelector(FileSelectorConfig(accept=".pem,.crt,.cer,application/x-x509-ca-cert"))
_KEY = FileSelector(FileSelectorConfig(accept=".pem,.key,application/pkcs8"))

ADVANCED_SCHEMA = probatio.Schema(
    {
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
)
BROKER_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_HOST): TEXT,
        probatio.Required(CONF_PORT, default=1883): whole_number(1, 65535),
        probatio.Optional(CONF_USERNAME): TextSelector(TextSelectorConfig(autocomplete="off")),
        probatio.Optional(CONF_PASSWORD): TextSelector(
            TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="new-password")
        ),
        probatio.Required(CONF_TLS, default=False): YES_NO,
        probatio.Required(CONF_ADVANCED): section(ADVANCED_SCHEMA, {"collapsed": True}),
    }
)
TENANT_SCHEMA = probatio.Schema({probatio.Required("tenant"): TEXT, probatio.Required(CONF_DEVICE_UID): TEXT})
PRODUCT_KEY_SCHEMA = probatio.Schema({probatio.Required("product_key"): TEXT, probatio.Required(CONF_DEVICE_UID): TEXT})
PREFIX_SCHEMA = probatio.Schema({probatio.Required("prefix"): TEXT, probatio.Required(CONF_DEVICE_UID): TEXT})


class EmuOtaConfigFlow(ConfigFlow, domain=DOMAIN):
    """Sets up a connection, its topic prefix and the first EMS on it."""

    VERSION = 1
    MINOR_VERSION = 1

    _anyway_offered = False

    def __init__(self) -> None:
        """Start with no connection chosen."""
        self._connection: EntryData = {}
        # Home Assistant hands an upload out only once, but a form may be sent again after an error.
        self._pem_texts: dict[str, str] = {}

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> EmuOtaOptionsFlow:
        """Return the flow for the options."""
        return EmuOtaOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the flows for subentries, by type."""
        return {SUBENTRY_EMS: EmsSubentryFlow, SUBENTRY_FIRMWARE: FirmwareSubentryFlow}

    @override
    async def async_step_user(self, user_input: Input | None = None) -> ConfigFlowResult:
        """Let the user choose the connection."""
        mqtt = self.hass.config_entries.async_entries(MQTT_DOMAIN, include_ignore=False, include_disabled=False)
        options = ["home_assistant", "broker"] if mqtt else ["broker"]
        return self.async_show_menu(step_id="user", menu_options=options)

    async def async_step_home_assistant(self, _: Input | None = None) -> ConfigFlowResult:
        """Use Home Assistant's own MQTT."""
        self._abort_if_mqtt_unavailable()
        self._connection = {CONF_CONNECTION: CONNECTION_HOME_ASSISTANT}
        return await self.async_step_topics()

    async def async_step_broker(self, user_input: Input | None = None) -> ConfigFlowResult:
        """Use a connection of our own, which has to work."""
        errors: dict[str, str] = {}
        if user_input is not None:
            errors = await self._async_broker_errors(user_input)
            if not errors:
                return await self.async_step_topics()
        return self.async_show_form(
            step_id="broker",
            data_schema=self.add_suggested_values_to_schema(BROKER_SCHEMA, user_input),
            errors=errors,
        )

    async def async_step_topics(self, _: Input | None = None) -> ConfigFlowResult:
        """Let the user choose how to tell the topic prefix."""
        return self.async_show_menu(step_id="topics", menu_options=["tenant", "product_key", "prefix"])

    async def async_step_tenant(self, user_input: Input | None = None) -> ConfigFlowResult:
        """Use the topics of the vendor's platform."""
        return await self._async_topics_form("tenant", TENANT_SCHEMA, user_input)

    async def async_step_product_key(self, user_input: Input | None = None) -> ConfigFlowResult:
        """Use the user-defined topics."""
        return await self._async_topics_form("product_key", PRODUCT_KEY_SCHEMA, user_input)

    async def async_step_prefix(self, user_input: Input | None = None) -> ConfigFlowResult:
        """Use topics with a prefix that the owner set on the EMS."""
        return await self._async_topics_form("prefix", PREFIX_SCHEMA, user_input)

    async def _async_topics_form(
        self, scheme: str, schema: probatio.Schema, user_input: Input | None
    ) -> ConfigFlowResult:
        errors: dict[str, str] = {}
        if user_input is not None:
            uid = text_of(user_input, CONF_DEVICE_UID)
            prefix = _prefix(scheme, text_of(user_input, scheme))
            if prefix is None:
                errors[scheme] = "invalid_topic"
            if not is_level(uid):
                errors[CONF_DEVICE_UID] = "invalid_topic"
            if prefix is not None and not errors:
                anyway = bool(user_input.get(CONF_ADD_ANYWAY))
                errors = await self._async_ems_errors(EmsAddress(prefix, uid), anyway=anyway)
                if not errors:
                    return self._create_entry(prefix, uid)
        return self.async_show_form(
            step_id=scheme,
            data_schema=self.add_suggested_values_to_schema(
                with_anyway(schema, offered=self._anyway_offered), user_input
            ),
            errors=errors,
        )

    async def _async_ems_errors(self, address: EmsAddress, *, anyway: bool) -> dict[str, str]:
        self._abort_if_configured(address)
        try:
            answers = await async_try_ems(self.hass, self._connection, address, must_answer=not anyway)
        except TransportError as err:
            if self._connection[CONF_CONNECTION] == CONNECTION_HOME_ASSISTANT:
                self._abort_if_mqtt_unavailable()
            return {"base": error_key(err)}
        # The answer may have taken seconds, in which another flow may have been faster.
        self._abort_if_configured(address)
        if answers:
            return {}
        self._anyway_offered = True
        return {CONF_DEVICE_UID: "no_answer"}

    def _create_entry(self, prefix: str, uid: str) -> ConfigFlowResult:
        return self.async_create_entry(
            title=prefix,
            data={**self._connection, CONF_PREFIX: prefix},
            subentries=[
                ConfigSubentryData(data={CONF_DEVICE_UID: uid}, subentry_type=SUBENTRY_EMS, title=uid, unique_id=uid)
            ],
        )

    def _abort_if_mqtt_unavailable(self) -> None:
        entries = self.hass.config_entries.async_entries(MQTT_DOMAIN)
        if not any(entry.state is ConfigEntryState.LOADED for entry in entries):
            raise AbortFlow("mqtt_unavailable")

    def _abort_if_configured(self, address: EmsAddress) -> None:
        taken = {_identity(entry.data) for entry in self.hass.config_entries.async_entries(DOMAIN)}
        mine = _identity({**self._connection, CONF_PREFIX: address.prefix})
        if mine in taken or is_configured_uid(self.hass, address.uid):
            raise AbortFlow("already_configured")

    async def _async_broker_errors(self, user_input: Input) -> dict[str, str]:
        """Return what is wrong with a filled-in form; where nothing is, the connection is kept."""
        advanced = cast("Input", user_input[CONF_ADVANCED])
        uploads = {field: cast("str", advanced[field]) for field in _UPLOADS if advanced.get(field)}
        new = [upload for upload in uploads.values() if upload not in self._pem_texts]
        self._pem_texts |= await self.hass.async_add_executor_job(_read_uploads, self.hass, new)
        if not self._pem_texts.keys() >= set(uploads.values()):
            return {"base": "invalid_certificate"}
        data: dict[str, object] = {
            CONF_CONNECTION: CONNECTION_BROKER,
            CONF_HOST: text_of(user_input, CONF_HOST),
            CONF_PORT: user_input[CONF_PORT],
            CONF_USERNAME: text_of(user_input, CONF_USERNAME),
            CONF_PASSWORD: user_input.get(CONF_PASSWORD),  # its blanks may belong to it
            CONF_TLS: user_input[CONF_TLS],
            CONF_TRANSPORT: advanced[CONF_TRANSPORT],
            CONF_WS_PATH: text_of(advanced, CONF_WS_PATH),
            CONF_CLIENT_ID: text_of(advanced, CONF_CLIENT_ID) or new_client_id(),
            CONF_KEEPALIVE: advanced[CONF_KEEPALIVE],
            CONF_VERIFY_CERTIFICATE: advanced[CONF_VERIFY_CERTIFICATE],
            **{field: self._pem_texts[upload] for field, upload in uploads.items()},
        }
        connection = {key: value for key, value in data.items() if value not in {None, ""}}
        if CONF_HOST not in connection:
            return {"base": "cannot_connect"}
        try:
            await async_try_connection(self.hass, connection)
        except TransportError as err:
            return {"base": error_key(err)}
        self._connection = connection
        return {}


def _prefix(scheme: str, text: str) -> str | None:
    """Return the whole topic prefix, or None where the text cannot be part of a topic."""
    try:
        prefix = _SCHEMES[scheme](text)
    except CommandError:
        return None
    return prefix if is_prefix(prefix) else None


def _identity(data: EntryData) -> tuple[object, ...]:
    """Return what makes an entry the only one of its kind: where it connects to, and its prefix."""
    host = str(data.get(CONF_HOST, "")).lower()
    return data.get(CONF_CONNECTION), host, data.get(CONF_PORT), data.get(CONF_PREFIX)


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

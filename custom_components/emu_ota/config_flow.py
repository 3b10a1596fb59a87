"""The flow that sets up an entry (a connection with a topic prefix, and the first EMS on it), and its credentials."""

from collections.abc import Callable, Mapping
from typing import Final, override

from homeassistant.config_entries import (
    ConfigEntry,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
)
from homeassistant.const import CONF_HOST, CONF_PORT, CONF_USERNAME
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
import probatio

from .broker_form import ACCOUNT_SCHEMA, BROKER_SCHEMA, PemUploads, broker_data, with_account
from .connection import EntryData
from .const import (
    CONF_CONNECTION,
    CONF_DEVICE_UID,
    CONF_PREFIX,
    CONNECTION_HOME_ASSISTANT,
    DOMAIN,
    SUBENTRY_EMS,
    SUBENTRY_FIRMWARE,
)
from .discovery import add_ems, emus_of_answer, end_discovery, is_configured_uid
from .ems_subentry_flow import EmsSubentryFlow
from .firmware_subentry_flow import FirmwareSubentryFlow
from .forms import CONF_ADD_ANYWAY, TEXT, Input, text_of, with_anyway
from .options_flow import EmuOtaOptionsFlow
from .probe import async_try_connection, async_try_ems, error_key
from .protocol.errors import CommandError
from .protocol.topics import EmsAddress, is_level, is_prefix, parse_topic, product_key_prefix, tenant_prefix
from .transport import TransportError

MQTT_DOMAIN: Final = "mqtt"

# How the topics can be told, by step and field: the documented schemes of the protocol ("Topics").
_SCHEMES: Final[Mapping[str, Callable[[str], str]]] = {
    "tenant": tenant_prefix,
    "product_key": product_key_prefix,
    "prefix": str,
}

TENANT_SCHEMA = probatio.Schema({probatio.Required("tenant"): TEXT, probatio.Required(CONF_DEVICE_UID): TEXT})
PRODUCT_KEY_SCHEMA = probatio.Schema({probatio.Required("product_key"): TEXT, probatio.Required(CONF_DEVICE_UID): TEXT})
PREFIX_SCHEMA = probatio.Schema({probatio.Required("prefix"): TEXT, probatio.Required(CONF_DEVICE_UID): TEXT})
NOTHING_TO_FILL_IN = probatio.Schema({})


class EmuOtaConfigFlow(ConfigFlow, domain=DOMAIN):
    """Sets up a connection, its topic prefix and the first EMS on it, and asks for its credentials anew."""

    VERSION = 1
    MINOR_VERSION = 1

    _anyway_offered = False

    def __init__(self) -> None:
        """Start with no connection chosen."""
        self._connection: EntryData = {}
        self._uploads = PemUploads()
        self._discovered = EmsAddress("", "")
        self._discovered_emus = 0

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

    async def async_step_reauth(self, _: EntryData) -> ConfigFlowResult:
        """Ask for the credentials: the broker refuses those of the entry."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: Input | None = None) -> ConfigFlowResult:
        """Take credentials with which the broker lets us in."""
        entry = self._get_reauth_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            data = with_account(entry.data, user_input)
            try:
                await async_try_connection(self.hass, data)
            except TransportError as err:
                errors = {"base": error_key(err)}
            else:
                return self._update_and_reload(entry, data)
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=self.add_suggested_values_to_schema(
                ACCOUNT_SCHEMA, user_input or {CONF_USERNAME: entry.data.get(CONF_USERNAME, "")}
            ),
            errors=errors,
            description_placeholders={
                "broker": f"{entry.data.get(CONF_HOST)}:{entry.data.get(CONF_PORT)}",
                "prefix": str(entry.data[CONF_PREFIX]),
            },
        )

    @override
    async def async_step_mqtt(self, discovery_info: MqttServiceInfo) -> ConfigFlowResult:
        """Look at an answer that an EMS gave somebody on Home Assistant's broker.

        These come with every answer of every EMS, also of those that are set up: what is cheap to tell comes first.
        """
        topic = parse_topic(discovery_info.topic)
        if topic is None:
            return self.async_abort(reason="invalid_discovery_info")
        address = topic.address
        if is_configured_uid(self.hass, address.uid):
            return self.async_abort(reason="already_configured")
        await self.async_set_unique_id(address.uid)
        self._abort_if_unique_id_configured()  # no entry has one, but those that the user ignores
        emus = emus_of_answer(topic, discovery_info)
        if emus is None:
            return self.async_abort(reason="invalid_discovery_info")
        self._discovered, self._discovered_emus = address, emus
        self.context["title_placeholders"] = {"name": address.uid}
        return await self.async_step_discovery_confirm()

    async def async_step_discovery_confirm(self, user_input: Input | None = None) -> ConfigFlowResult:
        """Add an EMS that has answered somebody; it needs no asking."""
        address = self._discovered
        if user_input is None:
            self._set_confirm_only()
            return self.async_show_form(
                step_id="discovery_confirm",
                data_schema=NOTHING_TO_FILL_IN,
                description_placeholders={
                    CONF_DEVICE_UID: address.uid,
                    CONF_PREFIX: address.prefix,
                    "emus": str(self._discovered_emus),
                },
            )
        self._abort_if_mqtt_unavailable()
        if is_configured_uid(self.hass, address.uid):
            raise AbortFlow("already_configured")
        self._connection = {CONF_CONNECTION: CONNECTION_HOME_ASSISTANT}
        entry = self._same_entry({**self._connection, CONF_PREFIX: address.prefix})
        if entry is None:
            # An entry is a connection with all its EMSs: it has no unique id, and outlives this EMS.
            await self.async_set_unique_id(None)
            return self._create_entry(address.prefix, address.uid)
        add_ems(self.hass, entry, address.uid)
        return self.async_abort(reason="ems_added", description_placeholders={"entry": entry.title})

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
        end_discovery(self.hass, uid, but=self.flow_id)
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
        entry = self._same_entry({**self._connection, CONF_PREFIX: address.prefix})
        if entry is not None or is_configured_uid(self.hass, address.uid):
            raise AbortFlow("already_configured")

    def _same_entry(self, data: EntryData) -> ConfigEntry | None:
        """Return the entry with the same connection and prefix."""
        entries = self.hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        return next((entry for entry in entries if _identity(entry.data) == _identity(data)), None)

    async def _async_broker_errors(self, user_input: Input) -> dict[str, str]:
        """Return what is wrong with a filled-in form; where nothing is, the connection is kept."""
        pem_texts = await self._uploads.async_read(self.hass, user_input)
        if pem_texts is None:
            return {"base": "invalid_certificate"}
        connection = broker_data(user_input, pem_texts)
        if CONF_HOST not in connection:
            return {"base": "cannot_connect"}
        try:
            await async_try_connection(self.hass, connection)
        except TransportError as err:
            return {"base": error_key(err)}
        self._connection = connection
        return {}

    def _update_and_reload(self, entry: ConfigEntry, data: EntryData) -> ConfigFlowResult:
        """Save and finish. The entry's own listener takes over what needs no reload; a connection does."""
        result = self.async_update_and_abort(entry, data=data)
        self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return result


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

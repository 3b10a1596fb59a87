"""The flow that sets up an entry (a connection with a topic prefix, and the first EMS on it), or moves it."""

from collections.abc import Callable, Mapping
from typing import Final, override

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
)
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
import probatio

from .connection_flow import ConnectionFlow
from .const import (
    CONF_CONNECTION,
    CONF_DEVICE_UID,
    CONF_PREFIX,
    CONNECTION_HOME_ASSISTANT,
    DOMAIN,
    SUBENTRY_EMS,
    SUBENTRY_FIRMWARE,
)
from .discovery import add_ems, emus_of_answer, end_discovery, is_configured_uid, is_uid_like_emu
from .ems_subentry_flow import EmsSubentryFlow
from .firmware_subentry_flow import FirmwareSubentryFlow
from .forms import CONF_ADD_ANYWAY, TEXT, Input, text_of, with_anyway
from .options_flow import EmuOtaOptionsFlow
from .probe import async_try_ems, error_key
from .protocol.errors import CommandError
from .protocol.topics import EmsAddress, is_level, is_prefix, parse_topic, product_key_prefix, tenant_prefix
from .transport import TransportError

# How the topics can be told, by step and field: the documented schemes of the protocol ("Topics").
_SCHEMES: Final[Mapping[str, Callable[[str], str]]] = {
    "tenant": tenant_prefix,
    "product_key": product_key_prefix,
    "prefix": str,
}

TENANT_SCHEMA = probatio.Schema({probatio.Required("tenant"): TEXT, probatio.Required(CONF_DEVICE_UID): TEXT})
PRODUCT_KEY_SCHEMA = probatio.Schema({probatio.Required("product_key"): TEXT, probatio.Required(CONF_DEVICE_UID): TEXT})
PREFIX_SCHEMA = probatio.Schema({probatio.Required("prefix"): TEXT, probatio.Required(CONF_DEVICE_UID): TEXT})
MOVED_SCHEMA = probatio.Schema({probatio.Required(CONF_PREFIX): TEXT})
NOTHING_TO_FILL_IN = probatio.Schema({})


class EmuOtaConfigFlow(ConnectionFlow, domain=DOMAIN):
    """Sets up a connection, its topic prefix and the first EMS on it, or changes connection and prefix."""

    VERSION = 1
    MINOR_VERSION = 1

    _anyway_offered = False

    def __init__(self) -> None:
        """Start with no EMS discovered."""
        super().__init__()
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
        return self.async_show_menu(step_id="user", menu_options=self._connections())

    async def async_step_reconfigure(self, _: Input | None = None) -> ConfigFlowResult:
        """Let the user choose the connection anew; devices and history stay."""
        prefix = str(self._get_reconfigure_entry().data[CONF_PREFIX])
        return self.async_show_menu(
            step_id="reconfigure",
            menu_options=self._connections(),
            description_placeholders={"prefix": prefix},
        )

    async def async_step_reconfigure_topics(self, user_input: Input | None = None) -> ConfigFlowResult:
        """Take the prefix under which the EMSs of the entry are found over the connection, and save."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            prefix = text_of(user_input, CONF_PREFIX)
            errors = await self._async_moved_errors(entry, prefix, anyway=bool(user_input.get(CONF_ADD_ANYWAY)))
            if not errors:
                return self._update_and_reload(entry, {**self._connection, CONF_PREFIX: prefix})
        return self.async_show_form(
            step_id="reconfigure_topics",
            data_schema=self.add_suggested_values_to_schema(
                with_anyway(MOVED_SCHEMA, offered=self._anyway_offered),
                user_input or {CONF_PREFIX: entry.data[CONF_PREFIX]},
            ),
            errors=errors,
        )

    @override
    async def _async_connected(self) -> ConfigFlowResult:
        if self.source == SOURCE_RECONFIGURE:
            return await self.async_step_reconfigure_topics()
        return await self.async_step_topics()

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
        entry = self._same_entry(address.prefix)
        if entry is None:
            # An entry is a connection with all its EMSs: it has no unique id, and outlives this EMS.
            await self.async_set_unique_id(None)
            return self._create_entry(address.prefix, address.uid)
        if is_uid_like_emu(entry, address.uid):
            raise AbortFlow("uid_like_emu")
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

    async def _async_moved_errors(self, entry: ConfigEntry, prefix: str, *, anyway: bool) -> dict[str, str]:
        """Return what keeps the entry from being found over its new connection with this prefix."""
        if not is_prefix(prefix):
            return {CONF_PREFIX: "invalid_topic"}
        uids = [str(ems.data[CONF_DEVICE_UID]) for ems in entry.get_subentries_of_type(SUBENTRY_EMS)]
        self._abort_if_moved_onto_another(prefix)
        errors = await self._async_errors([EmsAddress(prefix, uid) for uid in uids], anyway=anyway, field=CONF_PREFIX)
        self._abort_if_moved_onto_another(prefix)
        return errors

    async def _async_ems_errors(self, address: EmsAddress, *, anyway: bool) -> dict[str, str]:
        self._abort_if_configured(address)
        errors = await self._async_errors([address], anyway=anyway, field=CONF_DEVICE_UID)
        # The answer may have taken seconds, in which another flow may have been faster.
        self._abort_if_configured(address)
        return errors

    async def _async_errors(self, addresses: list[EmsAddress], *, anyway: bool, field: str) -> dict[str, str]:
        """Return why none of the EMSs can be found over the connection; that none answers is said at the field."""
        entry = self._changed_entry()
        try:
            answers = await async_try_ems(self.hass, self._connection, *addresses, must_answer=not anyway, entry=entry)
        except TransportError as err:
            if self._connection[CONF_CONNECTION] == CONNECTION_HOME_ASSISTANT:
                self._abort_if_mqtt_unavailable()
            return {"base": error_key(err)}
        if answers:
            return {}
        self._anyway_offered = True
        return {field: "no_answer"}

    def _create_entry(self, prefix: str, uid: str) -> ConfigFlowResult:
        end_discovery(self.hass, uid)
        return self.async_create_entry(
            title=prefix,
            data={**self._connection, CONF_PREFIX: prefix},
            subentries=[
                ConfigSubentryData(data={CONF_DEVICE_UID: uid}, subentry_type=SUBENTRY_EMS, title=uid, unique_id=uid)
            ],
        )

    def _abort_if_configured(self, address: EmsAddress) -> None:
        if self._same_entry(address.prefix) is not None or is_configured_uid(self.hass, address.uid):
            raise AbortFlow("already_configured")

    def _abort_if_moved_onto_another(self, prefix: str) -> None:
        if self._same_entry(prefix) is not None:
            raise AbortFlow("already_configured")


def _prefix(scheme: str, text: str) -> str | None:
    """Return the whole topic prefix, or None where the text cannot be part of a topic."""
    try:
        prefix = _SCHEMES[scheme](text)
    except CommandError:
        return None
    return prefix if is_prefix(prefix) else None

"""How an entry gets to its EMSs: the steps that setting up and changing an entry have in common."""

from abc import abstractmethod
from typing import Final

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
)
from homeassistant.const import CONF_CLIENT_ID, CONF_HOST, CONF_PORT, CONF_USERNAME
from homeassistant.data_entry_flow import AbortFlow

from .broker_form import (
    ACCOUNT_SCHEMA,
    CONF_ADVANCED,
    PemUploads,
    as_typed,
    broker_data,
    broker_schema,
    with_account,
)
from .connection import EntryData
from .const import CONF_CONNECTION, CONF_PREFIX, CONNECTION_BROKER, CONNECTION_HOME_ASSISTANT, DOMAIN
from .forms import Input
from .probe import async_try_connection, error_key
from .transport import TransportError

MQTT_DOMAIN: Final = "mqtt"


class ConnectionFlow(ConfigFlow):
    """Finds a connection that works, and credentials for one that no longer does."""

    def __init__(self) -> None:
        """Start with no connection chosen."""
        self._connection: EntryData = {}
        self._uploads = PemUploads()

    @abstractmethod
    async def _async_connected(self) -> ConfigFlowResult:
        """Go on with the connection that was chosen and works."""

    def _connections(self) -> list[str]:
        """Return the steps that are to choose from."""
        mqtt = self.hass.config_entries.async_entries(MQTT_DOMAIN, include_ignore=False, include_disabled=False)
        return ["home_assistant", "broker"] if mqtt else ["broker"]

    async def async_step_home_assistant(self, _: Input | None = None) -> ConfigFlowResult:
        """Use Home Assistant's own MQTT."""
        self._abort_if_mqtt_unavailable()
        self._connection = {CONF_CONNECTION: CONNECTION_HOME_ASSISTANT}
        return await self._async_connected()

    async def async_step_broker(self, user_input: Input | None = None) -> ConfigFlowResult:
        """Use a connection of our own, which has to work."""
        stored = self._stored_broker()
        errors: dict[str, str] = {}
        if user_input is not None:
            errors = await self._async_broker_errors(user_input, stored)
            if not errors:
                return await self._async_connected()
        return self.async_show_form(
            step_id="broker",
            data_schema=self.add_suggested_values_to_schema(broker_schema(stored), user_input or as_typed(stored)),
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
                await async_try_connection(self.hass, data, entry)
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

    def _abort_if_mqtt_unavailable(self) -> None:
        entries = self.hass.config_entries.async_entries(MQTT_DOMAIN)
        if not any(entry.state is ConfigEntryState.LOADED for entry in entries):
            raise AbortFlow("mqtt_unavailable")

    def _changed_entry(self) -> ConfigEntry | None:
        """Return the entry whose connection is being changed, None where one is being set up."""
        return self._get_reconfigure_entry() if self.source == SOURCE_RECONFIGURE else None

    def _stored_broker(self) -> EntryData:
        """Return the own connection that is being changed; empty where there is none yet."""
        entry = self._changed_entry()
        return entry.data if entry is not None and entry.data[CONF_CONNECTION] == CONNECTION_BROKER else {}

    async def _async_broker_errors(self, user_input: Input, stored: EntryData) -> dict[str, str]:
        """Return what is wrong with a filled-in form; where nothing is, the connection is kept."""
        pem_texts = await self._uploads.async_read(self.hass, user_input)
        if pem_texts is None:
            return {"base": "invalid_certificate"}
        connection = broker_data(user_input, pem_texts, stored)
        if CONF_HOST not in connection:
            return {"base": "cannot_connect"}
        if self._is_client_id_in_use(connection):
            return {CONF_ADVANCED: "client_id_in_use"}  # the frontend shows no errors at fields inside of a section
        try:
            await async_try_connection(self.hass, connection, self._changed_entry())
        except TransportError as err:
            return {"base": error_key(err)}
        self._connection = connection
        return {}

    def _is_client_id_in_use(self, connection: EntryData) -> bool:
        """Tell whether another entry has the client id at this broker: the two would disconnect each other.

        Whatever the port: a broker with several has one set of clients.
        """
        return any(
            (host_of(entry.data), entry.data.get(CONF_CLIENT_ID)) == (host_of(connection), connection[CONF_CLIENT_ID])
            for entry in self._other_entries()
        )

    def _same_entry(self, prefix: str) -> ConfigEntry | None:
        """Return another entry with the same connection and this prefix."""
        identity = _identity({**self._connection, CONF_PREFIX: prefix})
        return next((entry for entry in self._other_entries() if _identity(entry.data) == identity), None)

    def _other_entries(self) -> list[ConfigEntry]:
        entries = self.hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        return [entry for entry in entries if entry is not self._changed_entry()]

    def _update_and_reload(self, entry: ConfigEntry, data: EntryData) -> ConfigFlowResult:
        """Save and finish. The entry's own listener takes over what needs no reload; a connection does."""
        prefix = str(data[CONF_PREFIX])
        renamed = entry.title != entry.data[CONF_PREFIX]  # by a person, who would miss that name
        result = self.async_update_and_abort(entry, title=entry.title if renamed else prefix, data=data)
        self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return result


def host_of(data: EntryData) -> str:
    """Return the host of an own connection in the one way to write it; empty for any other connection."""
    return str(data.get(CONF_HOST, "")).lower()


def _identity(data: EntryData) -> tuple[object, ...]:
    """Return what makes an entry the only one of its kind: where it connects to, and its prefix."""
    return data.get(CONF_CONNECTION), host_of(data), data.get(CONF_PORT), data.get(CONF_PREFIX)

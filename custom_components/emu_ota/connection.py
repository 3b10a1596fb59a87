"""From the data of a config entry to its transport."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, cast

from homeassistant.const import CONF_CLIENT_ID, CONF_HOST, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.core import HomeAssistant

from .const import (
    CONF_CA_CERTIFICATE,
    CONF_CLIENT_CERTIFICATE,
    CONF_CLIENT_KEY,
    CONF_CONNECTION,
    CONF_KEEPALIVE,
    CONF_PREFIX,
    CONF_TLS,
    CONF_TRANSPORT,
    CONF_VERIFY_CERTIFICATE,
    CONF_WS_PATH,
    CONNECTION_BROKER,
    CONNECTION_HOME_ASSISTANT,
)
from .transport import Transport, TransportError
from .transport.broker import BrokerSettings, BrokerTransport
from .transport.home_assistant import HomeAssistantTransport

type EntryData = Mapping[str, object]


def broker_settings(data: EntryData) -> BrokerSettings:
    """Return the settings of an own connection from an entry's data; what is left out has its default."""
    return BrokerSettings(
        host=cast("str", data[CONF_HOST]),
        port=cast("int", data[CONF_PORT]),
        client_id=cast("str", data[CONF_CLIENT_ID]),
        username=cast("str | None", data.get(CONF_USERNAME)),
        password=cast("str | None", data.get(CONF_PASSWORD)),
        tls=cast("bool", data.get(CONF_TLS, False)),
        verify_certificate=cast("bool", data.get(CONF_VERIFY_CERTIFICATE, True)),
        ca_certificate=cast("str | None", data.get(CONF_CA_CERTIFICATE)),
        client_certificate=cast("str | None", data.get(CONF_CLIENT_CERTIFICATE)),
        client_key=cast("str | None", data.get(CONF_CLIENT_KEY)),
        websockets=data.get(CONF_TRANSPORT) == "websockets",
        ws_path=cast("str", data.get(CONF_WS_PATH, "/mqtt")),
        keepalive=cast("int", data.get(CONF_KEEPALIVE, 60)),
    )


def _own_connection(_: HomeAssistant, data: EntryData) -> Transport:
    return BrokerTransport(broker_settings(data))


def _home_assistant(hass: HomeAssistant, _: EntryData) -> Transport:
    return HomeAssistantTransport(hass)


# The ways that bytes can travel, by what CONF_CONNECTION names. The simulator adds its own, in memory.
TRANSPORTS: Final[dict[str, Callable[[HomeAssistant, EntryData], Transport]]] = {
    CONNECTION_HOME_ASSISTANT: _home_assistant,
    CONNECTION_BROKER: _own_connection,
}


def is_same_session(data: EntryData, other: EntryData) -> bool:
    """Tell whether what a broker keeps for a connection with this data is of use to one with the other."""
    parts = (CONF_CONNECTION, CONF_HOST, CONF_PORT, CONF_CLIENT_ID, CONF_PREFIX)
    return all(data.get(part) == other.get(part) for part in parts)


async def async_forget_session(data: EntryData) -> None:
    """Have the broker forget the session that it keeps for an own connection. A broker that is away is left alone."""
    if data[CONF_CONNECTION] != CONNECTION_BROKER:
        return
    transport = BrokerTransport(broker_settings(data), keep_session=False)
    with suppress(TransportError):
        await transport.async_start()
    await transport.async_stop()


def watch_refusal(transport: Transport, refused: Callable[[], None]) -> None:
    """Call back when the broker of an own connection refuses its credentials later; only that has any of ours."""
    if isinstance(transport, BrokerTransport):
        transport.watch_refusal(refused)


def transport_for(hass: HomeAssistant, data: EntryData) -> Transport:
    """Return the transport, not yet started, that a config entry's data describes."""
    return TRANSPORTS[cast("str", data[CONF_CONNECTION])](hass, data)

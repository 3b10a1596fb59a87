"""Asks before anything is created: whether a broker takes us, and whether an EMS answers."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from secrets import token_hex

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_CLIENT_ID
from homeassistant.core import HomeAssistant

from .asking import ANSWER_TIMEOUT, new_stamp
from .connection import EntryData, broker_settings, transport_for
from .const import CONF_CONNECTION, CONNECTION_BROKER, DOMAIN
from .protocol.commands import ask_versions
from .protocol.errors import MalformedMessage
from .protocol.models import VersionResult
from .protocol.parser import parse
from .protocol.topics import Direction, EmsAddress, Exchange
from .transport import InvalidAuth, NotAuthorized, Received, TlsError, Transport, TransportError
from .transport.broker import BrokerTransport


def new_client_id() -> str:
    """Return a client id that nobody else has."""
    return f"{DOMAIN}_{token_hex(6)}"


def error_key(err: TransportError) -> str:
    """Return the translation key, in the section `error` of a flow, for what a transport refused."""
    match err:
        case TlsError():
            return "tls_error"
        case InvalidAuth():
            return "invalid_auth"
        case NotAuthorized():
            return "not_authorized"
        case _:
            return "cannot_connect"


async def async_try_connection(hass: HomeAssistant, data: EntryData, entry: ConfigEntry | None = None) -> None:
    """Connect as an entry with this data would, and leave again. Raises TransportError.

    `entry` is the one that is to get this data, where it is there already.
    """
    async with _trial(hass, data, entry):
        pass


async def async_try_ems(
    hass: HomeAssistant,
    data: EntryData,
    *addresses: EmsAddress,
    must_answer: bool,
    entry: ConfigEntry | None = None,
) -> bool:
    """Connect as an entry with this data would, and tell whether any of the EMSs answers. Raises TransportError."""
    async with _trial(hass, data, entry) as transport:
        return await async_answers(transport, *addresses, must_answer=must_answer)


async def async_answers(transport: Transport, *addresses: EmsAddress, must_answer: bool = True) -> bool:
    """Tell whether any of the EMSs answers `emu_version` in time, over a transport that is started.

    Without `must_answer`, and without any EMS, the answer is True; the subscriptions are tried all the same. Raises
    TransportError only where it fails with every one of them.
    """
    commands = {address: ask_versions(address, new_stamp()) for address in addresses}
    answered = asyncio.Event()

    def receive(mid: str, received: Received) -> None:
        if not received.retained and _is_answer(received, mid):
            answered.set()

    subscribing = (
        transport.async_subscribe(address.topic(Exchange.VERSION, Direction.RESULT), partial(receive, command.mid))
        for address, command in commands.items()
    )
    # All at once: Home Assistant's MQTT takes half a second for each time it subscribes.
    subscribed = await asyncio.gather(*subscribing, return_exceptions=True)
    try:
        _raise_if_all_failed(subscribed)
        if not must_answer or not commands:
            return True
        asking = (transport.async_publish(command.topic, command.payload) for command in commands.values())
        _raise_if_all_failed(await asyncio.gather(*asking, return_exceptions=True))
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await answered.wait()
    except TimeoutError:
        return False
    finally:
        for end in subscribed:
            if not isinstance(end, BaseException):
                end()
    return True


def _raise_if_all_failed(results: Sequence[object]) -> None:
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures and len(failures) == len(results):
        raise failures[0]


def _is_answer(received: Received, mid: str) -> bool:
    try:
        message = parse(received.topic, received.payload)
    except MalformedMessage:
        return False
    # An answer that names another request is somebody else's.
    return isinstance(message, VersionResult) and message.envelope.reply in {None, mid}


@asynccontextmanager
async def _trial(hass: HomeAssistant, data: EntryData, entry: ConfigEntry | None) -> AsyncGenerator[Transport]:
    """Yield a connection that leaves nothing at the broker and disturbs no running entry."""
    transport = _trial_transport(hass, data, entry)
    try:
        await transport.async_start()
        yield transport
    finally:
        await transport.async_stop()


def _trial_transport(hass: HomeAssistant, data: EntryData, entry: ConfigEntry | None) -> Transport:
    if data[CONF_CONNECTION] != CONNECTION_BROKER:
        return transport_for(hass, data)
    # A broker may let in only the client id that its owner typed, so that one is tried. But a broker ends the older
    # of two connections with one client id: where an entry is at work with it, the trial takes another.
    at_work = [each for each in hass.config_entries.async_entries(DOMAIN) if _is_at_work(each, is_own=each is entry)]
    if data[CONF_CLIENT_ID] in {each.data.get(CONF_CLIENT_ID) for each in at_work}:
        data = {**data, CONF_CLIENT_ID: new_client_id()}
    return BrokerTransport(broker_settings(data), keep_session=False)


def _is_at_work(entry: ConfigEntry, *, is_own: bool) -> bool:
    match entry.state:
        case ConfigEntryState.LOADED:
            # The one that is being changed may be so because its broker no longer lets it in.
            return not is_own or entry.runtime_data.transport.connected
        case ConfigEntryState.SETUP_IN_PROGRESS | ConfigEntryState.UNLOAD_IN_PROGRESS:
            return True
        case _:
            return False

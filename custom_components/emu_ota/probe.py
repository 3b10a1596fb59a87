"""Asks before anything is created: whether a broker takes us, and whether an EMS answers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from secrets import token_hex

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


async def async_try_connection(hass: HomeAssistant, data: EntryData) -> None:
    """Connect as an entry with this data would, and leave again. Raises TransportError."""
    async with _trial(hass, data):
        pass


async def async_try_ems(hass: HomeAssistant, data: EntryData, address: EmsAddress, *, must_answer: bool) -> bool:
    """Connect as an entry with this data would, and tell whether the EMS answers. Raises TransportError."""
    async with _trial(hass, data) as transport:
        return await async_answers(transport, address, must_answer=must_answer)


async def async_answers(transport: Transport, address: EmsAddress, *, must_answer: bool = True) -> bool:
    """Tell whether an EMS answers `emu_version` in time, over a transport that is started.

    Without `must_answer` only the subscription is tried and the answer is True. Raises TransportError.
    """
    command = ask_versions(address, new_stamp())
    answered = asyncio.Event()

    def receive(received: Received) -> None:
        if not received.retained and _is_answer(received, command.mid):
            answered.set()

    unsubscribe = await transport.async_subscribe(address.topic(Exchange.VERSION, Direction.RESULT), receive)
    try:
        if not must_answer:
            return True
        await transport.async_publish(command.topic, command.payload)
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await answered.wait()
    except TimeoutError:
        return False
    finally:
        unsubscribe()
    return True


def _is_answer(received: Received, mid: str) -> bool:
    try:
        message = parse(received.topic, received.payload)
    except MalformedMessage:
        return False
    # An answer that names another request is somebody else's.
    return isinstance(message, VersionResult) and message.envelope.reply in {None, mid}


@asynccontextmanager
async def _trial(hass: HomeAssistant, data: EntryData) -> AsyncGenerator[Transport]:
    """Yield a connection that leaves nothing at the broker and disturbs no running entry."""
    transport = _trial_transport(hass, data)
    try:
        await transport.async_start()
        yield transport
    finally:
        await transport.async_stop()


def _trial_transport(hass: HomeAssistant, data: EntryData) -> Transport:
    if data[CONF_CONNECTION] != CONNECTION_BROKER:
        return transport_for(hass, data)
    # A broker may let in only the client id that its owner typed, so that one is tried. But a broker ends the older
    # of two connections with one client id: where an entry is running with it, the trial takes another.
    running = hass.config_entries.async_loaded_entries(DOMAIN)
    taken = {entry.data.get(CONF_CLIENT_ID) for entry in running}
    if data[CONF_CLIENT_ID] in taken:
        data = {**data, CONF_CLIENT_ID: new_client_id()}
    return BrokerTransport(broker_settings(data), keep_session=False)

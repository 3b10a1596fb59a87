"""Why a broker could not be reached, from what aiomqtt, paho and the socket raise."""

import ssl

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from . import CannotConnect, InvalidAuth, TlsError, TransportError
from .settings import BrokerSettings


class NoBroker(CannotConnect):
    """Something took the connection and did not answer as a broker."""

    def __init__(self, message: str, *, hung_up: bool) -> None:
        """Remember whether it said so by hanging up, or was silent or spoke something else."""
        super().__init__(message)
        self.hung_up = hung_up


class VersionRefused(CannotConnect):
    """The broker does not speak this version of MQTT."""


class HungUp(aiomqtt.MqttError):
    """The connection has ended while somebody was waiting for an answer."""


def failure_of(err: Exception, settings: BrokerSettings) -> TransportError:
    """Return what an exception out of the attempt to connect means; its text names no secret."""
    where = f"{settings.host}:{settings.port}"
    match err:
        case ssl.SSLError():
            return TlsError(f"No TLS with {where}: {err}")
        case ConnectionResetError() | BrokenPipeError() if settings.tls:
            return TlsError(f"{where} hangs up on a TLS greeting")
        case MqttConnectError(rc=ReasonCode(value=132)):
            return VersionRefused(f"{where} does not speak this version of MQTT")
        # Bad user name or password, not authorized, banned, bad authentication method. paho gives the codes of 3.1.1
        # these numbers too.
        case MqttConnectError(rc=ReasonCode(value=134 | 135 | 138 | 140)):
            return InvalidAuth(f"{where} refuses us: {err}")
        case MqttConnectError():
            return CannotConnect(f"{where} refuses the connection: {err}")
        case HungUp():
            return NoBroker(f"{where} hangs up on an MQTT greeting", hung_up=True)
        case TimeoutError():
            return NoBroker(f"{where} does not answer", hung_up=False)
        case paho.WebsocketConnectionError() | ConnectionResetError():
            return NoBroker(f"{where} does not answer as a broker", hung_up=False)
    return CannotConnect(f"No connection to {where}: {err}")

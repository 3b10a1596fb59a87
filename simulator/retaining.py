"""The integration's own connection, able to publish retained besides: what only an EMS at fault does."""

from dataclasses import replace

import aiomqtt

from custom_components.emu_ota.transport import TransportError, tls
from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport


class RetainingTransport(BrokerTransport):
    """A BrokerTransport for a simulated site; it keeps no session."""

    def __init__(self, settings: BrokerSettings) -> None:
        """Take note only; async_start connects."""
        super().__init__(settings, keep_session=False)
        self._of_broker = settings

    async def async_publish_retained(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1 and retained, on a connection of its own. Raises TransportError."""
        settings = replace(self._of_broker, client_id=f"{self._of_broker.client_id}_retained")
        context = await tls.make_context(settings) if settings.tls else None
        try:
            async with aiomqtt.Client(
                settings.host,
                settings.port,
                username=settings.username,
                password=settings.password,
                identifier=settings.client_id,
                protocol=aiomqtt.ProtocolVersion.V5,
                transport="websockets" if settings.websockets else "tcp",
                websocket_path=settings.ws_path if settings.websockets else None,
                tls_context=context,
            ) as client:
                await client.publish(topic, payload, qos=1, retain=True)
        except (OSError, aiomqtt.MqttError) as error:
            raise TransportError(str(error)) from error

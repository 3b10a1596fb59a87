"""What an own connection to a broker is made of."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerSettings:
    """Where a broker is and how to get in. Its repr shows no secret, so that it may end up in a log.

    Certificates and the key are PEM texts; a client certificate may carry its key in the same text.
    """

    host: str
    port: int
    client_id: str
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    verify_certificate: bool = True
    ca_certificate: str | None = field(default=None, repr=False)
    client_certificate: str | None = field(default=None, repr=False)
    client_key: str | None = field(default=None, repr=False)
    websockets: bool = False
    ws_path: str = "/mqtt"
    keepalive: int = 60
    """Seconds; 0 for none."""

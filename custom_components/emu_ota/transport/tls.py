"""TLS for an own connection: its context from PEM texts, and what a port that failed can be seen to want."""

import asyncio
import contextlib
from pathlib import Path
import ssl
import tempfile
from typing import Final

import certifi

from . import TlsError
from .settings import BrokerSettings

PROBE_TIMEOUT: Final = 3
"""Seconds that looking at a port after a failure may take: the person in the form has waited already."""


async def make_context(settings: BrokerSettings) -> ssl.SSLContext:
    """Return the context that the settings ask for. Raises TlsError when one of the PEM texts is unusable."""
    return await asyncio.to_thread(_make_context, settings)


def _make_context(settings: BrokerSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if not settings.verify_certificate:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif settings.ca_certificate is not None:
            context.load_verify_locations(cadata=settings.ca_certificate)
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an intermediate CA is what some people have
        else:
            context.load_default_certs()
            context.load_verify_locations(certifi.where())  # a container may come without any of its own
        if settings.client_certificate is not None:
            _load_client_certificate(context, settings.client_certificate, settings.client_key)
    # The texts are uploads: besides bad PEM there are wrong kinds of it, empty files and letters that are not ASCII.
    except (OSError, TypeError, ValueError) as err:
        raise TlsError(f"Unusable certificate or key: {err}") from err
    return context


def _load_client_certificate(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    # OpenSSL takes these from files only: they live in a folder that nobody else can enter, for as long as it reads.
    with tempfile.TemporaryDirectory(prefix="emu_ota_") as folder:
        chain = Path(folder, "client.pem")
        chain.write_text(certificate if key is None else f"{certificate}\n{key}\n", encoding="utf-8")
        # Without this an encrypted key would have OpenSSL ask for its password on the terminal of Home Assistant.
        context.load_cert_chain(chain, password=lambda: "")


async def speaks_tls(host: str, port: int) -> bool:
    """Return whether a port answers a TLS greeting, with anything that only TLS says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLError as err:
        return "ALERT" in (err.reason or "")  # it refuses us, but in TLS's own words
    except OSError, ValueError:
        return False
    writer.transport.abort()
    return True


async def refusal_after_handshake(host: str, port: int, context: ssl.SSLContext) -> str | None:
    """Return why a port hangs up on us in TLS once the handshake is through, None where it does not say.

    In TLS 1.3 the client is done before the server has looked at its certificate: that it wants one, or another one,
    it says only then. It has to be listened for without sending anything, else the hang-up overtakes the reason.
    """
    with contextlib.suppress(OSError, ValueError):
        async with asyncio.timeout(PROBE_TIMEOUT):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
            try:
                await reader.read(1)
            except ssl.SSLError as err:
                return str(err)
            finally:
                writer.transport.abort()
    return None

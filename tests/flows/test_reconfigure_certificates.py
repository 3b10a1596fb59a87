"""Certificates and keys of an entry that is changed: they are not shown, and stay, go or are replaced."""

from collections.abc import Generator

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.protocol.topics import EmsAddress
from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport
from tests.certificates import Authority
from tests.mosquitto import Mosquitto, MosquittoTls

from .entries import an_entry, assert_saved, own_connection
from .entry_flow import async_choose, async_send, typed_for
from .site import PREFIX, UID, running_site
from .uploads import Uploads

AUTHORITY = Authority()
OURS, NEW = AUTHORITY.client(), AUTHORITY.client()
STORED = {
    "ca_certificate": AUTHORITY.certificate,
    "client_certificate": OURS.certificate,
    "client_key": OURS.key,
}
CLIENT_ID = {"client_id": "the-entry"}


async def async_entry(hass: HomeAssistant, broker: Mosquitto) -> MockConfigEntry:
    """Return an entry with a certificate of each kind, which is loaded."""
    entry = an_entry(hass, own_connection(broker, tls=True, **STORED))
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


@pytest.fixture
def broker() -> Generator[Mosquitto]:
    """Run a broker that wants a certificate of whoever connects."""
    tls = MosquittoTls(server=AUTHORITY.server(), client_authority=AUTHORITY.certificate)
    with Mosquitto(tls=tls) as mosquitto:
        yield mosquitto


@pytest.fixture
async def entry(hass: HomeAssistant, broker: Mosquitto) -> MockConfigEntry:
    """Return an entry at that broker."""
    return await async_entry(hass, broker)


async def async_change(
    hass: HomeAssistant, broker: Mosquitto, **advanced: object
) -> tuple[dict[str, object], dict[str, str]]:
    """Change the entry with all three; return what it has of them afterwards, and the errors that kept it from it."""
    (entry,) = hass.config_entries.async_loaded_entries(DOMAIN)
    form = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "reconfigure", "entry_id": entry.entry_id}
    )
    form = await async_choose(hass, form, "broker")
    result = await async_send(hass, form, typed_for(broker, CLIENT_ID | advanced, tls=True))
    if not result.get("errors"):
        settings = BrokerSettings(
            host=broker.host,
            port=broker.port,
            client_id="the site",
            tls=True,
            ca_certificate=AUTHORITY.certificate,
            client_certificate=NEW.certificate,
            client_key=NEW.key,
        )
        async with running_site(BrokerTransport(settings), [EmsAddress(PREFIX, UID)]):
            assert_saved(await async_send(hass, result, {"prefix": PREFIX}), "reconfigure_successful")
            await hass.async_block_till_done()
    connected = entry.runtime_data.transport.connected
    await hass.config_entries.async_unload(entry.entry_id)
    assert connected
    return {key: value for key, value in entry.data.items() if key in STORED}, result.get("errors") or {}


@pytest.mark.parametrize("keep", [{}, {"keep_certificates": True}])
async def test_they_stay_unless_told_otherwise(
    hass: HomeAssistant, broker: Mosquitto, entry: MockConfigEntry, keep: dict[str, object]
) -> None:
    assert await async_change(hass, broker, **keep) == (STORED, {})


async def test_without_them_the_broker_refuses_us_and_nothing_is_saved(
    hass: HomeAssistant, broker: Mosquitto, entry: MockConfigEntry
) -> None:
    assert await async_change(hass, broker, keep_certificates=False) == (STORED, {"base": "tls_error"})


async def test_new_ones_take_the_place_of_all(
    hass: HomeAssistant, broker: Mosquitto, entry: MockConfigEntry, upload: Uploads
) -> None:
    uploads = {
        "ca_certificate": await upload(AUTHORITY.certificate),
        "client_certificate": await upload(NEW.certificate),
        "client_key": await upload(NEW.key),
    }
    after = {"client_certificate": NEW.certificate, "client_key": NEW.key}
    assert await async_change(hass, broker, keep_certificates=False, **uploads) == (STORED | after, {})


async def test_a_new_pair_takes_the_place_of_the_pair(
    hass: HomeAssistant, broker: Mosquitto, entry: MockConfigEntry, upload: Uploads
) -> None:
    uploads = {"client_certificate": await upload(NEW.certificate), "client_key": await upload(NEW.key)}
    after = {"client_certificate": NEW.certificate, "client_key": NEW.key}
    assert await async_change(hass, broker, **uploads) == (STORED | after, {})


async def test_a_certificate_that_brings_its_key_takes_the_place_of_both(
    hass: HomeAssistant, broker: Mosquitto, entry: MockConfigEntry, upload: Uploads
) -> None:
    both = f"{NEW.certificate}\n{NEW.key}"
    after = {"ca_certificate": AUTHORITY.certificate, "client_certificate": both}
    assert await async_change(hass, broker, client_certificate=await upload(both)) == (after, {})


async def test_a_certificate_for_another_key_is_told(
    hass: HomeAssistant, broker: Mosquitto, entry: MockConfigEntry, upload: Uploads
) -> None:
    uploaded = await upload(NEW.certificate)
    assert await async_change(hass, broker, client_certificate=uploaded) == (STORED, {"base": "tls_error"})


async def test_they_can_be_removed(hass: HomeAssistant) -> None:
    with Mosquitto(tls=MosquittoTls(server=AUTHORITY.server())) as lenient:
        await async_entry(hass, lenient)
        changed = await async_change(hass, lenient, keep_certificates=False, verify_certificate=False)
    assert changed == ({}, {})

"""The form for an own connection: a real broker takes us, or the form says why not."""

from collections.abc import Generator
import re

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
import pytest

from tests.certificates import Authority
from tests.doors import WebsocketDoor
from tests.mosquitto import Mosquitto, MosquittoTls, free_port

from .entries import an_entry, own_connection
from .entry_flow import ADVANCED, async_choose, async_send, async_to_broker, typed_for
from .forms import fields, suggested
from .site import PREFIX, UID, site_on
from .uploads import Uploads

AUTHORITY = Authority()


@pytest.fixture
def tls_broker() -> Generator[Mosquitto]:
    """Run a broker with TLS and a certificate of an authority of one's own."""
    with Mosquitto(tls=MosquittoTls(server=AUTHORITY.server())) as mosquitto:
        yield mosquitto


async def test_the_form_has_its_fields_and_their_defaults(hass: HomeAssistant, broker: Mosquitto) -> None:
    form = await async_to_broker(hass)
    assert fields(form) == {"host", "port", "username", "password", "tls", "advanced"}
    async with site_on(broker):
        result = await async_send(hass, form, {"host": broker.host, "port": broker.port, "advanced": {}})
        assert result["step_id"] == "topics"
        result = await async_choose(hass, result, "prefix")
        result = await async_send(hass, result, {"prefix": PREFIX, "device_uid": UID})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        client_id = result["data"]["client_id"]
        assert re.fullmatch(r"emu_ota_[0-9a-f]{12}", client_id)
        assert result["data"] == {
            "connection": "broker",
            "prefix": PREFIX,
            "host": broker.host,
            "port": broker.port,
            "tls": False,
            "transport": "tcp",
            "ws_path": "/mqtt",
            "client_id": client_id,
            "keepalive": 60,
            "verify_certificate": True,
        }
        assert type(result["data"]["port"]) is int
        assert type(result["data"]["keepalive"]) is int
        await hass.async_block_till_done()


@pytest.mark.parametrize("wrong", [{"port": 0}, {"port": 65536}, {"advanced": ADVANCED | {"keepalive": 4}}])
async def test_numbers_outside_their_range_are_refused(
    hass: HomeAssistant, broker: Mosquitto, wrong: dict[str, object]
) -> None:
    form = await async_to_broker(hass)
    with pytest.raises(InvalidData):
        await async_send(hass, form, typed_for(broker) | wrong)
    assert (await async_send(hass, form, typed_for(broker)))["step_id"] == "topics"


@pytest.mark.parametrize("host", ["", "  "])
async def test_a_host_that_is_not_named_is_told(hass: HomeAssistant, broker: Mosquitto, host: str) -> None:
    result = await async_send(hass, await async_to_broker(hass), typed_for(broker, host=host))
    assert result["errors"] == {"base": "cannot_connect"}
    assert (await async_send(hass, result, typed_for(broker)))["step_id"] == "topics"


async def test_a_port_without_a_broker_is_told(hass: HomeAssistant, broker: Mosquitto) -> None:
    typed = typed_for(broker, {"client_id": "mine"}, port=float(free_port()), username="site", password="s3cret")
    result = await async_send(hass, await async_to_broker(hass), typed)
    assert result["step_id"] == "broker"
    assert result["errors"] == {"base": "cannot_connect"}
    assert suggested(result) == typed
    assert (await async_send(hass, result, typed_for(broker)))["step_id"] == "topics"


async def test_a_wrong_password_is_told_and_never_logged(hass: HomeAssistant, caplog: pytest.LogCaptureFixture) -> None:
    with Mosquitto(users={"landlord": "s3cret"}) as broker:
        result = await async_to_broker(hass)
        for username, password in (("landlord", "wr0ng"), ("landl0rd", "s3cret"), (None, None)):
            typed = typed_for(broker)
            if username is not None:
                typed |= {"username": username, "password": password}
            result = await async_send(hass, result, typed)
            assert result["step_id"] == "broker"
            assert result["errors"] == {"base": "invalid_auth"}
            assert suggested(result) == typed
        result = await async_send(hass, result, typed_for(broker, username=" landlord ", password="s3cret"))
        assert result["step_id"] == "topics"
    for secret in ("wr0ng", "s3cret", "landlord", "landl0rd"):
        assert secret not in caplog.text


async def test_a_tls_port_without_tls_is_told(hass: HomeAssistant, tls_broker: Mosquitto, upload: Uploads) -> None:
    result = await async_send(hass, await async_to_broker(hass), typed_for(tls_broker))
    assert result["step_id"] == "broker"
    assert result["errors"] == {"base": "tls_error"}
    ca = await upload(AUTHORITY.certificate)
    result = await async_send(hass, result, typed_for(tls_broker, {"ca_certificate": ca}, tls=True))
    assert result["step_id"] == "topics"


async def test_tls_to_a_port_without_it_is_told(hass: HomeAssistant, broker: Mosquitto) -> None:
    result = await async_send(hass, await async_to_broker(hass), typed_for(broker, tls=True))
    assert result["errors"] == {"base": "tls_error"}
    assert (await async_send(hass, result, typed_for(broker)))["step_id"] == "topics"


async def test_an_unknown_authority_is_told_and_can_be_passed_over(hass: HomeAssistant, tls_broker: Mosquitto) -> None:
    result = await async_send(hass, await async_to_broker(hass), typed_for(tls_broker, tls=True))
    assert result["errors"] == {"base": "tls_error"}
    result = await async_send(hass, result, typed_for(tls_broker, {"verify_certificate": False}, tls=True))
    assert result["step_id"] == "topics"


async def test_uploads_become_texts_and_outlast_an_error(hass: HomeAssistant, upload: Uploads) -> None:
    ours = AUTHORITY.client()
    tls = MosquittoTls(server=AUTHORITY.server(), client_authority=AUTHORITY.certificate)
    with Mosquitto(tls=tls, users={"site": "s3cret"}) as broker:
        uploads: dict[str, object] = {"ca_certificate": await upload(AUTHORITY.certificate)}
        typed = typed_for(broker, uploads, tls=True, username="site", password="wr0ng")
        result = await async_send(hass, await async_to_broker(hass), typed)
        assert result["errors"] == {"base": "tls_error"}  # it wants a certificate of ours
        uploads["client_certificate"] = await upload(ours.certificate)
        uploads["client_key"] = await upload(ours.key)
        result = await async_send(hass, result, typed | {"advanced": ADVANCED | uploads})
        assert result["errors"] == {"base": "invalid_auth"}
        assert suggested(result) == typed | {"advanced": ADVANCED | uploads}
        right = typed | {"advanced": ADVANCED | uploads, "password": "s3cret"}
        assert (await async_send(hass, result, right))["step_id"] == "topics"


@pytest.mark.parametrize(
    "content",
    ["no certificate", b"\xff\xfe\x00", "-----BEGIN CERTIFICATE-----" + "A" * 256 * 1024, None],
    ids=["text", "binary", "too large", "gone"],
)
async def test_a_file_that_is_no_certificate_is_told(
    hass: HomeAssistant, tls_broker: Mosquitto, upload: Uploads, content: str | bytes | None
) -> None:
    file_id = "0" * 32 if content is None else await upload(content)
    typed = typed_for(tls_broker, {"ca_certificate": file_id}, tls=True)
    result = await async_send(hass, await async_to_broker(hass), typed)
    assert result["errors"] == {"base": "invalid_certificate"}
    assert suggested(result) == typed
    result = await async_send(hass, result, typed)  # the same again, now that it was handed out once
    assert result["errors"] == {"base": "invalid_certificate"}
    ca = await upload(AUTHORITY.certificate)
    result = await async_send(hass, result, typed_for(tls_broker, {"ca_certificate": ca}, tls=True))
    assert result["step_id"] == "topics"


async def test_certificates_are_kept_with_the_entry(
    hass: HomeAssistant, tls_broker: Mosquitto, upload: Uploads
) -> None:
    ours = AUTHORITY.client()
    uploads: dict[str, object] = {
        "ca_certificate": await upload(AUTHORITY.certificate),
        "client_certificate": await upload(ours.certificate),
        "client_key": await upload(ours.key),
    }
    result = await async_send(hass, await async_to_broker(hass), typed_for(tls_broker, uploads, tls=True))
    result = await async_choose(hass, result, "prefix")
    async with site_on(tls_broker, authority=AUTHORITY.certificate):
        result = await async_send(hass, result, {"prefix": PREFIX, "device_uid": UID})
        await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["ca_certificate"] == AUTHORITY.certificate
    assert result["data"]["client_certificate"] == ours.certificate
    assert result["data"]["client_key"] == ours.key


async def test_a_broker_behind_websockets_is_found(hass: HomeAssistant, broker: Mosquitto) -> None:
    async with WebsocketDoor(broker.port, path="/broker") as door:
        typed = typed_for(broker, port=float(door.port))
        result = await async_send(hass, await async_to_broker(hass), typed)
        assert result["errors"] == {"base": "cannot_connect"}
        typed = typed_for(broker, {"transport": "websockets", "ws_path": "/broker"}, port=float(door.port))
        assert (await async_send(hass, result, typed))["step_id"] == "topics"


async def test_the_client_id_that_was_typed_is_the_one_that_is_tried(hass: HomeAssistant, broker: Mosquitto) -> None:
    form = await async_to_broker(hass)
    await async_send(hass, form, typed_for(broker, {"client_id": " the-owner "}))
    assert "as the-owner (" in broker.log


@pytest.mark.parametrize("port", [None, 8883])
async def test_the_client_id_of_another_entry_is_refused(
    hass: HomeAssistant, broker: Mosquitto, port: int | None
) -> None:
    """Whichever port of the broker the other one uses, and whether it is running or not."""
    an_entry(hass, own_connection(broker, client_id="the-entry", **({} if port is None else {"port": port})))
    typed = typed_for(broker, {"client_id": " the-entry "})
    result = await async_send(hass, await async_to_broker(hass), typed)
    assert result["step_id"] == "broker"
    assert result["errors"] == {"advanced": "client_id_in_use"}
    assert suggested(result) == typed
    assert "as the-entry (" not in broker.log
    result = await async_send(hass, result, typed_for(broker, {"client_id": "another"}))
    assert result["step_id"] == "topics"


async def test_the_client_id_of_an_entry_at_another_broker_may_be_used(hass: HomeAssistant, broker: Mosquitto) -> None:
    an_entry(hass, own_connection(broker, client_id="the-entry", host="192.0.2.7"))
    form = await async_to_broker(hass)
    assert (await async_send(hass, form, typed_for(broker, {"client_id": "the-entry"})))["step_id"] == "topics"

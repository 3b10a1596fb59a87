"""Secrets are planted wherever one can be typed in; none may come out in a log, a state, an issue or diagnostics."""

from http import HTTPStatus
import json
import logging

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.protocol.topics import EmsAddress
from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport
from tests.certificates import Authority
from tests.mosquitto import Mosquitto, MosquittoTls

from . import firmware_flow
from .entries import an_entry, assert_saved, async_becomes_true, own_connection
from .entry_flow import async_choose, async_send, typed_for
from .files import PACKAGE_MD5, FileServer
from .site import UID, running_site
from .uploads import Uploads

TENANT = "acmetenant"
"""Who lets its owner in knows it: no diagnostics name it. It is in every topic, and topics are logged."""
USERNAME, PASSWORD = "hunter2landlord", "hunter2pass"
NEW_PASSWORD = "hunter2new"
URL_SECRETS = "hunter2"
"""In every part of a link that may be one: user, password, path, query, fragment."""
PREFIX = f"v1/user/{TENANT}"
AUTHORITY = Authority()
OURS = AUTHORITY.client("hunter2")

NOT_OURS = ("homeassistant.core", "pytest_homeassistant_custom_component")
"""At the level DEBUG these tell every action, and every file that is stored, with all its data: nobody can help it."""


def secret_link(files: FileServer, path: str) -> str:
    """Return a link to a file with secrets wherever it can have one."""
    link = files.url(path).replace("://", f"://{URL_SECRETS}user:{URL_SECRETS}pass@")
    return f"{link}?token={URL_SECRETS}token#{URL_SECRETS}"


def spilled(text: str) -> list[str]:
    """Return what has come out of what should not: the lines with a secret, or of a certificate or key."""
    lines = [line for key in (OURS.key, OURS.certificate) for line in key.splitlines() if not line.startswith("--")]
    return [line for line in text.splitlines() if any(secret in line for secret in ("hunter2", *lines))]


def settings_of(broker: Mosquitto) -> BrokerSettings:
    """Return the connection of the site."""
    return BrokerSettings(
        host=broker.host,
        port=broker.port,
        client_id="site",
        username="site",
        password="site",
        tls=True,
        ca_certificate=AUTHORITY.certificate,
        client_certificate=OURS.certificate,
        client_key=OURS.key,
    )


async def async_diagnostics(hass: HomeAssistant, client: ClientSessionGenerator, entry: MockConfigEntry) -> str:
    """Return the diagnostics of the entry and of each of its devices."""
    path = f"/api/diagnostics/config_entry/{entry.entry_id}"
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert len(devices) == 2
    texts = []
    for each in ("", *(f"/device/{device.id}" for device in devices)):
        response = await (await client()).get(path + each)
        assert response.status == HTTPStatus.OK
        texts.append(json.dumps((await response.json())["data"], indent=1))
    return "\n".join(texts)


async def async_upgrade(hass: HomeAssistant, link: str, md5: str) -> None:
    """Order an upgrade that does not succeed."""
    data = {"entity_id": f"update.{UID.lower()}_emu_2_firmware", "download_url": link, "md5": md5}
    with pytest.raises(HomeAssistantError) as error:
        await hass.services.async_call(DOMAIN, "upgrade", data, blocking=True)
    assert spilled(str(error.value)) == []


async def test_no_secret_comes_out_of_anywhere(  # noqa: PLR0913, PLR0915, PLR0917 - all that has to do with secrets
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    files: FileServer,
    upload: Uploads,
    issue_registry: ir.IssueRegistry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # as Home Assistant does at its start
    shown: list[str] = []
    assert await async_setup_component(hass, "diagnostics", {})
    tls = MosquittoTls(server=AUTHORITY.server(), client_authority=AUTHORITY.certificate)
    certificates: dict[str, object] = {
        "ca_certificate": AUTHORITY.certificate,
        "client_certificate": OURS.certificate,
        "client_key": OURS.key,
    }
    with Mosquitto(tls=tls, users={USERNAME: PASSWORD, "site": "site"}) as broker:
        account: dict[str, object] = {"username": USERNAME, "password": PASSWORD}
        entry = an_entry(hass, own_connection(broker, tls=True, **certificates, **account), prefix=PREFIX)
        site = running_site(BrokerTransport(settings_of(broker)), [EmsAddress(PREFIX, UID)])
        async with site:
            assert await hass.config_entries.async_setup(entry.entry_id)
            await async_becomes_true(lambda: entry.runtime_data.systems[UID].coordinator.available)
            await hass.async_block_till_done()

            # The connection is changed: refused, without TLS, with unusable files, and in the end as it was.
            form = await async_choose(hass, await entry.start_reconfigure_flow(hass), "broker")
            for typed in (
                typed_for(broker, tls=True, username=USERNAME, password="hunter2wrong"),
                typed_for(broker, {}, tls=False, **account),
                typed_for(broker, {"client_key": await upload(OURS.certificate)}, tls=True, **account),
                typed_for(broker, {"client_certificate": await upload(OURS.key)}, tls=True, **account),
                typed_for(broker, {"ca_certificate": await upload("hunter2")}, tls=True, **account),
            ):
                form = await async_send(hass, form, typed)
                assert form["errors"]
            form = await async_send(hass, form, typed_for(broker, {"client_id": "the-entry"}, tls=True, **account))
            assert_saved(await async_send(hass, form, {"prefix": PREFIX}), "reconfigure_successful")
            await hass.async_block_till_done()
            await async_becomes_true(lambda: entry.runtime_data.systems[UID].coordinator.available)

            # Firmware from links that work and from one that does not, and an index that is not there.
            for version, path, mirror in (("emu-v1", "/package.bin", False), ("emu-v2", "/download", True)):
                flow = await firmware_flow.async_start(hass, entry, "link")
                link = secret_link(files, path)
                await firmware_flow.async_send(hass, flow, download_url=link, version=version, mirror=mirror)
            flow = await firmware_flow.async_start(hass, entry, "link")
            failed = await firmware_flow.async_send(
                hass, flow, download_url=secret_link(files, "/gone"), version="emu-v3", release_url="x:hunter2"
            )
            assert failed["errors"]
            options = await hass.config_entries.options.async_init(entry.entry_id)
            await hass.config_entries.options.async_configure(
                options["flow_id"],
                {
                    "index_url": secret_link(files, "/page"),
                    "download_base_url": "http://hunter2:hunter2@192.0.2.1/hunter2",
                    "max_parallel": 1,
                    "queue_timeout": 1,
                },
            )
            await hass.async_block_till_done(wait_background_tasks=True)
            assert len(firmware_flow.releases(entry)) == 2

            # Upgrades whose links nobody can fetch, or nobody should.
            await async_upgrade(hass, secret_link(files, "/gone"), PACKAGE_MD5)
            await async_upgrade(hass, secret_link(files, "/gone"), "no MD5")
            await async_upgrade(hass, "x:hunter2", PACKAGE_MD5)
            shown += [await async_diagnostics(hass, hass_client, entry)]
            shown += [json.dumps(state.as_dict(), default=str) for state in hass.states.async_all()]

    # The broker comes back with another password.
    with Mosquitto(tls=tls, users={USERNAME: NEW_PASSWORD}, port=broker.port):
        await async_becomes_true(hass.config_entries.flow.async_progress)
        (flow_,) = hass.config_entries.flow.async_progress()
        form = await hass.config_entries.flow.async_configure(flow_["flow_id"])
        form = await async_send(hass, form, {"username": USERNAME, "password": "hunter2wrong"})
        assert form["errors"] == {"base": "invalid_auth"}
        done = await async_send(hass, form, {"username": USERNAME, "password": NEW_PASSWORD})
        assert_saved(done, "reauth_successful")
        await hass.async_block_till_done()
        assert entry.state is ConfigEntryState.LOADED
        shown += [await async_diagnostics(hass, hass_client, entry)]
        assert await hass.config_entries.async_unload(entry.entry_id)

    assert len(issue_registry.issues) > 0
    issues = [
        json.dumps(issue.to_json() | {"texts": issue.translation_placeholders}, default=str)
        for issue in issue_registry.issues.values()
    ]
    assert spilled("\n".join(shown + issues)) == []
    assert TENANT not in "\n".join(shown)
    told = [record for record in caplog.records if not record.name.startswith(NOT_OURS)]
    assert any(
        record.levelno == logging.DEBUG and record.name.startswith("custom_components.emu_ota") for record in told
    )
    assert spilled("\n".join(f"{record.name}: {record.getMessage()} {record.exc_text or ''}" for record in told)) == []

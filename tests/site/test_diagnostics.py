"""What can be downloaded to find out what is wrong: all that helps, and no secret."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
import json
import logging
from typing import Any

from homeassistant.components.diagnostics import REDACTED
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.emu_ota.protocol.topics import Exchange
from simulator.faults import Fault

from .by_hand import HandEms, report
from .conftest import MakeWorld
from .hosted import Hosted, really, upload_subentry
from .looks import device, fall_silent
from .world import NEW, OLD, OTHER_UID, UID, URL, World, ems_subentry, firmware_subentry, simulated_ems

SECRET = "hunter2"
"""In all that must not come out."""
SECRET_URL = f"https://user:{SECRET}@example.com:8443/{SECRET}/{SECRET}.zip?token={SECRET}#{SECRET}"
INDEX_URL = f"ftp://user:{SECRET}@example.com/{SECRET}"  # of a kind that nobody fetches
SHOWN_URL = f"https://example.com:8443/{REDACTED}"

# Everything that the entry of an own connection holds (flows: "broker"), and what a later version may add.
BROKER: dict[str, object] = {
    "connection": "broker",
    "prefix": f"v1/user/{SECRET}",
    "host": f"{SECRET}.example.com",
    "port": 8883,
    "username": SECRET,
    "password": SECRET,
    "tls": True,
    "transport": "websockets",
    "ws_path": f"/mqtt?key={SECRET}",
    "client_id": SECRET,
    "keepalive": 60,
    "verify_certificate": False,
    "ca_certificate": f"-----BEGIN CERTIFICATE-----\n{SECRET}",
    "client_certificate": SECRET,
    "client_key": f"-----BEGIN PRIVATE KEY-----\n{SECRET}",
    "api_key_of_the_future": SECRET,
    "list_of_the_future": [SECRET, {"token": SECRET}],
}


type Download = Callable[..., Awaitable[Any]]
"""Returns the diagnostics of a world's entry, or of one of its devices: JSON of any depth."""


@pytest.fixture(autouse=True)
async def _component(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, "diagnostics", {})
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # as Home Assistant does at its start


@pytest.fixture
def diagnostics(hass_client: ClientSessionGenerator) -> Download:
    """Return what downloads diagnostics, as a person does."""

    async def download(world: World, of: dr.DeviceEntry | None = None) -> object:
        path = f"/api/diagnostics/config_entry/{world.entry.entry_id}"
        client = await hass_client()
        response = await client.get(path if of is None else f"{path}/device/{of.id}")
        assert response.status == HTTPStatus.OK
        return (await response.json())["data"]

    return download


# Secrets


async def test_no_secret_comes_out(
    hass: HomeAssistant, hosted: Hosted, make_world: MakeWorld, diagnostics: Download
) -> None:
    hass.config.internal_url = "http://192.0.2.1:8123"
    link = firmware_subentry("emu-v1.1.0", SECRET_URL)
    link["data"] |= {"release_notes": SECRET, "release_url": SECRET_URL, "of_the_future": SECRET}  # type: ignore[operator]  # a dict
    upload = upload_subentry(await hosted.store(), file_name=f"{SECRET}.tar.gz", release_notes=SECRET) | {
        "title": SECRET
    }
    systems = [simulated_ems(), simulated_ems(OTHER_UID)]
    world = await make_world(systems, [ems_subentry(UID, SECRET), ems_subentry(OTHER_UID), link, upload])
    options = {"download_base_url": f"http://{SECRET}@192.0.2.1/{SECRET}", "index_url": INDEX_URL, "later": SECRET}
    hass.config_entries.async_update_entry(world.entry, title=SECRET, data=BROKER, options=options)
    await world.settle()
    # One that has ended, and one under way with a link and a token of our own.
    world.ems.faults.on(Fault.DOWNLOAD_FAILED, 3)
    await world.ended(world.call("emu_ota", "upgrade", {"download_url": SECRET_URL, "md5": "0" * 32}, 3))
    await world.install()
    await world.install(2, uid=OTHER_UID)
    active = world.entry.runtime_data.upgrades.active
    await really(lambda: len(tuple(active)) == 2)  # the packages are looked for on the disk before
    await world.pass_time(2)
    tokens = [upgrade.token for upgrade in active if upgrade.token]
    assert tokens
    found = [await diagnostics(world)]
    found += [await diagnostics(world, device(world, device_id)) for device_id in (None, 2, 3)]
    assert await hass.config_entries.async_unload(world.entry.entry_id)
    found.append(await diagnostics(world))
    for each in found:
        text = json.dumps(each)
        for secret in (SECRET, *tokens):
            assert secret not in text
        assert each["entry"]["data"] == {
            **dict.fromkeys(BROKER, REDACTED),
            "connection": "broker",
            "prefix": f"v1/user/{REDACTED}",
            "port": 8883,
            "tls": True,
            "transport": "websockets",
            "keepalive": 60,
            "verify_certificate": False,
        }
        assert each["entry"]["options"] == {
            "download_base_url": f"http://192.0.2.1/{REDACTED}",
            "index_url": f"ftp://example.com/{REDACTED}",
            "later": REDACTED,
        }
    links = {release["version"]: release["download_url"] for release in found[0]["releases"]["known"]}
    assert links == {"emu-v1.1.0": SHOWN_URL, NEW: None}
    assert found[0]["upgrades"]["ended"][0]["order"]["download_url"] == SHOWN_URL
    await world.site.stop()


@pytest.mark.parametrize(
    ("prefix", "shown"),
    [
        ("v1/user/tenant", "v1/user/*"),
        ("v1/wudun/key", "v1/wudun/*"),
        ("v1/wudun/key/more", "v1/wudun/*/*"),
        ("v1/user", "*/*"),
        ("v1/users/tenant", "*/*/*"),
        ("home", "*"),
        ("home/v1/user/tenant", "*/*/*/*"),
    ],
)
async def test_a_prefix_shows_its_scheme_and_its_depth(
    world: World, diagnostics: Download, prefix: str, shown: str
) -> None:
    world.hass.config_entries.async_update_entry(world.entry, data={**world.entry.data, "prefix": prefix})
    found = await diagnostics(world)
    assert found["entry"]["data"]["prefix"] == shown.replace("*", REDACTED)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://example.com", "http://example.com/*"),
        ("http://[2001:db8::1]:8123/x", "http://[2001:db8::1]:8123/*"),
        ("no link at all", "*"),
        ("http://example.com:99999/", "*"),
        ("//example.com/x", "*"),
        ("", ""),
    ],
)
async def test_a_link_shows_where_it_leads_and_no_more(
    world: World, diagnostics: Download, url: str, shown: str
) -> None:
    world.hass.config_entries.async_update_entry(world.entry, options={"download_base_url": url})
    found = await diagnostics(world)
    assert found["entry"]["options"] == {"download_base_url": shown.replace("*", REDACTED)}


async def test_what_is_not_set_is_told_from_what_is_hidden(world: World, diagnostics: Download) -> None:
    data = {**world.entry.data, "username": None, "password": "", "client_key": SECRET}
    world.hass.config_entries.async_update_entry(world.entry, data=data)
    found = (await diagnostics(world))["entry"]["data"]
    assert (found["username"], found["password"], found["client_key"]) == (None, "", REDACTED)


# What helps


async def test_an_entry_shows_how_it_is_set_up(world: World, diagnostics: Download) -> None:
    world.hass.config_entries.async_update_entry(world.entry, options={"max_parallel": 2, "queue_timeout": 5})
    found = await diagnostics(world)
    assert found["entry"] == {
        "version": "1.1",
        "state": "loaded",
        "data": {"connection": "memory", "prefix": f"v1/wudun/{REDACTED}"},
        "options": {"max_parallel": 2, "queue_timeout": 5},
        "subentries": [
            {"type": "ems", "data": {"device_uid": UID}},
            {
                "type": "firmware",
                "data": dict(world.subentry(f"firmware:{NEW}").data) | {"download_url": f"http://127.0.0.1/{REDACTED}"},
            },
        ],
    }
    assert found["connected"] is True
    release = found["releases"]["known"][0]
    assert (release["version"], release["source"], release["hosted"]) == (NEW, "link", False)
    world.broker.connected = False
    assert (await diagnostics(world))["connected"] is False


async def test_an_entry_that_is_not_loaded_shows_how_it_is_set_up(world: World, diagnostics: Download) -> None:
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    found = await diagnostics(world)
    assert list(found) == ["entry"]
    assert found["entry"]["state"] == "not_loaded"


async def test_an_ems_shows_what_it_said_and_what_could_not_be_used(hand: HandEms, diagnostics: Download) -> None:
    (before,) = (await diagnostics(hand.world))["systems"]
    assert (before["last_answer"], before["listed"], before["reports"]) == (None, None, [])
    await hand.versions(report(5, 7, success=512, device=27, stage=9), report(3), {"device_id": "odd"})
    await hand.versions(report(3), report(5, 7, success=512, device=27, stage=9))
    await hand.progress(report(3, stage=3, content=40))
    for payload in (b"{", b"[]"):
        await hand.send(Exchange.VERSION, payload)
    (after,) = (await diagnostics(hand.world))["systems"]
    assert after["uid"] == UID
    assert after["answering"] is True
    assert after["bit_field"] is True
    assert datetime.fromisoformat(after["last_answer"]).tzinfo is not None
    assert after["response_time"] >= 0
    assert (after["listed"], after["busy"]) == ([3, 5], [3])
    assert after["dropped"] == {"bad_report": 1, "not_an_object": 1, "not_json": 1}
    told, unknown = after["reports"]
    assert (told["device_id"], told["stage"], told["progress"], told["version"]) == (3, 3, 40, OLD)
    assert unknown == {
        "device_id": 5, "status": 7, "success": 512, "component": 27, "stage": 9, "progress": 100, "version": OLD,
    }  # fmt: skip


async def test_a_silent_ems_shows_as_such(world: World, diagnostics: Download) -> None:
    world.ems.faults.on(Fault.NO_ANSWER)
    await fall_silent(world)
    (system,) = (await diagnostics(world))["systems"]
    assert system["answering"] is False


async def test_an_upgrade_shows_its_way(world: World, diagnostics: Download) -> None:
    world.ems.faults.on(Fault.STALL, 2)
    install = await world.install()
    await world.until(lambda: world.stage() == "transferring")
    upgrades = (await diagnostics(world))["upgrades"]
    (active,) = upgrades["active"]
    assert upgrades["ended"] == []
    assert [step["phase"] for step in active["timeline"]] == ["queued", "ordered", "upgrading"]
    assert (active["outcome"], active["report"]["stage"], active["baseline"]["stage"]) == (None, 3, 5)
    await world.ended(install)
    world.ems.faults.off(Fault.STALL, 2)
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=20)
    upgrades = (await diagnostics(world))["upgrades"]
    (ended,) = upgrades["ended"]
    assert upgrades["active"] == []
    assert (ended["id"], ended["uid"], ended["device_id"]) == (active["id"], UID, 2)
    assert (ended["outcome"], ended["reason"], ended["by_deadline"]) == ("succeeded", None, True)
    assert (ended["from_version"], ended["order"]["version"], ended["read_version"]) == (OLD, NEW, NEW)
    assert [step["phase"] for step in ended["timeline"]] == ["queued", "ordered", "upgrading", "ended"]
    times = [datetime.fromisoformat(step["at"]) for step in ended["timeline"]]
    assert times == sorted(times)
    assert datetime.fromisoformat(ended["amended"]) > times[-1]
    assert ended["fetched"] is None


async def test_the_last_twenty_upgrades_are_shown_newest_first(world: World, diagnostics: Download) -> None:
    world.ems.faults.on(Fault.MD5_MISMATCH)
    for number in range(22):
        await world.ended(await world.install(2 + number % 2))
    ended = (await diagnostics(world))["upgrades"]["ended"]
    assert [each["id"] for each in ended] == [each["id"] for each in await world.history()][:20]
    of_one = (await diagnostics(world, device(world, 3)))["upgrades"]["ended"]
    assert [each["device_id"] for each in of_one] == [3] * 11


async def test_what_was_fetched_of_a_package_of_ours_is_shown(hosted: Hosted, diagnostics: Download) -> None:
    package = await hosted.store()
    world = await hosted.world(upload_subentry(package))
    assert await world.ended(await world.install()) is None
    (ended,) = (await diagnostics(world))["upgrades"]["ended"]
    fetched = ended["fetched"]
    assert (fetched["requests"], fetched["addresses"], fetched["whole"]) == (1, 1, True)
    assert fetched["sent"] == fetched["covered"] == package.size
    assert ended["order"]["package"] == package.sha256
    assert ended["order"]["download_url"] == f"{hosted.base}/{REDACTED}"


async def test_releases_that_contradict_each_other_are_shown(make_world: MakeWorld, diagnostics: Download) -> None:
    twin = firmware_subentry(NEW, URL, package=b"other") | {"unique_id": "firmware:twin"}
    world = await make_world([simulated_ems()], [ems_subentry(), firmware_subentry(), twin])
    releases = (await diagnostics(world))["releases"]
    assert releases["known"] == []
    assert releases["conflicts"] == [{"version": NEW, "sources": ["link", "link"]}]
    assert releases["index"] == {
        "releases": 0, "refused": [], "checked": None, "failing_since": None, "last_error": None,
    }  # fmt: skip
    assert set(releases["download_base"]) == {"url", "source", "warnings"}


# Devices


@pytest.fixture
async def pair(make_world: MakeWorld) -> World:
    """Return a site with two EMSs, on both of which an upgrade of EMU 2 and one of EMU 3 have ended."""
    world = await make_world([simulated_ems(), simulated_ems(OTHER_UID)])
    for ems in world.site.systems:
        ems.faults.on(Fault.MD5_MISMATCH)
        for device_id in (2, 3):
            await world.ended(await world.install(device_id, uid=ems.address.uid))
    return world


@pytest.mark.parametrize(
    ("device_id", "reported", "upgraded"), [(None, [2, 3, 4], [3, 2]), (3, [3], [3]), (4, [4], [])]
)
async def test_a_device_shows_what_is_about_it(
    pair: World, diagnostics: Download, device_id: int | None, reported: list[int], upgraded: list[int]
) -> None:
    found = await diagnostics(pair, device(pair, device_id, OTHER_UID))
    (system,) = found["systems"]
    assert system["uid"] == OTHER_UID
    assert [each["device_id"] for each in system["reports"]] == reported
    ended = found["upgrades"]["ended"]
    assert [(each["uid"], each["device_id"]) for each in ended] == [(OTHER_UID, each) for each in upgraded]
    assert found["entry"]["state"] == "loaded"


async def test_an_emu_that_is_not_an_ems_of_a_similar_name(make_world: MakeWorld, diagnostics: Download) -> None:
    """`a_2` is EMU 2 of `a`, and may be an EMS."""
    world = await make_world([simulated_ems("a"), simulated_ems("b")])
    registry = dr.async_get(world.hass)
    leftover = registry.async_get_or_create(config_entry_id=world.entry.entry_id, identifiers={("emu_ota", "a_9")})
    found = await diagnostics(world, leftover)
    assert found["systems"] == []
    assert found["upgrades"] == {"active": [], "ended": []}

"""Over a real broker: somebody asks an EMS on Home Assistant's broker, and Home Assistant offers to add it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
import logging
from pathlib import Path

from homeassistant.components.mqtt import async_on_subscribe_done
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

import custom_components.emu_ota
from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.protocol.topics import EmsAddress
from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport
from simulator.retaining import RetainingTransport
from tests.mosquitto import Mosquitto

from .entries import an_entry, async_becomes_true, async_set_up_mqtt, own_connection
from .entry_flow import async_choose, async_send, async_start, async_through_topics_menu
from .site import OTHER_UID, PREFIX, UID, running_site

MANIFEST = Path(custom_components.emu_ota.__file__).parent / "manifest.json"
TOPICS: list[str] = json.loads(MANIFEST.read_text())["mqtt"]
SCHEMES = [PREFIX, "v1/user/acme"]
WITNESS = "witness"
"""An EMS that nobody knows. Messages are taken in order: once it is offered, all before it were looked at."""


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Pass over the timers that Home Assistant's MQTT leaves behind when its entry is unloaded."""
    return True


@dataclass(slots=True)
class Somebody:
    """Somebody else on Home Assistant's broker, and the EMSs there: UID, OTHER_UID and the witness."""

    hass: HomeAssistant
    transport: BrokerTransport
    prefix: str

    async def ask(self, uid: str) -> None:
        """Ask an EMS for its versions, as the vendor's platform does."""
        command = json.dumps({"mid": "m", "timestamp": 1, "type": "emu_version", "data": {}})
        await self.transport.async_publish(f"{self.prefix}/{uid}/ota/emu_version/command", command.encode())

    async def send(self, uid: str, payload: bytes) -> None:
        """Publish on the topic of an EMS's answers."""
        await self.transport.async_publish(f"{self.prefix}/{uid}/ota/emu_version/result", payload)

    def offered(self) -> list[str]:
        """Return the uids of the EMSs that are offered."""
        flows = self.hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        return sorted(str(flow["context"]["unique_id"]) for flow in flows)

    async def nothing_but_the_witness_is_offered(self) -> None:
        """Wait until all that was sent so far was looked at, and assert that none of it led to an offer."""
        await self.ask(WITNESS)
        await async_becomes_true(lambda: WITNESS in self.offered())
        assert self.offered() == [WITNESS]


async def async_mqtt_hears_answers(hass: HomeAssistant) -> None:
    """Wait until the broker has taken the subscriptions that Home Assistant's MQTT makes for the manifest's topics.

    It collects them for half a second after it has connected; what is answered before is lost (QoS 0).
    """
    for topic in TOPICS:
        taken = asyncio.Event()
        end = async_on_subscribe_done(hass, topic, 0, taken.set)
        async with asyncio.timeout(10):
            await taken.wait()
        end()


@asynccontextmanager
async def somebody_on(hass: HomeAssistant, broker: Mosquitto, prefix: str = PREFIX) -> AsyncGenerator[Somebody]:
    """Run the EMSs, and connect the one who asks them."""
    await async_mqtt_hears_answers(hass)
    systems = BrokerTransport(BrokerSettings(host=broker.host, port=broker.port, client_id="the site"))
    asker = BrokerTransport(BrokerSettings(host=broker.host, port=broker.port, client_id="the platform"))
    addresses = [EmsAddress(prefix, uid) for uid in (UID, OTHER_UID, WITNESS)]
    async with running_site(systems, addresses):
        await asker.async_start()
        try:
            yield Somebody(hass, asker, prefix)
        finally:
            await asker.async_stop()
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.fixture
async def mqtt(hass: HomeAssistant, mock_hass_config: None, broker: Mosquitto) -> AsyncGenerator[MockConfigEntry]:
    """Set Home Assistant's MQTT up, with its discovery."""
    entry = await async_set_up_mqtt(hass, broker, discovery=True)
    yield entry
    await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("prefix", SCHEMES)
async def test_an_ems_that_answers_somebody_is_set_up_with_one_click(
    hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry, prefix: str
) -> None:
    async with somebody_on(hass, broker, prefix) as somebody:
        await somebody.ask(UID)
        await async_becomes_true(somebody.offered)
        (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        form = await hass.config_entries.flow.async_configure(flow["flow_id"])
        assert form["step_id"] == "discovery_confirm"
        assert form["description_placeholders"] == {"device_uid": UID, "prefix": prefix, "emus": "1"}
        result = await async_send(hass, form, {})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        entry = result["result"]
        assert entry.state is ConfigEntryState.LOADED
        assert (entry.title, dict(entry.data)) == (prefix, {"connection": "home_assistant", "prefix": prefix})
        coordinator = entry.runtime_data.systems[UID].coordinator
        await async_becomes_true(lambda: coordinator.available)
        assert hass.states.get(f"update.{UID.lower()}_emu_2_firmware") is not None


async def test_an_ems_that_goes_on_answering_is_offered_once(
    hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry
) -> None:
    async with somebody_on(hass, broker) as somebody:
        for _ in range(3):
            await somebody.ask(UID)
        await somebody.ask(OTHER_UID)
        await async_becomes_true(lambda: OTHER_UID in somebody.offered())
        assert somebody.offered() == sorted([UID, OTHER_UID])


async def test_one_that_is_configured_touches_no_entry(
    hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry
) -> None:
    """Whichever entry it belongs to, by whatever connection."""
    entries = [
        an_entry(hass, {"connection": "home_assistant"}),
        an_entry(hass, own_connection(broker), OTHER_UID, prefix="plants/7"),
    ]
    assert await hass.config_entries.async_setup(entries[0].entry_id)
    async with somebody_on(hass, broker) as somebody:
        before = [entry.as_dict() for entry in entries]
        for _ in range(3):
            await somebody.ask(UID)
            await somebody.ask(OTHER_UID)
        await somebody.nothing_but_the_witness_is_offered()
        assert [entry.as_dict() for entry in entries] == before


async def test_one_that_a_person_adds_is_not_offered_besides(
    hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry
) -> None:
    """It is asked before it is added, and its answer is heard like any other."""
    async with somebody_on(hass, broker) as somebody:
        menu = await async_choose(hass, await async_start(hass), "home_assistant")
        form = await async_through_topics_menu(hass, menu, "prefix")
        result = await async_send(hass, form, {"prefix": PREFIX, "device_uid": UID})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await somebody.nothing_but_the_witness_is_offered()
        entry_id = result["result"].entry_id
        subentry = await hass.config_entries.subentries.async_init((entry_id, "ems"), context={"source": "user"})
        added = await hass.config_entries.subentries.async_configure(subentry["flow_id"], {"device_uid": OTHER_UID})
        assert added["type"] is FlowResultType.CREATE_ENTRY
        await somebody.ask(UID)
        await somebody.ask(OTHER_UID)
        await hass.async_block_till_done()
        await somebody.nothing_but_the_witness_is_offered()


async def test_an_ignored_one_stays_ignored_until_it_no_longer_is(
    hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    assert await async_setup_component(hass, "config", {})
    async with somebody_on(hass, broker) as somebody:
        await somebody.ask(UID)
        await async_becomes_true(somebody.offered)
        (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        page = await hass_ws_client(hass)
        await page.send_json_auto_id({"type": "config_entries/ignore_flow", "flow_id": flow["flow_id"], "title": UID})
        assert (await page.receive_json())["success"]
        for _ in range(3):
            await somebody.ask(UID)
        await somebody.nothing_but_the_witness_is_offered()
        (ignored,) = hass.config_entries.async_entries(DOMAIN)
        assert ignored.source == "ignore"
        # Home Assistant keeps the last answer, and hands it over again by itself.
        assert await hass.config_entries.async_remove(ignored.entry_id)
        await async_becomes_true(lambda: UID in somebody.offered())


async def test_an_entry_that_is_deleted_is_offered_again(
    hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry
) -> None:
    async with somebody_on(hass, broker) as somebody:
        await somebody.ask(UID)
        await async_becomes_true(somebody.offered)
        (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        result = await hass.config_entries.flow.async_configure(flow["flow_id"], {})
        await hass.async_block_till_done()
        assert await hass.config_entries.async_remove(result["result"].entry_id)
        await async_becomes_true(lambda: somebody.offered() == [UID])


@pytest.mark.parametrize(
    "payload",
    [b"garbage", b"[]", b"{}", b'{"data": {}}', b'{"data": [{"device_id": "x"}]}', b"", b"\xff\xfe", b"[" * 10_000],
    ids=lambda payload: repr(payload[:12]),
)
async def test_garbage_on_the_topic_of_answers_starts_nothing(
    hass: HomeAssistant, broker: Mosquitto, mqtt: MockConfigEntry, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with somebody_on(hass, broker) as somebody:
        for _ in range(2):
            await somebody.send(UID, payload)
        await somebody.nothing_but_the_witness_is_offered()
        await somebody.ask(UID)  # and it spoils nothing
        await async_becomes_true(lambda: UID in somebody.offered())
    ours = [record for record in caplog.records if record.name.startswith("custom_components.emu_ota")]
    assert [record.message for record in ours if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("payload", [b"garbage", b'{"data": [{"device_id": 2, "status": 1}]}'])
async def test_what_the_broker_has_kept_starts_nothing(
    hass: HomeAssistant, mock_hass_config: None, broker: Mosquitto, payload: bytes
) -> None:
    """A retained answer is as old as it likes: its EMS may be long gone."""
    publisher = RetainingTransport(BrokerSettings(host=broker.host, port=broker.port, client_id="the past"))
    await publisher.async_start()
    await publisher.async_publish_retained(f"{PREFIX}/{UID}/ota/emu_version/result", payload)
    await publisher.async_stop()
    mqtt = await async_set_up_mqtt(hass, broker, discovery=True)
    async with somebody_on(hass, broker) as somebody:
        await somebody.nothing_but_the_witness_is_offered()
        await somebody.ask(UID)
        await async_becomes_true(lambda: UID in somebody.offered())
    await hass.config_entries.async_unload(mqtt.entry_id)

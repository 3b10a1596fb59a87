"""The entities and devices of a site: what they are called, what they show, when they are there."""

from collections.abc import Mapping
from dataclasses import dataclass

from homeassistant.components.update import UpdateEntityFeature
from homeassistant.const import EntityCategory
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest

from custom_components.emu_ota.const import DOMAIN

from .by_hand import HandEms, offline, report
from .conftest import MakeWorld
from .looks import device, shown
from .world import NEW, OLD, UID, World, ems_subentry, firmware_subentry, simulated_ems

OUTCOMES = ["succeeded", "unverified", "failed", "lost", "cancelled"]
COMPONENTS = ["emu", *(f"communication_board_{number}" for number in range(1, 7))]
STAGES = [
    "idle",
    "queued",
    "ordered",
    "preparing_upgrade",
    "preparing_transfer",
    "transferring",
    "verifying",
    "complete",
    "restarting",
]


@dataclass(frozen=True)
class Row:
    """A row of the design's table of entities."""

    platform: str
    key: str
    name: str
    device_class: str | None = None
    category: EntityCategory | None = None
    disabled: bool = False
    options: list[str] | None = None
    unit: str | None = None


EMU_ROWS = [
    Row("update", "firmware", "Firmware", "firmware", EntityCategory.CONFIG),
    Row("sensor", "status", "Status", "enum", options=["running", "offline", "fault"]),
    Row("sensor", "upgrade_stage", "Upgrade stage", "enum", options=STAGES),
    Row("sensor", "upgrade_component", "Upgrade component", "enum", EntityCategory.DIAGNOSTIC, options=COMPONENTS),
    Row("sensor", "upgrade_progress", "Upgrade progress", None, EntityCategory.DIAGNOSTIC, disabled=True, unit="%"),
    Row(
        "sensor",
        "reported_result",
        "Reported result",
        "enum",
        EntityCategory.DIAGNOSTIC,
        options=["all_succeeded", "errors", "not_finished"],
    ),
    Row("sensor", "last_upgrade", "Last upgrade", "enum", options=OUTCOMES),
    Row("event", "upgrade", "Upgrade"),
]
EMS_ROWS = [
    Row("binary_sensor", "connection", "Connection", "connectivity"),
    Row("sensor", "last_answer", "Last answer", "timestamp", EntityCategory.DIAGNOSTIC, disabled=True),
    Row("sensor", "response_time", "Response time", "duration", EntityCategory.DIAGNOSTIC, disabled=True, unit="ms"),
    Row("button", "refresh", "Refresh"),
]


def id_of(row: Row) -> str:
    """Return how a row is called in the output of tests."""
    return f"{row.platform} {row.key}"


# What there is


@pytest.mark.parametrize("row", EMU_ROWS, ids=id_of)
async def test_an_emu_has_every_entity_of_the_design(world: World, row: Row) -> None:
    _assert_is_as(world, row, f"{UID}_2_{row.key}", device(world))


@pytest.mark.parametrize("row", EMS_ROWS, ids=id_of)
async def test_an_ems_has_every_entity_of_the_design(world: World, row: Row) -> None:
    _assert_is_as(world, row, f"{UID}_{row.key}", device(world, None))


def _assert_is_as(world: World, row: Row, unique_id: str, of: dr.DeviceEntry) -> None:
    registry = er.async_get(world.hass)
    entity_id = registry.async_get_entity_id(row.platform, DOMAIN, unique_id)
    assert entity_id is not None
    entry = registry.async_get(entity_id)
    assert entry is not None
    assert entry.translation_key == row.key
    assert entry.has_entity_name
    assert entry.original_name == row.name
    assert entry.device_id == of.id
    assert entry.config_subentry_id == of.config_subentry_id
    assert entry.original_device_class == row.device_class
    assert entry.entity_category is row.category
    assert (entry.disabled_by is er.RegistryEntryDisabler.INTEGRATION) is row.disabled
    assert entry.unit_of_measurement == row.unit
    assert (entry.capabilities or {}).get("options") == row.options
    # As the design has it, an entity's id is its key in words.
    assert entity_id.endswith(row.name.lower().replace(" ", "_"))


async def test_there_are_no_further_entities(world: World) -> None:
    entries = er.async_entries_for_config_entry(er.async_get(world.hass), world.entry.entry_id)
    assert len(entries) == 3 * len(EMU_ROWS) + len(EMS_ROWS)
    update = er.async_get(world.hass).async_get(world.entity_id("update", "firmware"))
    assert update is not None
    assert update.supported_features == (
        UpdateEntityFeature.INSTALL
        | UpdateEntityFeature.SPECIFIC_VERSION
        | UpdateEntityFeature.PROGRESS
        | UpdateEntityFeature.RELEASE_NOTES
    )


async def test_the_event_knows_every_step(world: World) -> None:
    assert world.state("event", "upgrade").attributes["event_types"] == [
        "queued",
        "started",
        *OUTCOMES,
        "amended",
        "external_change",
    ]


async def test_an_ems_and_its_emus_are_devices(make_world: MakeWorld) -> None:
    world = await make_world([simulated_ems()], [ems_subentry(title="Cellar"), firmware_subentry()])
    ems = device(world, None)
    assert (ems.name, ems.via_device_id) == ("Cellar", None)
    subentry = next(each for each in world.entry.subentries.values() if each.subentry_type == "ems")
    for device_id, version in ((2, OLD), (3, OLD), (4, None)):
        emu = device(world, device_id)
        assert emu.name == f"Cellar EMU {device_id}"
        assert emu.via_device_id == ems.id
        assert emu.sw_version == version
        assert emu.config_subentry_id == ems.config_subentry_id == subentry.subentry_id
    assert world.update().name == "Cellar EMU 2 Firmware"


# What they show

AT_REST = {"status": "running", "upgrade_stage": "idle", "upgrade_component": "unknown", "upgrade_progress": "unknown"}


@pytest.mark.usefixtures("every_entity_enabled")
@pytest.mark.parametrize(
    ("told", "sensors"),
    [
        (report(), AT_REST | {"reported_result": "all_succeeded", "last_upgrade": "unknown"}),
        (report(success=0), AT_REST | {"reported_result": "errors"}),
        (report(success=None), AT_REST | {"reported_result": "unknown"}),
        (report(success=""), AT_REST | {"reported_result": "unknown"}),
        (report(status=3), AT_REST | {"status": "fault"}),
        (offline(), AT_REST | {"status": "offline", "reported_result": "unknown"}),
        ({"device_id": 2, "status": 1}, AT_REST | {"reported_result": "unknown"}),
        (report(stage=5, content=50), AT_REST),
        (
            report(stage=1, content=0, success=0),
            AT_REST
            | {"upgrade_stage": "preparing_upgrade", "upgrade_component": "emu", "reported_result": "not_finished"},
        ),
        (
            report(stage=2, content=0, device=26),
            AT_REST | {"upgrade_stage": "preparing_transfer", "upgrade_component": "communication_board_6"},
        ),
        (
            report(stage=3, content=40, device=21),
            AT_REST
            | {
                "upgrade_stage": "transferring",
                "upgrade_component": "communication_board_1",
                "upgrade_progress": "40",
                "reported_result": "not_finished",
            },
        ),
        (
            report(stage=3, content=0),
            AT_REST | {"upgrade_stage": "transferring", "upgrade_component": "emu", "upgrade_progress": "0"},
        ),
        (report(stage=3, content=101), AT_REST | {"upgrade_stage": "transferring", "upgrade_component": "emu"}),
        (report(stage=3, content=None), AT_REST | {"upgrade_stage": "transferring", "upgrade_component": "emu"}),
        (report(stage=4, content=100), AT_REST | {"upgrade_stage": "verifying", "upgrade_component": "emu"}),
        (
            report(status=3, stage=3, content=9),
            AT_REST
            | {"status": "fault", "upgrade_stage": "transferring", "upgrade_component": "emu", "upgrade_progress": "9"},
        ),
        (report(success=512), AT_REST | {"reported_result": "not_finished"}),
        (report(success=0b1_1000_0011), AT_REST | {"reported_result": "all_succeeded"}),
        (report(success=0b1000_0011), AT_REST | {"reported_result": "errors"}),
    ],
    ids=str,
)
async def test_sensors_show_what_a_report_says(hand: HandEms, told: object, sensors: Mapping[str, str]) -> None:
    await hand.versions(told)
    assert {key: shown(hand.world, key) for key in sensors} == sensors


@pytest.mark.parametrize(
    ("success", "succeeded"),
    [(0b1_1000_0111, ["emu", "communication_board_1", "communication_board_2"]), (512, []), (1, None)],
)
async def test_the_reported_result_names_the_components_that_succeeded_where_told(
    hand: HandEms, success: int, succeeded: list[str] | None
) -> None:
    await hand.versions(report(success=success))
    assert hand.world.state("sensor", "reported_result").attributes.get("succeeded_components") == succeeded


async def test_an_ems_that_has_shown_a_bit_field_speaks_bit_fields_from_then_on(hand: HandEms) -> None:
    await hand.versions(report(success=1), report(3, success=1))
    assert shown(hand.world, "reported_result", 2) == "all_succeeded"
    await hand.versions(report(success=1), report(3, success=512))
    assert shown(hand.world, "reported_result", 2) == "errors"
    await hand.world.reload()
    assert shown(hand.world, "reported_result", 2) == "errors"


async def test_an_update_shows_somebody_elses_upgrade_as_in_progress(hand: HandEms) -> None:
    await hand.versions(report(stage=3, content=40))
    attributes = hand.world.update().attributes
    assert (attributes["in_progress"], attributes["update_percentage"]) == (True, 40)
    await hand.versions(report(stage=4))
    attributes = hand.world.update().attributes
    assert (attributes["in_progress"], attributes["update_percentage"]) == (True, None)
    await hand.versions(report())
    assert hand.world.update().attributes["in_progress"] is False


async def test_a_stage_that_does_not_move_for_a_quarter_of_an_hour_is_not_in_progress(hand: HandEms) -> None:
    await hand.versions(report(stage=3, content=40))
    for _ in range(15):
        assert hand.world.update().attributes["in_progress"] is True
        await hand.world.pass_time(60, 10)
        await hand.versions(report(stage=3, content=40))
    assert hand.world.update().attributes["in_progress"] is False
    assert shown(hand.world, "upgrade_stage") == "idle"


async def test_a_step_of_an_upgrade_carries_what_is_known_of_it(world: World) -> None:
    install = await world.install()
    event = world.state("event", "upgrade")
    assert event.attributes["event_type"] == "started"
    assert event.attributes["from_version"] == OLD
    assert event.attributes["to_version"] == NEW
    assert event.attributes["started"]
    assert event.attributes["ended"] is None
    await world.until(install.done)
    event, last = world.state("event", "upgrade"), world.state("sensor", "last_upgrade")
    assert event.attributes["event_type"] == event.attributes["outcome"] == last.state == "succeeded"
    for key in ("upgrade_id", "reason", "from_version", "to_version", "started", "ended"):
        assert event.attributes[key] == last.attributes[key]
    assert last.attributes["ended"] > last.attributes["started"]


@pytest.mark.usefixtures("every_entity_enabled")
async def test_an_ems_tells_when_it_last_answered_and_how_fast(hand: HandEms) -> None:
    world = hand.world
    await world.pass_time(2)
    await hand.versions(report(), reply=hand.last_mid())
    first = world.state("sensor", "last_answer", None).state
    assert 2000 <= float(world.state("sensor", "response_time", None).state) <= 3000
    await world.pass_time(5)
    await hand.versions(report(), reply="00000000-0000-4000-8000-000000000000")
    assert world.state("sensor", "last_answer", None).state == first

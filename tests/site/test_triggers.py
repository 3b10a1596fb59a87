"""The triggers and the condition of the integration, in automations on a simulated site."""

from collections.abc import Callable, Mapping
import json
from pathlib import Path

from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import area_registry as ar, condition, device_registry as dr, entity_registry as er, trigger
from homeassistant.helpers.translation import async_get_translations
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict
import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

import custom_components.emu_ota
from custom_components.emu_ota.condition import async_get_conditions
from custom_components.emu_ota.const import DOMAIN
from custom_components.emu_ota.trigger import async_get_triggers
from simulator.emu import SimulatedEmu
from simulator.faults import Fault

from .conftest import MakeWorld
from .looks import device, fall_silent
from .world import UID, World, simulated_ems

type Target = Mapping[str, object]
type MakeTarget = Callable[[World], Target]

ROOT = Path(custom_components.emu_ota.__file__).parent
SUCCEEDED, FAILED = "emu_ota.upgrade_succeeded", "emu_ota.upgrade_failed"
FOR_EVER = {Fault.STALL, Fault.DOES_NOT_RETURN}


def the_event(world: World) -> Target:
    """Target the EMU's event entity."""
    return {"entity_id": world.entity_id("event", "upgrade")}


def the_emu(world: World) -> Target:
    """Target the EMU."""
    return {"device_id": device(world).id}


def its_area(world: World) -> Target:
    """Put the EMU into an area, and target that."""
    area = ar.async_get(world.hass).async_get_or_create("Cellar")
    dr.async_get(world.hass).async_update_device(device(world).id, area_id=area.id)
    return {"area_id": area.id}


async def automate(world: World, *kinds: str, target: Target | None = None) -> list[ServiceCall]:
    """Make an automation for each kind of trigger, and return the calls that they make."""
    calls: list[ServiceCall] = async_mock_service(world.hass, "test", "fired")
    automations = [
        {
            "alias": kind,
            "triggers": {"trigger": kind, "target": target or the_emu(world)},
            "actions": {
                "action": "test.fired",
                "data": {
                    "kind": kind,
                    "reason": "{{ trigger.to_state.attributes.reason }}",
                    "text": "{{ state_attr_translated(trigger.entity_id, 'reason') }}",
                    "name": "{{ device_name(trigger.entity_id) }}",
                },
            },
        }
        for kind in kinds or (SUCCEEDED, FAILED)
    ]
    assert await async_setup_component(world.hass, "automation", {"automation": automations})
    await world.settle()
    assert len(world.hass.states.async_entity_ids("automation")) == len(automations)
    return calls


def kinds(calls: list[ServiceCall]) -> list[tuple[str, str | None]]:
    """Return which triggers fired in order, each with the reason that the event tells."""
    return [(call.data["kind"], call.data["reason"]) for call in calls]


@pytest.mark.parametrize("target", [the_event, the_emu, its_area])
async def test_a_success_fires_once_whatever_is_targeted(world: World, target: MakeTarget) -> None:
    calls = await automate(world, target=target(world))
    assert await world.ended(await world.install()) is None
    await world.pass_time(60, 10)
    assert kinds(calls) == [(SUCCEEDED, None)]


@pytest.mark.parametrize(
    ("fault", "outcome", "reason", "text"),
    [
        (Fault.DOWNLOAD_FAILED, "failed", "download_failed", "Download failed"),
        (Fault.OTHER_VERSION, "unverified", "other_version", "Another version is running"),
        (Fault.DOES_NOT_RETURN, "lost", "did_not_return", "EMU did not return"),
    ],
)
async def test_each_outcome_but_a_success_fires_upgrade_failed_once(
    world: World, fault: Fault, outcome: str, reason: str, text: str
) -> None:
    calls = await automate(world)
    world.ems.faults.on(fault, 2, times=None if fault in FOR_EVER else 1)
    assert isinstance(await world.ended(await world.install()), HomeAssistantError)
    await world.pass_time(60, 10)
    assert world.last_upgrade() == (outcome, reason)
    assert kinds(calls) == [(FAILED, reason)]
    assert (calls[0].data["text"], calls[0].data["name"]) == (text, f"{UID} EMU 2")


async def test_a_failure_that_is_amended_fires_both_one_after_the_other(world: World) -> None:
    calls = await automate(world)
    world.ems.faults.on(Fault.DOES_NOT_RETURN, 2)
    await world.ended(await world.install())
    assert kinds(calls) == [(FAILED, "did_not_return")]
    world.ems.faults.off(Fault.DOES_NOT_RETURN, 2)
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=30)
    await world.pass_time(60, 10)
    assert kinds(calls) == [(FAILED, "did_not_return"), (SUCCEEDED, None)]


async def test_an_upgrade_that_is_cancelled_fires_nothing(world: World) -> None:
    calls = await automate(world)
    await world.install(3)
    waiting = await world.install(2)
    await world.call(DOMAIN, "cancel")
    assert isinstance(await world.ended(waiting), HomeAssistantError)
    assert world.events() == ["queued", "cancelled"]
    assert kinds(calls) == []


@pytest.mark.parametrize("fault", [None, Fault.DOWNLOAD_FAILED])
async def test_what_happened_before_a_reload_does_not_fire_again(world: World, fault: Fault | None) -> None:
    if fault is not None:
        world.ems.faults.on(fault, 2, times=1)
    await world.ended(await world.install())
    before = world.state("event", "upgrade").state
    calls = await automate(world)
    await world.reload()
    await world.pass_time(60, 10)
    assert world.state("event", "upgrade").state == before
    assert kinds(calls) == []


async def test_an_upgrade_that_goes_on_over_a_reload_fires_when_it_ends(world: World) -> None:
    calls = await automate(world)
    await world.install()
    await world.until(lambda: world.stage() == "transferring")
    await world.reload()
    assert kinds(calls) == []
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=5)
    assert kinds(calls) == [(SUCCEEDED, None)]


async def test_the_upgrade_of_another_emu_fires_nothing(world: World) -> None:
    calls = await automate(world)
    assert await world.ended(await world.install(3)) is None
    assert kinds(calls) == []


async def test_events_of_others_in_the_same_area_fire_nothing(world: World) -> None:
    target = its_area(world)
    registry = er.async_get(world.hass)
    foreign = registry.async_get_or_create("event", "other", "doorbell").entity_id
    registry.async_update_entity(foreign, area_id=str(target["area_id"]))
    calls = await automate(world, target=target)
    for second in range(3):
        time = f"2026-10-01T00:00:0{second}.000+00:00"
        world.hass.states.async_set(foreign, time, {"event_type": "failed", "reason": "stalled"})
        await world.settle()
    assert kinds(calls) == []


# The condition


async def is_upgrading(world: World, target: Target | None = None, **options: object) -> bool | None:
    """Return whether an EMU, or what is targeted, is being upgraded."""
    config = {"condition": "emu_ota.is_upgrading", "target": target or the_emu(world), "options": options}
    checked = await condition.async_validate_condition_config(world.hass, config)
    checker = await condition.async_from_config(world.hass, checked)
    try:
        return checker.async_check()
    finally:
        checker.async_unload()


@pytest.mark.parametrize(
    "target",
    [lambda world: {"entity_id": world.entity_id("sensor", "upgrade_stage")}, the_emu, its_area],
    ids=["sensor", "device", "area"],
)
async def test_it_is_upgrading_from_the_order_to_the_outcome(world: World, target: MakeTarget) -> None:
    targeted = target(world)
    assert await is_upgrading(world, targeted) is False
    install = await world.install()
    seen = set()
    while not install.done():
        seen.add(world.stage())
        assert await is_upgrading(world, targeted) is True, world.stage()
        await world.tick(1)
    assert await is_upgrading(world, targeted) is False
    assert {"ordered", "transferring", "restarting"} <= seen


async def test_one_that_is_queued_is_upgrading_too(world: World) -> None:
    await world.install(3)
    await world.install(2)
    assert world.stage() == "queued"
    assert await is_upgrading(world) is True


async def test_an_upgrade_that_somebody_else_ordered_counts(make_world: MakeWorld) -> None:
    world = await make_world([simulated_ems(emus=[SimulatedEmu(2)])])
    emu = world.ems.emu(2)
    emu.show(component=3, stage=3, content=10)
    await world.refresh()
    assert world.stage() == "transferring"
    assert await is_upgrading(world) is True


async def test_all_have_to_be_upgrading_where_that_is_asked_for(world: World) -> None:
    both = {"device_id": [device(world, 2).id, device(world, 3).id]}
    await world.install(2)
    assert await is_upgrading(world, both, behavior="any") is True
    assert await is_upgrading(world, both, behavior="all") is False
    await world.install(3)
    assert world.stage(3) == "queued"
    assert await is_upgrading(world, both, behavior="all") is True


async def test_it_is_upgrading_while_its_ems_is_silent_as_it_may_be_in_a_restart(world: World) -> None:
    world.ems.faults.on(Fault.EMS_RESTART, 2, seconds=600)
    await world.install()
    await fall_silent(world)
    assert (world.stage(2), world.stage(3)) == ("unavailable", "unavailable")
    assert await is_upgrading(world) is True
    assert await is_upgrading(world, {"device_id": device(world, 3).id}) is False
    await world.until(lambda: world.last_upgrade()[0] == "succeeded", step=10)
    assert await is_upgrading(world) is False


async def test_an_emu_that_is_not_upgraded_and_cannot_be_seen_is_not_taken_for_upgrading(world: World) -> None:
    assert world.stage(4) == "idle"
    await world.hass.config_entries.async_unload(world.entry.entry_id)
    assert world.stage() == "unavailable"
    assert await is_upgrading(world) is False


async def test_sensors_of_others_in_the_same_area_say_nothing_about_it(world: World) -> None:
    target = its_area(world)
    registry = er.async_get(world.hass)
    printer = registry.async_get_or_create("sensor", "other", "printer").entity_id
    registry.async_update_entity(printer, area_id=str(target["area_id"]))
    world.hass.states.async_set(printer, "transferring")
    assert await is_upgrading(world, target) is False


# What the editor shows


async def test_the_editor_offers_each_with_its_texts_and_icons(hass: HomeAssistant, world: World) -> None:
    await automate(world)
    offered = (
        ("triggers", "trigger", set(await async_get_triggers(hass)), await trigger.async_get_all_descriptions(hass)),
        (
            "conditions",
            "condition",
            set(await async_get_conditions(hass)),
            await condition.async_get_all_descriptions(hass),
        ),
    )
    icons = json.loads((ROOT / "icons.json").read_text())
    for category, kind, known, descriptions in offered:
        described = load_yaml_dict(str(ROOT / f"{category}.yaml"))
        assert {key for key in described if not key.startswith(".")} == known == set(icons[category])
        wanted: set[str] = set()
        for key in known:
            description = descriptions[f"{DOMAIN}.{key}"]
            assert description is not None
            [entities] = description["target"]["entity"]
            assert entities["integration"] == DOMAIN
            wanted |= {f"{key}.name", f"{key}.description"}
            wanted |= {f"{key}.fields.{field}.name" for field in description["fields"]}
            assert icons[category][key][kind].startswith("mdi:")
        texts = await async_get_translations(hass, "en", category, {DOMAIN})
        assert {path.removeprefix(f"component.{DOMAIN}.{category}.") for path in texts} == wanted

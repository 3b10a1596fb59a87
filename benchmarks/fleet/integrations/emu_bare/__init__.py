"""The limit: as many entities as ours, of the same platforms, with plain attributes, and nothing behind them.

It parses a message once, and writes exactly the states that changed. What it costs is Home Assistant's own.
"""

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
import orjson

from .emus import DOMAIN, BareEmu, BareSystems, new_emu
from .once import ask_later, async_do_once

PLATFORMS = [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.EVENT, Platform.SENSOR, Platform.UPDATE]


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Make the devices and the entities, and hear the EMSs.

    `data`: uids, device_ids, the topic of each EMS, and whether to do what ours does once, too.
    """
    once, topics = entry.data["once"], entry.data["topics"]
    if once:
        await async_do_once(hass, topics.values())
    registry = dr.async_get(hass)
    systems: BareSystems = {}
    for uid in entry.data["uids"]:
        ems = registry.async_get_or_create(
            config_entry_id=entry.entry_id, identifiers={(DOMAIN, uid)}, name=uid, model="EMS"
        )
        systems[uid] = {}
        for device_id in entry.data["device_ids"]:
            registry.async_get_or_create(
                config_entry_id=entry.entry_id,
                identifiers={(DOMAIN, f"{uid}_{device_id}")},
                name=f"{uid} EMU {device_id}",
                model="EMU",
                sw_version="emu-v1.0.0",
                via_device_id=ems.id,
            )
            systems[uid][device_id] = new_emu(uid, device_id)
    entry.runtime_data = systems
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)

    for uid, emus in systems.items():

        @callback
        def received(message: mqtt.ReceiveMessage, emus: dict[int, BareEmu] = emus) -> None:
            for report in orjson.loads(message.payload)["data"]:
                emu = emus[report["device_id"]]
                if report != emu.report:
                    emu.take(report)

        entry.async_on_unload(await mqtt.async_subscribe(hass, topics[uid], received, qos=1, encoding=None))
    if once:
        ask_later(hass, topics.values())
    return True

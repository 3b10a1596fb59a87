"""A real Home Assistant in this process, connected to a real broker; nothing of it is patched."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
import json
from pathlib import Path
from types import MappingProxyType
from typing import Final

from homeassistant import bootstrap, loader
from homeassistant.config import async_hass_config_yaml
from homeassistant.config_entries import SOURCE_USER, ConfigEntries, ConfigEntry, ConfigEntryState, ConfigSubentryData
from homeassistant.const import __version__
from homeassistant.core import DOMAIN as CORE, HomeAssistant
from homeassistant.core_config import async_process_ha_core_config
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import dump

import custom_components
from tests.mosquitto import HOST, free_port

INTEGRATIONS: Final = Path(__file__).parent / "integrations"


@asynccontextmanager
async def running(folder: Path, configuration: Mapping[str, object], *domains: str) -> AsyncGenerator[HomeAssistant]:
    """Run a Home Assistant with this configuration.yaml, in a folder of its own, with these domains set up."""
    (folder / ".storage").mkdir()
    (folder / "configuration.yaml").write_text(dump(dict(configuration)), encoding="utf-8")
    # Version 1: what Home Assistant migrates it takes as confirmed.
    server = {
        "version": 1,
        "minor_version": 1,
        "key": "http",
        "data": {"server_host": [HOST], "server_port": free_port()},
    }
    (folder / ".storage" / "http").write_text(json.dumps(server), encoding="utf-8")
    if str(INTEGRATIONS) not in custom_components.__path__:
        custom_components.__path__.append(str(INTEGRATIONS))
    hass = HomeAssistant(str(folder))
    loader.async_setup(hass)
    hass.config.skip_pip = True  # everything is installed
    config = await async_hass_config_yaml(hass)
    hass.config_entries = ConfigEntries(hass, config)
    await bootstrap.async_load_base_functionality(hass)
    await async_process_ha_core_config(hass, config.get(CORE, {}))
    try:
        for domain in ("homeassistant", "persistent_notification", *domains):
            if not await async_setup_component(hass, domain, config):
                raise RuntimeError(f"{domain} does not start")
        await hass.async_start()
        await hass.async_block_till_done()
        yield hass
    finally:
        await hass.async_stop(force=True)


async def add_entry(
    hass: HomeAssistant,
    domain: str,
    data: Mapping[str, object],
    *,
    version: tuple[int, int] = (1, 1),
    subentries: list[ConfigSubentryData] | None = None,
) -> ConfigEntry:
    """Add a config entry as a flow does, and set it up. Raises RuntimeError when it does not load."""
    entry: ConfigEntry = ConfigEntry(
        data=MappingProxyType(dict(data)),
        discovery_keys=MappingProxyType({}),
        domain=domain,
        version=version[0],
        minor_version=version[1],
        options=None,
        source=SOURCE_USER,
        subentries_data=subentries,
        title=domain,
        unique_id=None,
    )
    await hass.config_entries.async_add(entry)
    if entry.state is not ConfigEntryState.LOADED:
        raise RuntimeError(f"{domain} is {entry.state}: {entry.reason}")
    return entry


async def add_mqtt(hass: HomeAssistant, port: int) -> ConfigEntry:
    """Connect Home Assistant to the broker."""
    return await add_entry(hass, "mqtt", {"broker": HOST, "port": port, "protocol": "5"}, version=(2, 1))


def release() -> str:
    """Return which Home Assistant this is."""
    return __version__

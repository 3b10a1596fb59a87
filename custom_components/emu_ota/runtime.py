"""What a loaded config entry consists of, and how its subentries come and go in place."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from homeassistant.config_entries import ConfigEntry, ConfigEntryState, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import (
    CONF_DEVICE_UID,
    CONF_MAX_PARALLEL,
    CONF_PREFIX,
    CONF_QUEUE_TIMEOUT,
    DEFAULT_MAX_PARALLEL,
    DEFAULT_QUEUE_TIMEOUT,
    DOMAIN,
    SUBENTRY_EMS,
)
from .coordinator import EmsCoordinator
from .emu import Emu
from .firmware.packages import PackageStore
from .protocol.topics import EmsAddress
from .protocol.upgrade import Upgrade
from .releases import EntryReleases, packages_of_entry
from .storage import EntryStorage, StoredEms
from .transport import Transport
from .upgrade_queue import Limits
from .upgrades import Upgrades

type EmuOtaConfigEntry = ConfigEntry[Runtime]


@dataclass(slots=True)
class Ems:
    """One EMS of an entry: its subentry, its coordinator, its device, and its EMUs."""

    subentry_id: str
    coordinator: EmsCoordinator
    registry_id: str
    """Of its device in Home Assistant's registry."""
    emus: dict[int, Emu] = field(default_factory=dict)
    """Its EMUs as their entities see them."""
    devices: dict[int, str] = field(default_factory=dict)
    """The ids of its EMUs' devices in Home Assistant's registry."""

    def forget(self, device_id: int) -> None:
        """Forget an EMU that it no longer names."""
        self.emus.pop(device_id, None)
        self.devices.pop(device_id, None)
        self.coordinator.forget(device_id)


@dataclass(frozen=True, slots=True)
class EntityFactory:
    """How one platform makes entities."""

    add: AddConfigEntryEntitiesCallback
    of_ems: Callable[[Ems], Iterable[Entity]]
    of_emu: Callable[[Emu], Iterable[Entity]]


class Runtime:
    """A loaded config entry."""

    def __init__(self, hass: HomeAssistant, entry: EmuOtaConfigEntry, transport: Transport) -> None:
        """Put the parts together; nothing runs yet."""
        self.transport = transport
        self.data = entry.data
        """The entry's data with which this was set up: the entry may have been given another connection since."""
        self.releases = EntryReleases(
            hass, entry, changed=self._releases_changed, in_use=lambda: async_packages_in_use(hass)
        )
        self.systems: dict[str, Ems] = {}
        """The EMSs by uid."""
        self._hass = hass
        self._entry = entry
        self._storage = EntryStorage(hass, entry.entry_id)
        self._stored: dict[str, StoredEms] = {}
        self._coordinators: dict[str, EmsCoordinator] = {}
        self._factories: list[EntityFactory] = []
        self._updating = asyncio.Lock()
        self.upgrades = Upgrades(hass, self._storage, self.releases.offers, self._coordinators, _limits(entry))

    async def async_load(self) -> None:
        """Read what is stored, and hear every EMS as soon as the transport starts. Raises NotAuthorized."""
        self._stored = await self._storage.async_load_known()
        await self.upgrades.async_load()
        await self.releases.async_load()
        for subentry in self._entry.get_subentries_of_type(SUBENTRY_EMS):
            await self._async_add_ems(subentry)
        self._entry.async_on_unload(self.transport.watch_connection(self.upgrades.connection_changed))

    @callback
    def start(self) -> None:
        """Begin to act: up to here nothing was set going that a setup which fails would leave behind.

        Upgrades of EMSs that are gone end, the index is asked, packages that nobody uses any more are cleared away, and
        those that are missing brought back.
        """
        self.upgrades.abandon_removed()
        self.releases.index.start()
        self._entry.async_create_background_task(self._hass, self.releases.async_sweep(), "emu_ota sweep")
        self._entry.async_create_background_task(self._hass, self.releases.async_keep_packages(), "emu_ota packages")

    async def async_stop(self) -> None:
        """Stop everything, and write what is known."""
        for ems in self.systems.values():
            ems.coordinator.stop()
        await self.releases.index.async_stop()
        await self.upgrades.async_stop()
        await self._storage.async_save_known(self._known())
        await self.transport.async_stop()

    @callback
    def add_platform(self, factory: EntityFactory) -> None:
        """Let a platform make its entities, of what is known now and of what appears later."""
        self._factories.append(factory)
        for ems in self.systems.values():
            self._add_entities((factory,), ems, ems.emus.values(), with_ems=True)

    async def async_entry_updated(self) -> None:
        """Take over changed subentries and options in place: no reload, no upgrade disturbed."""
        async with self._updating:  # each change comes by itself, and may come while the last one is taken over
            await self._async_take_over()

    async def _async_take_over(self) -> None:
        limits = _limits(self._entry)
        self.upgrades.limits.max_parallel = limits.max_parallel
        self.upgrades.limits.queue_timeout = limits.queue_timeout
        await self.releases.async_entry_updated()
        subentries = {subentry.subentry_id: subentry for subentry in self._entry.get_subentries_of_type(SUBENTRY_EMS)}
        for ems in tuple(self.systems.values()):
            if ems.subentry_id not in subentries:
                self._remove_ems(ems)
            elif (name := subentries.pop(ems.subentry_id).title) != ems.coordinator.name:
                self._rename_ems(ems, name)
        for subentry_id, subentry in subentries.items():
            if subentry_id in self._entry.subentries:  # it may be gone again by now
                ems = await self._async_add_ems(subentry)
                ems.coordinator.refresh()

    @callback
    def _releases_changed(self) -> None:
        for ems in self.systems.values():
            ems.coordinator.notify_emus()

    async def _async_add_ems(self, subentry: ConfigSubentry) -> Ems:
        uid = subentry.data[CONF_DEVICE_UID]
        coordinator = EmsCoordinator(
            self._hass,
            self.transport,
            address=EmsAddress(self._entry.data[CONF_PREFIX], uid),
            name=subentry.title,
            stored=self._stored.get(uid, StoredEms()),
            changed=lambda: self._storage.save_known_later(self._known),
        )
        device = dr.async_get(self._hass).async_get_or_create(
            config_entry_id=self._entry.entry_id,
            config_subentry_id=subentry.subentry_id,
            identifiers={(DOMAIN, uid)},
            name=subentry.title,
            model="EMS",
        )
        ems = Ems(subentry.subentry_id, coordinator, device.id)
        coordinator.reports.handle_new_emus = lambda device_ids: self._emus_appeared(ems, device_ids)
        coordinator.reports.handle_changed = lambda device_ids: self._keep_versions(ems, device_ids)
        for device_id in coordinator.emus:
            self._add_emu(ems, device_id)
        self.systems[uid] = ems
        self._coordinators[uid] = coordinator
        self.upgrades.adopt(coordinator)
        # What is heard from here on makes entities of its own.
        self._add_entities(self._factories, ems, ems.emus.values(), with_ems=True)
        await coordinator.async_subscribe()
        return ems

    def _emus_appeared(self, ems: Ems, device_ids: Iterable[int]) -> None:
        self._add_entities(self._factories, ems, [self._add_emu(ems, device_id) for device_id in device_ids])

    def _add_emu(self, ems: Ems, device_id: int) -> Emu:
        """Take in an EMU, and register its device."""
        coordinator = ems.coordinator
        device = dr.async_get(self._hass).async_get_or_create(
            config_entry_id=self._entry.entry_id,
            config_subentry_id=ems.subentry_id,
            identifiers={emu_identifier(coordinator.uid, device_id)},
            name=emu_name(coordinator.name, device_id),
            model="EMU",
            sw_version=coordinator.emus[device_id].version,
            via_device_id=ems.registry_id,
        )
        ems.devices[device_id] = device.id
        emu = ems.emus[device_id] = Emu(coordinator, self.upgrades, self.releases.library, device_id)
        return emu

    def _keep_versions(self, ems: Ems, device_ids: Iterable[int]) -> None:
        """Keep the software versions of EMUs' devices at what the EMUs report."""
        registry = dr.async_get(self._hass)
        for device_id in device_ids:
            if device_id not in ems.devices:  # it has just appeared, and comes with its version
                continue
            version = ems.coordinator.emus[device_id].version
            device = registry.async_get(ems.devices[device_id], include_child_devices=False)
            if device is not None and device.sw_version != version:
                registry.async_update_device(device.id, sw_version=version)

    def _remove_ems(self, ems: Ems) -> None:
        uid = ems.coordinator.uid
        ems.coordinator.stop()
        self.upgrades.abandon(uid)
        for known in (self.systems, self._coordinators, self._stored):
            known.pop(uid, None)
        self._storage.save_known_later(self._known)

    def _rename_ems(self, ems: Ems, name: str) -> None:
        ems.coordinator.name = name
        registry = dr.async_get(self._hass)
        registry.async_update_device(ems.registry_id, name=name)
        for device_id in ems.coordinator.emus:
            device = registry.async_get_device_by_identifier(
                emu_identifier(ems.coordinator.uid, device_id), self._entry.entry_id
            )
            if device is not None:
                registry.async_update_device(device.id, name=emu_name(name, device_id))

    def _add_entities(
        self, factories: Iterable[EntityFactory], ems: Ems, emus: Collection[Emu], *, with_ems: bool = False
    ) -> None:
        for factory in factories:
            entities = [*factory.of_ems(ems)] if with_ems else []
            entities += [entity for emu in emus for entity in factory.of_emu(emu)]
            if entities:
                factory.add(entities, config_subentry_id=ems.subentry_id)

    def _known(self) -> dict[str, StoredEms]:
        return {uid: coordinator.stored() for uid, coordinator in self._coordinators.items()}


def emu_identifier(uid: str, device_id: int) -> tuple[str, str]:
    """Return the identifier of an EMU's device."""
    return DOMAIN, f"{uid}_{device_id}"


def emu_name(ems_name: str, device_id: int) -> str:
    """Return the name of an EMU's device."""
    return f"{ems_name} EMU {device_id}"


def _limits(entry: EmuOtaConfigEntry) -> Limits:
    return Limits(
        max_parallel=entry.options.get(CONF_MAX_PARALLEL, DEFAULT_MAX_PARALLEL),
        queue_timeout=entry.options.get(CONF_QUEUE_TIMEOUT, DEFAULT_QUEUE_TIMEOUT) * 60,
    )


def packages_in_use(hass: HomeAssistant) -> set[str]:
    """Return the packages that a release of any entry needs, or an upgrade of one that is loaded, by SHA-256."""
    used: set[str] = set()
    entries: list[EmuOtaConfigEntry] = hass.config_entries.async_entries(DOMAIN)
    for entry in entries:
        used |= packages_of_entry(entry)
        if entry.state is ConfigEntryState.LOADED:
            used |= _packages_of_upgrades(entry.runtime_data.upgrades.active)
    return used


async def async_packages_in_use(hass: HomeAssistant) -> set[str]:
    """Return the packages that a release or an upgrade of any entry needs, by SHA-256."""
    used: set[str] = set()
    for entry in hass.config_entries.async_entries(DOMAIN):
        if entry.state is not ConfigEntryState.LOADED:  # its upgrades wait in storage, or go on without us
            stored = await EntryStorage(hass, entry.entry_id).async_load_active()
            used |= _packages_of_upgrades(stored.upgrades)
    return used | packages_in_use(hass)


async def async_remove_packages(hass: HomeAssistant, entry: EmuOtaConfigEntry, upgrades: Iterable[Upgrade]) -> None:
    """Remove the packages of an entry that is gone, with the upgrades that it had under way, unless others use them."""
    packages, used = PackageStore(hass), await async_packages_in_use(hass)
    for package in (packages_of_entry(entry) | _packages_of_upgrades(upgrades)) - used:
        await packages.async_remove(package)
    if not hass.config_entries.async_entries(DOMAIN):
        await packages.async_sweep(used)


def _packages_of_upgrades(upgrades: Iterable[Upgrade]) -> set[str]:
    return {upgrade.order.package for upgrade in upgrades if upgrade.order.package is not None}

"""How an upgrade whose turn has come is ordered: its package offered, itself written, and its order sent, once."""

from collections.abc import Callable, Mapping

from homeassistant.core import HomeAssistant, callback

from .active_upgrades import ActiveUpgrades
from .const import LOGGER
from .coordinator import EmsCoordinator
from .firmware.hosting import new_token
from .firmware.offers import Offers
from .protocol.commands import Command
from .protocol.fetched import Fetched
from .protocol.upgrade import Begin, Event, Fetching, Happened, Upgrade
from .transport import NotSent, TransportError


class Ordering:
    """The orders of one config entry, and the offers of the packages that they name."""

    def __init__(
        self,
        hass: HomeAssistant,
        active: ActiveUpgrades,
        offers: Offers,
        systems: Mapping[str, EmsCoordinator],
        advance: Callable[[Upgrade, Event], Upgrade],
    ) -> None:
        """Order nothing yet; `advance` is called to move an upgrade on, and returns what it is after that."""
        self._hass = hass
        self._active = active
        self._offers = offers
        self._systems = systems
        self._advance = advance
        self._unsent: dict[str, Command] = {}
        """The orders that wait for their upgrade to be written, by the upgrade's id."""
        self._stopped = False

    @property
    def can_serve(self) -> bool:
        """Whether there is an address at which an EMS can fetch a package from us."""
        return self._offers.base.url is not None

    @callback
    def begin(self, coordinator: EmsCoordinator, upgrade: Upgrade) -> None:
        """Begin an upgrade; its order goes out once it is written."""
        order, token = upgrade.order, None
        link = order.download_url
        if order.package is not None:
            token = new_token()
            link = self._offers.link(order, token)
        command = coordinator.prepare_order(upgrade.device_id, link or "", order.md5)
        self._unsent[upgrade.id] = command
        self.offer(self._advance(upgrade, Begin(coordinator.emus[upgrade.device_id], command.mid, link, token)))

    @callback
    def send(self, upgrade: Upgrade) -> None:
        """Write an upgrade that has begun, then send its order: once at most, whatever happens in between."""
        self._hass.async_create_task(self._async_send(upgrade), f"emu_ota order {upgrade.id}")

    async def _async_send(self, upgrade: Upgrade) -> None:
        coordinator, command = self._systems[upgrade.uid], self._unsent[upgrade.id]
        written = await self._active.async_save()
        current = self._active.get(upgrade.id)
        if self._stopped or current is None or current.mid != command.mid:
            return
        if not written:
            LOGGER.warning("Upgrades cannot be written to storage: until they can, no order goes out")
            self._not_sent(current)
            return
        del self._unsent[upgrade.id]
        try:
            await coordinator.async_send_order(command)
        except NotSent:
            if (current := self._active.get(upgrade.id)) is not None and current.mid == command.mid:
                self._not_sent(current)
        except TransportError as err:
            # It may have gone out: from here on only what the EMS reports decides.
            LOGGER.debug("Order for EMU %s of %s: %s", upgrade.device_id, upgrade.uid, err)

    def _not_sent(self, upgrade: Upgrade) -> None:
        self._withdraw(upgrade)
        self._advance(upgrade, Happened.NOT_SENT)

    @callback
    def offer(self, upgrade: Upgrade) -> None:
        """Let the EMS fetch the package, where it is ours to serve."""
        if upgrade.token is not None:
            self._offers.open(
                upgrade.order, upgrade.token, upgrade.fetched, lambda fetched: self._fetched(upgrade, fetched)
            )

    @callback
    def end(self, upgrade: Upgrade) -> None:
        """Take back what an upgrade that has its outcome still has open."""
        self._unsent.pop(upgrade.id, None)
        self._withdraw(upgrade)

    @callback
    def stop(self) -> None:
        """Send nothing more. What waits to be written stays in the queue: it goes out after the next start."""
        self._stopped = True
        for upgrade_id in tuple(self._unsent):
            if (upgrade := self._active.get(upgrade_id)) is not None:
                self._not_sent(upgrade)

    def _withdraw(self, upgrade: Upgrade) -> None:
        if upgrade.token is not None:
            self._offers.close(upgrade.token)

    @callback
    def _fetched(self, upgrade: Upgrade, fetched: Fetched) -> None:
        before = self._active.get(upgrade.id)
        if before is None or self._stopped:  # after a stop, the next setup takes the offer over
            return
        self._advance(before, Fetching(fetched))
        if before.fetched is None or before.fetched.running != fetched.running:
            self._active.save()

"""Those who wait for the outcome of an upgrade."""

from asyncio import Future

from homeassistant.core import HomeAssistant

from .protocol.upgrade import Upgrade


class UpgradeInterrupted(Exception):
    """The integration stops watching an upgrade that somebody waits for; the upgrade itself goes on."""


class Waiting:
    """Who waits for which upgrade."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin with nobody."""
        self._hass = hass
        self._futures: dict[str, list[Future[Upgrade]]] = {}

    async def async_wait(self, upgrade_id: str) -> Upgrade:
        """Return an upgrade when it has its outcome. Raises UpgradeInterrupted when nobody watches it any more."""
        future: Future[Upgrade] = self._hass.loop.create_future()
        self._futures.setdefault(upgrade_id, []).append(future)
        return await future

    def tell(self, upgrade: Upgrade) -> None:
        """Give those who wait for it an upgrade that has its outcome."""
        for future in self._futures.pop(upgrade.id, []):
            if not future.done():
                future.set_result(upgrade)

    def interrupt(self) -> None:
        """Let nobody wait any longer."""
        for futures in self._futures.values():
            for future in futures:
                if not future.done():
                    future.set_exception(UpgradeInterrupted)
        self._futures.clear()

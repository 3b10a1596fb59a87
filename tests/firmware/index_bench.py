"""An index source on a real `hass`, and what it is asked in the tests."""

from dataclasses import dataclass, field
from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.emu_ota.firmware.index_fetch import CannotRefresh
from custom_components.emu_ota.firmware.index_source import IndexSource

from .documents import document, release

ENTRY_ID = "01JA5Z"
STORE = f"emu_ota.{ENTRY_ID}.index"

HOUR = 3600.0
DAY = 24 * HOUR
OLD = document(release(version="emu-v1.0.0"))
NEW = document(release(version="emu-v1.0.0"), release(version="emu-v1.2.0"), release(version="emu-v1.3.0", size=0))

type Stored = dict[str, dict[str, object]]


@dataclass
class Bench:
    """Makes index sources for one entry, one after the other, as restarts do."""

    hass: HomeAssistant
    freezer: FrozenDateTimeFactory
    url: str | None
    """The option as it is now."""
    source: IndexSource = field(init=False)
    changes: int = 0
    """How often the source has said that its state is another one."""

    async def async_start(self) -> IndexSource:
        """Set up a source; return it once it has asked, where it asks at once."""
        self.source = IndexSource(self.hass, ENTRY_ID, lambda: self.url, self._changed)
        await self.source.async_load()
        self.source.start()
        await self.async_pass_time(0)
        return self.source

    async def async_restart(self) -> IndexSource:
        """Stop the source, and set up the next."""
        await self.source.async_stop()
        return await self.async_start()

    async def async_pass_time(self, seconds: float) -> None:
        """Let time go by, and what is due then happen."""
        self.freezer.tick(timedelta(seconds=seconds))
        async_fire_time_changed(self.hass)
        await self.hass.async_block_till_done(wait_background_tasks=True)

    async def async_refresh(self) -> CannotRefresh | None:
        """Ask now; return the error that it raises."""
        try:
            await self.source.async_refresh()
        except CannotRefresh as err:
            return err
        return None

    @property
    def versions(self) -> list[str]:
        """What is offered."""
        return [release.version for release in self.source.state.releases]

    def _changed(self) -> None:
        self.changes += 1

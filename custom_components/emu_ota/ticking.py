"""A tick every so many seconds, as long as there is something to look after."""

from datetime import datetime, timedelta

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later


class Ticking:
    """Calls back every so many seconds; how many can change at any time."""

    def __init__(self, hass: HomeAssistant, tick: CALLBACK_TYPE) -> None:
        """Begin silent."""
        self._hass = hass
        self._tick = tick
        self._seconds: float | None = None
        self._timer: CALLBACK_TYPE | None = None

    @callback
    def every(self, seconds: float | None) -> None:
        """Tick every so many seconds from now on; None: no more. The same again changes nothing."""
        if self._timer is not None and seconds == self._seconds:
            return
        self.stop()
        self._seconds = seconds
        if seconds is not None:
            self._timer = async_call_later(self._hass, timedelta(seconds=seconds), self._due)

    @callback
    def stop(self) -> None:
        """Tick no more."""
        if self._timer is not None:
            self._timer()
            self._timer = None

    @callback
    def _due(self, _: datetime) -> None:
        self._timer = None
        self._tick()
        if self._timer is None:
            self.every(self._seconds)

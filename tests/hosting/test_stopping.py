"""What becomes of fetches when Home Assistant stops."""

from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import HomeAssistant

from .served import PACKAGE, Reader, Served


async def test_a_fetch_under_way_is_cut_off_at_once_so_that_nothing_waits_for_it(
    hass: HomeAssistant, served: Served
) -> None:
    async with Reader(served.client) as reader:
        await reader.ask(served.url)
        assert await reader.status() == 200
        hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
        assert len(await reader.until_closed()) < len(PACKAGE)
    assert (await served.settled()).whole is False


async def test_a_new_request_is_told_to_come_again(hass: HomeAssistant, served: Served) -> None:
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hass.async_block_till_done()
    async with served.client.get(served.url) as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0

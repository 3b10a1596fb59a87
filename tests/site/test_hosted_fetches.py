"""What Home Assistant makes of how an EMS fetches a package: progress, deadlines, reasons; and the life of a token."""

from http import HTTPStatus
import json
import logging

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import orjson
import pytest

from custom_components.emu_ota.const import LOGGER
from custom_components.emu_ota.diagnostics import async_get_config_entry_diagnostics
from custom_components.emu_ota.protocol.topics import Direction, Exchange
from custom_components.emu_ota.protocol.upgrade import Upgrade
from custom_components.emu_ota.transport import NotSent
from simulator.package import build_package

from .by_hand import HandEms, message, report
from .hosted import Hosted, ordered_link, really, token_of, upload_subentry
from .world import NEW, OLD, UID, World

SIZE = 1_000_000
PACKAGE = build_package(NEW, size=SIZE)


class Fetcher(HandEms):
    """An EMS of the test's own with an order for a package of ours."""

    hosted: Hosted

    @property
    def link(self) -> str:
        """Where the package is."""
        return ordered_link(self.world)

    @property
    def upgrade(self) -> Upgrade:
        """The upgrade of EMU 2."""
        upgrade = self.world.entry.runtime_data.upgrades.current(UID, 2)
        assert isinstance(upgrade, Upgrade)
        return upgrade

    async def fetch(self, first: int, last: int) -> None:
        """Fetch some of the package, both ends included, and let that be noticed."""
        assert await self.hosted.status(self.link, Range=f"bytes={first}-{last}") == HTTPStatus.PARTIAL_CONTENT
        await self.world.settle()

    async def answer(self, status: int) -> None:
        """Say what became of the order."""
        await self.send(
            Exchange.UPGRADE,
            message(Exchange.UPGRADE, {"device_id": 2, "download_status": status}),
        )

    async def until_ordered(self, times: int = 1) -> None:
        """Answer every question until so many orders have gone out."""
        for _ in range(90):
            if len(self.world.orders()) >= times:
                return
            await self.world.tick(1)
            await self.versions(report(), reply=self.last_mid())
        raise AssertionError(self.world.stage())

    async def stay(self, seconds: float) -> None:
        """Let time go by, answering all the while that nothing has changed."""
        for _ in range(round(seconds / 20)):
            await self.world.tick(20)
            await self.versions(report())


@pytest.fixture
async def ems(hosted: Hosted) -> Fetcher:
    """Return an EMS whose EMU 2 has been ordered an upgrade just now, with the install waiting for its outcome."""
    package = await hosted.store(PACKAGE)
    hand = await hosted.hand(upload_subentry(package))
    ems = Fetcher(hand.world)
    ems.hosted = hosted
    await ems.versions(report())
    await hand.world.install()
    await really(lambda: hand.world.stage() != "idle")
    await ems.until_ordered()
    assert hand.world.stage() == "ordered"
    return ems


def percentage(world: World) -> object:
    """Return what the update shows."""
    return world.update().attributes["update_percentage"]


# Progress


async def test_the_percentage_of_an_order_is_that_of_the_fetch(ems: Fetcher) -> None:
    world = ems.world
    assert world.update().attributes["in_progress"] is True
    assert percentage(world) is None
    await ems.fetch(0, len(PACKAGE) // 4)
    await world.pass_time(10)
    assert percentage(world) == 25
    await ems.fetch(0, len(PACKAGE) // 4)
    await world.pass_time(10)
    assert percentage(world) == 25, "what is fetched twice is no further"
    await ems.fetch(len(PACKAGE) // 2, len(PACKAGE) - 1)
    await world.pass_time(10)
    assert percentage(world) == 75
    assert world.stage() == "ordered"
    await ems.answer(1)
    await ems.progress(report(stage=3, content=7, success=0))
    await world.pass_time(10)
    assert percentage(world) == 7, "from here on it is the EMU's"


# Deadlines and reasons


async def test_a_fetch_that_goes_on_extends_the_deadline_of_the_order(ems: Fetcher) -> None:
    """Without it the order would have ended after 10 minutes; a slow line goes on as long as it moves."""
    for each in range(12):
        await ems.fetch(each * 1000, each * 1000 + 999)
        await ems.stay(240)
        assert ems.world.stage() == "ordered", each
    await ems.stay(120)
    assert ems.world.last_upgrade() == ("failed", "no_answer"), "it was asked for, but then no more"


async def test_a_package_that_nobody_asks_for_was_never_fetched(ems: Fetcher) -> None:
    await ems.stay(580)
    assert ems.world.stage() == "ordered"
    await ems.stay(60)
    assert ems.world.last_upgrade() == ("failed", "never_fetched")


@pytest.mark.parametrize(("status", "fetches", "reason"), [
    (2, 0, "never_fetched"),
    (2, 1, "download_failed"),
    (3, 1, "md5_mismatch"),
    (3, 0, "md5_mismatch"),
    (5, 1, "unpack_failed"),
])  # fmt: skip
async def test_a_failed_download_is_told_from_one_that_never_reached_us(
    ems: Fetcher, status: int, fetches: int, reason: str
) -> None:
    for _ in range(fetches):
        await ems.fetch(0, 99)
    await ems.answer(status)
    assert ems.world.last_upgrade() == ("failed", reason)


# The token


async def test_a_token_is_dead_as_soon_as_there_is_an_outcome(ems: Fetcher) -> None:
    link = ems.link
    assert await ems.hosted.status(link) == HTTPStatus.OK
    await ems.answer(4)
    assert await ems.hosted.status(link) == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("success", [True, False])
async def test_a_token_lives_until_the_outcome_and_not_only_until_the_hand_over(ems: Fetcher, *, success: bool) -> None:
    link = ems.link
    await ems.answer(1)
    await ems.progress(report(stage=3, content=7, success=0))
    assert await ems.hosted.status(link) == HTTPStatus.OK
    await ems.versions(report(version=NEW if success else "emu-v9.0.0"))
    await ems.world.pass_time(130, 10)
    await ems.versions(report(version=NEW if success else "emu-v9.0.0"))
    assert ems.world.last_upgrade()[0] == ("succeeded" if success else "unverified")
    assert await ems.hosted.status(link) == HTTPStatus.NOT_FOUND


async def test_a_token_is_stored_before_the_order_goes_out_and_survives_a_reload(
    ems: Fetcher, hass_storage: dict[str, dict[str, dict[str, list[dict[str, object]]]]]
) -> None:
    link = ems.link
    key = f"emu_ota.{ems.world.entry.entry_id}.upgrades"
    assert [upgrade["token"] for upgrade in hass_storage[key]["data"]["upgrades"]] == [token_of(link)]
    await ems.fetch(0, 499_999)
    await ems.world.reload()
    assert await ems.hosted.status(link) == HTTPStatus.OK
    assert len(ems.world.orders()) == 1
    assert ems.upgrade.fetched is not None
    assert ems.upgrade.fetched.requests == 2


async def test_what_is_fetched_while_the_entry_is_not_loaded_counts(ems: Fetcher) -> None:
    hass, entry_id = ems.world.hass, ems.world.entry.entry_id
    assert await hass.config_entries.async_unload(entry_id)
    assert await ems.hosted.status(ems.link, Range="bytes=0-9999") == HTTPStatus.PARTIAL_CONTENT
    assert await hass.config_entries.async_setup(entry_id)
    await ems.world.settle()
    assert ems.upgrade.fetched is not None
    assert ems.upgrade.fetched.covered == 10_000


async def test_a_token_is_dead_when_the_entry_is_removed(ems: Fetcher) -> None:
    link = ems.link
    await ems.world.hass.config_entries.async_remove(ems.world.entry.entry_id)
    assert await ems.hosted.status(link) == HTTPStatus.NOT_FOUND


async def test_an_order_that_could_not_be_sent_gets_another_token_the_next_time(ems: Fetcher) -> None:
    """Somebody may have heard the first one."""
    world = ems.world
    await ems.answer(2)
    world.broker.fail_publish(ems.topic(Exchange.UPGRADE, Direction.COMMAND), NotSent(), delivered=True)
    await world.install()
    await really(lambda: world.stage() != "idle")
    await ems.until_ordered(2)
    first = ems.link
    await ems.until_ordered(3)
    assert token_of(ems.link) != token_of(first)
    assert await ems.hosted.status(first) == HTTPStatus.NOT_FOUND
    assert await ems.hosted.status(ems.link) == HTTPStatus.OK


async def test_a_token_never_comes_out(hass: HomeAssistant, ems: Fetcher, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the log, at whatever level of ours, nor in a state, an event, the history, or diagnostics."""
    assert LOGGER.isEnabledFor(logging.DEBUG)
    token, world = token_of(ems.link), ems.world
    events: list[str] = []
    hass.bus.async_listen("*", lambda event: events.append(str(event.data)))
    await ems.fetch(0, 99)
    running = json.dumps(await async_get_config_entry_diagnostics(hass, world.entry))
    states = [str(state.as_dict()) for state in hass.states.async_all()]
    await ems.answer(2)
    assert world.last_upgrade() == ("failed", "download_failed")
    ended = json.dumps(await async_get_config_entry_diagnostics(hass, world.entry))
    states += [str(state.as_dict()) for state in hass.states.async_all()]
    issues = [str(issue) for issue in ir.async_get(hass).issues.values()]
    history = orjson.dumps(await world.history()).decode()
    # Home Assistant itself logs every path that it serves, where somebody turns that on.
    logged = [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.INFO or record.name.startswith(LOGGER.name)
    ]
    for text in (running, ended, history, *states, *events, *issues, *logged):
        assert token not in text
    assert OLD in running

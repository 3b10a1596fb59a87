"""A real Home Assistant is killed at any moment of an upgrade: each comes to an outcome, and none is ordered twice."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
import logging
import os
from pathlib import Path
from random import Random
import secrets
from threading import Event
import time
from typing import Final

import aiohttp
import pytest

from .killed_site import EMUS, ORDERED_FOR, SPEEDS, KilledSite, Record, entity_id, run_killed_site, uid_of

SEED: Final = "EMU_OTA_SEED"
"""An environment variable with the seed of a run that is to be repeated."""
LOGGER: Final = logging.getLogger(__name__)
IN_TIME: Final = 90.0
"""Seconds in which every upgrade of a round must have its outcome; it takes about 10."""

pytestmark = pytest.mark.usefixtures("socket_enabled")

type Met = Callable[[list[Record]], bool]


def in_phase(phase: str) -> Met:
    """Return what finds an upgrade in a phase."""
    return lambda upgrades: any(upgrade["phase"] == phase for upgrade in upgrades)


AIMS: Final[dict[str, tuple[Met | None, float]]] = {
    "asked for": (lambda _: True, 0.3),
    "queued": (in_phase("queued"), 0.05),
    "written": (in_phase("ordered"), 0.0),
    "sent": (None, 0.02),
    "upgrading": (in_phase("upgrading"), 2.0),
    "restarting": (in_phase("restarting"), 0.5),
    "ended": (in_phase("ended"), 0.05),
}
"""What has to be in storage before the kill (None: an order on the wire), and up to how many seconds later it comes."""


@pytest.fixture
def seed() -> int:
    """Return the seed of this run, which pytest shows where the test fails."""
    return int(os.environ.get(SEED, secrets.randbelow(1_000_000)))


def aims(random: Random, *, deep: bool) -> Iterator[str]:
    """Yield what the rounds aim at: in a short run one early, one in the middle, one late."""
    if deep:
        for number in range(20):
            yield list(AIMS)[number % len(AIMS)]
    else:
        for among in (("asked for", "queued", "written"), ("sent", "upgrading"), ("restarting", "ended")):
            yield random.choice(among)


async def kill(site: KilledSite, aim: str, before: set[str], random: Random) -> None:
    """Kill Home Assistant once what is aimed at is seen, of upgrades that were not there before."""
    met, latest = AIMS[aim]
    delay = random.uniform(0, latest)
    stop = Event()

    def strike() -> None:
        if not stop.is_set():
            stop.set()
            time.sleep(delay)
            site.core.kill()

    if met is None:
        site.heard.append(strike)
    else:

        def watch() -> None:
            site.watch_phases(stop, lambda upgrades: met([each for each in upgrades if each["id"] not in before]))
            strike()

        task = asyncio.create_task(asyncio.to_thread(watch))
    try:
        async with asyncio.timeout(IN_TIME):
            await site.core.wait()
    finally:
        stop.set()
        site.heard.clear()
    if met is not None:
        await task


async def all_ended(site: KilledSite, ids: set[str]) -> dict[str, Record]:
    """Return these upgrades once each has its outcome."""
    async with asyncio.timeout(IN_TIME):
        while True:
            ended = {str(each["id"]): each for each in await site.history()}
            if ids <= ended.keys():
                return {each: ended[each] for each in ids}
            await asyncio.sleep(0.2)


async def cancel_what_waits(site: KilledSite, uids: set[str]) -> None:
    """Take out of the queue what would wait ten minutes, since its EMS may be at work on an order without an answer."""
    for uid in uids:
        for device_id in EMUS:
            with suppress(AssertionError):  # nothing of it is queued
                await site.call("cancel", {"entity_id": entity_id(uid, device_id)})


async def one_round(site: KilledSite, number: int, aim: str, random: Random) -> list[str]:
    """Upgrade four EMUs, kill, start again, and check all of it; return the phases that were caught."""
    uids = [uid_of(connection, number) for connection in SPEEDS]
    before = {str(each["id"]) for kind in ("upgrades", "history") for each in site.stored(kind)}
    installing = asyncio.create_task(site.install(uids))
    await kill(site, aim, before, random)
    with suppress(aiohttp.ClientError):
        await installing
    await asyncio.sleep(0.2)  # an order that was handed to the broker reaches us
    caught = [each for each in site.stored("upgrades") if each["id"] not in before]
    ended_before = [each for each in site.stored("history") if each["id"] not in before]
    ids = {str(each["id"]) for each in (*caught, *ended_before)}
    sent = {order.mid for order in site.orders}
    never_sent = {str(each["id"]) for each in caught if each["phase"] == "ordered" and each["mid"] not in sent}
    site.age(never_sent, ORDERED_FOR - 5)
    await site.start_core()
    if never_sent:
        await all_ended(site, never_sent)
        await cancel_what_waits(site, {str(each["uid"]) for each in caught if each["id"] in never_sent})
    ended = await all_ended(site, ids)

    mids = [order.mid for order in site.orders if order.uid in uids]
    assert len(mids) == len(set(mids))
    emus = [(order.uid, order.device_id) for order in site.orders if order.uid in uids]
    assert len(emus) == len(set(emus)), "an EMU was ordered twice"
    assert {str(each["id"]) for each in await site.history()} == before | ids, "nothing lost, nothing from nowhere"
    for upgrade_id, upgrade in ended.items():
        emu = next((each["uid"], each["device_id"]) for each in (*caught, *ended_before) if each["id"] == upgrade_id)
        told = upgrade["outcome"], upgrade["reason"]
        if upgrade_id in never_sent:
            assert (told, emu in emus) == (("failed", "no_answer"), False)
        elif told[0] == "cancelled":
            assert emu not in emus
        else:
            assert (told, emu in emus) == (("succeeded", None), True)
    # What is ordered was written before: whoever is on the wire has an upgrade.
    assert set(emus) <= {(each["uid"], each["device_id"]) for each in (*caught, *ended_before)}
    return [*(str(each["phase"]) for each in caught), *("never sent" for _ in never_sent)]


async def test_a_killed_home_assistant_brings_every_upgrade_to_its_outcome(
    tmp_path: Path, seed: int, *, deep: bool
) -> None:
    random = Random(seed)  # noqa: S311 - no secret, and has to be repeatable
    rounds = list(aims(random, deep=deep))
    caught: set[str] = set()
    async with run_killed_site(tmp_path, len(rounds)) as site:
        for number, aim in enumerate(rounds):
            phases = await one_round(site, number, aim, random)
            LOGGER.info("Seed %s, round %s, %s: caught %s", seed, number, aim, ", ".join(phases) or "nothing")
            assert phases or aim == "asked for", "nothing was under way"
            caught.update(phases)
        ids = {str(each["id"]) for each in await site.history()}
        await site.core.stop()
        # What ended just before the stop is in both files until the next start.
        left = site.stored("upgrades")
        assert [each for each in left if each["outcome"] is None or str(each["id"]) not in ids] == []
        assert {str(each["id"]) for each in site.stored("history")} == ids
        kinds = sorted(path.name.split(".", 2)[2] for path in site.files("*"))
        assert kinds == sorted(2 * ["history", "known", "upgrades"]), "nothing was put aside, nothing is left over"
    if deep:
        assert {"queued", "ordered", "upgrading", "restarting"} <= caught

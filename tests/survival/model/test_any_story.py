"""Upgrades survive: users, EMSs, the broker, crashes of Home Assistant at any moment, and time, in any order."""

import asyncio
from collections.abc import Callable
from functools import update_wrapper
import sys
from typing import cast

from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from hypothesis import HealthCheck, Phase, seed, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
import pytest

from custom_components.emu_ota.const import CONF_MAX_PARALLEL, CONF_QUEUE_TIMEOUT, DOMAIN
from custom_components.emu_ota.protocol.models import Component, Stage
from custom_components.emu_ota.transport import NotSent, TransportError
from simulator.ems import EmsSettings
from simulator.faults import Fault, FaultSetting
from simulator.package import md5_of
from simulator.wire import GARBAGE, Revision
from tests.site.world import PREFIX

from .story import BETWEEN, EMUS, LINKS, NEW, OLD, ORDER, PACKAGES, UIDS, Moment, Story, warm_up
from .time_travel import BEGINNING
from .wire import EmuKey

STORIES, STORIES_DEEP = 200, 10_000
STEPS = 16
"""Of a story: as many as happen in the time of an upgrade or two."""
SHARDS = 4
"""Parts of the stories that can be told side by side."""

SECONDS, MINUTES = [0.5, 2.0, 5.0, 12.0, 30.0], [60.0, 130.0, 300.0, 650.0]
HOURS = [1000.0, 3600.0, 3 * 3600.0]

DECISIVE = [Fault.STALL, Fault.ERRORS_REPORTED, Fault.VERSION_UNCHANGED, Fault.OTHER_VERSION, Fault.DOES_NOT_RETURN]
"""Of these an upgrade ends; most others only disturb it."""

emus = st.sampled_from(EMUS)
uids = st.sampled_from(UIDS)
versions = st.sampled_from([OLD, BETWEEN, NEW])
pauses = st.sampled_from([0.0, *SECONDS * 2, *MINUTES * 2, *HOURS])
settings_of_an_ems = st.builds(
    EmsSettings, revision=st.sampled_from(Revision), tells_reply=st.booleans(), rests_at_512=st.booleans()
)
faults = st.builds(
    FaultSetting,
    fault=st.sampled_from([*Fault, *DECISIVE * 3]),
    emu=st.sampled_from([None, 2, 2, 3]),
    times=st.sampled_from([None, 1, 1, 3]),
    seconds=st.sampled_from([None, None, 5.0, 700.0, 2000.0]),
    stage=st.sampled_from([None, None, *Stage]),
    component=st.sampled_from([None, None, Component.EMU, Component.COMMUNICATION_BOARD_1]),
)
moments = st.sampled_from(Moment)


def alive(machine: Survival) -> bool:
    """Tell whether Home Assistant runs."""
    return machine.story.life is not None


def loaded(machine: Survival) -> bool:
    """Tell whether it runs, with the entry set up."""
    return machine.story.life is not None and machine.story.life.runtime is not None


def step(**arguments: st.SearchStrategy[object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As `rule`, with time that goes by after it: Hypothesis leaves some rules out of each story, but never time."""

    def decorate(tell: Callable[..., None]) -> Callable[..., None]:
        def tell_and_wait(self: Survival, wait: float, **drawn: object) -> None:
            tell(self, **drawn)
            self.story.run(self.story.pass_time(wait))

        return as_rule(update_wrapper(tell_and_wait, tell))

    as_rule: Callable[[Callable[..., None]], Callable[..., None]]
    as_rule = rule(wait=pauses, **arguments)  # type: ignore[call-overload]  # one could be a target, by its type
    return decorate


class Survival(RuleBasedStateMachine):
    """A story in which anything happens."""

    story: Story

    def __init__(self, freezer: FrozenDateTimeFactory) -> None:
        """Prepare for a story."""
        super().__init__()
        self._freezer = freezer

    @initialize(
        settings=st.tuples(settings_of_an_ems, settings_of_an_ems),
        seed=st.integers(0, 2**16),
        keep_session=st.booleans(),
        max_parallel=st.integers(1, 2),
        broken=st.lists(st.tuples(uids, faults), min_size=1, max_size=3),
        ordered=st.lists(emus, min_size=1, max_size=4, unique=True),
    )
    def begin(  # noqa: PLR0913 - what a story is made of
        self,
        *,
        settings: tuple[EmsSettings, EmsSettings],
        seed: int,
        keep_session: bool,
        max_parallel: int,
        broken: list[tuple[str, FaultSetting]],
        ordered: list[EmuKey],
    ) -> None:
        """Begin with a site at rest, something broken (which need not matter), and an upgrade or more."""
        self.story = Story(self._freezer, list(settings), seed=seed, keep_session=keep_session)
        self.story.options[CONF_MAX_PARALLEL] = max_parallel
        self.story.run(self.story.begin())
        for uid, setting in broken:
            self.story.ems(uid).faults.add(setting)
        for key in ordered:
            self.story.run(self.story.call(key, "update", "install", {}))

    def teardown(self) -> None:
        """Whatever has happened: it comes to an end."""
        if not hasattr(self, "story"):
            return
        try:
            if sys.exception() is None:
                self.story.run(self.story.come_to_an_end())
        finally:
            self.story.close()

    # Users

    @precondition(loaded)
    @step(key=emus, version=st.none() | versions)
    def install(self, key: EmuKey, version: str | None) -> None:
        """Press *Install*, perhaps for a version by name."""
        data: dict[str, object] = {} if version is None else {"version": version}
        self.story.run(self.story.call(key, "update", "install", data))

    @precondition(loaded)
    @step(key=emus, version=st.none() | versions, holds=versions, fits=st.sampled_from([True, True, False]))
    def install_link(self, *, key: EmuKey, version: str | None, holds: str, fits: bool) -> None:
        """Order what is behind a link, which may hold another version, and not fit its MD5."""
        md5 = md5_of(PACKAGES[holds] if fits else b"")
        data: dict[str, object] = {"download_url": LINKS[holds], "md5": md5}
        data |= {} if version is None else {"version": version}
        self.story.run(self.story.call(key, DOMAIN, "upgrade", data))

    @precondition(loaded)
    @step(key=emus)
    def cancel(self, key: EmuKey) -> None:
        """Take an upgrade out of the queue."""
        self.story.run(self.story.cancel(key))

    @precondition(loaded)
    @step(uid=uids, rounds=st.none() | st.integers(0, 10))
    def remove_ems(self, uid: str, rounds: int | None) -> None:
        """Delete the subentry of an EMS, or add it again; perhaps Home Assistant crashes a few rounds later."""
        self.story.run(self._remove_ems(uid, rounds))
        if not alive(self):
            self._come_back(0)

    async def _remove_ems(self, uid: str, rounds: int | None) -> None:
        await self.story.remove_ems(uid)
        if rounds is not None:
            await self._crash_after(rounds)

    @precondition(loaded)
    @step(uid=uids)
    def bring_back(self, uid: str) -> None:
        """Delete the subentry of an EMS and add it again, for it may still be at work; then upgrade all of its EMUs."""
        if uid not in self.story.removed:
            self.story.run(self.story.remove_ems(uid))
        self.story.run(self.story.remove_ems(uid))
        self.story.run(self.story.pass_time(2))
        for key in (each for each in EMUS if each[0] == uid):
            self.story.run(self.story.call(key, "update", "install", {}))

    @precondition(loaded)
    @step(key=emus, version=st.sampled_from([OLD, BETWEEN]), wait_before=st.sampled_from(MINUTES))
    def wait_in_vain(self, key: EmuKey, version: str, wait_before: float) -> None:
        """Let the order for an EMU get lost, and somebody else upgrade the EMU that is next before that is given up."""
        other = next(each for each in EMUS if each[0] == key[0] and each != key)
        self._lose_order(key[0], TransportError, delivered=False)
        for each in (key, other):
            self.story.run(self.story.call(each, "update", "install", {}))
        self.story.run(self.story.pass_time(wait_before))
        self.story.run(self.story.foreign_order(other, version))

    @precondition(loaded)
    @step(max_parallel=st.integers(1, 2), queue_timeout=st.sampled_from([5, 15]))
    def set_options(self, max_parallel: int, queue_timeout: int) -> None:
        """Change the options while upgrades run."""
        options = {CONF_MAX_PARALLEL: max_parallel, CONF_QUEUE_TIMEOUT: queue_timeout}
        self.story.run(self.story.set_options(options))

    # EMSs and EMUs

    @step(uid=uids, setting=faults)
    def break_something(self, uid: str, setting: FaultSetting) -> None:
        """Switch a fault on."""
        self.story.ems(uid).faults.add(setting)

    @step(uid=uids)
    def fall_silent(self, uid: str) -> None:
        """Let an EMS answer nothing more; what it is at work on goes on."""
        self.story.ems(uid).faults.on(Fault.NO_ANSWER)

    @step(uid=uids)
    def repair_everything(self, uid: str) -> None:
        """Switch all faults of an EMS off."""
        for fault in Fault:
            self.story.ems(uid).faults.off(fault)

    @step(key=emus)
    def toggle_emu(self, key: EmuKey) -> None:
        """Switch an EMU off or on."""
        emu = self.story.ems(key[0]).emu(key[1])
        emu.online = not emu.online

    # Others on the broker

    @step(key=emus, version=versions)
    def foreign_order(self, key: EmuKey, version: str) -> None:
        """Let the vendor's platform order an upgrade."""
        self.story.run(self.story.foreign_order(key, version))

    @step(back=st.integers(1, 20), times=st.integers(1, 2), retained=st.booleans())
    def repeat_result(self, *, back: int, times: int, retained: bool) -> None:
        """Let one of the last results come once more, or stay on the broker."""
        if self.story.wire.results:
            topic, payload = self.story.wire.results[-min(back, len(self.story.wire.results))]
            self.story.run(self._publish(topic, payload, times, retained=retained))

    @step(uid=uids, payload=st.sampled_from(GARBAGE), name=st.sampled_from(["emu_version", "emu_upgrade"]))
    def garbage(self, uid: str, payload: bytes, name: str) -> None:
        """Let something come that is no result."""
        self.story.run(self._publish(f"{PREFIX}/{uid}/ota/{name}/result", payload, 1, retained=False))

    async def _publish(self, topic: str, payload: bytes, times: int, *, retained: bool) -> None:
        for _ in range(times):
            self.story.wire.publish(topic, payload, retained=retained)

    # The broker

    @step()
    def toggle_broker(self) -> None:
        """Let every connection be lost, or come back."""
        self.story.run(self._toggle_broker())

    async def _toggle_broker(self) -> None:
        self.story.wire.connected = not self.story.wire.connected

    @step(uid=uids, error=st.sampled_from([NotSent, TransportError]), delivered=st.booleans())
    def lose_an_order(self, *, uid: str, error: type[TransportError], delivered: bool) -> None:
        """Let the next order to an EMS fail to be sent, or not be known to have been."""
        self._lose_order(uid, error, delivered=delivered and error is not NotSent)

    def _lose_order(self, uid: str, error: type[TransportError], *, delivered: bool) -> None:
        self.story.wire.fail_publish(f"{PREFIX}/{uid}/ota/{ORDER}", error("as told"), delivered=delivered)

    # Home Assistant

    @precondition(alive)
    @step(away=st.sampled_from([0.0, 0.0, 10.0, *MINUTES, *HOURS]), rounds=st.integers(0, 30), key=emus)
    def crash(self, away: float, rounds: int, key: EmuKey) -> None:
        """Let Home Assistant be gone a few rounds of its loop after an order was asked for, for a while."""
        self.story.run(self._crash(rounds, key))
        self._come_back(away)

    async def _crash(self, rounds: int, key: EmuKey) -> None:
        await self.story.call(key, "update", "install", {})
        await self._crash_after(rounds)

    async def _crash_after(self, rounds: int) -> None:
        for _ in range(rounds):
            await asyncio.sleep(0)
        if not self.story.loop.died:
            await self.story.crash()

    @precondition(alive)
    @step(away=st.sampled_from([0.0, 0.0, 10.0, *MINUTES]), moment=moments, times=st.integers(1, 6), within=pauses)
    def crash_at(self, away: float, moment: Moment, times: int, within: float) -> None:
        """Let Home Assistant be gone just before or after it has written something, or sent an order."""
        self.story.doom(moment, times)
        self.story.run(self.story.pass_time(within))
        if alive(self):
            self.story.spare()
        else:
            self._come_back(away)

    @precondition(alive)
    @step(away=st.sampled_from([0.0, 10.0, *MINUTES, *HOURS]))
    def restart(self, away: float) -> None:
        """Restart Home Assistant in good order."""
        self.story.run(self.story.stop())
        self._come_back(away)

    @precondition(loaded)
    @step()
    def reload(self) -> None:
        """Reload the entry."""
        self.story.run(self.story.reload())

    def _come_back(self, away: float) -> None:
        if away:
            self.story.run(self.story.pass_time(away))
        self.story.run(self.story.start())


@pytest.mark.parametrize("shard", range(SHARDS))
def test_upgrades_survive_whatever_happens(shard: int, *, deep: bool) -> None:
    """Tell stories: the same in every run, so that none fails by chance; with --deep very many, and new ones."""
    chosen = settings(
        max_examples=(STORIES_DEEP if deep else STORIES) // SHARDS,
        stateful_step_count=STEPS,
        derandomize=False,
        deadline=None,
        phases=(Phase.reuse, Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    # Hypothesis measures how long it takes, and is not to be fooled.
    with freeze_time(BEGINNING, ignore=["hypothesis"]) as frozen:
        freezer = cast("FrozenDateTimeFactory", frozen)
        warm_up(freezer)

        class Shard(Survival):
            def __init__(self) -> None:
                super().__init__(freezer)

        if deep:
            run_state_machine_as_test(Shard, settings=chosen)
        else:
            run_state_machine_as_test(seed(shard)(Shard), settings=settings(chosen, database=None))

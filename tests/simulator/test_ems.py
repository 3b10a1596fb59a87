"""A simulated EMS behaves as the protocol page says."""

import pytest

from custom_components.emu_ota.protocol.commands import ask_progress, ask_versions
from custom_components.emu_ota.protocol.models import (
    COMPONENT_BITS,
    Component,
    DownloadStatus,
    EmuStatus,
    ProgressResult,
    Report,
    Stage,
    SuccessBit,
    VersionResult,
)
from custom_components.emu_ota.protocol.topics import Direction, EmsAddress, Exchange
from simulator.ems import EmsSettings
from simulator.package import Manifest
from simulator.wire import Revision

from .bench import ADDRESS, LINK, NEW, OLD, OTHER_LINK, Bench

ALL_GOOD = SuccessBit.TRANSFER_ENDED | SuccessBit.EVERYTHING
COMPONENTS = (Component.EMU, Component.COMMUNICATION_BOARD_1, Component.COMMUNICATION_BOARD_2)
FINISHED = int(ALL_GOOD | sum(COMPONENT_BITS[component] for component in COMPONENTS))
UPGRADE = 300.0


def stages(reports: list[Report]) -> list[tuple[int | None, int | None]]:
    """Return the components and stages that were gone through, each once."""
    seen: list[tuple[int | None, int | None]] = []
    for report in reports:
        if report.status != EmuStatus.OFFLINE and (not seen or seen[-1] != (report.component, report.stage)):
            seen.append((report.component, report.stage))
    return seen


@pytest.mark.parametrize("revision", Revision)
def test_an_upgrade_goes_through_every_component_and_comes_back_with_the_version_of_the_package(
    revision: Revision,
) -> None:
    bench = Bench(EmsSettings(revision=revision))
    bench.order()
    reports = bench.reports(UPGRADE)

    expected = [(Component.EMU, Stage.COMPLETE)]  # the previous upgrade, until the new one begins
    expected += [(component, stage) for component in COMPONENTS for stage in Stage]
    assert stages(reports) == expected
    assert bench.results == [(2, DownloadStatus.HANDED_OVER)]
    percents = [report.progress for report in reports if report.stage is Stage.TRANSFERRING]
    assert len(set(percents)) > 10
    assert reports[-1].version == NEW
    assert reports[-1].success == (FINISHED if revision.tells_bits else 1)
    assert bench.versions() == {2: NEW, 3: OLD, 4: None}


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        (Revision.A, [1, 0, 1]),
        (Revision.B, [1, 0, 1]),
        (Revision.C, [FINISHED, 512, 512 + 128, 512 + 128 + 2, FINISHED]),
        (Revision.D, [FINISHED, 512, 512 + 128, 512 + 128 + 2, FINISHED]),
    ],
)
def test_success_is_a_flag_or_a_growing_bit_field(revision: Revision, expected: list[int]) -> None:
    bench = Bench(EmsSettings(revision=revision))
    bench.order()
    told = [report.success for report in bench.reports(UPGRADE) if report.success is not None]
    assert [value for index, value in enumerate(told) if index == 0 or told[index - 1] != value] == expected


def test_an_ems_that_rests_at_512_tells_its_success_only_until_the_restart() -> None:
    bench = Bench(EmsSettings(revision=Revision.D, rests_at_512=True))
    bench.order()
    told = [report.success for report in bench.reports(UPGRADE) if report.success is not None]
    assert told[0] == told[-1] == 512
    assert FINISHED in told


def test_an_ems_may_answer_for_the_progress_only_in_the_stages_of_an_upgrade() -> None:
    bench = Bench(EmsSettings(progress_at_rest=False))
    bench.send(ask_progress(ADDRESS, bench.stamp(), 2))
    assert bench.run(5) == []
    bench.order()
    for _ in range(round(UPGRADE / 2)):
        bench.send(ask_progress(ADDRESS, bench.stamp(), 2))
        bench.run(2)
    told = {heard.message.report.stage for heard in bench.heard if isinstance(heard.message, ProgressResult)}
    assert told >= {Stage.PREPARING_UPGRADE, Stage.TRANSFERRING, Stage.VERIFYING}
    answered = sum(isinstance(heard.message, ProgressResult) for heard in bench.heard)
    assert answered < UPGRADE / 2 * 0.8
    assert bench.versions()[2] == NEW


def test_while_it_restarts_an_emu_is_offline_and_tells_nothing() -> None:
    bench = Bench()
    bench.order()
    reports = bench.reports(UPGRADE)
    assert Report(device_id=2, status=EmuStatus.OFFLINE) in reports
    assert [report.status for report in reports][-1] == EmuStatus.RUNNING


def test_an_offline_emu_reports_as_in_the_sample() -> None:
    bench = Bench()
    bench.send(ask_versions(ADDRESS, bench.stamp()))
    (heard,) = bench.run(1)
    assert heard.outgoing.payload.endswith(
        b'{"device_id":4,"status":2,"emu_upgrade_success":null,"emu_upgrade_device":null,'
        b'"emu_upgrade_status":null,"emu_upgrade_content":null,"emu_product_sn":""}]\n}'
    )


def test_an_order_for_an_offline_emu_cannot_be_handed_over() -> None:
    bench = Bench()
    bench.order(4)
    bench.run(UPGRADE)
    assert bench.results == [(4, DownloadStatus.HAND_OVER_FAILED)]


@pytest.mark.parametrize("failed", [DownloadStatus.DOWNLOAD_FAILED, DownloadStatus.MD5_MISMATCH])
def test_a_file_that_does_not_come_or_does_not_fit_is_told_and_changes_nothing(failed: DownloadStatus) -> None:
    bench = Bench()
    bench.packages[LINK] = failed
    bench.order()
    bench.run(UPGRADE)
    assert bench.results == [(2, failed)]
    assert bench.versions()[2] == OLD


def test_a_package_can_name_its_components() -> None:
    bench = Bench()
    bench.packages[LINK] = Manifest(NEW, (Component.COMMUNICATION_BOARD_4,))
    bench.order()
    seen = stages(bench.reports(UPGRADE))
    assert seen[1:] == [(Component.COMMUNICATION_BOARD_4, stage) for stage in Stage]


def test_an_order_unpacked_over_another_one_is_what_both_emus_get() -> None:
    """The EMS has one folder: what the second order puts there is handed over to the first one's EMU too."""
    bench = Bench()
    bench.order(2, LINK)
    bench.run(3.5)  # the second order ends its unpacking before the first one's hand-over ends
    bench.order(3, OTHER_LINK)
    bench.run(UPGRADE)
    assert bench.versions() == {2: "emu-v1.3.0", 3: "emu-v1.3.0", 4: None}


def test_an_order_that_clears_the_folder_in_the_hand_over_makes_it_fail() -> None:
    bench = Bench()
    bench.order(2, LINK)
    bench.run(5)  # the folder is empty while the first order is handed over
    bench.order(3, OTHER_LINK)
    bench.run(UPGRADE)
    assert bench.results == [(2, DownloadStatus.HAND_OVER_FAILED), (3, DownloadStatus.HANDED_OVER)]


def test_an_order_in_the_middle_of_anothers_transfer_spoils_it() -> None:
    bench = Bench()
    bench.order(2, LINK)
    bench.run(40)
    assert bench.report(2).stage is Stage.TRANSFERRING
    bench.order(3, OTHER_LINK)
    bench.run(UPGRADE)
    assert bench.report(2).success == 0
    assert bench.versions() == {2: OLD, 3: "emu-v1.3.0", 4: None}


def test_a_second_order_for_the_same_emu_begins_anew() -> None:
    bench = Bench()
    bench.order(2, LINK)
    bench.run(60)
    bench.order(2, OTHER_LINK)
    bench.run(UPGRADE)
    assert bench.versions()[2] == "emu-v1.3.0"
    assert bench.report(2).success == 1


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (ADDRESS.topic(Exchange.VERSION, Direction.COMMAND), b"{"),
        (ADDRESS.topic(Exchange.UPGRADE, Direction.COMMAND), b'{"sub_device_id": 2}'),
        (ADDRESS.topic(Exchange.PROGRESS, Direction.COMMAND), b'{"sub_device_id": 99}'),
        (ADDRESS.topic(Exchange.VERSION, Direction.RESULT), b'{"data": []}'),
        ("something/else", b"{}"),
    ],
)
def test_what_it_does_not_understand_stays_without_an_answer(topic: str, payload: bytes) -> None:
    bench = Bench()
    bench.ems.receive(topic, payload, bench.now)
    assert bench.run(600) == []


def test_it_hears_the_commands_of_its_own_address_only() -> None:
    assert set(Bench().ems.command_topics) == {
        "v1/wudun/demo/iYRkfVpi77/ota/emu_version/command",
        "v1/wudun/demo/iYRkfVpi77/ota/emu_upgrade/command",
        "v1/wudun/demo/iYRkfVpi77/ota/emu_upgrade_result/command",
    }
    assert EmsAddress("a", "b") != ADDRESS


def test_results_name_what_they_answer_where_the_ems_tells() -> None:
    bench = Bench(EmsSettings(tells_reply=True))
    stamp = bench.stamp()
    bench.send(ask_progress(ADDRESS, stamp, 2))
    (heard,) = bench.run(1)
    assert heard.message is not None
    assert heard.message.envelope.reply == stamp.mid
    assert heard.message.envelope.mid != stamp.mid


def test_the_same_seed_gives_the_same_bytes() -> None:
    def everything(seed: int) -> list[bytes]:
        bench = Bench(EmsSettings(seed=seed))
        bench.order()
        bench.reports(UPGRADE)
        return [heard.outgoing.payload for heard in bench.heard]

    assert everything(1) == everything(1)
    assert everything(1) != everything(2)


def test_time_may_go_in_steps_of_any_size() -> None:
    """A jump over a whole upgrade ends where small steps end."""
    bench = Bench()
    bench.order()
    bench.run(2)
    bench.run(3600)
    assert bench.versions()[2] == NEW


def test_every_message_has_a_timestamp_and_an_id_of_its_own() -> None:
    bench = Bench()
    for _ in range(5):
        bench.versions()
    envelopes = [heard.message.envelope for heard in bench.heard if isinstance(heard.message, VersionResult)]
    assert len({envelope.mid for envelope in envelopes}) == 5
    assert [envelope.timestamp for envelope in envelopes] == sorted({round(heard.at * 1000) for heard in bench.heard})

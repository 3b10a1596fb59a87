"""Every fault that can be switched on at a simulated EMS does what its description says."""

from collections import Counter
from itertools import pairwise

import pytest

from custom_components.emu_ota.protocol.commands import ask_versions
from custom_components.emu_ota.protocol.models import (
    Component,
    DownloadStatus,
    EmuStatus,
    Stage,
    SuccessBit,
    VersionResult,
)
from custom_components.emu_ota.protocol.topics import Direction, Exchange
from simulator.ems import EmsSettings
from simulator.faults import DESCRIPTIONS, Fault
from simulator.wire import GARBAGE, Revision

from .bench import ADDRESS, NEW, OLD, Bench
from .test_ems import UPGRADE, stages

REVISION_C = EmsSettings(revision=Revision.C)


def test_every_fault_has_a_description() -> None:
    assert set(DESCRIPTIONS) == set(Fault)


def test_no_answer_ignores_every_command_and_does_nothing() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.NO_ANSWER)
    bench.order()
    bench.send(ask_versions(ADDRESS, bench.stamp()))
    assert bench.run(UPGRADE) == []
    bench.ems.faults.off(Fault.NO_ANSWER)
    assert bench.versions()[2] == OLD


def test_a_fault_strikes_as_often_as_it_was_told() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.NO_ANSWER, times=2)
    assert not bench.ems.faults.struck(Fault.NO_ANSWER)
    for _ in range(3):
        bench.send(ask_versions(ADDRESS, bench.stamp()))
    assert len(bench.run(1)) == 1
    assert bench.ems.faults.struck(Fault.NO_ANSWER)


def test_a_fault_of_one_emu_leaves_the_others_alone() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.EMU_FAULT, emu=3)
    assert bench.report(2).status is EmuStatus.RUNNING
    assert bench.report(3).status is EmuStatus.FAULT


def test_lost_answer_loses_only_the_result_of_the_order() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.LOST_ANSWER, emu=2, times=1)
    bench.order()
    bench.run(UPGRADE)
    assert bench.results == []
    assert bench.versions()[2] == NEW


def test_late_answer_comes_late_and_says_what_was_true_in_time() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.LATE_ANSWER, times=1, seconds=400)
    bench.send(ask_versions(ADDRESS, bench.stamp()))
    bench.run(1)
    bench.order()
    assert not [heard for heard in bench.run(390) if heard.outgoing.topic.endswith("emu_version/result")]
    (late,) = bench.run(20)
    assert OLD.encode() in late.outgoing.payload
    assert NEW.encode() not in late.outgoing.payload


@pytest.mark.parametrize("revision", Revision)
@pytest.mark.parametrize(
    "fault",
    [
        Fault.DOWNLOAD_FAILED,
        Fault.MD5_MISMATCH,
        Fault.CLEAR_FOLDER_FAILED,
        Fault.UNPACK_FAILED,
        Fault.HAND_OVER_FAILED,
    ],
)
def test_each_failing_step_has_its_download_status(fault: Fault, revision: Revision) -> None:
    bench = Bench(EmsSettings(revision=revision))
    bench.ems.faults.on(fault, emu=2, times=1)
    bench.order()
    bench.run(UPGRADE)
    status = DownloadStatus(fault.value)
    if revision is Revision.A and status is not DownloadStatus.HAND_OVER_FAILED:
        status = DownloadStatus.DOWNLOAD_FAILED  # revision A has no other word for it
    assert bench.results == [(2, status)]
    assert bench.versions()[2] == OLD
    bench.order()
    bench.run(UPGRADE)
    assert bench.versions()[2] == NEW


def test_stale_report_shows_the_previous_upgrade_while_the_new_one_is_at_work() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.STALE_REPORT, emu=2, times=1, seconds=100)
    before = bench.report()
    bench.order()
    assert bench.reports(110) == [before]
    bench.run(10)
    assert bench.report().component is not Component.EMU


def test_stall_stands_still_where_it_was_told_until_it_is_switched_off() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.STALL, emu=2, percent=40, component=Component.COMMUNICATION_BOARD_1)
    bench.order()
    bench.run(3600)
    report = bench.report()
    assert (report.component, report.stage, report.progress) == (Component.COMMUNICATION_BOARD_1, 3, 40)
    bench.ems.faults.off(Fault.STALL)
    bench.run(UPGRADE)
    assert bench.versions()[2] == NEW


def test_stall_can_strike_in_any_stage_and_end_by_itself() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.STALL, stage=Stage.VERIFYING, seconds=500, times=1)
    bench.order()
    bench.run(400)
    assert bench.report().stage is Stage.VERIFYING
    bench.run(500)
    assert bench.versions()[2] == NEW


def test_a_stalled_emu_takes_another_order() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.STALL, times=1)
    bench.order()
    bench.run(3600)
    bench.order()
    bench.run(UPGRADE)
    assert bench.versions()[2] == NEW


@pytest.mark.parametrize("revision", Revision)
def test_errors_reported_of_the_emu_leave_it_as_it_was(revision: Revision) -> None:
    bench = Bench(EmsSettings(revision=revision))
    bench.ems.faults.on(Fault.ERRORS_REPORTED, times=1)
    bench.order()
    reports = bench.reports(UPGRADE)
    assert all(report.status is EmuStatus.RUNNING for report in reports)
    last = reports[-1]
    assert (last.stage, last.version) == (Stage.COMPLETE, OLD)
    assert last.success == (1 + 2 + 4 if revision.tells_bits else 0)


@pytest.mark.parametrize("revision", Revision)
def test_errors_reported_of_a_board_come_with_the_new_version(revision: Revision) -> None:
    bench = Bench(EmsSettings(revision=revision))
    bench.ems.faults.on(Fault.ERRORS_REPORTED, component=Component.COMMUNICATION_BOARD_2)
    bench.order()
    bench.run(UPGRADE)
    report = bench.report()
    assert report.version == NEW
    assert report.success == (1 + 2 + 128 if revision.tells_bits else 0)


def test_success_never_told_leaves_the_flag_as_it_was() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.SUCCESS_NEVER_TOLD)
    bench.order()
    assert {report.success for report in bench.reports(UPGRADE)} == {1, None}
    assert bench.versions()[2] == NEW


def test_success_never_told_leaves_bit_9() -> None:
    bench = Bench(REVISION_C)
    bench.ems.faults.on(Fault.SUCCESS_NEVER_TOLD)
    bench.order()
    bench.run(UPGRADE)
    report = bench.report()
    assert report.version == NEW
    assert report.success == SuccessBit.NOT_FINISHED | 128 | 2 | 4


def test_version_unchanged_tells_success_and_runs_the_old_version() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.VERSION_UNCHANGED)
    bench.order()
    bench.run(UPGRADE)
    assert (bench.report().version, bench.report().success) == (OLD, 1)


def test_other_version_runs_after_the_restart() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.OTHER_VERSION, version="emu-v7.0.0")
    bench.order()
    bench.run(UPGRADE)
    assert bench.versions()[2] == "emu-v7.0.0"


@pytest.mark.parametrize(("fault", "status"), [(Fault.EMU_OFFLINE, 2), (Fault.EMU_FAULT, 3)])
def test_an_emu_that_goes_or_fails_in_the_middle_stands_still(fault: Fault, status: int) -> None:
    bench = Bench()
    bench.order()
    bench.run(50)
    before = bench.report()
    bench.ems.faults.on(fault, emu=2)
    bench.run(3600)
    assert bench.report().status == status
    bench.ems.faults.off(fault)
    after = bench.report()
    assert (after.component, after.stage) == (before.component, before.stage)
    bench.run(UPGRADE)
    assert bench.versions()[2] == NEW


def test_does_not_return_until_it_is_switched_off() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.DOES_NOT_RETURN)
    bench.order()
    bench.run(7200)
    assert bench.report().status is EmuStatus.OFFLINE
    bench.ems.faults.off(Fault.DOES_NOT_RETURN)
    assert bench.versions()[2] == NEW


def test_slow_return_takes_longer() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.SLOW_RETURN, seconds=900)
    bench.order()
    bench.run(1000)
    assert bench.report().status is EmuStatus.OFFLINE
    bench.run(UPGRADE)
    assert bench.versions()[2] == NEW


def test_no_offline_phase_is_never_seen_offline() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.NO_OFFLINE_PHASE)
    bench.order()
    assert {report.status for report in bench.reports(UPGRADE)} == {EmuStatus.RUNNING}
    assert bench.versions()[2] == NEW


def test_ems_restart_is_silent_in_the_middle_and_then_goes_on() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.EMS_RESTART, times=1, seconds=200)
    bench.order()
    bench.run(60)
    bench.send(ask_versions(ADDRESS, bench.stamp()))
    assert bench.run(150) == []
    bench.run(100)
    assert bench.report().stage in set(Stage)
    bench.run(UPGRADE)
    assert bench.versions()[2] == NEW


def test_silent_restart_says_nothing_while_the_emu_restarts() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.SILENT_RESTART)
    bench.order()
    for _ in range(200):
        bench.send(ask_versions(ADDRESS, bench.stamp()))
        bench.run(2)
    answers = [heard.at for heard in bench.heard]
    gaps = [later - earlier for earlier, later in pairwise(answers)]
    assert 44 < max(gaps) < 50
    assert bench.versions()[2] == NEW


def test_an_ems_that_falls_silent_hears_nothing_either_and_then_goes_on() -> None:
    bench = Bench()
    bench.order()
    bench.run(5)
    bench.ems.fall_silent(60)
    bench.send(ask_versions(ADDRESS, bench.stamp()))
    assert bench.run(59) == []
    bench.run(1)
    assert bench.report().stage in set(Stage)
    bench.run(UPGRADE)
    assert bench.versions()[2] == NEW


def test_duplicated_results_come_twice() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.DUPLICATED_RESULTS)
    bench.order()
    bench.run(UPGRADE)
    first, second = bench.heard
    assert first.outgoing == second.outgoing


def test_retained_results_are_retained() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.RETAINED_RESULTS, times=1)
    for _ in range(2):
        bench.versions()
    assert [heard.outgoing.retained for heard in bench.heard] == [True, False]


def test_garbage_comes_on_every_result_topic_and_is_no_result() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.GARBAGE, times=1)
    bench.versions()
    *garbage, result = bench.heard
    assert result.message is not None
    topics = Counter(heard.outgoing.topic for heard in garbage)
    assert topics == {ADDRESS.topic(each, Direction.RESULT): len(GARBAGE) for each in Exchange}
    # A list in which every report is bad is still a list; nothing else is a message.
    for heard in garbage:
        assert heard.message is None or (isinstance(heard.message, VersionResult) and heard.message.reports == ())


def test_unknown_codes_come_up_and_the_upgrade_ends_well() -> None:
    bench = Bench(REVISION_C)
    bench.ems.faults.on(Fault.UNKNOWN_CODES, times=1)
    bench.order()
    seen = stages(bench.reports(400))
    assert (Component.EMU, 7) in seen
    assert (27, Stage.COMPLETE) in seen
    assert bench.versions()[2] == NEW


def test_unknown_status_is_told() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.UNKNOWN_STATUS, times=1)
    assert [bench.report().status, bench.report().status] == [7, 1]


def test_unknown_download_status_is_told_and_the_upgrade_goes_on() -> None:
    bench = Bench()
    bench.ems.faults.on(Fault.UNKNOWN_DOWNLOAD_STATUS)
    bench.order()
    bench.run(UPGRADE)
    assert bench.results == [(2, 9)]
    assert bench.versions()[2] == NEW

"""What a report says: of itself, over the one before, and of the last upgrade."""

from dataclasses import FrozenInstanceError

from hypothesis import given, strategies as st
import pytest

from custom_components.emu_ota.protocol.models import (
    ACTIVE_STAGES,
    Component,
    EmuStatus,
    Report,
    ReportedResult,
    Stage,
    SuccessBit,
)

FULL = Report(
    device_id=2,
    status=EmuStatus.RUNNING,
    success=512,
    component=Component.EMU,
    stage=Stage.TRANSFERRING,
    progress=70,
    version="emu-v1.0.0",
)


def report(status: EmuStatus | int = EmuStatus.RUNNING, **told: int | None) -> Report:
    """Return a report of EMU 2 that tells what is given."""
    return Report(
        device_id=2,
        status=status,
        success=told.get("success"),
        component=told.get("component"),
        stage=told.get("stage"),
        progress=told.get("progress"),
    )


@pytest.mark.parametrize(
    ("status", "running"),
    [(EmuStatus.RUNNING, True), (EmuStatus.OFFLINE, False), (EmuStatus.FAULT, False), (7, False), (0, False)],
)
def test_only_status_1_is_running(*, status: EmuStatus | int, running: bool) -> None:
    assert report(status).running is running


@pytest.mark.parametrize("status", [EmuStatus.RUNNING, EmuStatus.FAULT, 7])
@pytest.mark.parametrize("stage", [None, 0, 1, 2, 3, 4, 5, 6, 7])
def test_stages_1_to_4_are_an_upgrade_at_work(status: EmuStatus | int, stage: int | None) -> None:
    assert report(status, stage=stage).active is (stage in {1, 2, 3, 4})


@pytest.mark.parametrize("stage", ACTIVE_STAGES)
def test_in_an_offline_emu_nothing_is_at_work(stage: Stage) -> None:
    assert not report(EmuStatus.OFFLINE, stage=stage).active


# One report over another


def test_the_first_report_stands_alone() -> None:
    assert FULL.over(None) is FULL


def test_what_a_report_leaves_untold_stays_as_it_was() -> None:
    assert report(EmuStatus.OFFLINE).over(FULL) == Report(
        device_id=2,
        status=EmuStatus.OFFLINE,
        success=512,
        component=Component.EMU,
        stage=Stage.TRANSFERRING,
        progress=70,
        version="emu-v1.0.0",
    )


def test_what_a_report_tells_replaces_what_was() -> None:
    other = Report(
        device_id=2,
        status=EmuStatus.FAULT,
        success=0,
        component=Component.COMMUNICATION_BOARD_1,
        stage=Stage.COMPLETE,
        progress=0,
        version="emu-v2.0.0",
    )

    assert other.over(FULL) == other


@pytest.mark.parametrize(
    ("told", "progress"),
    [
        (report(stage=3, component=3), 70),
        (report(stage=3), 70),
        (report(component=3), 70),
        (report(), 70),
        (report(stage=3, component=21), None),
        (report(component=21), None),
        (report(stage=4, component=3), None),
        (report(stage=5), None),
        (report(stage=3, component=21, progress=0), 0),
        (report(stage=3, component=3, progress=71), 71),
    ],
)
def test_untold_progress_stays_only_within_one_transfer(told: Report, progress: int | None) -> None:
    """Or a board that only begins would stand at the hundred per cent of the one before it."""
    assert told.over(FULL).progress == progress


# The result that an EMU tells

FLAG_CASES = [
    (None, None, None),
    (None, 3, None),
    (0, None, ReportedResult.ERRORS),
    (0, 5, ReportedResult.ERRORS),
    (1, None, ReportedResult.ALL_SUCCEEDED),
    (1, 5, ReportedResult.ALL_SUCCEEDED),
    (1, 7, ReportedResult.ALL_SUCCEEDED),
    (0, 1, ReportedResult.NOT_FINISHED),
    (1, 2, ReportedResult.NOT_FINISHED),
    (1, 3, ReportedResult.NOT_FINISHED),
    (1, 4, ReportedResult.NOT_FINISHED),
]
BIT_FIELD_CASES = [
    (None, 5, None),
    (0, 5, ReportedResult.ERRORS),
    (1, 5, ReportedResult.ERRORS),
    (0b0_1111_1111, 5, ReportedResult.ERRORS),
    (0b1_0000_0000, 5, ReportedResult.ALL_SUCCEEDED),
    (0b1_1111_1111, 5, ReportedResult.ALL_SUCCEEDED),
    (0b1_1111_1111, None, ReportedResult.ALL_SUCCEEDED),
    (0b1_1111_1111, 3, ReportedResult.NOT_FINISHED),
    (512, 5, ReportedResult.NOT_FINISHED),
    (512 | 256, 5, ReportedResult.NOT_FINISHED),
    (512 | 1, 3, ReportedResult.NOT_FINISHED),
    (1024 | 256, 5, ReportedResult.ALL_SUCCEEDED),
]


@pytest.mark.parametrize(
    ("bit_field", "success", "stage", "result"),
    [(False, *case) for case in FLAG_CASES] + [(True, *case) for case in BIT_FIELD_CASES],
)
def test_what_an_emu_says_of_its_last_upgrade(
    *, bit_field: bool, success: int | None, stage: int | None, result: ReportedResult | None
) -> None:
    assert report(success=success, stage=stage).result(bit_field=bit_field) is result


def test_an_offline_emu_s_last_word_stands() -> None:
    assert report(EmuStatus.OFFLINE, success=1, stage=3).result(bit_field=False) is ReportedResult.ALL_SUCCEEDED


# The components that succeeded


def test_the_bits_are_the_ones_of_the_protocol() -> None:
    assert [(bit.name, bit.value) for bit in SuccessBit] == [
        ("TRANSFER_ENDED", 1),
        ("COMMUNICATION_BOARD_1", 2),
        ("COMMUNICATION_BOARD_2", 4),
        ("COMMUNICATION_BOARD_3", 8),
        ("COMMUNICATION_BOARD_4", 16),
        ("COMMUNICATION_BOARD_5", 32),
        ("COMMUNICATION_BOARD_6", 64),
        ("EMU", 128),
        ("EVERYTHING", 256),
        ("NOT_FINISHED", 512),
    ]


@pytest.mark.parametrize(
    ("success", "components"),
    [
        (0, ()),
        (1, ()),
        (512, ()),
        (128, (Component.EMU,)),
        (128 | 2 | 64, (Component.EMU, Component.COMMUNICATION_BOARD_1, Component.COMMUNICATION_BOARD_6)),
        (0b1111_1111, tuple(Component)),
        (0b11_1111_1111, tuple(Component)),
    ],
)
def test_a_bit_field_names_the_components_that_succeeded(success: int, components: tuple[Component, ...]) -> None:
    assert report(success=success).succeeded_components(bit_field=True) == components


@pytest.mark.parametrize(("success", "bit_field"), [(None, True), (None, False), (0, False), (1, False)])
def test_a_flag_or_nothing_names_no_component(*, success: int | None, bit_field: bool) -> None:
    assert report(success=success).succeeded_components(bit_field=bit_field) is None


# As values

optional_codes = st.none() | st.integers(-1, 1100)
reports = st.builds(
    Report,
    device_id=st.just(2),
    status=st.integers(0, 4),
    success=optional_codes,
    component=optional_codes,
    stage=st.none() | st.integers(0, 6),
    progress=st.none() | st.integers(0, 100),
    version=st.none() | st.sampled_from(["emu-v1.0.0", "emu-v2.0.0"]),
)


@given(reports, reports)
def test_telling_the_same_again_changes_nothing(before: Report, told: Report) -> None:
    merged = told.over(before)

    assert told.over(merged) == merged
    assert merged.over(before) == merged


@given(reports, reports)
def test_nothing_that_was_told_is_lost(before: Report, told: Report) -> None:
    merged = told.over(before)

    for field in ("device_id", "status", "success", "component", "stage", "progress", "version"):
        value = getattr(told, field)
        assert value is None or getattr(merged, field) == value
        assert getattr(merged, field) in (value, getattr(before, field))


@given(told=reports, bit_field=st.booleans())
def test_whatever_is_reported_has_a_result_or_none(*, told: Report, bit_field: bool) -> None:
    result = told.result(bit_field=bit_field)

    undocumented = not bit_field and not told.active and told.success not in {0, 1}
    assert (result is None) == (told.success is None or undocumented)
    assert result is not ReportedResult.ALL_SUCCEEDED or not told.active


def test_a_report_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        FULL.progress = 71  # type: ignore[misc] # what is tested

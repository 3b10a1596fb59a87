"""Every field and every code of the protocol, and what becomes of the ones that it does not know."""

import pytest

from custom_components.emu_ota.protocol.errors import Malformation
from custom_components.emu_ota.protocol.models import (
    Component,
    DownloadStatus,
    EmuStatus,
    Envelope,
    ProgressCommand,
    Report,
    Stage,
    UpgradeCommand,
    UpgradeResult,
)
from custom_components.emu_ota.protocol.parser import MAX_EMUS, MAX_STRING, MAX_URL
from custom_components.emu_ota.protocol.topics import Direction, Exchange

from .wire import REPORT, Json, decode, decode_report, decode_reports, refusal

MD5 = "50a2811e047dd49ace3801685eedb732"


# Reports


@pytest.mark.parametrize("status", EmuStatus)
def test_every_documented_status_is_read(status: EmuStatus) -> None:
    assert decode_report({"device_id": 2, "status": status.value}).status is status


@pytest.mark.parametrize("component", Component)
def test_every_documented_component_is_read(component: Component) -> None:
    assert decode_report(REPORT | {"emu_upgrade_device": component.value}).component is component


@pytest.mark.parametrize("stage", Stage)
def test_every_documented_stage_is_read(stage: Stage) -> None:
    assert decode_report(REPORT | {"emu_upgrade_status": stage.value}).stage is stage


def test_the_codes_are_the_ones_of_the_protocol() -> None:
    assert {status.name: status.value for status in EmuStatus} == {"RUNNING": 1, "OFFLINE": 2, "FAULT": 3}
    assert {stage.name: stage.value for stage in Stage} == {
        "PREPARING_UPGRADE": 1,
        "PREPARING_TRANSFER": 2,
        "TRANSFERRING": 3,
        "VERIFYING": 4,
        "COMPLETE": 5,
    }
    boards = {f"COMMUNICATION_BOARD_{board}": 20 + board for board in range(1, 7)}
    assert {component.name: component.value for component in Component} == {"EMU": 3} | boards


@pytest.mark.parametrize(
    ("key", "field", "code"),
    [
        ("status", "status", 7),
        ("status", "status", 0),
        ("emu_upgrade_status", "stage", 7),
        ("emu_upgrade_status", "stage", 0),
        ("emu_upgrade_device", "component", 27),
        ("emu_upgrade_device", "component", 4),
        ("emu_upgrade_status", "stage", -1),
        ("emu_upgrade_device", "component", 2**63),
    ],
)
def test_an_unknown_code_stays_the_int_it_was(key: str, field: str, code: int) -> None:
    value = getattr(decode_report(REPORT | {key: code}), field)

    assert value == code
    assert type(value) is int


@pytest.mark.parametrize("success", [0, 1, 512, 0b11_1111_1111, 1024, -1])
def test_success_is_kept_as_it_is_because_its_meaning_is_the_ems_s(success: int) -> None:
    assert decode_report(REPORT | {"emu_upgrade_success": success}).success == success


@pytest.mark.parametrize(("told", "kept"), [(0, 0), (57, 57), (100, 100), (101, None), (-1, None), (255, None)])
def test_progress_outside_0_to_100_is_none(told: int, kept: int | None) -> None:
    assert decode_report(REPORT | {"emu_upgrade_content": told}).progress == kept


@pytest.mark.parametrize(
    "version", ["emu-v1.0.0", "EMU V1", "  ", "größe-v1", "a" * MAX_STRING], ids=lambda version: version[:12]
)
def test_a_version_is_kept_as_it_is(version: str) -> None:
    assert decode_report(REPORT | {"emu_product_sn": version}).version == version


OPTIONAL = ("emu_upgrade_success", "emu_upgrade_device", "emu_upgrade_status", "emu_upgrade_content", "emu_product_sn")


@pytest.mark.parametrize(
    "untold", [{}, dict.fromkeys(OPTIONAL), dict.fromkeys(OPTIONAL, "")], ids=["missing", "null", "empty"]
)
def test_an_offline_emu_tells_nothing_of_its_upgrade(untold: dict[str, Json]) -> None:
    report = decode_report({"device_id": 4, "status": 2} | untold)

    assert report == Report(device_id=4, status=EmuStatus.OFFLINE)


def test_a_field_that_the_protocol_does_not_know_is_left_alone() -> None:
    assert decode_report(REPORT | {"license": "secret", "x": [1]}) == Report(device_id=2, status=EmuStatus.RUNNING)


BAD_REPORTS: list[Json] = [
    {},
    {"status": 1},
    {"device_id": 2},
    {"device_id": None, "status": 1},
    {"device_id": "", "status": 1},
    {"device_id": "2", "status": 1},
    {"device_id": 2.0, "status": 1},
    {"device_id": True, "status": 1},
    {"device_id": 2, "status": False},
    {"device_id": 2, "status": None},
    {"device_id": 2, "status": [1]},
    REPORT | {"emu_upgrade_success": "1"},
    REPORT | {"emu_upgrade_success": True},
    REPORT | {"emu_upgrade_device": 3.0},
    REPORT | {"emu_upgrade_status": {}},
    REPORT | {"emu_upgrade_content": "57"},
    REPORT | {"emu_upgrade_content": 57.5},
    REPORT | {"emu_product_sn": 1},
    REPORT | {"emu_product_sn": False},
    REPORT | {"emu_product_sn": ["emu-v1.0.0"]},
    REPORT | {"emu_product_sn": "a" * (MAX_STRING + 1)},
]
NO_REPORTS: list[Json] = [None, [], [REPORT], "report", 2, True]


@pytest.mark.parametrize("report", BAD_REPORTS, ids=repr)
def test_a_bad_report_about_one_emu_is_refused(report: Json) -> None:
    assert refusal(Exchange.PROGRESS, Direction.RESULT, {"data": report}) is Malformation.BAD_REPORT


@pytest.mark.parametrize("data", NO_REPORTS, ids=repr)
def test_what_is_no_object_is_no_report(data: Json) -> None:
    assert refusal(Exchange.PROGRESS, Direction.RESULT, {"data": data}) is Malformation.BAD_DATA


@pytest.mark.parametrize("bad", [*BAD_REPORTS, *NO_REPORTS], ids=repr)
def test_a_bad_report_in_a_list_drops_alone(bad: Json) -> None:
    message = decode_reports([{"device_id": 1, "status": 1}, bad, {"device_id": 3, "status": 3}])

    assert [report.device_id for report in message.reports] == [1, 3]
    assert message.malformed == 1


def test_a_list_of_nothing_but_bad_reports_is_still_an_answer() -> None:
    message = decode_reports([None, {}, []])

    assert (message.reports, message.malformed) == ((), 3)


def test_an_empty_list_is_an_ems_without_emus() -> None:
    message = decode_reports([])

    assert (message.reports, message.malformed) == ((), 0)


@pytest.mark.parametrize("data", [None, {}, REPORT, "list", 1, True], ids=repr)
def test_a_version_result_without_a_list_is_refused(data: Json) -> None:
    assert refusal(Exchange.VERSION, Direction.RESULT, {"data": data}) is Malformation.BAD_DATA
    assert refusal(Exchange.VERSION, Direction.RESULT, {}) is Malformation.BAD_DATA


def test_as_many_emus_as_home_assistant_can_hold_are_read() -> None:
    reports: Json = [{"device_id": device_id, "status": 1} for device_id in range(MAX_EMUS)]

    assert [report.device_id for report in decode_reports(reports).reports] == list(range(MAX_EMUS))


def test_more_emus_than_home_assistant_can_hold_are_refused() -> None:
    reports: Json = [{"device_id": device_id, "status": 1} for device_id in range(MAX_EMUS + 1)]

    assert refusal(Exchange.VERSION, Direction.RESULT, {"data": reports}) is Malformation.TOO_MANY_EMUS


# Upgrade results


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (1, DownloadStatus.HANDED_OVER),
        (2, DownloadStatus.DOWNLOAD_FAILED),
        (3, DownloadStatus.MD5_MISMATCH),
        (4, DownloadStatus.CLEAR_FOLDER_FAILED),
        (5, DownloadStatus.UNPACK_FAILED),
        (6, DownloadStatus.HAND_OVER_FAILED),
        (0, 0),
        (7, 7),
        (-1, -1),
    ],
)
@pytest.mark.parametrize("message_type", ["emu_upgrade", "emu_upgrade_result", "OTA_UPGRADE", "", None, 1, ["a"]])
def test_download_status_means_what_revision_b_says(
    message_type: Json, code: int, status: DownloadStatus | int
) -> None:
    body: Json = {"type": message_type, "data": {"device_id": 2, "download_status": code}}

    assert decode(Exchange.UPGRADE, Direction.RESULT, body) == UpgradeResult(
        envelope=Envelope(), device_id=2, status=status
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (1, DownloadStatus.HANDED_OVER),
        (2, DownloadStatus.HAND_OVER_FAILED),
        (3, DownloadStatus.DOWNLOAD_FAILED),
        (4, 4),
        (5, 5),
        (6, 6),
    ],
)
def test_download_status_of_type_ota_upgrade_means_what_revision_a_says(
    code: int, status: DownloadStatus | int
) -> None:
    body: Json = {"type": "ota_upgrade", "sub_device_id": "2", "data": {"device_id": 2, "download_status": code}}

    message = decode(Exchange.UPGRADE, Direction.RESULT, body)

    assert message == UpgradeResult(envelope=Envelope(), device_id=2, status=status)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"device_id": 2},
        {"download_status": 1},
        {"device_id": "2", "download_status": 1},
        {"device_id": 2, "download_status": "1"},
        {"device_id": 2, "download_status": True},
        {"device_id": 2, "download_status": 1.0},
        {"device_id": 2, "download_status": None},
        {"device_id": 2, "download_status": ""},
        {"device_id": 2, "download_status": [1]},
    ],
    ids=repr,
)
def test_an_upgrade_result_without_its_two_integers_is_refused(data: Json) -> None:
    assert refusal(Exchange.UPGRADE, Direction.RESULT, {"data": data}) is Malformation.BAD_REPORT


@pytest.mark.parametrize("data", [None, [], "x", 1], ids=repr)
def test_an_upgrade_result_or_command_without_data_is_refused(data: Json) -> None:
    body: Json = {"sub_device_id": 2, "data": data}

    assert refusal(Exchange.UPGRADE, Direction.RESULT, body) is Malformation.BAD_DATA
    assert refusal(Exchange.UPGRADE, Direction.COMMAND, body) is Malformation.BAD_DATA


# Commands of others


@pytest.mark.parametrize(
    ("told", "device_id"),
    [(2, 2), (0, 0), (-3, -3), ("2", 2), ("007", 7), ("-3", -3), ("9" * 18, int("9" * 18))],
)
def test_the_emu_of_a_command_is_an_int_or_revision_a_s_string(told: Json, device_id: int) -> None:
    link: Json = {"download_url": "http://example.com/p", "md5_code": MD5}

    assert decode(Exchange.PROGRESS, Direction.COMMAND, {"sub_device_id": told}) == ProgressCommand(
        envelope=Envelope(), device_id=device_id
    )
    assert decode(Exchange.UPGRADE, Direction.COMMAND, {"sub_device_id": told, "data": link}) == UpgradeCommand(
        envelope=Envelope(), device_id=device_id, download_url="http://example.com/p", md5=MD5
    )


@pytest.mark.parametrize(
    "told",
    [
        "",
        " 2",
        "2 ",
        "2\n",
        "+2",
        "--2",
        "2.0",
        "0x2",
        "1_0",
        "²",
        "٣",
        "\uff12",
        "9" * 19,
        "two",
        None,
        2.0,
        True,
        [2],
    ],
    ids=repr,
)
def test_a_command_for_no_emu_is_refused(told: Json) -> None:
    link: Json = {"download_url": "http://example.com/p", "md5_code": MD5}

    assert refusal(Exchange.PROGRESS, Direction.COMMAND, {"sub_device_id": told}) is Malformation.BAD_REPORT
    assert refusal(Exchange.UPGRADE, Direction.COMMAND, {"sub_device_id": told, "data": link}) is (
        Malformation.BAD_REPORT
    )


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"download_url": "http://example.com/p"},
        {"md5_code": MD5},
        {"download_url": "", "md5_code": MD5},
        {"download_url": "http://example.com/p", "md5_code": ""},
        {"download_url": 1, "md5_code": MD5},
        {"download_url": "http://example.com/p", "md5_code": None},
        {"download_url": "h" * (MAX_URL + 1), "md5_code": MD5},
    ],
    ids=lambda data: repr(data)[:60],
)
def test_an_upgrade_command_without_its_two_texts_is_refused(data: Json) -> None:
    body: Json = {"sub_device_id": 2, "data": data}

    assert refusal(Exchange.UPGRADE, Direction.COMMAND, body) is Malformation.BAD_DATA

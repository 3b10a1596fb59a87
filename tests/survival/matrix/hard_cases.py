"""The hard cases: what happens, and which test shows it; docs/reliability.md lists them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HardCase:
    """A case that is no cell of the matrix, or deserves more than one."""

    title: str
    what_happens: str
    tests: tuple[str, ...]
    """`file::function`, from the folder of the tests, and behind it `[part of its parameters]` where that matters."""


_AMENDED = "site/test_amended.py"
_FAULTS = "site/test_faults.py::test_a_fault_leads_to_its_outcome"
_HERE = "survival/matrix/test_hard_cases.py"
_OUTCOMES = "site/test_outcomes.py"

HARD_CASES = (
    HardCase(
        "The version that runs already is installed again, by name",
        "The version read back proves nothing, so only the EMU's own word counts: `succeeded` when it told its success "
        "after the order, else `unverified` (`version_unchanged`).",
        (
            f"{_OUTCOMES}::test_the_same_version_ordered_by_name_needs_the_emu_s_own_word",
            f"{_AMENDED}::test_the_version_of_before_amends_nothing",
        ),
    ),
    HardCase(
        "The EMU restarts too fast to be seen offline",
        "The new version is read, at the latest two minutes after it stopped changing: `succeeded`.",
        (f"{_FAULTS}[the restart is too fast to be seen]",),
    ),
    HardCase(
        "A device with a bit field rests at 512, `not finished`, also after an upgrade",
        "At rest this says nothing against a success: the version decides, `succeeded`.",
        (f"{_OUTCOMES}::test_a_bit_field_that_rests_at_512_says_nothing_against_a_success",),
    ),
    HardCase(
        "A package upgrades only boards",
        "`succeeded` when the ordered version is read back. Where the EMU goes on telling its own old version, nobody "
        "can see from here what the boards run: `unverified` (`version_unchanged`), with what the EMU says of its "
        "boards in *Reported result*.",
        (
            f"{_OUTCOMES}::test_a_package_for_boards_only_succeeds",
            f"{_HERE}::test_a_package_for_boards_only_after_which_the_emu_tells_its_old_version_is_not_verified",
        ),
    ),
    HardCase(
        "The EMS answers `emu_upgrade_result` only during upgrades",
        "The list of versions says the same, only less often: every outcome stays what it is.",
        (f"{_HERE}::test_an_ems_that_answers_emu_upgrade_result_only_during_upgrades",),
    ),
    HardCase(
        "Two controllers order at once",
        "For the same EMU, from then on only the version decides. For another EMU of the same EMS, the two overwrite "
        "each other's files, since an EMS has one folder: `unverified` (`other_version`) or `failed` "
        "(`errors_reported`), never a false success.",
        (
            "site/test_external.py::test_once_somebody_else_ordered_the_same_emu_only_the_version_decides",
            f"{_HERE}::test_two_controllers_that_order_at_once_lead_to_no_false_success",
        ),
    ),
    HardCase(
        "A fault recovers",
        "In time: the upgrade goes on as if nothing had been. Too late: the outcome stands until the ordered version "
        "is read, and is amended to `succeeded` then.",
        (
            "site/test_faults.py::test_what_comes_over_an_emu_in_the_middle",
            f"{_FAULTS}[the transfer stands still for ten minutes]",
            f"{_AMENDED}::test_the_ordered_version_read_later_amends",
            f"{_AMENDED}::test_an_emu_that_goes_on_after_its_outcome_is_nobody_else_s_doing",
        ),
    ),
    HardCase(
        "The new version is reported while boards still upgrade",
        "That is no success yet: the upgrade goes on until all components are at rest.",
        (f"{_OUTCOMES}::test_the_new_version_is_no_success_while_boards_are_still_upgraded",),
    ),
    HardCase(
        "The transfer shows 100 % for 20 minutes",
        "At 100 %, and while it verifies, an EMU may show no progress for half an hour: `succeeded`.",
        (f"{_FAULTS}[it stands still at 100 % for 20 minutes]", f"{_FAULTS}[it verifies for 20 minutes]"),
    ),
    HardCase(
        "The EMS is away for a day, and its queue is full",
        "The running upgrade is `lost`, the queued ones end as `failed` (`ems_unreachable`) when their time in the "
        "queue is over, and nothing is ordered when the EMS is back; only then is the lost one amended, if its version "
        "is there. Back before that, it goes on with its queue when nothing has moved for ten minutes. A day without "
        "the broker or without Home Assistant costs nothing: the queue goes on.",
        (
            f"{_HERE}::test_an_ems_that_is_away_for_a_day_with_a_full_queue_is_ordered_nothing_afterwards",
            f"{_HERE}::test_an_ems_that_is_away_for_an_hour_goes_on_with_its_queue_when_nothing_has_moved_for_ten_minutes",
            f"{_HERE}::test_a_full_queue_goes_on_after_a_day_without",
        ),
    ),
    HardCase(
        "A later upgrade, or the old version, after an old failure",
        "Only the newest upgrade of an EMU is ever amended, and only by the version that it ordered and that was not "
        "there before.",
        (
            f"{_AMENDED}::test_only_the_newest_upgrade_of_an_emu_is_amended",
            f"{_AMENDED}::test_an_emu_that_returns_with_the_old_version_amends_nothing",
            f"{_AMENDED}::test_another_version_than_the_ordered_one_amends_nothing",
        ),
    ),
    HardCase(
        "Home Assistant restarts while somebody else's upgrade stands still on another EMU",
        "Nobody knows since when, so the queue waits as for one that moves: a quarter of an hour.",
        ("site/test_queue.py::test_how_long_somebody_s_upgrade_has_stood_still_is_not_known_after_a_restart",),
    ),
)

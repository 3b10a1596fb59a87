"""One error per owner of the fault."""

from enum import StrEnum


class Malformation(StrEnum):
    """What is wrong with a message from the broker; also the name it is counted under."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    BAD_DATA = "bad_data"
    BAD_REPORT = "bad_report"
    TOO_MANY_EMUS = "too_many_emus"


class MalformedMessage(Exception):
    """Their fault: the payload on one of our topics is not a message of the protocol."""

    def __init__(self, kind: Malformation, detail: str) -> None:
        """Remember the kind for counting; the detail never quotes the payload."""
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class CommandError(ValueError):
    """Our fault, or our user's: a command or a topic cannot be built from these values."""

"""What is wrong with a message, in HL7's own terms."""

from __future__ import annotations

from dataclasses import dataclass

from consortium.errors import PermanentError


@dataclass(frozen=True, slots=True)
class Condition:
    """An entry of HL7 table 0357 (message error condition codes)."""

    code: int
    text: str


SEGMENT_SEQUENCE = Condition(100, "Segment sequence error")
REQUIRED_FIELD = Condition(101, "Required field missing")
DATA_TYPE = Condition(102, "Data type error")
TABLE_VALUE = Condition(103, "Table value not found")
UNSUPPORTED_TYPE = Condition(200, "Unsupported message type")
UNSUPPORTED_EVENT = Condition(201, "Unsupported event code")
UNSUPPORTED_VERSION = Condition(203, "Unsupported version id")
UNKNOWN_KEY = Condition(204, "Unknown key identifier")
INTERNAL = Condition(207, "Application internal error")


class HL7Error(PermanentError):
    """A message that cannot be read or taken, with the machine-readable code of the reason.

    `reason` is a sentence for a person and holds no patient data; `location` is the field at fault, as
    `MSH-18`, or "".
    """

    def __init__(
        self, code: str, reason: str, condition: Condition = SEGMENT_SEQUENCE, location: str = ""
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.condition = condition
        self.location = location

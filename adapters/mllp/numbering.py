"""The sequence number protocol as its sender (HL7 v2.5 §2.10.1): what goes into MSH-13, and what MSA-4 says.

The receiver tells at the opening of the link which number it expects. So what was sent and not answered is no
question for a person: a number that lies before the expected one was taken, any other was not.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bus.delivery.transport import UnsendableError
from bus.hl7.msh import first_segment

RESET = -1
"""The receiver has no last number: whatever comes is the first."""
_NUMBER = re.compile(rb"-1|[0-9]{1,15}")


class Verdict(enum.Enum):
    """What to do with a message."""

    SEND = "the receiver does not have it"
    TAKEN = "its number was sent before, and the receiver expects a later one: it has it"
    LOST = "it was sent before, and the receiver counts anew: it cannot tell"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and under which number."""

    verdict: Verdict
    number: int = 0


def decide(expected: int, last: int | None, before: int | None) -> Decision:
    """Decide on a message.

    `expected` by the receiver; -1: any. `last`: the highest number that was sent. `before`: the number under
    which this message was sent and not answered.
    """
    if expected <= 0:
        return Decision(Verdict.SEND, (last or 0) + 1) if before is None else Decision(Verdict.LOST)
    if before is not None and before < expected:
        return Decision(Verdict.TAKEN)
    return Decision(Verdict.SEND, expected)


def expected_of(field: bytes) -> int | None:
    """Return MSA-4; None where it says nothing."""
    return int(field) if _NUMBER.fullmatch(field) else None


@dataclass(frozen=True, slots=True)
class Head:
    """The segment MSH of a message, decoded: `fields[k - 1]` is MSH-k."""

    fields: tuple[str, ...]
    separator: str
    codec: str
    rest: bytes

    @classmethod
    def of(cls, body: bytes, codec: str) -> Head:
        """Read it. Raises UnsendableError where writing it again would change more than MSH-13."""
        segment = first_segment(body)
        try:
            text = segment.decode(codec)
            if text.encode(codec) != segment:
                raise UnicodeError
        except (UnicodeError, LookupError) as error:
            reason = f"its MSH does not read as {codec}: MSH-13 cannot be written; correct MSH-18"
            raise UnsendableError("wrong_charset", reason) from error
        return cls(tuple(text.split(text[3])), text[3], codec, body[len(segment) :])

    def numbered(self, number: int) -> bytes:
        """Return the message with this number in MSH-13, everything else as it was."""
        return self._written({13: str(number)}) + self.rest

    def opening(self, control_id: str, now: str) -> bytes:
        """Return the message that opens the link from the same sender: no type, no content, number 0."""
        return self._written({7: now, 8: "", 9: "^", 10: control_id, 13: "0"}) + b"\r"

    def _written(self, fields: Mapping[int, str]) -> bytes:
        known = [*self.fields, *[""] * (13 - len(self.fields))]
        for place, text in fields.items():
            known[place - 1] = text
        return self.separator.join(known).encode(self.codec)

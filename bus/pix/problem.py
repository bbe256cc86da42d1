"""What is wrong with a message or question, as segments ERR say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bus.hl7.ack import Code
from bus.hl7.problem import Condition, HL7Error
from consortium.errors import PermanentError

DUPLICATE_KEY = Condition(205, "Duplicate key identifier")


@dataclass(frozen=True, slots=True)
class Fault:
    """One segment ERR."""

    condition: Condition
    place: tuple[str | int, ...]
    """ERR-2: segment, its occurrence, field, repetition, component, subcomponent; as far as they go."""
    code: str
    """Our own machine-readable code (ERR-5)."""
    reason: str
    """For a person; no patient data."""


class FaultsError(PermanentError):
    """A message that has no effect, or a question without an answer."""

    def __init__(self, *faults: Fault, msa: Code = Code.ERROR) -> None:
        super().__init__("; ".join(fault.reason for fault in faults))
        self.faults: Sequence[Fault] = faults
        self.msa = msa

    @classmethod
    def of(cls, error: HL7Error, msa: Code = Code.ERROR) -> FaultsError:
        """Say the same of an error that names a field."""
        segment, _, field = error.location.partition("-")
        place: tuple[str | int, ...] = ()
        if segment.isalnum():
            place = (segment, 1, int(field)) if field.isdigit() else (segment, 1)
        return cls(Fault(error.condition, place, error.code, error.reason), msa=msa)

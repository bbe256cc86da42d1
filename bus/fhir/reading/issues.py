"""What is wrong with resources from outside, in FHIR's own terms (OperationOutcome, R4 section 2.34)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bus.fhir.shapes import Resource
from consortium.errors import PermanentError


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding; the text never repeats a value, which may be a patient's."""

    expression: str
    """FHIRPath of the element: `Bundle.entry[0].resource.status`."""
    text: str
    code: str = "value"
    """Of the value set issue-type."""
    severity: str = "error"

    def shown(self) -> Resource:
        """Return the issue as OperationOutcome has it."""
        return {
            "severity": self.severity,
            "code": self.code,
            "details": {"text": self.text},
            "expression": [self.expression],
        }


class InvalidResourceError(PermanentError):
    """Resources that cannot be taken as they are; `issues` says what is wrong where."""

    code = "invalid_resource"

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__("; ".join(f"{issue.expression}: {issue.text}" for issue in issues))
        self.issues = tuple(issues)


def outcome(issues: Sequence[Issue]) -> Resource:
    """Return an OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": [issue.shown() for issue in issues]}

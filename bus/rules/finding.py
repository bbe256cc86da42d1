"""What the linter has to say, and where."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from typing import Any

from bus.rules.marks import Place, RuleError


class Severity(enum.StrEnum):
    """How bad it is. Only errors keep rules from being deployed."""

    ERROR = "error"
    WARNING = "warning"
    """Works, but hardly as it was meant."""
    INFO = "info"
    """Worth knowing in a review."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the linter says; `message` ends with what to do."""

    file: str
    line: int
    column: int
    code: str
    severity: Severity
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity} {self.code}: {self.message}"


def finding(file: str, place: Place, severity: Severity, code: str, message: str) -> Finding:
    """Return a finding at a place."""
    return Finding(file, place.line, place.column, code, severity, message)


def from_error(error: RuleError) -> Finding:
    """Return what keeps a file from being loaded as a finding."""
    return finding(error.file, error.place, Severity.ERROR, error.code, error.message)


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of a folder of rules, by file and line."""

    rules: int
    tables: int
    findings: tuple[Finding, ...] = field(default=())

    def of(self, severity: Severity) -> list[Finding]:
        """Return the findings of one severity."""
        return [found for found in self.findings if found.severity is severity]

    @property
    def passed(self) -> bool:
        """Whether there is no error."""
        return not self.of(Severity.ERROR)

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        lists = {f"{severity}s": [asdict(found) for found in self.of(severity)] for severity in Severity}
        return {"rules": self.rules, "tables": self.tables, **lists}

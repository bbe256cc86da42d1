"""What the linter has to say, and where."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from bus.rules.marks import Place, RuleError


class Severity(enum.StrEnum):
    """How bad it is. Only errors keep rules from being deployed."""

    ERROR = "error"
    WARNING = "warning"
    """Works, but hardly as it was meant."""
    INFO = "info"
    """Worth knowing in a review."""


class Code(NamedTuple):
    """A kind of finding."""

    severity: Severity
    meaning: str


ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
CODES: Mapping[str, Code] = {
    "bad-yaml": Code(ERROR, "the file is no well-formed YAML in UTF-8"),
    "bad-csv": Code(ERROR, "a code table is no well-formed CSV with its columns, or a cell is empty"),
    "bad-period": Code(ERROR, "a date of a code table is none, or two periods of one code overlap"),
    "bad-key": Code(ERROR, "a key has a value that it does not take"),
    "unknown-key": Code(ERROR, "a key that the rule language does not have"),
    "missing-key": Code(ERROR, "a key that must be there is not"),
    "unknown-word": Code(ERROR, "not one of the words that the key takes: a converter, a policy, a kind"),
    "duplicate-key": Code(ERROR, "a key is written twice"),
    "duplicate-name": Code(ERROR, "two rules, or two systems of a campus, have the same name"),
    "wrong-campus": Code(ERROR, "a file in the folder of another campus than the one it is for"),
    "duplicate-code": Code(ERROR, "a code table has a code of a campus twice for the same days"),
    "unknown-field": Code(ERROR, "the canonical model has no such field there"),
    "not-a-value": Code(ERROR, "an object where the field takes a value"),
    "not-an-object": Code(ERROR, "a value where the field takes an object"),
    "no-fields": Code(ERROR, "an object without fields"),
    "unknown-table": Code(ERROR, "a lookup in a code table that is not there"),
    "unknown-include": Code(ERROR, "an included file that is not below `rules/shared`"),
    "unknown-fragment": Code(ERROR, "a fragment that no included file has"),
    "fragment-loop": Code(ERROR, "a fragment that uses itself"),
    "bad-expression": Code(ERROR, "CEL that does not compile, or calls a function that there is not"),
    "unknown-variable": Code(ERROR, "an expression reads something that `msg` does not have"),
    "bad-path": Code(
        ERROR, "a path that the messages of this rule, or what it sends to a destination, cannot be asked for"
    ),
    "bad-template": Code(ERROR, "a template whose braces do not fit together, or that has no path in it"),
    "unknown-function": Code(ERROR, "`call` of a function that the platform does not have"),
    "wrong-arguments": Code(ERROR, "`call` with more or fewer arguments than the function takes"),
    "unknown-destination": Code(
        ERROR, "a destination that no file describes, in `rules/destinations` or a campus's `destinations`"
    ),
    "unknown-stylesheet": Code(ERROR, "a stylesheet that is not below `rules/xslt`"),
    "bad-stylesheet": Code(ERROR, "a stylesheet that is no XSLT 1.0, imports another, or has a DOCTYPE"),
    "unknown-schematron": Code(ERROR, "a Schematron that is not below `rules/schematron`"),
    "bad-schematron": Code(
        ERROR, "a Schematron that does not compile, includes another, lacks an id or quotes the message"
    ),
    "not-xml": Code(ERROR, "`xslt` or `schematron` in a rule whose messages are no XML"),
    "bad-constant": Code(ERROR, "a constant or default that the field does not take"),
    "bad-target": Code(ERROR, "a code table maps to a word that the field does not take"),
    "blanked-code": Code(ERROR, "`on_miss: default` without a default: an unknown code would be blanked"),
    "loop": Code(ERROR, "a destination leads back into the platform, to a rule that sends there again"),
    "own-door": Code(ERROR, "a destination leads into one of the platform's own doors"),
    "affinity-domain": Code(ERROR, "the affinity domain of shared documents has a mistake"),
    "mutual-recognition": Code(ERROR, "the catalogue of mutual recognition has a mistake"),
    "working-calendar": Code(ERROR, "a calendar of working time has a mistake"),
    "notification-template": Code(ERROR, "a notification says what its channel may not, or has a mistake"),
    "unreachable": Code(ERROR, "earlier rules of the campus take every message that this one would"),
    "never-true": Code(ERROR, "a condition that contradicts itself"),
    "not-written": Code(ERROR, "a rule without `map` whose `match` is not for what is written over FHIR"),
    "overlap": Code(WARNING, "two rules match one message, and neither is the narrower: the order decides"),
    "narrower-first": Code(INFO, "an earlier, narrower rule takes its part of the messages of this one"),
    "pass-into-list": Code(WARNING, "`on_miss: pass` on a field that takes only listed words"),
    "unrouted-type": Code(WARNING, "a declared system gives messages that no rule of its campus takes"),
    "untested": Code(WARNING, "a rule without a test"),
    "idle-codes": Code(WARNING, "a test gives a code table in which its rule looks nothing up"),
    "unused-destination": Code(INFO, "a destination to which no rule sends anything"),
    "unused-shared": Code(INFO, "a file below `rules/shared`, or a fragment of it, that no rule uses"),
    "unused-table": Code(INFO, "a code table that no rule uses"),
}
"""Every kind of finding, by its code."""


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


def finding(file: str, place: Place, code: str, message: str) -> Finding:
    """Return a finding at a place; `code` is one of `CODES`."""
    return Finding(file, place.line, place.column, code, CODES[code].severity, message)


def from_error(error: RuleError) -> Finding:
    """Return what keeps a file from being loaded as a finding."""
    return finding(error.file, error.place, error.code, error.message)


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

"""The words of rule set versions."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bus.rules.ruleset import RuleSet
from consortium.errors import ConflictError, PermanentError

Files = Mapping[str, bytes]
"""A rule set as files: path below `rules/`, with `/` between its parts, to content."""

SHORT = 12
"""Characters of a digest that traces and people name it by; the database keeps them unique."""


class Action(enum.StrEnum):
    """What made a version the active one."""

    INITIAL = "initial"
    """The first start on an empty database took the set of the checkout."""
    DEPLOY = "deploy"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Version:
    """One stored rule set."""

    digest: str
    """SHA-256, hexadecimal, over all paths and contents."""
    created_at: datetime
    author: str
    note: str
    rules: int
    tests: int
    """How many tests it carries; all of them passed."""

    @property
    def short(self) -> str:
        """The beginning of the digest, by which it is named."""
        return self.digest[:SHORT]


@dataclass(frozen=True, slots=True)
class Activation:
    """One line of the ledger."""

    id: int
    at: datetime
    digest: str
    action: Action
    author: str
    note: str


@dataclass(frozen=True, slots=True)
class Deployed:
    """A compiled set and the digest under which it is stored; None for one that comes from a folder."""

    digest: str | None
    rules: RuleSet

    @property
    def short(self) -> str | None:
        """What a trace says of it."""
        return self.digest and self.digest[:SHORT]


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake that keeps a set from being deployed."""

    file: str
    line: int
    message: str
    column: int = 1
    code: str = ""
    """Of the linter's `CODES`; empty: a failed test, or what is wrong with the set as a whole."""

    def __str__(self) -> str:
        if not self.code:
            return f"{self.file}:{self.line}: {self.message}"
        return f"{self.file}:{self.line}:{self.column}: {self.code}: {self.message}"


class RefusedRulesError(PermanentError):
    """A set that may not be deployed: its mistakes and failed tests are in `findings`."""

    code = "rules_refused"

    def __init__(self, findings: Sequence[Finding]) -> None:
        listed = "\n".join(map(str, findings))
        super().__init__(
            f"the rule set is not deployed; {len(findings)} to correct:\n{listed}",
            zh=f"规则集未启用；有 {len(findings)} 处需要更正：\n{listed}",
        )
        self.findings = tuple(findings)


class UnknownVersionError(PermanentError):
    """No stored version, or more than one, has that name."""

    code = "unknown_version"


class NothingActiveError(ConflictError):
    """No rule set was activated yet."""

    code = "no_active_rules"

    def __init__(self) -> None:
        super().__init__(
            "no rule set is active yet: ./yilian up activates the first one",
            zh="尚无生效的规则集：./yilian up 会启用第一个",
        )

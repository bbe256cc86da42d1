"""What one run of a map over one message carries along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import cel

from bus.rules.codes import Target
from bus.rules.day import Day, today
from bus.rules.decision import Miss, Warned
from bus.rules.expression import context_of
from bus.rules.records import Records
from bus.sources.source import Source


class Run:
    """One message on its way through a map. Not shared between threads."""

    __slots__ = (
        "_context", "_day", "_has_msg", "_of", "_records", "facility", "facts", "misses",
        "other_days", "target", "warnings",
    )  # fmt: skip

    def __init__(self, facility: str, records: Records, day: Day = today) -> None:
        self.facility = facility
        self._day: Day | date = day
        self._records = records
        self.facts: dict[tuple[str, str], Mapping[str, Any] | None] = {}
        """What was looked up in the records, by kind and number: once for each message."""
        self.misses: list[Miss] = []
        self.warnings: list[Warned] = []
        self.target: Target | None = None
        """What the last lookup found: a coded object takes name and system from it."""
        self.other_days = ""
        """Days on which the code that missed last does hold; empty: none."""
        self._of: Source | None = None
        self._context: cel.Context | None = None
        self._has_msg = False

    def miss(self, table: str, code: str) -> None:
        """Note a code that its table does not know."""
        self.misses.append(Miss(table, code))

    def day(self) -> date:
        """Return the day of the message, on which its codes are looked up; found out once."""
        if not isinstance(self._day, date):
            self._day = self._day()
        return self._day

    def found(self) -> Target | None:
        """Return what the last lookup found."""
        return self.target

    def known(self, kind: str, number: str) -> Mapping[str, Any] | None:
        """Return what the records have of the campus's patient, encounter or order of that number."""
        key = (kind, number)
        if key not in self.facts:
            self.facts[key] = self._records.find(self.facility, kind, number)
        return self.facts[key]

    def context(self, source: Source, *, msg: bool) -> cel.Context:
        """Return the CEL context of a source, made once as long as the source stays the same."""
        known = self._context if self._of is source and (self._has_msg or not msg) else None
        if known is None:
            known = context_of(source, msg=msg)
            self.use(source, known, msg=msg)
        return known

    def use(self, source: Source, context: cel.Context, *, msg: bool = True) -> None:
        """Take a context that was made already, with its fields."""
        self._of, self._context, self._has_msg = source, context, msg


Leaf = Callable[[Run, Source], Any]
"""A compiled leaf or object: gives None where the message has nothing for it."""

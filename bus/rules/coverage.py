"""Which branches of the rules their tests went through.

A branch is: `match` true, and false; a condition of an object, a join or a destination true, and false; a
leaf that has a value; a default that stands for an absent one; a code that its table knows, and one that it
does not; a record that is known, and one that is not; each of the leaves below `first`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bus.rules.decision import HoldingError
from bus.rules.expression import ExpressionError, context_of
from bus.rules.loader import Rule
from bus.rules.marks import Place
from bus.rules.run import Leaf, Run
from bus.rules.spec import ConstLeaf, FirstLeaf, PathLeaf, RecordLeaf
from bus.rules.trial import samples
from bus.rules.watch import Part, Spot, written
from bus.sources.source import PathError, Source

VALUE, DEFAULT, FOUND = "has a value", "is absent, its default stands", "is a known code"
KNOWN, UNKNOWN = "is known", "is not known"


@dataclass(frozen=True, slots=True)
class Branch:
    """One way a rule can go."""

    rule: str
    file: str
    place: Place
    field: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.place.line}:{self.place.column}: {self.field}: {self.what}"


@dataclass(frozen=True, slots=True)
class Covered:
    """The branches of one rule."""

    rule: str
    total: int
    missing: tuple[Branch, ...]

    @property
    def covered(self) -> int:
        """How many were gone through."""
        return self.total - len(self.missing)

    @property
    def percent(self) -> float:
        """The share of them that was gone through, in percent; 100 of a rule without branches."""
        return 100.0 * self.covered / self.total if self.total else 100.0

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        missing = [
            {"file": b.file, **b.place._asdict(), "field": b.field, "what": b.what} for b in self.missing
        ]
        return {
            "rule": self.rule,
            "branches": self.total,
            "covered": self.covered,
            "percent": round(self.percent, 1),
            "missing": missing,
        }


def short_of(coverage: Iterable[Covered], threshold: float | None) -> list[Covered]:
    """Return the rules of whose branches the tests go through less than so many percent; None: no rule."""
    return [one for one in coverage if threshold is not None and one.percent < threshold]


def count_matches(rules: Sequence[Rule], coverage: Coverage) -> None:
    """Ask each rule's condition of the messages of all tests of its campus, whichever rule takes them."""
    for rule in rules:
        coverage.declare(rule)
    for sample in samples(rules):
        context = context_of(sample.source)
        for rule in rules:
            if rule.spec.facility == sample.rule.spec.facility and rule.onward == sample.rule.onward:
                with suppress(ExpressionError, PathError):  # held: neither true nor false
                    coverage.matched(rule, value=rule.match.test(context))


def _match_branch(rule: Rule, *, value: bool) -> Branch:
    place = rule.marked.place(("match",))
    return Branch(rule.spec.name, rule.marked.file, place, "match", f"match is {value}".lower())


class Coverage:
    """A watch that counts how often each branch was gone through."""

    def __init__(self) -> None:
        self.hits: dict[Branch, int] = {}

    def of(self, rule: str) -> Covered:
        """Return the branches of a rule, by file and place."""
        mine = sorted((b for b in self.hits if b.rule == rule), key=lambda b: (b.file, b.place))
        return Covered(rule, len(mine), tuple(branch for branch in mine if not self.hits[branch]))

    def leaf(self, spot: Spot, leaf: Leaf) -> Leaf:
        """Return the closure with its branches counted."""
        if spot.part in (Part.WHEN, Part.DESTINATION):
            return self._condition(spot, leaf)
        entry = spot.entry
        if isinstance(entry, PathLeaf) and entry.lookup is not None:
            return self._lookup(spot, entry, leaf) if spot.part is Part.LEAF else leaf
        if spot.part is Part.CHOICE:
            return leaf if isinstance(entry, FirstLeaf) else self._value(spot, leaf)
        if spot.part is Part.LEAF and isinstance(entry, RecordLeaf):
            return self._record(spot, entry, leaf)
        if spot.part is Part.LEAF and isinstance(entry, PathLeaf) and entry.default is not None:
            return self._default(spot, entry.path, leaf)
        if spot.part is Part.LEAF and not isinstance(entry, (ConstLeaf, FirstLeaf)):
            return self._value(spot, leaf)
        return leaf

    def _branch(self, spot: Spot, what: str) -> Branch:
        branch = Branch(spot.rule, spot.file, spot.place, spot.field, what)
        self.hits.setdefault(branch, 0)
        return branch

    def _condition(self, spot: Spot, leaf: Leaf) -> Leaf:
        branches = {
            value: self._branch(spot, f"when {spot.text} is {value}".lower()) for value in (True, False)
        }

        def counted(run: Run, source: Source) -> Any:
            value = leaf(run, source)
            self.hits[branches[value]] += 1
            return value

        return counted

    def matched(self, rule: Rule, *, value: bool) -> None:
        """Count that a rule's condition was true, or false, of a message."""
        self.hits[_match_branch(rule, value=value)] += 1

    def declare(self, rule: Rule) -> None:
        """Take in the branches of a rule's condition, though it was asked of no message yet."""
        for value in (True, False):
            self.hits.setdefault(_match_branch(rule, value=value), 0)

    def _record(self, spot: Spot, entry: RecordLeaf, leaf: Leaf) -> Leaf:
        known = self._branch(spot, f"{written(entry)} {KNOWN}")
        fate = "held" if entry.required else "its default stands" if entry.default is not None else "left out"
        unknown = self._branch(spot, f"{written(entry)} {UNKNOWN}: {fate}")

        def counted(run: Run, source: Source) -> Any:
            try:
                value = leaf(run, source)
            except HoldingError as error:
                self.hits[unknown] += error.hold.code == "unknown_record"
                raise
            self.hits[known if value is not None and value != entry.default else unknown] += 1
            return value

        return counted

    def _value(self, spot: Spot, leaf: Leaf) -> Leaf:
        branch = self._branch(spot, f"{written(spot.entry)} {VALUE}")

        def counted(run: Run, source: Source) -> Any:
            value = leaf(run, source)
            self.hits[branch] += value is not None
            return value

        return counted

    def _default(self, spot: Spot, path: str, leaf: Leaf) -> Leaf:
        present, absent = (
            self._branch(spot, f"{written(spot.entry)} {VALUE}"),
            self._branch(spot, f"{written(spot.entry)} {DEFAULT}"),
        )

        def counted(run: Run, source: Source) -> Any:
            value = leaf(run, source)
            self.hits[absent if source.get(path) is None else present] += 1
            return value

        return counted

    def _lookup(self, spot: Spot, entry: PathLeaf, leaf: Leaf) -> Leaf:
        found = self._branch(spot, f"{written(spot.entry)} {FOUND}")
        missed = self._branch(spot, f"{entry.path} is no code of {entry.lookup}: {entry.on_miss}")
        absent = None if entry.default is None else self._branch(spot, f"{written(spot.entry)} {DEFAULT}")

        def counted(run: Run, source: Source) -> Any:
            before = len(run.misses)
            try:
                value = leaf(run, source)
            except HoldingError:
                self.hits[missed] += len(run.misses) > before
                raise
            if source.get(entry.path) is not None:
                self.hits[missed if len(run.misses) > before else found] += 1
            elif absent is not None:
                self.hits[absent] += 1
            return value

        return counted

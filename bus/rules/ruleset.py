"""The rules of all campuses, ready to decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cel

from bus.rules.additions import Additions
from bus.rules.change import change_of, changes_of
from bus.rules.codes import CodeTable
from bus.rules.day import Day, untold
from bus.rules.decision import Decision, Hold, HoldingError
from bus.rules.expression import ExpressionError, context_of
from bus.rules.leaves import failed_expression
from bus.rules.loader import Rule, load_rules
from bus.rules.onward import Onward, onward
from bus.rules.records import NOTHING_KNOWN, Records
from bus.rules.routes import chosen
from bus.rules.run import Run
from bus.rules.spec import OrderClass, Sending
from bus.sources.hl7 import Hl7Source
from bus.sources.rows import RowSource
from bus.sources.source import PathError, Source, UnreadableError
from consortium.errors import PermanentError
from consortium.records.model import Change


class InvalidRulesError(PermanentError):
    """A folder of rules with mistakes in it; the text lists them by file and line."""


class RuleSet:
    """Compiled rules by campus, in file order: the first that matches decides."""

    def __init__(self, rules: Sequence[Rule], tables: dict[str, CodeTable]) -> None:
        self.rules = tuple(rules)
        self.tables = tables
        self.additions = Additions(tables)
        """What people map while the bus runs; `refresh` it before a batch."""
        self._by_facility: dict[str, list[Rule]] = {}
        self._onward: dict[str, list[Rule]] = {}
        for rule in rules:
            group = self._onward if rule.onward else self._by_facility
            group.setdefault(rule.spec.facility, []).append(rule)
        self._fields = {
            facility: any(rule.match.reads_fields for rule in group)
            for facility, group in self._by_facility.items()
        }

    @classmethod
    def load(cls, rules_dir: Path) -> RuleSet:
        """Read and compile a folder. Raises `InvalidRulesError` with every mistake."""
        loaded = load_rules(rules_dir)
        if loaded.errors:
            raise InvalidRulesError("\n".join(str(error) for error in loaded.errors))
        return cls(loaded.rules, loaded.tables)

    def decide(
        self,
        source: Source,
        facility: str,
        message_type: str,
        records: Records = NOTHING_KNOWN,
        day: Day | None = None,
    ) -> Decision:
        """Say what a message means. What is wrong with the message is the decision's `Hold`, not raised.

        `records` answers the rules that enrich a message; what it raises goes through. `day` says on which
        day its codes are looked up; None: it is in no inbox.
        """
        run = Run(facility, records, day or partial(untold, source))
        try:
            rule = self._first(source, facility, run)
        except HoldingError as error:
            return _held(error.hold, blocks=True)
        if rule is None:
            reason = (
                f"no rule of {facility} matches {message_type}; write one under rules/campuses, then replay"
            )
            return _held(Hold("no_rule", reason, step="match"), blocks=True)
        return _run(rule, source, run)

    def onward(self, source: RowSource, facility: str, kind: str) -> Onward:
        """Say where one change goes of a message that was recorded without a rule: the first true rule of the
        campus that has no map.

        Raises `HoldingError` when a condition fails on it.
        """
        rules = self._onward.get(facility, ())
        return onward(rules, source, kind, Run(facility, NOTHING_KNOWN)) if rules else Onward(kind, None)

    def _first(self, source: Source, facility: str, run: Run) -> Rule | None:
        rules = self._by_facility.get(facility)
        if not rules:
            return None
        fields = self._fields[facility]
        context = context_of(source, fields=fields)
        if fields:
            run.use(source, context)
        return next((rule for rule in rules if _matches(rule, context)), None)


def unreadable(error: UnreadableError) -> Decision:
    """Return the decision on a body that does not parse."""
    return _held(Hold(error.code, str(error), step="parse"), blocks=True)


def _held(hold: Hold, *, blocks: bool) -> Decision:
    return Decision(hold, hold.rule, OrderClass.VISIT, waits=True, blocks=blocks)


def _matches(rule: Rule, context: cel.Context) -> bool:
    try:
        return rule.match.test(context)
    except ExpressionError as error:
        hold = failed_expression(error, rule.match, "match", "match")
        raise HoldingError(replace(hold, rule=rule.spec.name)) from error


def _run(rule: Rule, source: Source, run: Run) -> Decision:
    blocks = rule.spec.blocks
    version: str | None = None
    sendings: tuple[Sending, ...] = ()
    outcome: Change | Hold
    rest: Sequence[Change] = ()
    try:
        _check_patients(rule, source)
        inner = source if rule.opener is None else rule.opener.open(source)
        version = None if rule.version is None else rule.version(run, inner)
        outcome, *rest = _changes(rule, rule.map(run, inner))
        if rule.opener is not None:
            rule.opener.check(outcome, source)
        sendings = chosen(rule.routes, run, source)
    except HoldingError as error:
        outcome = replace(error.hold, rule=rule.spec.name)
        blocks = blocks and error.blocks
    except PathError as error:
        field = error.path or None
        outcome = Hold("bad_path", f"{error}; correct the rule", rule=rule.spec.name, step="map", field=field)
    return Decision(
        outcome,
        rule.spec.name,
        rule.order,
        rule.waits,
        blocks,
        misses=tuple(run.misses),
        version=version,
        sendings=sendings,
        enriched=bool(run.facts),
        warnings=tuple(run.warnings),
        rest=tuple(rest) if isinstance(outcome, Change) else (),
        split=rule.splits is not None,
    )


def _changes(rule: Rule, mapped: Any) -> tuple[Change, ...]:
    if rule.splits is not None:
        return changes_of(mapped, rule.splits)
    return (change_of(rule.spec.kind, mapped),)


def _check_patients(rule: Rule, source: Source) -> None:
    """Refuse to take the parts of several patients for one's. Raises HoldingError."""
    if rule.splits is None and isinstance(source, Hl7Source) and source.patients > 1:
        reason = (
            f"the message is about {source.patients} patients (PID), and the rule reads it as one's: write"
            " map.each: PID"
        )
        raise HoldingError(Hold("several_patients", reason, step="map", field="PID"))

"""The rules of all campuses, ready to decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cel
from pydantic import ValidationError

from bus.rules.additions import Additions
from bus.rules.codes import CodeTable
from bus.rules.decision import Decision, Hold, HoldingError
from bus.rules.expression import ExpressionError, context_of
from bus.rules.loader import Rule, load_rules
from bus.rules.records import NOTHING_KNOWN, Records
from bus.rules.routes import chosen
from bus.rules.run import Run
from bus.rules.spec import OrderClass, Sending
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
        for rule in rules:
            self._by_facility.setdefault(rule.spec.facility, []).append(rule)
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
        self, source: Source, facility: str, message_type: str, records: Records = NOTHING_KNOWN
    ) -> Decision:
        """Say what a message means. What is wrong with the message is the decision's `Hold`, not raised.

        `records` answers the rules that enrich a message; what it raises goes through.
        """
        run = Run(facility, records)
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
        hold = Hold("bad_expression", f"{error}; correct the rule", rule=rule.spec.name, step="match")
        raise HoldingError(hold) from error


def _run(rule: Rule, source: Source, run: Run) -> Decision:
    blocks = rule.spec.blocks
    version: str | None = None
    sendings: tuple[Sending, ...] = ()
    outcome: Change | Hold
    try:
        inner = source if rule.opener is None else rule.opener.open(source)
        version = None if rule.version is None else rule.version(run, inner)
        outcome = _change(rule, rule.map(run, inner))
        if rule.opener is not None:
            rule.opener.check(outcome, source)
        sendings = chosen(rule.routes, run, source)
    except HoldingError as error:
        outcome = replace(error.hold, rule=rule.spec.name)
        blocks = blocks and error.blocks
    except PathError as error:
        outcome = Hold("bad_path", f"{error}; correct the rule", rule=rule.spec.name, step="map")
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
    )


def _change(rule: Rule, mapped: Any) -> Change:
    try:
        return Change.model_validate({"kind": rule.spec.kind, **(mapped or {})})
    except ValidationError as error:
        # Only the place and the demand: the value that failed may be a patient's.
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = _place(first["loc"])
        what = "is missing" if first["type"] == "missing" else f"was not accepted ({first['msg']})"
        reason = f"{field} {what}; correct it at the sender, or the rule"
        raise HoldingError(Hold("bad_field", reason, step="check", field=field)) from error


def _place(location: tuple[int | str, ...]) -> str:
    text = ""
    for step in location:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text

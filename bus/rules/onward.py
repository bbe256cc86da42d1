"""Rules without a map: where a message goes that was recorded without a rule, as FHIR writes are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bus.rules.decision import HoldingError
from bus.rules.expression import ExpressionError, context_of
from bus.rules.leaves import failed_expression
from bus.rules.loader import Rule
from bus.rules.routes import chosen
from bus.rules.run import Run
from bus.rules.spec import Sending
from bus.sources.fhir import kinds
from bus.sources.opening import decode_text
from bus.sources.rows import RowSource, parse_rows
from bus.sources.source import Envelope


@dataclass(frozen=True, slots=True)
class Onward:
    """Where one change goes."""

    kind: str
    rule: str | None
    """None: no rule is true of it, and it goes nowhere."""
    sendings: tuple[Sending, ...] = ()


def onward(rules: Sequence[Rule], source: RowSource, kind: str, run: Run) -> Onward:
    """Return where the first rule that is true of a change sends it.

    Raises `HoldingError` when a condition fails on it.
    """
    about = source.about(kind)
    context = context_of(about)
    run.use(about, context)
    for rule in rules:
        try:
            fired = rule.match.test(context)
        except ExpressionError as error:
            hold = failed_expression(error, rule.match, "match", "match")
            raise HoldingError(replace(hold, rule=rule.spec.name)) from error
        if fired:
            return Onward(kind, rule.spec.name, _chosen(rule, run, about))
    return Onward(kind, None)


def _chosen(rule: Rule, run: Run, source: RowSource) -> tuple[Sending, ...]:
    try:
        return chosen(rule.routes, run, source)
    except HoldingError as error:
        raise HoldingError(replace(error.hold, rule=rule.spec.name)) from error


def written(body: bytes, charset: str, envelope: Envelope) -> tuple[RowSource, list[str]]:
    """Return a body that is written over FHIR, and the kinds of its changes. Raises `UnreadableError`."""
    text = decode_text(body, charset)
    return parse_rows(text, envelope), [kind.value for kind in kinds(text)]

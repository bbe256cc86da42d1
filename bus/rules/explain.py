"""Why a message went the way it went: each rule's condition, and each leaf of the rule that decided."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import cel

from bus.rules.condition import conjuncts_of
from bus.rules.decision import Hold
from bus.rules.expression import Expression, ExpressionError, context_of
from bus.rules.loader import Loaded, Rule
from bus.rules.masking import Show
from bus.rules.message import Message
from bus.rules.paths import fields_in
from bus.rules.recorder import Reading, Recorder
from bus.rules.ruleset import InvalidRulesError, RuleSet
from bus.sources.source import PathError, Source, UnreadableError

VARIABLE = re.compile(r"\bmsg\.(\w+)")


@dataclass(frozen=True, slots=True)
class Part:
    """One conjunct of a rule's condition on this message."""

    text: str
    result: bool | None
    """None: it failed; `error` says how."""
    values: dict[str, Any]
    """What it compared: `msg.type`, `field("PID-3.1")`."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One rule of the campus, and why it fired or did not."""

    rule: str
    file: str
    line: int
    verdict: str
    """fired, not true, failed, came too late (an earlier one fired)."""
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole answer. Values are masked, or not, when it is made."""

    message: str
    facility: str
    sender: str
    message_type: str
    rules: tuple[Asked, ...]
    outcome: str
    """Kind of the change, or held."""
    rule: str | None
    hold: Hold | None
    misses: tuple[dict[str, str], ...]
    order: str
    waits: bool
    blocks: bool
    readings: tuple[Reading, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


def explain(loaded: Loaded, recorder: Recorder, message: Message, show: Show) -> Explanation:
    """Say why rules do with a message what they do; they were compiled with this recorder.

    Raises `InvalidRulesError` for rules that do not load.
    """
    if loaded.errors:
        raise InvalidRulesError("\n".join(str(error) for error in loaded.errors))
    recorder.readings.clear()
    decision = message.decide(RuleSet(loaded.rules, loaded.tables))
    hold = decision.outcome if isinstance(decision.outcome, Hold) else None
    return Explanation(
        message=message.name,
        facility=message.envelope.facility,
        sender=message.envelope.sender,
        message_type=message.envelope.message_type,
        rules=_asked(loaded, message, show),
        outcome="held" if hold else str(getattr(decision.outcome, "kind", "")),
        rule=decision.rule,
        hold=hold,
        misses=tuple({"table": miss.table, "code": miss.code} for miss in decision.misses),
        order=decision.order.value,
        waits=decision.waits,
        blocks=decision.blocks,
        readings=tuple(_shown(reading, show) for reading in recorder.readings),
    )


def _asked(loaded: Loaded, message: Message, show: Show) -> tuple[Asked, ...]:
    try:
        source = message.source()
    except UnreadableError:
        return ()
    context = context_of(source)
    found: list[Asked] = []
    for rule in loaded.rules:
        if rule.spec.facility == message.envelope.facility:
            found.append(_asked_one(rule, source, context, show, over=_decided(found)))
    return tuple(found)


def _decided(asked: Sequence[Asked]) -> bool:
    return any(one.verdict in ("fired", "failed") for one in asked)


def _asked_one(rule: Rule, source: Source, context: cel.Context, show: Show, *, over: bool) -> Asked:
    parts = tuple(_part(one.written, source, context, show) for one in conjuncts_of(rule.spec.match))
    try:
        verdict = "fired" if rule.match.test(context) else "not true"
    except (ExpressionError, PathError):
        verdict = "failed"
    if over and verdict != "not true":
        verdict = "came too late"
    return Asked(rule.spec.name, rule.marked.file, rule.marked.line(("match",)), verdict, parts)


def _part(text: str, source: Source, context: cel.Context, show: Show) -> Part:
    values: dict[str, Any] = {f"msg.{n}": source.cel().get(n) for n in VARIABLE.findall(text)}
    try:
        values |= {f'field("{path}")': show(source.get(path) or "") for path in fields_in(text)}
        return Part(text, Expression(text).test(context), values)
    except (ExpressionError, PathError) as error:
        return Part(text, None, values, str(error))


def _shown(reading: Reading, show: Show) -> Reading:
    value = show(reading.value) if reading.from_message else reading.value
    return replace(reading, sent=show(reading.sent), value=_json(value))


def _json(value: Any) -> Any:
    return value if isinstance(value, (str, int, bool, float, type(None))) else str(value)

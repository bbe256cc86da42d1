"""Why a message went the way it went: each rule's condition, and each leaf of the rule that decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import cel

from bus.rules.condition import conjuncts_of
from bus.rules.decision import Hold, HoldingError
from bus.rules.expression import Expression, ExpressionError, context_of
from bus.rules.loader import Loaded, Rule
from bus.rules.masking import Show
from bus.rules.message import Message
from bus.rules.onward import Onward, written
from bus.rules.recorder import Reading, Recorder, shown_values, values_read
from bus.rules.ruleset import InvalidRulesError, RuleSet
from bus.rules.spec import OrderClass
from bus.sources.fhir import PROTOCOL
from bus.sources.source import PathError, Source, UnreadableError


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
    about: str | None = None
    """Kind of the change that it was asked of, where a message is recorded without a rule."""


@dataclass(frozen=True, slots=True)
class Going:
    """One destination of the rule that fired, and why the message goes there or does not."""

    to: str
    send: str
    """Form in which it goes: raw, canonical, fhir, hl7."""
    rule: str
    file: str
    line: int
    verdict: str
    """goes, not true, failed, held (it would go, were the message not held)."""
    parts: tuple[Part, ...]
    """Of its condition; empty: it has none."""
    about: str | None = None
    """Kind of the change, where a message is recorded without a rule."""


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
    destinations: tuple[str, ...] = ()
    """Where it goes, too."""
    going: tuple[Going, ...] = ()
    """Every destination of the rules that fired."""
    changes: int = 1
    """How many changes it makes; more than one where the rule splits it."""

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
    if message.envelope.protocol == PROTOCOL:
        return _written(loaded, message, show)
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
        destinations=tuple(one.to for one in decision.sendings),
        going=_going(loaded, message, decision.rule, show, held=hold is not None),
        changes=len(decision.changes),
    )


def _written(loaded: Loaded, message: Message, show: Show) -> Explanation:
    """Explain what is written over FHIR: it is recorded as it says itself, and rules send its changes on."""
    rules = RuleSet(loaded.rules, loaded.tables)
    going: list[Onward] = []
    asked: list[Asked] = []
    destinations: list[Going] = []
    hold: Hold | None = None
    try:
        source, kinds = written(message.body, message.charset, message.envelope)
        for kind in kinds:
            about = source.about(kind)
            found = _asked_of(loaded, message, about, show)
            asked += [replace(one, about=kind) for one in found]
            fired = next((one.rule for one in found if one.verdict == "fired"), None)
            destinations += [replace(one, about=kind) for one in _routes(loaded, fired, about, show)]
            going.append(rules.onward(source, message.envelope.facility, kind))
    except HoldingError as error:
        hold = error.hold
    except UnreadableError as error:
        hold = Hold(error.code, str(error), step="parse")
    return Explanation(
        message=message.name,
        facility=message.envelope.facility,
        sender=message.envelope.sender,
        message_type=message.envelope.message_type,
        rules=tuple(asked),
        outcome="held" if hold else ", ".join(one.kind for one in going),
        rule=", ".join(dict.fromkeys(one.rule for one in going if one.rule)) or None,
        hold=hold,
        misses=(),
        order=OrderClass.RESULT.value,
        waits=False,
        blocks=False,
        readings=(),
        destinations=tuple(dict.fromkeys(one.to for change in going for one in change.sendings)),
        going=tuple(_held(destinations) if hold else destinations),
        changes=0 if hold else len(going),
    )


def _going(
    loaded: Loaded, message: Message, rule: str | None, show: Show, *, held: bool
) -> tuple[Going, ...]:
    try:
        found = _routes(loaded, rule, message.source(), show)
    except UnreadableError:
        return ()
    return tuple(_held(found) if held else found)


def _routes(loaded: Loaded, fired: str | None, source: Source, show: Show) -> Iterator[Going]:
    """Give every destination of the rule that fired."""
    rule = next((one for one in loaded.rules if one.spec.name == fired), None)
    if rule is None:
        return
    context = context_of(source)
    for number, sending in enumerate(rule.spec.sendings):
        conjuncts = conjuncts_of(sending.when) if sending.when is not None else ()
        parts = tuple(_part(one.written, source, context, show) for one in conjuncts)
        yield Going(
            to=sending.to,
            send=sending.send.value,
            rule=rule.spec.name,
            file=rule.marked.file,
            line=rule.marked.line(("destinations", number)),
            verdict=_verdict(sending.when, context),
            parts=parts,
        )


def _verdict(when: str | None, context: cel.Context) -> str:
    """Return what the condition of a destination comes to."""
    try:
        return "goes" if when is None or Expression(when).test(context) else "not true"
    except (ExpressionError, PathError):
        return "failed"


def _held(found: Iterable[Going]) -> list[Going]:
    return [replace(one, verdict="held") if one.verdict == "goes" else one for one in found]


def _asked(loaded: Loaded, message: Message, show: Show) -> tuple[Asked, ...]:
    try:
        source = message.source()
    except UnreadableError:
        return ()
    return _asked_of(loaded, message, source, show)


def _asked_of(loaded: Loaded, message: Message, source: Source, show: Show) -> tuple[Asked, ...]:
    context = context_of(source)
    written_over_fhir = message.envelope.protocol == PROTOCOL
    found: list[Asked] = []
    for rule in loaded.rules:
        if rule.spec.facility == message.envelope.facility and rule.onward == written_over_fhir:
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
    values = shown_values(values_read(text, source), show)
    try:
        return Part(text, Expression(text).test(context), values)
    except (ExpressionError, PathError) as error:
        return Part(text, None, values, str(error))


def _shown(reading: Reading, show: Show) -> Reading:
    value = show(reading.value) if reading.from_message else reading.value
    values = shown_values(reading.values, show)
    return replace(reading, sent=show(reading.sent), value=_json(value), values=values)


def _json(value: Any) -> Any:
    return value if isinstance(value, (str, int, bool, float, type(None))) else str(value)

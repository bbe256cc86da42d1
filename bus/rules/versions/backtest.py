"""A changed set over stored messages: what it would decide otherwise, by rule and field.

A report names rules, fields of the canonical model, codes of reasons and message ids. Values, which may be a
patient's, are kept only when `Tally.values` asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bus.envelope import Stored
from bus.rules.decision import Decision, Hold, HoldingError
from bus.rules.onward import Onward, written
from bus.rules.records import NOTHING_KNOWN, Records
from bus.rules.ruleset import RuleSet
from bus.rules.spec import OrderClass, Sending
from bus.rules.stored import decided
from bus.sources.fhir import PROTOCOL
from bus.sources.rows import RowSource
from bus.sources.source import Envelope, UnreadableError

SHOWN = 20
"""Message ids that a report names for each difference."""
EXAMPLES = 3
VALUE_LIMIT = 200
"""Characters of a value in an example."""
PART = re.compile(r"\[\d+\]")
What = Literal["outcome", "rule", "field", "order", "unmapped", "destination", "warning"]


@dataclass(frozen=True, slots=True)
class Key:
    """One kind of difference."""

    what: What
    """outcome: recorded, or held for a reason; rule: another rule decides; field: of what is recorded; order:
    waiting and blocking; unmapped: codes that a table does not know; destination: where it goes, and in which
    form; warning: of a Schematron."""
    rule: str
    field: str
    """Path in the canonical model, `[]` for any part of a list; the message's field of a held one; the code
    table of unmapped codes; the destination's name; the assertion's id."""
    before: str
    after: str


@dataclass(slots=True)
class Group:
    """How often, and where."""

    count: int = 0
    messages: list[int] = field(default_factory=list)
    """The first `SHOWN` ids."""
    examples: list[tuple[int, str, str]] = field(default_factory=list)
    """(message id, before, after); empty unless values were asked for."""


@dataclass(slots=True)
class Tally:
    """What a backtest found so far."""

    values: bool = False
    read: int = 0
    different: int = 0
    dropped: int = 0
    """Of those read, how many retention left no body: nothing can be said of them."""
    last: int = 0
    """The last message read."""
    groups: dict[Key, Group] = field(default_factory=dict)

    def add(self, message_id: int, found: Mapping[Key, tuple[str, str]]) -> None:
        """Count one message."""
        self.read += 1
        self.last = message_id
        self.different += bool(found)
        for key, values in found.items():
            group = self.groups.setdefault(key, Group())
            group.count += 1
            if len(group.messages) < SHOWN:
                group.messages.append(message_id)
            if self.values and len(group.examples) < EXAMPLES:
                group.examples.append((message_id, *values))

    def report(self) -> list[dict[str, Any]]:
        """Return the differences, the most frequent first, for JSON; ids as text, as everywhere."""
        ordered = sorted(self.groups.items(), key=lambda item: (-item[1].count, str(item[0])))
        return [_told(key, group, values=self.values) for key, group in ordered]


def _told(key: Key, group: Group, *, values: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "what": key.what,
        "rule": key.rule,
        "field": key.field,
        "before": key.before,
        "after": key.after,
        "count": group.count,
        "messages": [str(id_) for id_ in group.messages],
    }
    if values:
        told["examples"] = [{"message": str(i), "before": b, "after": a} for i, b, a in group.examples]
    return told


def backtest(
    messages: Iterable[Stored],
    before: RuleSet,
    after: RuleSet,
    tally: Tally,
    records: Records = NOTHING_KNOWN,
) -> Iterator[Tally]:
    """Decide each message by both sets, and give the tally after each. Nothing is written anywhere.

    Rules that enrich a message are answered by `records`: as they are now, not as they were.
    """
    for message in messages:
        tally.dropped += message.body is None
        if message.protocol == PROTOCOL:  # recorded without a rule; rules say where it goes
            found = onward_differences(before, after, message)
        else:
            found = differences(decide(before, message, records), decide(after, message, records))
        tally.add(message.id, found)
        yield tally


def decide(rules: RuleSet, message: Stored, records: Records = NOTHING_KNOWN) -> Decision:
    """Return what a set says of a stored message; if it fails, that is a `Hold` too."""
    try:
        return decided(rules, message, records)
    except Exception as error:  # noqa: BLE001 - one message that breaks a rule set is a finding, not the end
        hold = Hold("internal_error", f"an unexpected {type(error).__name__}", step="decide")
        return Decision(hold, None, OrderClass.VISIT, waits=True, blocks=True)


def differences(before: Decision, after: Decision) -> dict[Key, tuple[str, str]]:
    """Return each difference between two decisions, with the values before and after."""
    rule = after.rule or before.rule or "-"
    found: dict[Key, tuple[str, str]] = {}
    if before.rule != after.rule:
        found[Key("rule", rule, "", before.rule or "-", after.rule or "-")] = ("", "")
    states = _state(before), _state(after)
    if states[0] != states[1]:
        found[Key("outcome", rule, _field(after) or _field(before), *states)] = ("", "")
    if before.changes and after.changes:
        found |= _fields(rule, before, after)
    orders = _order(before), _order(after)
    if orders[0] != orders[1]:
        found[Key("order", rule, "", *orders)] = ("", "")
    if before.changes and after.changes:
        found |= _sent(rule, "", before.sendings, after.sendings) | _warned(rule, before, after)
    return found | _unmapped(rule, before, after)


def onward_differences(before: RuleSet, after: RuleSet, message: Stored) -> dict[Key, tuple[str, str]]:
    """Return each difference in where the changes go, by kind, of a message that is written over FHIR."""
    if message.body is None:
        return {}
    envelope = Envelope(
        message.facility, message.sender, message.message_type, message.protocol, message.control_id
    )
    try:
        source, kinds = written(bytes(message.body), message.charset, envelope)
    except UnreadableError:
        return {}  # no rule is asked of it, by either set
    found: dict[Key, tuple[str, str]] = {}
    for kind in kinds:
        one, other = (_onward(rules, source, message.facility, kind) for rules in (before, after))
        rule = other.rule or one.rule or "-"
        if one.rule != other.rule:
            found[Key("rule", rule, kind, one.rule or "-", other.rule or "-")] = ("", "")
        if one.held != other.held:
            states = [f"held {each}" if each else "recorded" for each in (one.held, other.held)]
            found[Key("outcome", rule, kind, *states)] = ("", "")
        elif not one.held:
            found |= _sent(rule, f"{kind} to ", one.sendings, other.sendings)
    return found


@dataclass(frozen=True, slots=True)
class _Going:
    """Where one change goes, or the code of why that cannot be told."""

    rule: str | None
    sendings: tuple[Sending, ...] = ()
    held: str = ""


def _onward(rules: RuleSet, source: RowSource, facility: str, kind: str) -> _Going:
    try:
        found: Onward = rules.onward(source, facility, kind)
    except HoldingError as error:
        return _Going(error.hold.rule, held=error.hold.code)
    except Exception:  # noqa: BLE001 - as in `decide`
        return _Going(None, held="internal_error")
    return _Going(found.rule, found.sendings)


def _sent(
    rule: str, of: str, before: Sequence[Sending], after: Sequence[Sending]
) -> dict[Key, tuple[str, str]]:
    forms = [{one.to: f"sent {one.send}" for one in side} for side in (before, after)]
    found: dict[Key, tuple[str, str]] = {}
    for name in dict.fromkeys((*forms[0], *forms[1])):
        told = [side.get(name, "not sent") for side in forms]
        if told[0] != told[1]:
            found[Key("destination", rule, of + name, *told)] = ("", "")
    return found


def _warned(rule: str, before: Decision, after: Decision) -> dict[Key, tuple[str, str]]:
    ids = [{warned.id for warned in side.warnings} for side in (before, after)]
    found: dict[Key, tuple[str, str]] = {}
    for id_ in sorted(ids[0] ^ ids[1]):
        told = ["warns" if id_ in side else "does not warn" for side in ids]
        found[Key("warning", rule, id_, *told)] = ("", "")
    return found


def _state(decision: Decision) -> str:
    outcome = decision.outcome
    if not isinstance(outcome, Hold):
        return "recorded"
    field = _field(decision)
    return f"held {outcome.code}" + (f" at {field}" if field else "")


def _field(decision: Decision) -> str:
    """Return the field of a held one, whichever of repeated parts it is in: a store of any size has few."""
    hold = decision.outcome
    return PART.sub("[]", hold.field or "") if isinstance(hold, Hold) else ""


def _order(decision: Decision) -> str:
    waits = "waits" if decision.waits else "does not wait"
    return f"{decision.order}, {waits}, {'blocks' if decision.blocks else 'blocks nobody'}"


def _fields(rule: str, before: Decision, after: Decision) -> dict[Key, tuple[str, str]]:
    if before.changes == after.changes and before.version == after.version:
        return {}
    leaves = dict(_leaves(before)), dict(_leaves(after))
    leaves[0]["version",], leaves[1]["version",] = before.version, after.version
    found: dict[Key, tuple[str, str]] = {}
    for path in dict.fromkeys((*leaves[0], *leaves[1])):
        one, other = leaves[0].get(path), leaves[1].get(path)
        if one != other:
            found.setdefault(
                Key("field", rule, _path(path), *_presence(one, other)), (_text(one), _text(other))
            )
    return found


def _leaves(decision: Decision) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    changes = [change.model_dump() for change in decision.changes]
    yield from _walk(changes if decision.split else changes[0], ())


def _walk(value: Any, at: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _walk(inner, (*at, name))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _walk(inner, (*at, place))
    else:
        yield at, value


def _path(path: tuple[str | int, ...]) -> str:
    text = ""
    for step in path:
        text += "[]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _presence(before: object, after: object) -> tuple[str, str]:
    """Tell whether a value appears, goes, or becomes another, without the value."""
    return ("absent" if before is None else "a value", "absent" if after is None else "a value")


def _text(value: object) -> str:
    return "" if value is None else str(value)[:VALUE_LIMIT]


def _unmapped(rule: str, before: Decision, after: Decision) -> dict[Key, tuple[str, str]]:
    found: dict[Key, tuple[str, str]] = {}
    for table in sorted({miss.table for miss in (*before.misses, *after.misses)}):
        codes = [sorted(m.code for m in side.misses if m.table == table) for side in (before, after)]
        if codes[0] != codes[1]:
            told = ["unmapped" if side else "mapped" for side in codes]
            found[Key("unmapped", rule, table, *told)] = (_text(codes[0]), _text(codes[1]))
    return found

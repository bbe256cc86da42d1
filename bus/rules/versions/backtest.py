"""A changed set over stored messages: what it would decide otherwise, by rule and field.

A report names rules, fields of the canonical model, codes of reasons and message ids. Values, which may be a
patient's, are kept only when `Tally.values` asks for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bus.envelope import Stored
from bus.rules.decision import Decision, Hold
from bus.rules.records import NOTHING_KNOWN, Records
from bus.rules.ruleset import RuleSet, unreadable
from bus.rules.spec import OrderClass
from bus.sources.fhir import PROTOCOL
from bus.sources.opening import open_stored
from bus.sources.source import UnreadableError

SHOWN = 20
"""Message ids that a report names for each difference."""
EXAMPLES = 3
VALUE_LIMIT = 200
"""Characters of a value in an example."""
What = Literal["outcome", "rule", "field", "order", "unmapped"]


@dataclass(frozen=True, slots=True)
class Key:
    """One kind of difference."""

    what: What
    """outcome: recorded, or held for a reason; rule: another rule decides; field: of what is recorded; order:
    waiting and blocking; unmapped: codes that a table does not know."""
    rule: str
    field: str
    """Path in the canonical model, `[]` for any part of a list; the message's field of a held one; the code
    table of unmapped codes."""
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
        found: Mapping[Key, tuple[str, str]] = {}
        if message.protocol != PROTOCOL:  # what is written over FHIR is recorded without a rule
            found = differences(decide(before, message, records), decide(after, message, records))
        tally.add(message.id, found)
        yield tally


def decide(rules: RuleSet, message: Stored, records: Records = NOTHING_KNOWN) -> Decision:
    """Return what a set says of a stored message; if it fails, that is a `Hold` too."""
    try:
        return rules.decide(open_stored(message), message.facility, message.message_type, records)
    except UnreadableError as error:
        return unreadable(error)
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
    return found | _unmapped(rule, before, after)


def _state(decision: Decision) -> str:
    outcome = decision.outcome
    if not isinstance(outcome, Hold):
        return "recorded"
    return f"held {outcome.code}" + (f" at {outcome.field}" if outcome.field else "")


def _field(decision: Decision) -> str:
    return (decision.outcome.field or "") if isinstance(decision.outcome, Hold) else ""


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

"""Messages that come back: a destination that leads into one of the platform's own doors, and whether a rule
on the way takes what arrives there, so that it goes round.

What is a door of its own is known above this package: whoever checks gives them by the destination's name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bus.hl7.writing.message import APPLICATION
from bus.rules.condition import Condition, Conjunct, never_reached, read_condition
from bus.rules.loader import Loaded, Rule
from bus.rules.marks import RuleError
from bus.rules.spec import Form, Sending
from bus.sources.fhir import PROTOCOL
from consortium.records.model import Kind

HL7 = "hl7"
BUILT: Mapping[Kind, tuple[str, ...]] = {
    Kind.PATIENT: ("ADT^",),
    Kind.MERGE: ("ADT^A40",),
    Kind.ENCOUNTER: ("ADT^",),
    Kind.ORDER: ("O", "RDE^"),
    Kind.REPORT: ("ORU^",),
    Kind.CHARGE: ("DFT^",),
    Kind.DOCUMENT: ("MDM^",),
    Kind.APPOINTMENT: ("SIU^",),
}
"""Beginnings of the message types as which a kind of change goes out, where a rule says `send: hl7`."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where the platform takes messages in, and what it says of them. None: as the message has it."""

    name: str
    """For people: `the MLLP listener mllp (127.0.0.1:2575)`."""
    protocol: str
    """mllp, soap, rest, fhir, files, tables; empty: nothing that comes in there is asked of the rules."""
    facility: str | None = None
    sender: str | None = None
    types: frozenset[str] | None = None
    begins: tuple[str, ...] = ("",)
    """How the message types begin that come in there."""
    carries: str = ""
    """`hl7` where HL7 v2 comes in, which says itself whose it is."""


@dataclass(frozen=True, slots=True)
class _Edge:
    """One destination of a rule that leads into a door, and the rules that take what arrives there."""

    rule: int
    number: int
    sending: Sending
    door: Door
    taken_by: tuple[int, ...]


def loops(loaded: Loaded, doors: Mapping[str, Door]) -> Iterator[RuleError]:
    """Give each destination of a rule that leads into a door, with the chain by which it comes back."""
    rules = loaded.rules
    edges = list(_edges(rules, doors))
    for edge in edges:
        marked, place = rules[edge.rule].marked, ("destinations", edge.number)
        chain = _chain(edge, edges)
        if chain is not None:
            reason = f"a loop: {_told(chain, rules)}: take the destination out, or narrow a rule on the way"
            yield marked.error(place, reason, "loop")
        else:
            yield marked.error(place, _comes_back(edge, rules), "own-door")
    sent = {edge.sending.to for edge in edges}
    for name in sorted(doors.keys() - sent):
        reason = f"it leads to {doors[name].name}, a door of this platform itself: correct its address"
        yield loaded.destination_marks[name].error(("address",), reason, "own-door")


def _comes_back(edge: _Edge, rules: Sequence[Rule]) -> str:
    names = ", ".join(rules[one].spec.name for one in edge.taken_by)
    then = f"{names} would take it in once more" if names else "no rule takes what arrives there"
    into = f"{_into(edge)}, a door of this platform itself"
    return f"it sends to {into}; {then}: correct the destination's address, or take it out"


def _edges(rules: Sequence[Rule], doors: Mapping[str, Door]) -> Iterator[_Edge]:
    conditions = [read_condition(rule.spec.match, rule.spec.facility) for rule in rules]
    for place, rule in enumerate(rules):
        for number, sending in enumerate(rule.spec.sendings):
            door = doors.get(sending.to)
            if door is not None:
                arrival, begins = _arrival(rule, conditions[place], sending, door)
                taken = tuple(_takers(arrival, begins, door, rules, conditions))
                yield _Edge(place, number, sending, door, taken)


def _arrival(
    rule: Rule, condition: Condition, sending: Sending, door: Door
) -> tuple[Condition, tuple[str, ...]]:
    """Return what is known of a message as it comes in by a door, and how its type begins."""
    types, senders, facility, begins = door.types, door.sender, door.facility, door.begins
    known: dict[str, frozenset[str] | None] = {}
    if door.carries == HL7 and sending.send is Form.HL7:
        facility = facility or rule.spec.facility
        senders = APPLICATION
        begins = BUILT.get(rule.spec.kind, begins) if rule.spec.kind is not None else begins
    elif door.carries == HL7 and sending.send is Form.RAW:
        facility = facility or rule.spec.facility
        types = types or condition.allowed("msg.type")
        known["msg.sender"] = condition.allowed("msg.sender")
    known["msg.type"] = types
    known["msg.protocol"] = frozenset({door.protocol})
    for subject, value in (("msg.facility", facility), ("msg.sender", senders)):
        if value is not None:
            known[subject] = frozenset({value})
    said = (Conjunct("", subject, values) for subject, values in known.items() if values is not None)
    return Condition(tuple(said)), begins


def _takers(
    arrival: Condition,
    begins: tuple[str, ...],
    door: Door,
    rules: Sequence[Rule],
    conditions: Sequence[Condition],
) -> Iterator[int]:
    """Give the rules that may take what arrives, as far as their conditions say."""
    asked: dict[str, list[Condition]] = {}
    for place, (rule, condition) in enumerate(zip(rules, conditions, strict=True)):
        if not door.protocol or rule.onward != (door.protocol == PROTOCOL):
            continue
        both = arrival.both(condition)
        types = both.allowed("msg.type")
        fits = types is None or any(one.startswith(begins) for one in types)
        earlier = asked.setdefault(rule.spec.facility, [])
        if fits and both.possible() and not never_reached(both, earlier):
            yield place
        earlier.append(condition)


def _chain(edge: _Edge, edges: Sequence[_Edge]) -> list[_Edge] | None:
    """Return the shortest chain that begins with an edge and leads back to its rule; None: there is none."""
    waiting, seen = deque([[edge]]), {edge.rule}
    while waiting:
        chain = waiting.popleft()
        for taker in chain[-1].taken_by:
            if taker == edge.rule:
                return chain
            if taker not in seen:
                seen.add(taker)
                waiting.extend([*chain, one] for one in edges if one.rule == taker)
    return None


def _told(chain: Sequence[_Edge], rules: Sequence[Rule]) -> str:
    steps = [f"{_rule(rules[edge.rule], edge)} sends to {_into(edge)}" for edge in chain]
    return f"{', then '.join(steps)}, and {rules[chain[0].rule].spec.name} takes it again"


def _rule(rule: Rule, edge: _Edge) -> str:
    line = rule.marked.line(("destinations", edge.number))
    return f"{rule.spec.name} ({rule.marked.file}:{line})"


def _into(edge: _Edge) -> str:
    return f"{edge.sending.to}, which is {edge.door.name}"

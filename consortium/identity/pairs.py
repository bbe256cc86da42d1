"""Which pairs of source patients are one person, and which a person should look at: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from typing import Literal

from consortium.identity.matching import Comparable, Model, Weighed, blocks, comparable, is_vip
from consortium.identity.matching.comparing import strangers
from consortium.identity.matching.judging import Judged, Reason, judge
from consortium.identity.model import Facts, Former, SourcePatient

Rule = Literal["verdict", "merged_number", "id_card", "probable"]
RULES: tuple[Rule, ...] = ("verdict", "merged_number", "id_card", "probable")
"""Why two source patients are one person, the strongest first."""

Pair = tuple[int, int]
"""Ids of two source patients, the smaller first."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What people decided of pairs; none is in both."""

    same: frozenset[Pair] = frozenset()
    different: frozenset[Pair] = frozenset()


@dataclass(frozen=True, slots=True)
class Edge:
    """That two source patients are one person."""

    pair: Pair
    rule: Rule
    weighed: Weighed | None = None
    """When the rule is `probable`."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A pair that a person should look at."""

    pair: Pair
    reason: Reason
    weighed: Weighed


@dataclass(slots=True)
class Pairs:
    """What was found between some source patients."""

    edges: list[Edge] = field(default_factory=list)
    suspects: list[Suspect] = field(default_factory=list)


def waterfall(weighed: Weighed) -> tuple[tuple[str, str, float], ...]:
    """Return the evidence as it is kept: field, level, weight to a thousandth."""
    return tuple((step.field, step.level, round(step.weight, 3)) for step in weighed.waterfall)


def evidence(steps: Iterable[tuple[str, str, float]]) -> list[dict[str, str | float]]:
    """Return a waterfall as it is stored."""
    return [{"field": field, "level": level, "weight": weight} for field, level, weight in steps]


def pair_of(one: int, other: int) -> Pair:
    """Return two ids as a pair."""
    return (one, other) if one < other else (other, one)


def prepared(patient: SourcePatient) -> Comparable:
    """Return what of a source patient is compared."""
    return comparable(patient.facts, patient.former)


def keys(patient: SourcePatient) -> frozenset[str]:
    """Return the keys of the blocks in which a source patient stands."""
    return _keys(patient.facts, patient.former)


@lru_cache(maxsize=2048)
def _keys(facts: Facts, former: Former) -> frozenset[str]:
    return frozenset(blocks(comparable(facts, former)))


def agree(left: SourcePatient, right: SourcePatient) -> bool:
    """Whether two source patients are one person by ID card: the same valid one, with the same name, or the
    same birth date and names that are not strangers: the date may have been read from a borrowed card.
    Nobody without a name and no VIP is anybody else so.
    """
    if left.observed.card is None or left.observed.card != right.observed.card:
        return False
    if any("placeholder_name" in side.observed.evidence or is_vip(side.facts) for side in (left, right)):
        return False
    if left.observed.name_key and left.observed.name_key == right.observed.name_key:
        return True
    if left.facts.birth_date is None or left.facts.birth_date != right.facts.birth_date:
        return False
    if {left.facts.sex, right.facts.sex} == {"male", "female"}:  # one twin with the other's card
        return False
    one, other = prepared(left).name, prepared(right).name
    return one is None or other is None or not strangers(one, other)


def find(members: Sequence[SourcePatient], verdicts: Verdicts, model: Model | None) -> Pairs:
    """Return what there is between all those; without a model, only what is certain."""
    by_id = {m.id: m for m in members}
    found = Pairs([Edge(p, "verdict") for p in sorted(verdicts.same) if p[0] in by_id and p[1] in by_id])
    for member in members:
        if member.merged_into in by_id and member.merged_into is not None:
            found.edges.append(Edge(pair_of(member.id, member.merged_into), "merged_number"))
    for pair in sorted(_neighbours(members, model) - verdicts.same - verdicts.different):
        weigh_pair(by_id[pair[0]], by_id[pair[1]], model, found)
    return found


def weigh_pair(left: SourcePatient, right: SourcePatient, model: Model | None, into: Pairs) -> None:
    """Add what there is between two source patients, of whom nobody decided."""
    pair = pair_of(left.id, right.id)
    if agree(left, right):
        into.edges.append(Edge(pair, "id_card"))
        return
    if model is None:
        return
    judged = judge(prepared(left), prepared(right), model)
    if judged.band == "automatic":
        into.edges.append(Edge(pair, "probable", judged.weighed))
    elif judged.band == "review":
        into.suspects.append(_suspect(pair, judged))


def _suspect(pair: Pair, judged: Judged) -> Suspect:
    return Suspect(pair, judged.reason, judged.weighed)


def _neighbours(members: Sequence[SourcePatient], model: Model | None) -> set[Pair]:
    """Return the pairs that show one valid card or stand in one block."""
    rooms: dict[str, set[int]] = {}
    for member in members:
        for key in _rooms(member, model):
            rooms.setdefault(key, set()).add(member.id)
    return {pair for room in rooms.values() for pair in combinations(sorted(room), 2)}


def _rooms(member: SourcePatient, model: Model | None) -> Iterator[str]:
    if member.observed.card is not None:
        yield f"card:{member.observed.card}"
    if model is not None:
        yield from keys(member)

"""People as connected groups of source patients: the strongest reason first, and never over what a person
decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from consortium.identity.matching.judging import apart
from consortium.identity.model import SourcePatient
from consortium.identity.pairs import RULES, Edge, Pair, Verdicts, pair_of, prepared


@dataclass(frozen=True, slots=True)
class Grouped:
    """Groups, the edges that hold them, and those that were refused."""

    groups: tuple[tuple[SourcePatient, ...], ...]
    refused: tuple[tuple[Edge, bool], ...]
    """Edges between two groups; True: a verdict keeps them apart, False: their cards do."""


def unite(members: Sequence[SourcePatient], edges: Sequence[Edge], verdicts: Verdicts) -> Grouped:
    """Return the groups. An edge that would bring two together of whom a person said that they are different
    is refused, and one of probability that would bring contradicting cards together. The order of the
    arguments does not matter: edges go by strength, then by the numbers of their ends.
    """
    by_id = {m.id: m for m in members}
    rooms = {m.id: [m.id] for m in members}
    room_of = {m.id: m.id for m in members}
    refused: list[tuple[Edge, bool]] = []
    for edge in sorted(edges, key=_strength(by_id)):
        one, other = (room_of[id_] for id_ in edge.pair)
        if one == other:
            continue
        crossing = [pair_of(a, b) for a in rooms[one] for b in rooms[other]]
        decided = any(pair in verdicts.different for pair in crossing)
        if decided or (edge.rule == "probable" and _contradict(crossing, by_id)):
            refused.append((edge, decided))
            continue
        for id_ in rooms.pop(other):
            room_of[id_] = one
            rooms[one].append(id_)
    groups = tuple(tuple(by_id[id_] for id_ in sorted(room)) for room in rooms.values())
    apart_still = tuple((e, d) for e, d in refused if room_of[e.pair[0]] != room_of[e.pair[1]])
    return Grouped(groups, apart_still)


def _strength(by_id: Mapping[int, SourcePatient]) -> Callable[[Edge], tuple[object, ...]]:
    def key(edge: Edge) -> tuple[object, ...]:
        ends = sorted((by_id[id_].facility, by_id[id_].number) for id_ in edge.pair)
        weight = edge.weighed.weight if edge.weighed is not None else 0.0
        return RULES.index(edge.rule), -weight, ends

    return key


def _contradict(crossing: Sequence[Pair], by_id: Mapping[int, SourcePatient]) -> bool:
    return any(apart(prepared(by_id[a]), prepared(by_id[b])) for a, b in crossing)

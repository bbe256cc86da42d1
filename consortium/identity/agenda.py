"""Which reviews are opened and which withdrawn, once everybody is linked: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from consortium.identity.pairs import Pair, Suspect, Verdicts

CONFLICT = "verdict_conflict"
STICKY = "overlay"
"""A reason that lies in what happened, not in what the two look like now."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """Reviews to write, and pairs whose review no longer stands."""

    opened: tuple[Suspect, ...]
    withdrawn: frozenset[Pair]


def agenda(
    suspects: Iterable[Suspect],
    persons: Mapping[int, UUID],
    standing: Mapping[Pair, str],
    verdicts: Verdicts,
    judged: AbstractSet[int],
) -> Agenda:
    """Return what to ask of people.

    One question for two persons: of several pairs the one that stands already, else the one that weighs most.
    None between persons whom a verdict keeps apart, or about whom another pair is asked already.

    Args:
        persons: who everybody in `suspects` is, and everybody that was linked in this pass.
        standing: the reason of each review that is open.
        judged: those whose every pair was looked at: their reviews that are not in `suspects` are over.
    """
    apart = {_people(pair, persons) for pair in verdicts.different}
    elsewhere = {_people(pair, persons) for pair in standing if judged.isdisjoint(pair)}
    chosen: dict[frozenset[UUID | int], Suspect] = {}
    for suspect in sorted(suspects, key=lambda s: (s.pair not in standing, -s.weighed.weight, s.pair)):
        people = _people(suspect.pair, persons)
        decided = people in apart and suspect.reason != CONFLICT
        asked_already = people in elsewhere and suspect.pair not in standing
        if len(people) == 2 and not decided and not asked_already:
            chosen.setdefault(people, suspect)
    asked = {suspect.pair for suspect in chosen.values()}
    undecided = {pair for pair in standing if pair not in verdicts.same | verdicts.different}
    over = {
        pair
        for pair in undecided - asked
        if len(people := _people(pair, persons)) == 1
        or (people in apart and standing[pair] != CONFLICT)
        or (standing[pair] != STICKY and not judged.isdisjoint(pair))
    }
    return Agenda(tuple(chosen.values()), frozenset(over))


def _people(pair: Pair, persons: Mapping[int, UUID]) -> frozenset[UUID | int]:
    """Return who the two are; somebody who was not loaded stands for themselves."""
    return frozenset(persons.get(id_, id_) for id_ in pair)

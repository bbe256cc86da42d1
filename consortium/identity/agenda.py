"""Which reviews are opened and which withdrawn, once everybody is linked: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from consortium.identity.pairs import Pair, Suspect, Verdicts

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
    judged: Collection[int],
) -> Agenda:
    """Return what to ask of people.

    One question for two persons: of several pairs the one that stands already, else the one that weighs most.
    None between persons whom a verdict keeps apart.

    Args:
        persons: who everybody in `suspects` is, and everybody that was linked in this pass.
        standing: the reason of each review that is open.
        judged: those whose every pair was looked at: their reviews that are not in `suspects` are over.
    """
    apart = {_people(pair, persons) for pair in verdicts.different}
    chosen: dict[frozenset[UUID | int], Suspect] = {}
    for suspect in sorted(suspects, key=lambda s: (s.pair not in standing, -s.weighed.weight, s.pair)):
        people = _people(suspect.pair, persons)
        if len(people) == 2 and (people not in apart or suspect.reason == "verdict_conflict"):
            chosen.setdefault(people, suspect)
    asked = {suspect.pair for suspect in chosen.values()}
    over = {
        pair
        for pair, reason in standing.items()
        if pair not in asked
        and pair not in verdicts.same | verdicts.different
        and (len(_people(pair, persons)) == 1 or (reason != STICKY and not set(pair).isdisjoint(judged)))
    }
    return Agenda(tuple(chosen.values()), frozenset(over))


def _people(pair: Pair, persons: Mapping[int, UUID]) -> frozenset[UUID | int]:
    """Return who the two are; somebody who was not loaded stands for themselves."""
    return frozenset(persons.get(id_, id_) for id_ in pair)

"""Who might this be: the people to whom a description may belong, each with how surely ($match, PDQ).

A description is weighed as if a campus had sent it: by the model in force, against those in its blocks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import sqlalchemy as sa

from consortium.identity import blocks, decide, pairs, store
from consortium.identity.matching import Model, active
from consortium.identity.matching.judging import Band, apart, judge
from consortium.identity.model import Facts, SourcePatient
from consortium.identity.pipeline import ask

Grade = Literal["certain", "probable", "possible", "certainly-not"]
"""HL7's match-grade."""
GRADES: tuple[Grade, ...] = ("certainly-not", "possible", "probable", "certain")
"""From the least sure."""
SUREST = 0.9999
"""Score that nothing but an ID card exceeds."""
MOST = 200
"""Source patients with the described card that are weighed at most: more show only one that is a stand-in."""

_BY_BAND: dict[Band, Grade] = {"automatic": "probable", "review": "possible", "none": "certainly-not"}
_BY_CARD = "SELECT id FROM identity.source_patient WHERE card = %(card)s ORDER BY id LIMIT %(most)s"


@dataclass(frozen=True, slots=True)
class Weight:
    """How surely two descriptions are of one person."""

    score: float
    """Probability; 1 where it is certain."""
    grade: Grade

    @property
    def rank(self) -> tuple[int, float]:
        """Orders weights, the least sure first: twins are alike to the last digit, and yet only possible."""
        return GRADES.index(self.grade), self.score


@dataclass(frozen=True, slots=True)
class Matched:
    """A person to whom the description may belong."""

    person_id: UUID
    weight: Weight


def described(facts: Facts) -> SourcePatient:
    """Return a description as if a campus had sent it, to be weighed against those that campuses did send."""
    return SourcePatient(
        0, "", "", 0, datetime.min.replace(tzinfo=UTC), facts=facts, observed=decide.observe(facts)
    )


def weigh(asked: SourcePatient, known: SourcePatient, model: Model) -> Weight:
    """Weigh a description against a source patient as two source patients are weighed: a checked ID card with
    name or birth date is certain, what would be linked probable, what a person would look at possible.
    """
    if pairs.agree(asked, known):
        return Weight(1.0, "certain")
    judged = judge(pairs.prepared(asked), pairs.prepared(known), model)
    return Weight(min(judged.weighed.probability, SUREST), _BY_BAND[judged.band])


def find(connection: sa.Connection, facts: Facts, model: Model | None = None) -> list[Matched]:
    """Return the people who may be meant, the surest first; who is certainly another is left out.

    `model`: the one in force where none is given.
    """
    asked, model = described(facts), model or active()
    best: dict[UUID, Weight] = {}
    for known in _candidates(connection, asked, model):
        weight = weigh(asked, known, model)
        if known.link is None or weight.grade == "certainly-not":
            continue
        if known.person_id not in best or weight.rank > best[known.person_id].rank:
            best[known.person_id] = weight
    probable = [person for person, weight in best.items() if weight.grade == "probable"]
    for person in _contradicting(connection, asked, probable):
        best[person] = Weight(best[person].score, "possible")
    found = [Matched(person, weight) for person, weight in best.items()]
    return sorted(found, key=lambda one: (*(-part for part in one.weight.rank), one.person_id))


def _candidates(connection: sa.Connection, asked: SourcePatient, model: Model) -> Sequence[SourcePatient]:
    """Return those that show the card, and those in the blocks of the description."""
    ids = set(blocks.search(connection, pairs.keys(asked), model.block_limit).ids)
    if asked.observed.card is not None:
        values = {"card": asked.observed.card, "most": MOST}
        ids.update(row[0] for row in connection.exec_driver_sql(_BY_CARD, values))
    return store.as_they_are(connection, sorted(ids))


def _contradicting(
    connection: sa.Connection, asked: SourcePatient, persons: Collection[UUID]
) -> frozenset[UUID]:
    """Return the people of whom another number contradicts the description, as no link would be made."""
    answers = ask(connection, [store.related([], [], [], persons)]) if persons else []
    members = [one for answer in answers for one in store.patients(answer)]
    ours = pairs.prepared(asked)
    return frozenset(
        one.person_id
        for one in members
        if one.link is not None and one.person_id in persons and apart(ours, pairs.prepared(one))
    )

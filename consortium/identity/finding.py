"""Who might this be: the people to whom a description may belong, each with how surely ($match, PDQ).

How much two descriptions say of being one person is the weigher's to tell: a function that is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import sqlalchemy as sa

from consortium.identity import decide, pairs, store, surnames
from consortium.identity.model import Facts, SourcePatient

Grade = Literal["certain", "probable", "possible", "certainly-not"]
"""HL7's match-grade."""
MOST = 200
"""Source patients that are weighed at most; those that show the card first, then those of the name."""
PROBABLE, POSSIBLE = 0.9, 0.5
"""Scores from which a match that no card makes certain is probable, and possible."""
POINTS = {"name": 35, "birth_date": 30, "phone": 15, "address": 10, "sex": 5}
"""What agreement of a field counts, beside the others that both sides have."""
SUREST = 0.95
"""Score that nothing but an ID card exceeds."""

_CANDIDATES = """
SELECT id FROM (
  SELECT id, 1 AS place FROM identity.source_patient WHERE card = %(card)s
  UNION ALL
  SELECT id, 2 FROM identity.source_patient WHERE name_key = %(name)s
  UNION ALL
  SELECT id, 3 FROM identity.source_patient
   WHERE birth_date = %(birth_date)s AND name_key LIKE %(family)s || '%%'
) AS found GROUP BY id ORDER BY min(place), id LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Weight:
    """How surely two descriptions are of one person."""

    score: float
    """0 to 1."""
    grade: Grade


Weigher = Callable[[SourcePatient, SourcePatient], Weight]
"""What is asked for, and a source patient."""


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


def by_rules(asked: SourcePatient, known: SourcePatient) -> Weight:
    """Weigh by what agrees: a checked ID card with name or birth date is certain; without it, the share of
    what both sides say that is the same.
    """
    if pairs.agree(asked, known):
        return Weight(1.0, "certain")
    both = [name for name in POINTS if _value(asked, name) is not None and _value(known, name) is not None]
    whole = sum(POINTS[name] for name in both)
    same = sum(POINTS[name] for name in both if _value(asked, name) == _value(known, name))
    score = SUREST * same / whole if whole else 0.0
    if _placeholder(asked) or _placeholder(known) or not {"name", "birth_date"} <= {*both}:
        score = min(score, PROBABLE - 0.01)
    if score >= PROBABLE:
        return Weight(score, "probable")
    return Weight(score, "possible" if score >= POSSIBLE else "certainly-not")


def find(connection: sa.Connection, facts: Facts, weigher: Weigher = by_rules) -> list[Matched]:
    """Return the people who may be meant, the surest first; who is certainly another is left out."""
    asked = described(facts)
    best: dict[UUID, Weight] = {}
    for known in _candidates(connection, asked):
        weight = weigher(asked, known)
        if known.link is None or weight.grade == "certainly-not":
            continue
        before = best.get(known.person_id)
        if before is None or weight.score > before.score:
            best[known.person_id] = weight
    found = [Matched(person, weight) for person, weight in best.items()]
    return sorted(found, key=lambda one: (-one.weight.score, one.person_id))


def _candidates(connection: sa.Connection, asked: SourcePatient) -> Iterable[SourcePatient]:
    name = asked.observed.name_key
    values = {
        "card": asked.observed.card,
        "name": name or None,
        "birth_date": asked.facts.birth_date,
        "family": surnames.part(name)[0] if name else None,
        "most": MOST,
    }
    ids = [row[0] for row in connection.exec_driver_sql(_CANDIDATES, values)]
    return store.related(connection, [], ids, [], []) if ids else []


def _value(patient: SourcePatient, name: str) -> object:
    return patient.observed.name_key if name == "name" else getattr(patient.facts, name)


def _placeholder(patient: SourcePatient) -> bool:
    return "placeholder_name" in patient.observed.evidence

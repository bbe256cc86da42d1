"""What stands between source patients: verdicts of people and reviews that wait for one."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from consortium.identity.pairs import Pair, Suspect, Verdicts, evidence, waterfall
from consortium.identity.pipeline import Answer, Question

_STANDING = """
SELECT left_id, right_id, says, NULL AS reason, NULL::uuid AS left_person, NULL::uuid AS right_person
  FROM identity.verdict
 WHERE revoked_at IS NULL AND (left_id = ANY(%(ids)s) OR right_id = ANY(%(ids)s))
UNION ALL
SELECT left_id, right_id, 'review', reason, l.person_id, r.person_id
  FROM identity.review
  LEFT JOIN identity.link l ON l.source_patient_id = left_id
  LEFT JOIN identity.link r ON r.source_patient_id = right_id
 WHERE state IN ('open', 'claimed') AND (left_id = ANY(%(ids)s) OR right_id = ANY(%(ids)s))
"""
_OPEN = """
INSERT INTO identity.review (left_id, right_id, reason, weight, model_version, evidence, message_id)
SELECT left_id, right_id, reason, weight, model_version, evidence, message_id
  FROM json_populate_recordset(NULL::identity.review, %(rows)s::json) ORDER BY left_id, right_id
ON CONFLICT (left_id, right_id) WHERE state IN ('open', 'claimed') DO UPDATE
   SET reason = excluded.reason, weight = excluded.weight, model_version = excluded.model_version,
       evidence = excluded.evidence
 WHERE (review.reason, review.weight, review.model_version)
       IS DISTINCT FROM (excluded.reason, excluded.weight, excluded.model_version)
"""
_WITHDRAW = """
UPDATE identity.review SET state = 'withdrawn'
 WHERE state IN ('open', 'claimed')
   AND (left_id, right_id) IN (SELECT * FROM unnest(%(lefts)s::bigint[], %(rights)s::bigint[]))
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands between some source patients and anybody."""

    verdicts: Verdicts
    reviews: dict[Pair, str]
    """The reason of every review that is open or claimed."""
    persons: dict[int, UUID]
    """Who both sides of those reviews are."""

    def partners(self, ids: Collection[int]) -> set[int]:
        """Return whom their links may depend on: the other side of a verdict, or of contradicting cards."""
        conflicts = {pair for pair, reason in self.reviews.items() if reason == "card_conflict"}
        linked = self.verdicts.same | self.verdicts.different | conflicts
        return {id_ for pair in linked for id_ in pair} - set(ids)


def question(ids: Collection[int]) -> Question:
    """Ask what stands between these source patients and anybody; `standing` reads the answer."""
    return Question(_STANDING, {"ids": sorted(ids)})


def standing(answer: Answer) -> Standing:
    """Read what stands between some source patients and anybody."""
    says: dict[str, set[Pair]] = {"same": set(), "different": set()}
    reviews: dict[Pair, str] = {}
    persons: dict[int, UUID] = {}
    for left, right, said, reason, left_person, right_person in answer.rows:
        pair = (left, right)
        if said != "review":
            says[said].add(pair)
            continue
        reviews[pair] = reason
        persons |= {left: left_person, right: right_person}
    verdicts = Verdicts(frozenset(says["same"]), frozenset(says["different"]))
    return Standing(verdicts, reviews, persons)


def open_reviews(
    connection: sa.Connection, suspects: Sequence[Suspect], model_version: str, message_id: int | None
) -> None:
    """Write reviews; one that stands already says what is true now."""
    rows = [_row(suspect, model_version, message_id) for suspect in suspects]
    if rows:
        connection.exec_driver_sql(_OPEN, {"rows": json.dumps(rows)})


def withdraw(connection: sa.Connection, pairs: Collection[Pair]) -> None:
    """Close reviews whose question no longer stands."""
    if pairs:
        sides = {"lefts": [left for left, _ in pairs], "rights": [right for _, right in pairs]}
        connection.exec_driver_sql(_WITHDRAW, sides)


def _row(suspect: Suspect, model_version: str, message_id: int | None) -> dict[str, Any]:
    return {
        "left_id": suspect.pair[0],
        "right_id": suspect.pair[1],
        "reason": suspect.reason,
        "weight": suspect.weighed.weight,
        "model_version": model_version,
        "evidence": evidence(waterfall(suspect.weighed)),
        "message_id": message_id,
    }

"""Figures of identity: duplicates, links across campuses, suspected overlays, the load of the review queue.

They name no patient, and are counted from the tables when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from consortium.identity import decide
from consortium.identity.model import Facts

_CAMPUSES = sa.text("""
WITH held AS (
  SELECT l.person_id, s.facility, count(*) AS numbers, count(*) FILTER (WHERE s.merged_into IS NULL) AS in_use
    FROM identity.source_patient s JOIN identity.link l ON l.source_patient_id = s.id GROUP BY 1, 2
), spread AS (SELECT person_id, count(*) AS campuses FROM held GROUP BY 1)
SELECT facility, sum(numbers)::bigint AS numbers, sum(in_use)::bigint AS in_use, count(*) AS people,
       count(*) FILTER (WHERE campuses > 1) AS linked_across,
       sum(greatest(in_use - 1, 0))::bigint AS duplicates
  FROM held JOIN spread USING (person_id)
 WHERE CAST(:facility AS text) IS NULL OR facility = :facility
 GROUP BY facility ORDER BY facility
""")
_PEOPLE = sa.text("""
SELECT count(*) AS people, count(*) FILTER (WHERE campuses > 1) AS linked_across
  FROM (SELECT count(DISTINCT s.facility) AS campuses, bool_or(s.facility = :facility) AS ours
          FROM identity.source_patient s JOIN identity.link l ON l.source_patient_id = s.id
         GROUP BY l.person_id) AS each
 WHERE CAST(:facility AS text) IS NULL OR ours
""")
_REPLACED = sa.text("""
SELECT h.source_patient_id, s.facility, h.message_id, h.replaced_at AS at, l.person_id,
       h.facts AS before, CASE WHEN n.version IS NULL THEN to_jsonb(s) ELSE n.facts END AS after
  FROM identity.source_patient_history h
  JOIN identity.source_patient s ON s.id = h.source_patient_id
  JOIN identity.link l ON l.source_patient_id = s.id
  LEFT JOIN identity.source_patient_history n
         ON n.source_patient_id = h.source_patient_id AND n.version = h.version + 1
 WHERE h.replaced_at >= :since AND (CAST(:facility AS text) IS NULL OR s.facility = :facility)
   AND h.facts ->> 'name_key' <> CASE WHEN n.version IS NULL THEN s.name_key ELSE n.facts ->> 'name_key' END
 ORDER BY h.replaced_at DESC, h.source_patient_id
""")
# S608 below: constants of this module are joined.
_TOUCHING = """
  FROM identity.review r
  JOIN identity.source_patient a ON a.id = r.left_id
  JOIN identity.source_patient b ON b.id = r.right_id
  LEFT JOIN identity.verdict v ON v.id = r.verdict_id
 WHERE (CAST(:facility AS text) IS NULL OR a.facility = :facility OR b.facility = :facility)
"""
_LOAD = sa.text(
    "SELECT count(*) FILTER (WHERE r.state = 'open') AS open,"
    " count(*) FILTER (WHERE r.state = 'claimed') AS claimed,"
    " min(r.opened_at) FILTER (WHERE r.state IN ('open', 'claimed')) AS oldest,"
    " count(*) FILTER (WHERE r.state = 'decided' AND r.weight IS NOT NULL) AS weighed,"
    " count(*) FILTER (WHERE r.state = 'decided' AND (r.weight >= 0) = (v.says = 'same')) AS agreed,"
    " count(*) FILTER (WHERE v.revoked_at IS NOT NULL) AS undone" + _TOUCHING
)
_REASONS = sa.text(
    "SELECT r.reason, count(*) AS number"
    + _TOUCHING
    + " AND r.state IN ('open', 'claimed') GROUP BY 1 ORDER BY 1"
)
_DAYS = sa.text(
    "SELECT day::date AS day, sum(opened)::int AS opened, sum(decided)::int AS decided FROM ("  # noqa: S608
    "SELECT r.opened_at AT TIME ZONE 'Asia/Shanghai' AS day, 1 AS opened, 0 AS decided"
    + _TOUCHING
    + " AND r.opened_at >= :since UNION ALL"
    " SELECT r.decided_at AT TIME ZONE 'Asia/Shanghai', 0, 1"
    + _TOUCHING
    + " AND r.decided_at >= :since) AS each GROUP BY 1 ORDER BY 1"
)


@dataclass(frozen=True, slots=True)
class Campus:
    """One campus's patients."""

    facility: str
    numbers: int
    in_use: int
    """Numbers that no merge has retired."""
    people: int
    linked_across: int
    """People of this campus who are known at another campus too."""
    duplicates: int
    """Numbers in use beyond the first of the same person at this campus."""

    @property
    def duplicate_rate(self) -> float:
        """Duplicates as a share of the numbers in use."""
        return self.duplicates / self.in_use if self.in_use else 0.0


@dataclass(frozen=True, slots=True)
class Overlay:
    """A number whose name and date of birth or card changed at once: it may have become another person's."""

    source_patient_id: int
    facility: str
    message_id: int
    """The message that changed it."""
    at: datetime
    person_id: UUID


@dataclass(frozen=True, slots=True)
class Day:
    """Reviews of one day, in China's time."""

    day: date
    opened: int
    decided: int


@dataclass(frozen=True, slots=True)
class Load:
    """The review queue."""

    open: int
    claimed: int
    oldest: datetime | None
    reasons: dict[str, int]
    """Open or claimed, by reason."""
    weighed: int
    """Decided ones that had a weight."""
    agreed: int
    """Of those, how many people decided as the weight leans."""
    undone: int
    days: Sequence[Day]

    @property
    def agreement(self) -> float | None:
        """The share of decisions that went as the weight leans; None: there was none yet."""
        return self.agreed / self.weighed if self.weighed else None


@dataclass(frozen=True, slots=True)
class Figures:
    """The dashboard."""

    people: int
    linked_across: int
    campuses: Sequence[Campus]
    overlays: Sequence[Overlay]
    """Suspected, newest first, at most `OVERLAYS`."""
    load: Load


OVERLAYS = 200


def figures(connection: sa.Connection, facility: str | None, now: datetime, days: int) -> Figures:
    """Count; `facility`: only what touches a campus. Overlays and days reach back `days`."""
    values = {"facility": facility, "since": now - timedelta(days=days)}
    people = connection.execute(_PEOPLE, values).one()
    return Figures(
        people=people.people,
        linked_across=people.linked_across,
        campuses=[Campus(**row) for row in connection.execute(_CAMPUSES, values).mappings()],
        overlays=_overlays(connection, values),
        load=_load(connection, values),
    )


def _overlays(connection: sa.Connection, values: Mapping[str, object]) -> list[Overlay]:
    """Return the numbers that seem to have been given to somebody else, as linking judges it too."""
    rows = connection.execute(_REPLACED, values)
    suspected = (row for row in rows if decide.overlaid(_facts(row.before), _facts(row.after)))
    return [
        Overlay(row.source_patient_id, row.facility, row.message_id, row.at, row.person_id)
        for row in islice(suspected, OVERLAYS)
    ]


def _facts(version: Mapping[str, Any]) -> Facts:
    said = {name: version.get(name) for name in decide.FACTS}
    born = said["birth_date"]
    return Facts(**said | {"birth_date": date.fromisoformat(born) if born else None})


def _load(connection: sa.Connection, values: Mapping[str, object]) -> Load:
    reasons = connection.execute(_REASONS, values)
    days = connection.execute(_DAYS, values).mappings()
    return Load(
        **connection.execute(_LOAD, values).mappings().one(),
        reasons={row.reason: row.number for row in reasons},
        days=[Day(**row) for row in days],
    )

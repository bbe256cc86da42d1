"""The index of blocking keys: whom a source patient may be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from consortium.identity.matching.blocking import hashed
from consortium.identity.matching.screening import Glance
from consortium.identity.pipeline import Answer, Question

_SEARCH = """
SELECT k.key, b.ids FROM unnest(%(keys)s::bigint[]) AS k(key), LATERAL (
  SELECT array_agg(source_patient_id) AS ids FROM (
    SELECT source_patient_id FROM identity.block WHERE key = k.key LIMIT %(most)s) AS few) AS b
 WHERE b.ids IS NOT NULL
"""
# By an index for each id, whatever the planner thinks of how many there are.
_GLANCE = (
    "WITH room AS MATERIALIZED ("  # noqa: S608 - constants of this module
    + _SEARCH
    + """), near AS (
  SELECT DISTINCT unnest(ids) AS id FROM room WHERE cardinality(ids) <= %(limit)s
)
SELECT key, ids, NULL::bigint, NULL, NULL, NULL::date, NULL, NULL, NULL, NULL::boolean FROM room
UNION ALL
SELECT NULL, NULL, s.* FROM near, LATERAL (
  SELECT id, name, sex, birth_date, card, id_card, phone, former <> '{}'
    FROM identity.source_patient WHERE id = near.id LIMIT 1) AS s
"""
)
_ADD = """
INSERT INTO identity.block (key, source_patient_id)
SELECT * FROM unnest(%(keys)s::bigint[], %(ids)s::bigint[]) ON CONFLICT DO NOTHING
"""
_REMOVE = """
DELETE FROM identity.block
 WHERE (key, source_patient_id) IN (SELECT * FROM unnest(%(keys)s::bigint[], %(ids)s::bigint[]))
"""
_CROWDED = """
INSERT INTO identity.crowded (key, source_patient_id, kind)
SELECT * FROM unnest(%(keys)s::bigint[], %(ids)s::bigint[], %(kinds)s::text[]) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Found:
    """Who stands in some blocks."""

    rooms: Mapping[str, Sequence[int]]
    """By key; a block in which nobody stands is not there."""
    crowded: frozenset[str]
    """Keys of blocks that hold more than the limit, and were not searched."""

    @property
    def ids(self) -> frozenset[int]:
        """Who stands in any of them."""
        return frozenset(id_ for ids in self.rooms.values() for id_ in ids)


def search(connection: sa.Connection, keys: Collection[str], limit: int) -> Found:
    """Return who stands in the blocks of those keys; one indexed statement."""
    if not keys:
        return Found({}, frozenset())
    named = {hashed(key): key for key in keys}
    rows = connection.exec_driver_sql(_SEARCH, {"keys": sorted(named), "most": limit + 1}).all()
    return _found(((named[key], ids) for key, ids in rows), limit)


def glance(keys: Collection[str], limit: int) -> Question:
    """Ask who stands in the blocks of those keys, and what of them is looked at first."""
    return Question(_GLANCE, {"keys": sorted(map(hashed, keys)), "most": limit + 1, "limit": limit})


def glanced(keys: Collection[str], limit: int, answer: Answer) -> tuple[Found, Mapping[int, Glance]]:
    """Read the answer to `glance`."""
    named = {hashed(key): key for key in keys}
    found = _found(((named[row[0]], row[1]) for row in answer.rows if row[0] is not None), limit)
    return found, {row[2]: Glance(*row[2:]) for row in answer.rows if row[0] is None}


def _found(rooms: Iterable[tuple[str, Sequence[int]]], limit: int) -> Found:
    small: dict[str, Sequence[int]] = {}
    crowded: set[str] = set()
    for key, ids in rooms:
        if len(ids) <= limit:
            small[key] = ids
        else:
            crowded.add(key)
    return Found(small, frozenset(crowded))


def change(
    connection: sa.Connection, before: Mapping[int, frozenset[str]], after: Mapping[int, frozenset[str]]
) -> None:
    """Write the keys of source patients in place of those they had."""
    gone = {id_: keys - after[id_] for id_, keys in before.items()}
    new = {id_: keys - before.get(id_, frozenset()) for id_, keys in after.items()}
    for statement, what in ((_REMOVE, gone), (_ADD, new)):
        if rows := _rows((key, id_) for id_, keys in what.items() for key in keys):
            connection.exec_driver_sql(
                statement, {"keys": [key for key, _ in rows], "ids": [id_ for _, id_ in rows]}
            )


def note_crowded(connection: sa.Connection, pairs: Collection[tuple[str, int]]) -> None:
    """Keep who was not compared within which block."""
    if pairs:
        ordered = sorted(pairs)
        values = {
            "keys": [hashed(key) for key, _ in ordered],
            "ids": [id_ for _, id_ in ordered],
            "kinds": [key.split(":", 1)[0] for key, _ in ordered],
        }
        connection.exec_driver_sql(_CROWDED, values)


def _rows(pairs: Iterable[tuple[str, int]]) -> list[tuple[int, int]]:
    """In one order, so that two transactions never wait for each other."""
    return sorted((hashed(key), id_) for key, id_ in pairs)

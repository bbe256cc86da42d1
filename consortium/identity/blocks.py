"""The index of blocking keys: whom a source patient may be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from consortium.identity.matching.blocking import hashed

_SEARCH = """
SELECT k.key, b.ids FROM unnest(%(keys)s::bigint[]) AS k(key), LATERAL (
  SELECT array_agg(source_patient_id) AS ids FROM (
    SELECT source_patient_id FROM identity.block WHERE key = k.key LIMIT %(most)s) AS few) AS b
 WHERE b.ids IS NOT NULL
"""
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

    ids: frozenset[int]
    crowded: frozenset[str]
    """Keys of blocks that hold more than the limit, and were not searched."""


def search(connection: sa.Connection, keys: Collection[str], limit: int) -> Found:
    """Return who stands in the blocks of those keys; one indexed statement."""
    if not keys:
        return Found(frozenset(), frozenset())
    named = {hashed(key): key for key in keys}
    rows = connection.exec_driver_sql(_SEARCH, {"keys": sorted(named), "most": limit + 1}).all()
    small = frozenset(id_ for _, ids in rows if len(ids) <= limit for id_ in ids)
    return Found(small, frozenset(named[key] for key, ids in rows if len(ids) > limit))


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

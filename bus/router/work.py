"""Reading the work of a batch: which patients it concerns, their locks, and every row that is theirs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bus import bodies
from bus.envelope import Stored

READY, HELD, WAITING, ASIDE = 0, 1, 2, 3
"""States of `bus.work`: ready, held, waiting behind a held one, held so that nobody waits."""
BODIES_AT_ONCE = 32 * 1024 * 1024
"""Bytes of bodies in memory at a time."""

KEYS = sa.text("SELECT patient_key, other_key FROM bus.work WHERE id = ANY(:ids)")
MORE_KEYS = sa.text(
    "SELECT patient_key, other_key FROM bus.work"
    " WHERE other_key IS NOT NULL AND coalesce(place, id) <= :last"
    " AND (patient_key = ANY(:keys) OR other_key = ANY(:keys))"
    " UNION ALL SELECT theirs.patient_key, NULL FROM bus.work_further mine"
    " JOIN bus.work w USING (id) JOIN bus.work_further theirs USING (id)"
    " WHERE mine.patient_key = ANY(:keys) AND coalesce(w.place, w.id) <= :last"
)
WIDEN = sa.text(
    "INSERT INTO bus.work_further (id, patient_key) SELECT w.id, k FROM bus.work w,"
    " unnest(CAST(:keys AS bigint[])) AS k WHERE w.id = :id ON CONFLICT DO NOTHING"
)
NARROW = sa.text("DELETE FROM bus.work_further WHERE id = ANY(:ids)")
LOCK = sa.text("SELECT pg_advisory_xact_lock(k) FROM unnest(CAST(:keys AS bigint[])) AS k")
ROWS = sa.text(
    "SELECT w.id, w.patient_key, w.other_key, w.state, w.attempts, w.not_before,"
    " coalesce(w.place, w.id) AS place,"
    " w.not_before > now() AS early, i.size, i.received_at,"
    " (SELECT array_agg(p.patient_key) FROM bus.work_further p WHERE p.id = w.id) AS others"
    " FROM bus.work w JOIN bus.inbox i USING (id)"
    " WHERE (w.patient_key = ANY(:keys) OR w.other_key = ANY(:keys)) AND coalesce(w.place, w.id) <= :last"
    " ORDER BY place, w.id"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `bus.work`."""

    id: int
    keys: tuple[int, ...]
    state: int
    attempts: int
    not_before: datetime | None
    early: bool
    """Whether it was put off and is not due yet."""
    size: int
    """Bytes of its body."""
    received_at: datetime
    place: int
    """Where it stands in inbox order: its id, unless it was edited from another message."""


def lock_patients(connection: sa.Connection, ids: Sequence[int]) -> list[int]:
    """Lock the patients of these messages, in one order for everybody, and of those they are merged with.

    Returns their keys. Raises `KeysGrewError` when a merge with another patient came in meanwhile.
    """
    keys = _keys(connection, KEYS, {"ids": list(ids)})
    if not keys:
        return []
    last = max(ids)
    closed = _closure(connection, keys, last)
    connection.execute(LOCK, {"keys": closed})
    if _closure(connection, set(closed), last) != closed:
        raise KeysGrewError
    return closed


class KeysGrewError(Exception):
    """Begin again: more patients are concerned than were locked."""


def _closure(connection: sa.Connection, keys: set[int], last: int) -> list[int]:
    while True:
        more = keys | _keys(connection, MORE_KEYS, {"keys": sorted(keys), "last": last})
        if more == keys:
            return sorted(keys)
        keys = more


def _keys(connection: sa.Connection, query: sa.TextClause, values: dict[str, object]) -> set[int]:
    rows = connection.execute(query, values)
    return {key for row in rows for key in row if key is not None}


def read_rows(connection: sa.Connection, keys: Sequence[int], last: int) -> list[Row]:
    """Return all rows of these patients up to an id, in inbox order."""
    found = connection.execute(ROWS, {"keys": list(keys), "last": last})
    return [
        Row(
            row.id,
            _all_keys(row.patient_key, row.other_key, row.others),
            row.state,
            row.attempts,
            row.not_before,
            bool(row.early),
            row.size,
            row.received_at,
            row.place,
        )
        for row in found
    ]


def _all_keys(key: int, other: int | None, others: Sequence[int] | None) -> tuple[int, ...]:
    if other is None and others is None:
        return (key,)
    return tuple(dict.fromkeys((key, *(() if other is None else (other,)), *sorted(others or ()))))


def widen(connection: sa.Connection, id_: int, keys: Sequence[int]) -> None:
    """Say that a message is about all these patients, too: whoever handles one of them locks all.

    Which they are is known once a rule has split it. Until then those that came after it went on: it is the
    older statement when it is recorded.
    """
    connection.execute(WIDEN, {"id": id_, "keys": list(keys)})


class KeysUnknownError(Exception):
    """A message is about patients who are not locked: `widen` it, and begin again."""

    def __init__(self, id_: int, keys: Sequence[int]) -> None:
        super().__init__(id_)
        self.id = id_
        self.keys = tuple(keys)


def read_messages(connection: sa.Connection, rows: Sequence[Row]) -> Iterator[tuple[Row, Stored]]:
    """Give each row with its message, some megabytes of bodies at a time."""
    for group in _groups(rows):
        messages = {one.id: one for one in bodies.read(connection, [(r.id, r.received_at) for r in group])}
        for row in group:
            yield row, messages[row.id]


def _groups(rows: Sequence[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    size = 0
    for row in rows:
        if group and size + row.size > BODIES_AT_ONCE:
            yield group
            group, size = [], 0
        group.append(row)
        size += row.size
    if group:
        yield group

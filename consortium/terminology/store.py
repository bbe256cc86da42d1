"""The SQL of master data. Entries are only ever appended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from consortium.terminology.decide import Plan
from consortium.terminology.model import Entry, Key, Kind, Recorded

LOCK = 93_000_011
"""Advisory lock: one import at a time, for kinds refer to each other."""
PAGE = 1000
"""Periods that are read at a time where all are gone through."""

_LATEST = (
    "SELECT DISTINCT ON (e.owner, e.code, e.valid_from) e.id, e.kind, e.owner, e.code, e.valid_from,"
    " e.version, e.valid_to, e.name, e.attributes, e.recorded_by, e.recorded_at, e.import_id"
    " FROM terminology.entry e WHERE e.kind = :kind"
    " AND (CAST(:owner AS text) IS NULL OR e.owner = :owner)"
    " AND (CAST(:code AS text) IS NULL OR e.code = :code)"
    " ORDER BY e.owner, e.code, e.valid_from, e.version DESC"
)
_PERIODS = sa.text(
    f"SELECT l.*, i.source FROM ({_LATEST}) l JOIN terminology.import i ON i.id = l.import_id"  # noqa: S608
    " ORDER BY l.owner, l.code, l.valid_from"
)
_ON = sa.text(
    "SELECT f.*, i.source FROM (SELECT DISTINCT ON (owner, code) * FROM"  # noqa: S608 - constants
    f" ({_LATEST}) l WHERE valid_from <= :on ORDER BY owner, code, valid_from DESC) f"
    " JOIN terminology.import i ON i.id = f.import_id"
    " WHERE (f.valid_to IS NULL OR f.valid_to >= :on)"
    " AND (CAST(:text AS text) IS NULL OR position(lower(:text) IN lower(f.name)) > 0"
    " OR starts_with(lower(f.code), lower(:text)))"
    " AND (CAST(:after_owner AS text) IS NULL OR (f.owner, f.code) > (:after_owner, :after_code))"
    " ORDER BY f.owner, f.code LIMIT :limit"
)
_HISTORY = sa.text(
    "SELECT e.id, e.kind, e.owner, e.code, e.valid_from, e.version, e.valid_to, e.name, e.attributes,"
    " e.recorded_by, e.recorded_at, i.source FROM terminology.entry e"
    " JOIN terminology.import i ON i.id = e.import_id WHERE e.kind = :kind AND e.code = :code"
    " AND (CAST(:owner AS text) IS NULL OR e.owner = :owner) ORDER BY e.id"
)
_CODES = sa.text("SELECT DISTINCT owner, code FROM terminology.entry WHERE kind = :kind")
_IMPORT = sa.text(
    "INSERT INTO terminology.import (kind, source, digest, added, changed, unchanged, imported_by)"
    " VALUES (:kind, :source, :digest, :added, :changed, :unchanged, :by) RETURNING id"
)
_APPEND = sa.text(
    "INSERT INTO terminology.entry (kind, owner, code, valid_from, version, valid_to, name, attributes,"
    " import_id, recorded_by)"
    " SELECT :kind, o, c, f, v, t, n, a, :import_id, :by FROM unnest(CAST(:owners AS text[]),"
    " CAST(:codes AS text[]), CAST(:since AS date[]), CAST(:versions AS int[]), CAST(:until AS date[]),"
    " CAST(:names AS text[]), CAST(:attributes AS jsonb[])) WITH ORDINALITY AS r (o, c, f, v, t, n, a, place)"
    " ORDER BY place RETURNING id, recorded_at"
)
_IMPORTS = sa.text(
    "SELECT id, kind, source, added, changed, unchanged, imported_by, imported_at FROM terminology.import"
    " WHERE kind = :kind ORDER BY id DESC LIMIT :limit"
)
_OWNERS = sa.text("SELECT DISTINCT kind, owner FROM terminology.entry ORDER BY 1, 2")


def lock(connection: sa.Connection) -> None:
    """Wait for another import to end."""
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def periods(
    connection: sa.Connection, kind: Kind, *, owner: str | None = None, code: str | None = None
) -> list[Recorded]:
    """Return every period in its newest version, by owner, code and first day."""
    values = {"kind": kind.value, "owner": owner, "code": code}
    return [_recorded(row) for row in connection.execute(_PERIODS, values).mappings()]


def each_period(connection: sa.Connection, kind: Kind) -> Iterator[Recorded]:
    """Give every period in its newest version, as `periods` does, and hold no more than a page of them."""
    values = {"kind": kind.value, "owner": None, "code": None}
    rows = connection.execute(_PERIODS, values, execution_options={"yield_per": PAGE}).mappings()
    return map(_recorded, rows)


def on(
    connection: sa.Connection,
    kind: Kind,
    day: date,
    *,
    owner: str | None = None,
    code: str | None = None,
    text: str | None = None,
    after: tuple[str, str] | None = None,
    limit: int | None = None,
) -> list[Recorded]:
    """Return what is in force on a day, by owner and code, from behind `after`."""
    values = {
        "kind": kind.value,
        "on": day,
        "owner": owner,
        "code": code,
        "text": text,
        "after_owner": after[0] if after else None,
        "after_code": after[1] if after else None,
        "limit": limit,
    }
    return [_recorded(row) for row in connection.execute(_ON, values).mappings()]


def history(connection: sa.Connection, kind: Kind, code: str, owner: str | None = None) -> list[Recorded]:
    """Return every version of a code, oldest first."""
    values = {"kind": kind.value, "code": code, "owner": owner}
    return [_recorded(row) for row in connection.execute(_HISTORY, values).mappings()]


def imports(connection: sa.Connection, kind: Kind, limit: int) -> list[Mapping[str, Any]]:
    """Return the imports of a kind, newest first."""
    return [
        dict(row) for row in connection.execute(_IMPORTS, {"kind": kind.value, "limit": limit}).mappings()
    ]


def codes(connection: sa.Connection, kind: Kind) -> set[tuple[str, str]]:
    """Return owner and code of all there ever were."""
    return {(row.owner, row.code) for row in connection.execute(_CODES, {"kind": kind.value})}


def owners(connection: sa.Connection) -> list[tuple[Kind, str]]:
    """Return which owner has entries of which kind."""
    return [(Kind(row.kind), row.owner) for row in connection.execute(_OWNERS)]


def append(
    connection: sa.Connection, plan: Plan, versions: Mapping[Key, int], source: str, digest: bytes, by: str
) -> list[Recorded]:
    """Record what an import adds and changes, as the next version of each period."""
    kind = plan.entries[0].kind
    counts = {"added": len(plan.added), "changed": len(plan.changed), "unchanged": plan.unchanged}
    header = {"kind": kind.value, "source": source, "digest": digest, "by": by}
    import_id = connection.execute(_IMPORT, {**header, **counts}).scalar_one()
    numbers = [versions.get(entry.key, 0) + 1 for entry in plan.entries]
    values = {
        "kind": kind.value,
        "import_id": import_id,
        "by": by,
        "owners": [entry.owner for entry in plan.entries],
        "codes": [entry.code for entry in plan.entries],
        "since": [entry.valid_from for entry in plan.entries],
        "versions": numbers,
        "until": [entry.valid_to for entry in plan.entries],
        "names": [entry.name for entry in plan.entries],
        "attributes": [json.dumps(dict(e.attributes), ensure_ascii=False) for e in plan.entries],
    }
    rows: Sequence[sa.Row[tuple[int, datetime]]] = connection.execute(_APPEND, values).all()
    return [
        Recorded(row.id, number, entry, by, row.recorded_at, source)
        for row, number, entry in zip(rows, numbers, plan.entries, strict=True)
    ]


def _recorded(row: sa.RowMapping) -> Recorded:
    entry = Entry(
        Kind(row["kind"]),
        row["owner"],
        row["code"],
        row["name"],
        row["valid_from"],
        row["valid_to"],
        row["attributes"],
    )
    return Recorded(row["id"], row["version"], entry, row["recorded_by"], row["recorded_at"], row["source"])

"""Codes that no table knows, by campus and table, and how many messages wait for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bus.rules.codes import CodeTable
from bus.rules.day import today

_WORK = sa.text(
    "WITH behind AS (SELECT blocked_by, count(*) AS n FROM bus.work WHERE state = 2 GROUP BY 1),"
    " held AS (SELECT i.facility, h.code_table, h.source_code AS code, count(*) AS held,"
    " coalesce(sum(b.n), 0)::bigint AS behind, min(h.held_at) AS oldest"
    " FROM bus.held h JOIN bus.inbox i ON i.id = h.message_id"
    " LEFT JOIN behind b ON b.blocked_by = h.message_id"
    " WHERE h.released_at IS NULL AND h.code_table IS NOT NULL GROUP BY 1, 2, 3)"
    " SELECT facility, code_table, code, coalesce(u.count, h.held) AS seen,"
    " coalesce(u.first_at, h.oldest) AS first_at, coalesce(u.last_at, h.oldest) AS last_at,"
    " coalesce(h.held, 0) AS held, coalesce(h.behind, 0) AS behind"
    " FROM bus.unmapped u FULL JOIN held h USING (facility, code_table, code)"
    " WHERE (CAST(:facility AS text) IS NULL OR facility = :facility)"
    " AND (CAST(:code_table AS text) IS NULL OR code_table = :code_table)"
    " ORDER BY held DESC, seen DESC, facility, code_table, code"
)


@dataclass(frozen=True, slots=True)
class Unmapped:
    """One code of the worklist."""

    facility: str
    code_table: str
    code: str
    seen: int
    """How many messages had it since it was first seen."""
    first_at: datetime
    last_at: datetime
    held: int
    """Messages that are held for it now."""
    behind: int
    """Messages that wait behind those."""
    mapped_to: str | None
    """Its target today when it was mapped since, and messages still wait: mapping it again releases them."""


def worklist(
    connection: sa.Connection,
    tables: Mapping[str, CodeTable],
    *,
    facility: str | None = None,
    code_table: str | None = None,
) -> list[Unmapped]:
    """Return what is to be mapped, the codes that hold most first; `tables`: those in force."""
    rows = connection.execute(_WORK, {"facility": facility, "code_table": code_table}).mappings()
    found = [Unmapped(**row, mapped_to=_target(tables, row)) for row in rows]
    return [code for code in found if code.mapped_to is None or code.held]


def _target(tables: Mapping[str, CodeTable], row: sa.RowMapping) -> str | None:
    table = tables.get(row["code_table"])
    target = table.find(row["facility"], row["code"], today()) if table else None
    return target.code if target else None

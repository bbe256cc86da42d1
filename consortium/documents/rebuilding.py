"""The statements of a rebuild: which documents come next, how far it is, what the index holds for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from consortium.documents import columns, store
from consortium.documents.indexing import RECORDED, SHARED
from consortium.documents.tables import ENTRY

NAME = "documents"

_TOTAL = """
SELECT (SELECT count(*) FROM records.document WHERE content_sha256 IS NOT NULL AND NOT deleted)
     + (SELECT count(*) FROM documents.entry)
"""
_UNFINISHED = """
SELECT source, after, done, total FROM documents.rebuild
 WHERE name = %(name)s AND ended_at IS NULL
"""
_BEGIN = """
INSERT INTO documents.rebuild (name, begun_at, source, total)
VALUES (%(name)s, %(now)s, %(source)s, %(total)s)
ON CONFLICT (name) DO UPDATE SET begun_at = excluded.begun_at, source = excluded.source, after = NULL,
  done = 0, total = excluded.total, ended_at = NULL
"""
_ADVANCE = """
UPDATE documents.rebuild SET source = %(source)s, after = %(after)s, done = %(done)s WHERE name = %(name)s
"""
_END = "UPDATE documents.rebuild SET ended_at = %(now)s WHERE name = %(name)s"
_PAGES = {
    RECORDED: "SELECT id FROM records.document WHERE content_sha256 IS NOT NULL AND NOT deleted"
    " AND (%(after)s::uuid IS NULL OR id > %(after)s::uuid) ORDER BY id LIMIT %(limit)s",
    SHARED: "SELECT id FROM documents.entry WHERE (%(after)s::uuid IS NULL OR id > %(after)s::uuid)"
    " ORDER BY id LIMIT %(limit)s",
}
_OF_NONE = """CASE t.source
  WHEN 'recorded' THEN NOT EXISTS (SELECT FROM records.document d WHERE d.id = t.document_id
    AND d.patient_id = t.patient_id AND d.content_sha256 IS NOT NULL AND NOT d.deleted)
  ELSE NOT EXISTS (SELECT FROM documents.entry e WHERE e.id = t.document_id) END"""
"""Whether a text is of no document."""
_ORPHANS = f"DELETE FROM documents.text t WHERE {_OF_NONE}"  # noqa: S608 - constants of this module
_STANDING = f"""
SELECT (SELECT count(*) FROM documents.text) AS indexed,
       (SELECT count(*) FROM documents.text_pending) AS pending,
       (SELECT count(*) FROM records.document d WHERE d.content_sha256 IS NOT NULL AND NOT d.deleted
          AND NOT EXISTS (SELECT FROM documents.text t WHERE t.document_id = d.id)
          AND NOT EXISTS (SELECT FROM documents.text_pending p WHERE p.document_id = d.id))
       + (SELECT count(*) FROM documents.entry e
          WHERE NOT EXISTS (SELECT FROM documents.text t WHERE t.document_id = e.id)
            AND NOT EXISTS (SELECT FROM documents.text_pending p WHERE p.document_id = e.id)) AS missing,
       (SELECT count(*) FROM documents.text t WHERE
          NOT EXISTS (SELECT FROM documents.text_pending p WHERE p.document_id = t.document_id)
          AND {_OF_NONE}) AS orphans
"""  # noqa: S608 - constants of this module
_PROBLEMS = """
SELECT split_part(problem, ':', 1) AS problem, count(*) AS number FROM documents.text
 WHERE problem IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1
"""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """How far a rebuild is."""

    source: str
    after: UUID | None
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether the index and the documents agree."""

    indexed: int
    pending: int
    """On the list to be read."""
    missing: int
    """Documents that are neither in the index nor on the list."""
    orphans: int
    """Texts of documents that there are not."""
    problems: dict[str, int]
    """Documents without a text, or without all of it, by the reason."""

    @property
    def sound(self) -> bool:
        """Whether they do."""
        return not (self.missing or self.orphans)


def unfinished(connection: sa.Connection) -> Rebuild | None:
    """Return the rebuild that was stopped."""
    row = connection.exec_driver_sql(_UNFINISHED, {"name": NAME}).mappings().one_or_none()
    return Rebuild(**row) if row else None


def begin(connection: sa.Connection, source: str, now: datetime) -> None:
    """Begin one at the first document."""
    total = connection.exec_driver_sql(_TOTAL).scalar_one()
    values = {"name": NAME, "now": now, "source": source, "total": total}
    connection.exec_driver_sql(_BEGIN, values)


def advance(connection: sa.Connection, source: str, after: UUID | None, done: int) -> None:
    """Write how far it is, in the transaction of what was rebuilt."""
    values = {"name": NAME, "source": source, "after": after, "done": done}
    connection.exec_driver_sql(_ADVANCE, values)


def end(connection: sa.Connection, now: datetime) -> int:
    """Take away the texts of what is no document any more; return how many."""
    removed = connection.exec_driver_sql(_ORPHANS).rowcount
    connection.exec_driver_sql(_END, {"name": NAME, "now": now})
    return removed


def page(connection: sa.Connection, source: str, after: UUID | None, limit: int) -> list[UUID]:
    """Return the documents that come next, in the order of their ids."""
    rows = connection.exec_driver_sql(_PAGES[source], {"after": after, "limit": limit})
    return list(rows.scalars())


def head(connection: sa.Connection, ids: Sequence[UUID]) -> int:
    """Make the searched columns of registered documents anew from what was submitted; return how many were
    wrong.
    """
    wrong = 0
    rows = connection.execute(sa.select(ENTRY).where(ENTRY.c.id.in_(list(ids)))).mappings().all()
    for row in rows:
        values = _searched(row["metadata"])
        if any(row[name] != value for name, value in values.items()):
            connection.execute(sa.update(ENTRY).where(ENTRY.c.id == row["id"]).values(values))
            wrong += 1
    return wrong


def _searched(metadata: Any) -> dict[str, Any]:
    """Return the columns of a document but for its status, which the registry decides."""
    entry = store.DOCUMENT.validate_python(metadata)
    values = {name: value for name, value in columns.of_document(entry).items() if name != "status"}
    return values | {
        "repository_unique_id": entry.repository_unique_id,
        "hash": entry.hash,
        "size": entry.size,
    }


def standing(connection: sa.Connection) -> Standing:
    """Compare the index with the documents."""
    row = connection.exec_driver_sql(_STANDING).mappings().one()
    problems = connection.exec_driver_sql(_PROBLEMS).mappings()
    return Standing(**row, problems={one["problem"]: one["number"] for one in problems})

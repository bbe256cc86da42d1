"""The statements of the text index: what is to be read, what was read, and whether all of it is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from consortium.documents.phrases import folded, tokens, units

RECORDED, SHARED = "recorded", "shared"
SOURCES = (RECORDED, SHARED)
GIVEN_UP = "given_up"
"""Problem of what ended the process that read it."""
LOCK = 0x59_69_6C_69_61_6E_30
"""Advisory lock of whoever writes the index: what is read later is written later."""

_CLAIM = """
UPDATE documents.text_pending SET attempts = attempts + 1
 WHERE id IN (SELECT id FROM documents.text_pending ORDER BY id
   LIMIT CASE WHEN (SELECT attempts FROM documents.text_pending ORDER BY id LIMIT 1) > 0
              THEN 1 ELSE %(limit)s END)
RETURNING id, document_id, source, attempts
"""
_LEAVE = "UPDATE documents.text_pending SET attempts = attempts - 1 WHERE id = ANY(%(ids)s)"
_TAKE = "SELECT pg_advisory_xact_lock(%(lock)s)"
_READ = "DELETE FROM documents.text_pending WHERE id = ANY(%(ids)s)"
_RECORDED = """
SELECT d.id, d.patient_id, d.facility, d.at, d.content_sha256 AS sha256, d.mime_type, d.title
  FROM records.document d WHERE d.id = ANY(%(ids)s::uuid[]) AND d.content_sha256 IS NOT NULL AND NOT d.deleted
"""
_SHARED = """
SELECT e.id, e.patient_id, e.organisation AS facility, coalesce(e.creation_time, e.registered_at) AS at,
       s.sha256, coalesce(s.mime_type, e.metadata ->> 'mime_type', '') AS mime_type,
       e.metadata ->> 'title' AS title
  FROM documents.entry e
  LEFT JOIN documents.stored s ON s.unique_id = e.unique_id AND s.repository = e.repository_unique_id
 WHERE e.id = ANY(%(ids)s::uuid[])
"""
_MOVE = """
UPDATE documents.text
   SET patient_id = %(patient_id)s, facility = %(facility)s, at = %(at)s, indexed_at = %(now)s
 WHERE document_id = %(id)s AND sha256 = %(sha256)s AND problem IS NULL
   AND strpos(text, coalesce(%(title)s::text, '')) > 0
"""
_KEEP = """
INSERT INTO documents.text
  (document_id, source, patient_id, facility, at, sha256, problem, indexed_at, text, folded, tokens)
VALUES (%(id)s, %(source)s, %(patient_id)s, %(facility)s, %(at)s, %(sha256)s, %(problem)s, %(now)s,
        %(text)s, %(folded)s, %(tokens)s)
ON CONFLICT (document_id) DO UPDATE SET
  source = excluded.source, patient_id = excluded.patient_id, facility = excluded.facility, at = excluded.at,
  sha256 = excluded.sha256, problem = excluded.problem, indexed_at = excluded.indexed_at,
  text = excluded.text, folded = excluded.folded, tokens = excluded.tokens
"""
_LEFT = """
SELECT document_id FROM documents.text
 WHERE document_id = ANY(%(ids)s::uuid[]) AND split_part(problem, ':', 1) = %(problem)s
"""
_FORGET = "DELETE FROM documents.text WHERE document_id = ANY(%(ids)s::uuid[])"


@dataclass(frozen=True, slots=True)
class Pending:
    """A document that is to be read."""

    id: int
    document_id: UUID
    source: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What the index says of a document beside its text."""

    id: UUID
    source: str
    patient_id: int
    facility: str
    at: datetime
    sha256: bytes | None
    """None: its content is not here."""
    mime_type: str
    title: str | None


def claim(connection: sa.Connection, limit: int) -> list[Pending]:
    """Return what waits longest, one attempt more; committed before it is read, so a file that ends the
    process is known by its attempts: what was begun before comes alone.
    """
    rows = connection.exec_driver_sql(_CLAIM, {"limit": limit})
    return sorted((Pending(**row) for row in rows.mappings()), key=lambda each: each.id)


def leave(connection: sa.Connection, claimed: Iterable[Pending]) -> None:
    """Give back what could not be read for a reason that is none of its own."""
    connection.exec_driver_sql(_LEAVE, {"ids": [each.id for each in claimed]})


def take(connection: sa.Connection) -> None:
    """Wait until this transaction alone writes the index."""
    connection.exec_driver_sql(_TAKE, {"lock": LOCK})


def done(connection: sa.Connection, read: Iterable[Pending]) -> None:
    """Take off the list what was read."""
    connection.exec_driver_sql(_READ, {"ids": [each.id for each in read]})


def facts(connection: sa.Connection, source: str, ids: Sequence[UUID]) -> list[Facts]:
    """Return what is known of documents that there are; those entered in error are none."""
    if not ids:
        return []
    statement = _RECORDED if source == RECORDED else _SHARED
    rows = connection.exec_driver_sql(statement, {"ids": list(ids)}).mappings()
    return [Facts(**{**row, "sha256": row["sha256"] and bytes(row["sha256"])}, source=source) for row in rows]


def move(connection: sa.Connection, of: Facts, now: datetime) -> bool:
    """Write what changed of a document whose text did not; False: it is to be read, for its content is
    another, its title does not stand in the text, or there was a problem, which may be over.
    """
    values = {
        "id": of.id,
        "patient_id": of.patient_id,
        "facility": of.facility,
        "at": of.at,
        "now": now,
        "sha256": of.sha256,
        "title": of.title,
    }
    return connection.exec_driver_sql(_MOVE, values).rowcount > 0


def keep(connection: sa.Connection, of: Facts, text: str, problem: str | None, now: datetime) -> None:
    """Write a document's text, with its title, by which also a picture is found."""
    if of.title and of.title not in text:
        text = f"{of.title}\n{text}"
    found = list(units(text))
    values = {
        "id": of.id,
        "source": of.source,
        "patient_id": of.patient_id,
        "facility": of.facility,
        "at": of.at,
        "sha256": of.sha256,
        "problem": problem,
        "now": now,
        "text": text,
        "folded": folded(found),
        "tokens": tokens(found),
    }
    connection.exec_driver_sql(_KEEP, values)


def given_up(connection: sa.Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these documents were given up."""
    return set(connection.exec_driver_sql(_LEFT, {"ids": list(ids), "problem": GIVEN_UP}).scalars())


def forget(connection: sa.Connection, ids: Sequence[UUID]) -> None:
    """Take texts away whose documents are none any more."""
    if ids:
        connection.exec_driver_sql(_FORGET, {"ids": list(ids)})

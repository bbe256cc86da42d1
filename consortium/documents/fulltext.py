"""Full-text search in documents: those that the bus recorded and those that were registered, as they are now.

Candidates are found by their tokens, the newest first, and looked at in that order: is every term there as it
was asked, is the document still current, whose is it now. Documents that have the whole text as it was asked
come before those that have its terms apart. Whoever calls has asked `consortium.access` and audits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from consortium.documents import phrases
from consortium.documents.model import REPLACING
from consortium.documents.phrases import Query
from consortium.documents.snippets import Fragment, snippet
from consortium.documents.whose import linked
from consortium.records import paging

COUNTED = 1000
"""A total is told up to here."""
LOOKED_AT = 10_000
"""Candidates of one request; an answer may be short for it, and says where it goes on."""
_STEP = 200
_SAMPLE, _OFTEN = 64, 3
"""Documents looked at first, and what share of them must have the text to go on so: one in three."""
_START = ("infinity", UUID(int=(1 << 128) - 1))
_RESTRICTED = [f"{code}^^2.16.840.1.113883.5.25" for code in ("R", "V")]
"""Confidentiality: restricted, very restricted."""
_COLUMNS = "document_id, source, patient_id, at, sha256, folded"
_BEFORE = "(at, document_id) < (CAST(%(at)s AS timestamptz), %(id)s)"
_NEWEST = "ORDER BY at DESC, document_id DESC LIMIT %(limit)s"
_BY_TOKENS = (
    f"SELECT {_COLUMNS} FROM documents.having_tokens(%(tokens)s::text[], %(facility)s,"  # noqa: S608 - constants
    " CAST(%(at)s AS timestamptz), %(id)s, %(limit)s)"
)
_BY_PATIENT = (
    f"SELECT {_COLUMNS} FROM documents.text WHERE patient_id = ANY(%(patients)s)"  # noqa: S608 - constants
    f" AND (%(facility)s::text IS NULL OR facility = %(facility)s) AND {_BEFORE} {_NEWEST}"
)
"""Of one person, whose documents are few: no tokens are asked."""
_BY_TIME = (
    f"SELECT {_COLUMNS} FROM documents.text"  # noqa: S608 - constants
    f" WHERE (%(facility)s::text IS NULL OR facility = %(facility)s) AND {_BEFORE} {_NEWEST}"
)
"""For what so many documents say that the newest ones are read sooner than all are put in order."""
_EVERY_TERM = "NOT EXISTS (SELECT FROM unnest(%(terms)s::text[]) AS term WHERE strpos(folded, term) = 0)"
_WHOLE = "EXISTS (SELECT FROM unnest(%(whole)s::text[]) AS term WHERE strpos(folded, term) > 0)"

_LOOK = """
WITH candidate AS MATERIALIZED ({candidates}),
said AS MATERIALIZED (
  SELECT document_id, source, patient_id, at, sha256, {every_term} AS every_term, {whole} AS whole
    FROM candidate)
SELECT c.document_id, c.at, CASE WHEN %(restricted)s
         OR NOT EXISTS (SELECT FROM identity.person p WHERE p.id = l.person_id AND p.vip)
       THEN l.person_id END AS person_id, c.every_term, c.whole,
       CASE c.source WHEN 'recorded' THEN r.found IS NOT NULL ELSE s.found IS NOT NULL END AS found
  FROM said c
  LEFT JOIN identity.link l ON l.source_patient_id = c.patient_id
  LEFT JOIN LATERAL (
    SELECT true AS found FROM records.document d
     WHERE c.every_term AND c.source = 'recorded' AND d.id = c.document_id AND d.patient_id = c.patient_id
       AND d.content_sha256 = c.sha256 AND NOT d.deleted
       AND (%(replaced)s OR (d.status = 'current'
         AND NOT EXISTS (SELECT FROM records.document n WHERE n.patient_id = d.patient_id
           AND n.replaces = d.number AND n.facility = d.facility AND NOT n.deleted)
         AND NOT EXISTS (SELECT FROM documents.association a WHERE a.target = d.id
           AND a.type = ANY(%(replacing)s) AND a.status = 'approved')))
     LIMIT 1) r ON true
  LEFT JOIN LATERAL (
    SELECT true AS found FROM documents.entry e
     WHERE c.every_term AND c.source = 'shared' AND e.id = c.document_id
       AND (%(replaced)s OR e.status = 'approved')
       AND (%(restricted)s OR NOT e.confidentiality_codes && %(hidden)s::text[])
     LIMIT 1) s ON true
 ORDER BY c.at DESC, c.document_id DESC
"""
_SHOW = """
SELECT t.document_id, t.source, t.facility, t.at, t.text, l.person_id,
       coalesce(d.title, e.metadata ->> 'title') AS title,
       coalesce(d.mime_type, e.metadata ->> 'mime_type') AS mime_type,
       coalesce(d.type_code, split_part(e.type_code, '^^', 1)) AS type_code,
       coalesce(d.type_name, e.metadata -> 'type_code' ->> 'display') AS type_name
  FROM documents.text t
  LEFT JOIN identity.link l ON l.source_patient_id = t.patient_id
  LEFT JOIN records.document d
    ON t.source = 'recorded' AND d.id = t.document_id AND d.patient_id = t.patient_id
  LEFT JOIN documents.entry e ON t.source = 'shared' AND e.id = t.document_id
 WHERE t.document_id = ANY(%(ids)s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Among which documents."""

    person: UUID | None = None
    """Of this person, as identity stands now; None: of everybody."""
    facility: str | None = None
    """From this campus."""
    replaced: bool = False
    """Also those that others replace, and deprecated ones."""
    restricted: bool = False
    """Also shared documents whose confidentiality is R or V, and those of VIPs."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found."""

    id: UUID
    source: str
    """`recorded`: the bus took it in, it is at /fhir/DocumentReference; `shared`: it was registered."""
    person_id: UUID
    facility: str
    at: datetime
    title: str | None
    type_code: str
    type_name: str | None
    mime_type: str
    whole: bool
    """Whether the whole text stands there as it was asked."""
    snippet: tuple[Fragment, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of documents."""

    hits: tuple[Hit, ...]
    after: str | None
    """Where the next page begins; None: this is the last."""
    total: int | None
    """How many there are, `COUNTED` at most; told with the first page."""
    more: bool = False
    """Whether there are more than `total`."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Behind a document: whether among those that have the whole text, and which."""

    whole: bool
    at: str = _START[0]
    id: UUID = _START[1]


@dataclass(frozen=True, slots=True)
class _Found:
    id: UUID
    at: datetime
    whole: bool

    @property
    def place(self) -> _Place:
        return _Place(self.whole, self.at.isoformat(), self.id)


@dataclass
class _Scan:
    """Goes through the candidates of one kind, the newest first."""

    connection: sa.Connection
    statement: str
    parameters: dict[str, Any]
    place: _Place
    by_time: bool | None = None
    """Whether the candidates are the newest documents; None: that is not decided."""
    left: int = LOOKED_AT
    exhausted: bool = False
    found: list[_Found] = field(default_factory=list)

    def go(self, wanted: int, step: int, whole: bool | None) -> list[_Found]:
        """Look on until as many are found; `whole`: those alone that have the whole text, or have not."""
        if self.by_time is None:
            self._choose()
        while len(self.found) < wanted and not self.exhausted and self.left > 0:
            limit = min(step, self.left)
            rows = self._rows(self.statement, limit)
            self.left -= len(rows)
            self.exhausted = len(rows) < limit
            for row in rows:
                found = _Found(row.document_id, row.at, row.whole)
                if row.every_term and row.found and row.person_id and whole in (None, row.whole):
                    self.found.append(found)
            if rows:
                self.place = _Place(self.place.whole, rows[-1].at.isoformat(), rows[-1].document_id)
        return self.found

    def _choose(self) -> None:
        """Look at a few of the newest documents: where many have the text, they are read in their order."""
        rows = self._rows(_looking(_BY_TIME), _SAMPLE)
        self.by_time = len(rows) == _SAMPLE and sum(row.every_term for row in rows) * _OFTEN >= _SAMPLE
        if self.by_time:
            self.statement = _looking(_BY_TIME)

    def _rows(self, statement: str, limit: int) -> Sequence[sa.Row[Any]]:
        values = {**self.parameters, "at": self.place.at, "id": self.place.id, "limit": limit}
        return self.connection.exec_driver_sql(statement, values).all()


def search(
    connection: sa.Connection, text: str, scope: Scope, *, limit: int = 20, after: str | None = None
) -> Answer:
    """Find documents: those with the whole text first, then those with all its terms, the newest first.

    Raises:
        QueryError: the text has nothing to search by.
        BadCursorError: `after` is not what a page ended with.
    """
    asked = phrases.query(text)
    parameters = _parameters(connection, asked, scope)
    if after is not None:
        found, next_ = _page(connection, asked, scope, parameters, _read(after), limit)
        return Answer(_shown(connection, found, text), next_, None)
    counted = _scan(connection, scope, parameters, _Place(asked.single))
    every = counted.go(COUNTED + 1, COUNTED + 1, None)
    if asked.single or counted.exhausted:
        found = sorted(every, key=lambda each: not each.whole)[:limit]
        next_ = _next(every, counted, limit, found)
    else:
        found, next_ = _page(connection, asked, scope, parameters, _Place(True), limit)
    more = len(every) > COUNTED or not counted.exhausted
    return Answer(_shown(connection, found, text), next_, min(len(every), COUNTED), more)


def _next(every: Sequence[_Found], counted: _Scan, limit: int, found: Sequence[_Found]) -> str | None:
    """Return where the page behind the first one begins."""
    if len(every) > limit:
        return _written(found[-1].place)
    return None if counted.exhausted else _written(counted.place)


def _page(
    connection: sa.Connection,
    asked: Query,
    scope: Scope,
    parameters: dict[str, Any],
    place: _Place,
    limit: int,
) -> tuple[list[_Found], str | None]:
    """Return the documents behind a place, and where the next page begins."""
    found: list[_Found] = []
    if place.whole:
        tokens = list(asked.whole_tokens)
        scan = _scan(connection, scope, parameters | {"tokens": tokens}, place)
        found = scan.go(limit + 1, _STEP, True)
        if len(found) > limit:
            return found[:limit], _written(found[limit - 1].place)
        if not scan.exhausted:
            return found, _written(scan.place)
        if asked.single:
            return found, None
        place = _Place(False)
    scan = _scan(connection, scope, parameters, place)
    apart = scan.go(limit + 1 - len(found), _STEP, False)
    both = [*found, *apart]
    if len(both) > limit:
        return both[:limit], _written(both[limit - 1].place)
    return both, None if scan.exhausted else _written(scan.place)


def _scan(connection: sa.Connection, scope: Scope, parameters: dict[str, Any], place: _Place) -> _Scan:
    candidates = _BY_TOKENS if scope.person is None else _BY_PATIENT
    return _Scan(connection, _looking(candidates), parameters, place, None if scope.person is None else False)


def _looking(candidates: str) -> str:
    return _LOOK.format(candidates=candidates, every_term=_EVERY_TERM, whole=_WHOLE)


def _parameters(connection: sa.Connection, asked: Query, scope: Scope) -> dict[str, Any]:
    patients = [] if scope.person is None else [each.id for each in linked(connection, [scope.person])]
    return {
        "tokens": list(asked.tokens),
        "terms": list(asked.terms),
        "whole": list(asked.whole),
        "patients": patients,
        "facility": scope.facility,
        "replaced": scope.replaced,
        "restricted": scope.restricted,
        "hidden": _RESTRICTED,
        "replacing": REPLACING,
    }


def _shown(connection: sa.Connection, found: Sequence[_Found], text: str) -> tuple[Hit, ...]:
    rows = connection.exec_driver_sql(_SHOW, {"ids": [each.id for each in found]})
    shown = {row.document_id: row for row in rows}
    return tuple(_hits(found, shown, text))


def _hits(found: Collection[_Found], shown: dict[UUID, Any], text: str) -> Iterator[Hit]:
    for each in found:
        row = shown.get(each.id)
        if row is not None and row.person_id is not None:
            yield Hit(
                id=each.id,
                source=row.source,
                person_id=row.person_id,
                facility=row.facility,
                at=row.at,
                title=row.title,
                type_code=row.type_code,
                type_name=row.type_name,
                mime_type=row.mime_type,
                whole=each.whole,
                snippet=snippet(row.text, text),
            )


def _written(place: _Place) -> str:
    return f"{int(place.whole)}{paging.cursor(datetime.fromisoformat(place.at), place.id)}"


def _read(after: str) -> _Place:
    whole, behind = after[:1], after[1:]
    at, id_ = paging.position(behind if whole in ("0", "1") else "")
    return _Place(whole == "1", at.isoformat(), id_)

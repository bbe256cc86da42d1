"""Reading records: plain rows by person, number, code, time and status.

Every row is a dict with the columns of its table in migration `0002_consortium`, and `person_id`: `id` is
the stable public id (uuid), `version` counts its versions from 1, `changed_at` is when its facts last
changed, `at` its clinical time, `deleted` means entered in error. Times carry a zone. Pages are ordered by
`at`, newest first, unless another order is asked for; then by `id`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from consortium.documents import phrases
from consortium.documents.content import ContentStore, CorruptContentError
from consortium.errors import PermanentError
from consortium.records.keys import child_range
from consortium.records.model import REPORT_NUMBERS
from consortium.records.paging import Page, Row, page, position
from consortium.records.tables import TABLES

__all__ = [
    "MOVED",
    "STORE",
    "Code",
    "Content",
    "Page",
    "Row",
    "Search",
    "TooBroadError",
    "allergies",
    "appointments",
    "charges",
    "conditions",
    "content",
    "count",
    "diagnoses",
    "documents",
    "encounters",
    "history",
    "orders",
    "patients_of",
    "procedures",
    "record",
    "reports",
    "result_ids_of",
    "results",
    "results_of",
    "versions",
]


Sort = Literal["-at", "at", "-changed_at", "changed_at"]
"""By clinical time or time of the last change; with `-` the newest first."""


class TooBroadError(PermanentError):
    """A search that names neither a person, nor a record, nor a number: it would read everything."""

    code = "too_broad"
    field = "patient"


@dataclass(frozen=True, slots=True)
class Code:
    """A code searched for. `system` None: in any system; `""`: only where the campus's own is used."""

    code: str
    system: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for. Every field that is given narrows; within a tuple any one is enough."""

    person: UUID | None = None
    """The golden person: the records of all linked campus patients."""
    patients: tuple[int, ...] | None = None
    """The person's campus patients (`patients_of`), where they have been read; None: they are read."""
    ids: tuple[UUID, ...] = ()
    """Public ids."""
    numbers: tuple[str, ...] = ()
    """Numbers given by a campus: visit, placer or filler order number, accession, document id."""
    facility: str | None = None
    codes: tuple[Code, ...] = ()
    """Item of an order, report, result, charge or appointment; type of a document; department of an
    encounter.
    """
    statuses: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    """Class of an encounter; kind of an order or report; kind of the report of a result."""
    flags: tuple[str, ...] = ()
    """Only for results: as `consortium.records.model.Flag`."""
    since: datetime | None = None
    """Clinical time from here on, inclusive."""
    before: datetime | None = None
    """Clinical time before this, exclusive."""
    changed_since: datetime | None = None
    changed_before: datetime | None = None
    encounter: UUID | None = None
    report: UUID | None = None
    """Only for results."""
    order: UUID | None = None
    """Only for reports."""
    text: str | None = None
    """Only for documents: terms with spaces between, all of which stand in its text."""
    deleted: bool = False
    """True: also those entered in error."""
    sort: Sort = "-at"
    limit: int = 50
    after: str | None = None
    """`Page.after` of the page before, in the same order."""


MOVED = "moved"
"""`coding` of a content that lies in the documents' store (`consortium.documents.moving`)."""
STORE = "documents_store"
"""Execution option of an engine: the `ContentStore` in which moved contents lie."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a document holds."""

    mime_type: str
    data: bytes
    sha256: bytes


_LINK = sa.table("link", *map(sa.column, ("source_patient_id", "person_id")), schema="identity")
_KEY = sa.table(
    "business_key", *map(sa.column, ("number", "kind", "facility", "id", "patient_id")), schema="records"
)
_BLOB = sa.table("blob", *map(sa.column, ("sha256", "size", "coding", "content")), schema="records")
_HELD = (_BLOB.c.sha256, _BLOB.c.coding, _BLOB.c.content)
_TEXT = sa.table("text", *map(sa.column, ("document_id", "sha256", "folded")), schema="documents")
_HISTORY = sa.table(
    "history",
    *map(sa.column, ("record_id", "version", "kind", "patient_id", "facts", "message_id", "replaced_at")),
    schema="records",
)
_T = {
    name: sa.table(name, *map(sa.column, table.columns), schema="records") for name, table in TABLES.items()
}

_CODE_COLUMNS = {"encounter": "department_code", "document": "type_code", "diagnosis": "code"}
_SYSTEM_COLUMNS = {"encounter": "department_system", "document": "type_system", "diagnosis": "system"}
_ENCOUNTER_COLUMNS = {"encounter": "id"}
_KEY_KINDS = {"report": REPORT_NUMBERS, "result": REPORT_NUMBERS}
_CATEGORY_COLUMNS = {
    "encounter": "class",
    "order": "kind",
    "report": "kind",
    "result": "category",
    "procedure": "kind",
    "allergy": "category",
}


def encounters(connection: sa.Connection, search: Search) -> Page:
    """Return visits.

    Raises:
        TooBroadError: neither person, id nor number is given.
    """
    return _find(connection, "encounter", search)


def orders(connection: sa.Connection, search: Search) -> Page:
    """Return orders; numbers are placer or filler numbers. Raises TooBroadError."""
    return _find(connection, "order", search)


def reports(connection: sa.Connection, search: Search) -> Page:
    """Return lab and exam reports; numbers are accession numbers. `order_known` says whether `order_id` is
    here. Raises TooBroadError.
    """
    return _find(connection, "report", search)


def results(connection: sa.Connection, search: Search) -> Page:
    """Return results; numbers are those of their reports. Raises TooBroadError."""
    return _find(connection, "result", search)


def documents(connection: sa.Connection, search: Search) -> Page:
    """Return documents without their content; `superseded` says that another replaces it. Raises
    TooBroadError.
    """
    return _find(connection, "document", search)


def charges(connection: sa.Connection, search: Search) -> Page:
    """Return lines of bills. Raises TooBroadError."""
    return _find(connection, "charge", search)


def appointments(connection: sa.Connection, search: Search) -> Page:
    """Return booked visits and examinations. Raises TooBroadError."""
    return _find(connection, "appointment", search)


def procedures(connection: sa.Connection, search: Search) -> Page:
    """Return operations, anaesthesias and other procedures. Raises TooBroadError."""
    return _find(connection, "procedure", search)


def allergies(connection: sa.Connection, search: Search) -> Page:
    """Return allergies. Raises TooBroadError."""
    return _find(connection, "allergy", search)


def conditions(connection: sa.Connection, search: Search) -> Page:
    """Return diagnoses by themselves; numbers are those of their visits. Raises TooBroadError."""
    return _find(connection, "diagnosis", search)


def record(connection: sa.Connection, kind: str, id_: UUID) -> Row | None:
    """Return one record by its table's name (`consortium.records.tables.TABLES`) and id, deleted or not."""
    rows = _find(connection, kind, Search(ids=(id_,), deleted=True, limit=1)).rows
    return rows[0] if rows else None


def count(connection: sa.Connection, kind: str, search: Search) -> int:
    """Return how many records a search finds on all its pages. Raises TooBroadError."""
    found = sa.select(_T[kind].c.id).where(*_conditions(connection, kind, search)).subquery()
    return connection.execute(sa.select(sa.func.count()).select_from(found)).scalar_one()


def patients_of(connection: sa.Connection, person: UUID) -> tuple[int, ...]:
    """Return the campus patients that are linked to a person now."""
    linked = sa.select(_LINK.c.source_patient_id).where(_LINK.c.person_id == person)
    return tuple(connection.execute(linked).scalars())


def results_of(
    connection: sa.Connection, reports: Sequence[Mapping[str, Any]], *, deleted: bool = False
) -> list[Row]:
    """Return the results of some reports, by report and rank; `deleted`: those entered in error, too."""
    return _children(connection, "result", "report_id", reports, deleted=deleted)


def result_ids_of(connection: sa.Connection, reports: Sequence[Mapping[str, Any]]) -> dict[UUID, list[UUID]]:
    """Return the ids of the results of some reports, by report, in their order."""
    if not reports:
        return {}
    table, found = _T["result"], dict[UUID, list[UUID]]()
    statement = (
        sa.select(table.c.report_id, table.c.id)
        .where(*_parents(table, "report_id", reports), sa.not_(table.c.deleted))
        .order_by(table.c.rank, table.c.id)
    )
    for report, id_ in connection.execute(statement):
        found.setdefault(report, []).append(id_)
    return found


def diagnoses(connection: sa.Connection, encounters: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return the diagnoses of some visits, by visit and rank, without those entered in error."""
    return _children(connection, "diagnosis", "encounter_id", encounters)


def content(connection: sa.Connection, document_id: UUID) -> Content | None:
    """Return what a document holds, byte for byte as it was sent; None when there is no such document or it
    came without content. Raises StoreAwayError, CorruptContentError.
    """
    document = _T["document"]
    row = connection.execute(
        sa.select(document.c.mime_type, *_HELD)
        .join_from(document, _BLOB, _BLOB.c.sha256 == document.c.content_sha256)
        .where(document.c.id == document_id)
    ).one_or_none()
    return None if row is None else Content(row.mime_type, _unpacked(connection, row), row.sha256)


def blob(connection: sa.Connection, sha256: bytes) -> bytes:
    """Return a content by its SHA-256, which a row names. Raises StoreAwayError, CorruptContentError."""
    row = connection.execute(sa.select(*_HELD).where(_BLOB.c.sha256 == sha256)).one()
    return _unpacked(connection, row)


def _unpacked(connection: sa.Connection, row: Any) -> bytes:
    if row.coding == MOVED:
        return _moved(connection, row.sha256)
    data: bytes = zlib.decompress(row.content) if row.coding == "zlib" else row.content
    return data


def versions(connection: sa.Connection, kind: str, id_: UUID) -> list[Row]:
    """Return every version of a record, newest first, as rows like those of a search; none when there is no
    such record.
    """
    now = record(connection, kind, id_)
    if now is None:
        return []
    beside = {name: now[name] for name in now.keys() - _T[kind].c.keys()}
    # The names are constants of consortium.records.tables.
    statement = sa.text(
        f'SELECT r.* FROM records.history h, json_populate_record(NULL::records."{TABLES[kind].name}",'  # noqa: S608
        " h.facts::json) r WHERE h.record_id = :id ORDER BY h.version DESC"
    )
    replaced = [dict(row) | beside for row in connection.execute(statement, {"id": id_}).mappings()]
    return [now, *replaced]


def _moved(connection: sa.Connection, sha256: bytes) -> bytes:
    """Return a content that lies in the documents' store, which the engine was made with."""
    store: ContentStore | None = connection.get_execution_options().get(STORE)
    if store is None:
        raise PermanentError("the content was moved into the documents' store, which is not known here")
    data = store.get(sha256)
    if data is None:
        raise CorruptContentError(f"the content {sha256.hex()} is not in the documents' store: restore it")
    return data


def history(connection: sa.Connection, id_: UUID) -> list[Row]:
    """Return the replaced versions of a record, oldest first: version, facts (as JSON values), message_id,
    replaced_at.
    """
    return _rows(
        connection, sa.select(_HISTORY).where(_HISTORY.c.record_id == id_).order_by(_HISTORY.c.version)
    )


def _rows(connection: sa.Connection, statement: sa.Select[tuple[object, ...]]) -> list[Row]:
    return [dict(row) for row in connection.execute(statement).mappings()]


def _find(connection: sa.Connection, kind: str, search: Search) -> Page:
    table, by = _T[kind], search.sort.removeprefix("-")
    time, newest_first = table.c[by], search.sort.startswith("-")
    statement = (
        sa.select(table, _LINK.c.person_id, *_extras(kind))
        .join_from(table, _LINK, _LINK.c.source_patient_id == table.c.patient_id)
        .where(*_conditions(connection, kind, search))
        .order_by(time.desc() if newest_first else time, table.c.id)
        .limit(search.limit + 1)
    )
    if search.after is not None:
        at, id_ = position(search.after)
        beyond = time < at if newest_first else time > at
        # The index knows the time alone, so where it begins is said by itself, too.
        begin = time <= at if newest_first else time >= at
        statement = statement.where(begin, sa.or_(beyond, sa.and_(time == at, table.c.id > id_)))
    return page(_rows(connection, statement), search.limit, by)


def _extras(kind: str) -> list[sa.ColumnElement[bool]]:
    table = _T[kind]
    if kind == "report":
        order = _T["order"]
        same = sa.and_(order.c.id == table.c.order_id, order.c.patient_id == table.c.patient_id)
        return [sa.exists().where(same).label("order_known")]
    if kind == "document":
        newer = _T["document"].alias()
        replaced = sa.and_(
            newer.c.patient_id == table.c.patient_id,
            newer.c.replaces == table.c.number,
            newer.c.facility == table.c.facility,
            sa.not_(newer.c.deleted),
        )
        return [sa.exists().where(replaced).label("superseded")]
    return []


def _conditions(connection: sa.Connection, kind: str, search: Search) -> list[sa.ColumnElement[bool]]:
    return [*_scope(connection, kind, search), *_filters(kind, search)]


def _scope(connection: sa.Connection, kind: str, search: Search) -> list[sa.ColumnElement[bool]]:
    """Conditions of which each alone keeps the search to few rows."""
    table = _T[kind]
    scope: list[sa.ColumnElement[bool]] = []
    if search.person is not None:
        # Read first and given as values, so that PostgreSQL opens these patients' partitions alone.
        patients = search.patients
        if patients is None:
            patients = patients_of(connection, search.person)
        scope.append(table.c.patient_id.in_(patients))
    if search.ids:
        scope.append(table.c.id.in_(search.ids))
    if search.numbers:
        scope.append(_numbered(connection, kind, search))
    if search.report is not None and kind == "result":
        scope.append(_child_of(table, "report_id", search.report))
    if not scope:
        raise TooBroadError(
            "the search names no patient, record or number: add one, such as patient=… or identifier=…"
        )
    return scope


def _numbered(connection: sa.Connection, kind: str, search: Search) -> sa.ColumnElement[bool]:
    table = _T[kind]
    kinds = _KEY_KINDS.get(kind, (kind,))
    keyed = sa.select(_KEY.c.id, _KEY.c.patient_id).where(
        _KEY.c.number.in_(search.numbers), _KEY.c.kind.in_(kinds)
    )
    owners = connection.execute(keyed).all()  # given as values, as patients are
    found = sa.or_(sa.false(), *(_owned(kind, owner.id, owner.patient_id) for owner in owners))
    if kind == "order" and search.person is not None:
        return sa.or_(found, table.c.filler_number.in_(search.numbers))
    return found


def _owned(kind: str, id_: UUID, patient: int) -> sa.ColumnElement[bool]:
    """Of the table of a numbered record; of results, those of the numbered report."""
    table = _T[kind]
    record = _child_of(table, "report_id", id_) if kind == "result" else table.c.id == id_
    return sa.and_(record, table.c.patient_id == patient)


def _child_of(table: sa.TableClause, parent: str, id_: UUID) -> sa.ColumnElement[bool]:
    return sa.and_(table.c[parent] == id_, table.c.id.between(*child_range(id_)))


def _filters(kind: str, search: Search) -> list[sa.ColumnElement[bool]]:
    c = _T[kind].c
    filters = [*_times(kind, search)]
    if not search.deleted:
        filters.append(sa.not_(c.deleted))
    if search.facility is not None:
        filters.append(c.facility == search.facility)
    if search.codes:
        filters.append(_coded(kind, search.codes))
    if search.encounter is not None:
        filters.append(c[_ENCOUNTER_COLUMNS.get(kind, "encounter_id")] == search.encounter)
    if search.order is not None:
        filters.append(c.order_id == search.order)
    if search.text is not None and kind == "document":
        filters.append(_says(search.text))
    within = (
        (search.statuses, "status"),
        (search.flags, "flag"),
        (search.categories, _CATEGORY_COLUMNS.get(kind, "")),
    )
    filters += [c[column].in_(values) for values, column in within if values]
    return filters


def _says(text: str) -> sa.ColumnElement[bool]:
    """Of the few documents that the rest of a search leaves: no tokens are asked. Raises QueryError."""
    document = _T["document"]
    terms = (sa.func.strpos(_TEXT.c.folded, term) > 0 for term in phrases.query(text).terms)
    same = (_TEXT.c.document_id == document.c.id, _TEXT.c.sha256 == document.c.content_sha256)
    return sa.exists().where(*same, *terms)


def _times(kind: str, search: Search) -> list[sa.ColumnElement[bool]]:
    c = _T[kind].c
    times: list[sa.ColumnElement[bool]] = []
    if search.since is not None:
        times.append(c.at >= search.since)
    if search.before is not None:
        times.append(c.at < search.before)
    if search.changed_since is not None:
        times.append(c.changed_at >= search.changed_since)
    if search.changed_before is not None:
        times.append(c.changed_at < search.changed_before)
    return times


def _coded(kind: str, codes: tuple[Code, ...]) -> sa.ColumnElement[bool]:
    c = _T[kind].c
    column, system = c[_CODE_COLUMNS.get(kind, "item_code")], c[_SYSTEM_COLUMNS.get(kind, "item_system")]
    bare = [code.code for code in codes if code.system is None]
    exact = [
        sa.and_(column == code.code, sa.func.coalesce(system, "") == code.system)
        for code in codes
        if code.system is not None
    ]
    return sa.or_(column.in_(bare), *exact)


def _parents(
    table: sa.TableClause, parent: str, rows: Sequence[Mapping[str, Any]]
) -> list[sa.ColumnElement[bool]]:
    """Conditions of the parts of records, which are of the same patients: of their partitions alone."""
    ids, patients = ({row[name] for row in rows} for name in ("id", "patient_id"))
    children = (_child_of(table, parent, id_) for id_ in sorted(ids))
    return [sa.or_(*children), table.c.patient_id.in_(sorted(patients))]


def _children(
    connection: sa.Connection,
    kind: str,
    parent: str,
    parents: Sequence[Mapping[str, Any]],
    *,
    deleted: bool = False,
) -> list[Row]:
    if not parents:
        return []
    table = _T[kind]
    statement = (
        sa.select(table, _LINK.c.person_id)
        .join_from(table, _LINK, _LINK.c.source_patient_id == table.c.patient_id)
        .where(*_parents(table, parent, parents))
        .order_by(table.c[parent], table.c.rank, table.c.id)
    )
    if not deleted:
        statement = statement.where(sa.not_(table.c.deleted))
    return _rows(connection, statement)

"""The statements that find registered objects; whose they are is as identity stands now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import ARRAY

from consortium.documents import store
from consortium.documents.columns import STATUS
from consortium.documents.criteria import AnyOf, Condition, Like
from consortium.documents.model import (
    Association,
    AssociationType,
    DocumentEntry,
    Folder,
    PatientId,
    RegistryObject,
    SubmissionSet,
    dtm,
)
from consortium.documents.tables import ASSOCIATION, ENTRY, FOLDER, SUBMISSION_SET

Object = TypeVar("Object", bound=RegistryObject)
Kept = TypeVar("Kept", bound=RegistryObject, covariant=True)

_AVAILABILITY = {name: each for each, name in STATUS.items()}
_LINK = sa.table(
    "link",
    sa.column("source_patient_id", sa.BigInteger()),
    sa.column("person_id", sa.Uuid()),
    schema="identity",
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which objects at all; every part that is given narrows."""

    patients: Sequence[int] | None = None
    """Source patients; None: of all."""
    ids: Collection[UUID] | None = None
    unique_ids: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Held(Generic[Kept]):
    """An object, and the person whom it is about now."""

    object: Kept
    person: UUID


class Search:
    """Finds objects over one connection."""

    def __init__(self, connection: sa.Connection, consortium: str, most: int) -> None:
        """`consortium`: OID of the domain of people; `most`: objects of a kind to look at."""
        self._connection = connection
        self._consortium = consortium
        self._most = most

    def documents(self, scope: Scope, conditions: Sequence[Condition] = ()) -> list[Held[DocumentEntry]]:
        """Return documents, the newest first."""
        rows = self._rows(ENTRY, scope, conditions, ENTRY.c.creation_time.desc())
        return [self._held(store.DOCUMENT, row) for row in rows]

    def submission_sets(
        self, scope: Scope, conditions: Sequence[Condition] = ()
    ) -> list[Held[SubmissionSet]]:
        """Return submission sets, the newest first."""
        rows = self._rows(SUBMISSION_SET, scope, conditions, SUBMISSION_SET.c.submission_time.desc())
        return [self._held(store.SUBMISSION_SET, row) for row in rows]

    def folders(self, scope: Scope, conditions: Sequence[Condition] = ()) -> list[Held[Folder]]:
        """Return folders, those that changed last first."""
        found = []
        for row in self._rows(FOLDER, scope, conditions, FOLDER.c.last_update_time.desc()):
            held = self._held(store.FOLDER, row)
            stamped = replace(held.object, last_update_time=dtm(row["last_update_time"]))
            found.append(Held(stamped, held.person))
        return found

    def associations(
        self,
        *,
        sources: Collection[UUID] = (),
        targets: Collection[UUID] = (),
        types: Collection[AssociationType] = (),
    ) -> list[Association]:
        """Return associations that have one of these sources, or one of these targets."""
        ends = sa.or_(ASSOCIATION.c.source.in_(list(sources)), ASSOCIATION.c.target.in_(list(targets)))
        return self._associations(ends, types)

    def associations_by_id(self, ids: Collection[UUID]) -> list[Association]:
        """Return associations by their own ids."""
        return self._associations(ASSOCIATION.c.id.in_(list(ids)), ())

    def _associations(
        self, where: sa.ColumnElement[bool], types: Collection[AssociationType]
    ) -> list[Association]:
        statement = sa.select(ASSOCIATION).where(where).order_by(ASSOCIATION.c.id)
        if types:
            statement = statement.where(ASSOCIATION.c.type.in_([each.value for each in types]))
        return [
            replace(
                store.ASSOCIATION.validate_python(row["metadata"]), availability=_AVAILABILITY[row["status"]]
            )
            for row in self._connection.execute(statement).mappings()
        ]

    def _rows(
        self,
        table: sa.TableClause,
        scope: Scope,
        conditions: Sequence[Condition],
        order: sa.ColumnElement[Any],
    ) -> list[sa.RowMapping]:
        own = [table.c.last_update_time] if table is FOLDER else []
        statement = (
            sa.select(table.c.status, table.c.metadata, *own, _LINK.c.person_id)
            .join_from(table, _LINK, _LINK.c.source_patient_id == table.c.patient_id)
            .where(*_scoped(table, scope), *(_condition(table.c[each.column], each) for each in conditions))
            .order_by(order, table.c.id)
            .limit(self._most + 1)
        )
        return list(self._connection.execute(statement).mappings())

    def _held(self, adapter: TypeAdapter[Object], row: sa.RowMapping) -> Held[Object]:
        person: UUID = row["person_id"]
        kept = replace(
            adapter.validate_python(row["metadata"]),
            availability=_AVAILABILITY[row["status"]],
            patient_id=PatientId(str(person), self._consortium),
        )
        return Held(kept, person)


def _scoped(table: sa.TableClause, scope: Scope) -> list[sa.ColumnElement[bool]]:
    given = (
        (table.c.patient_id, scope.patients),
        (table.c.id, scope.ids),
        (table.c.unique_id, scope.unique_ids),
    )
    return [column.in_(list(values)) for column, values in given if values is not None]


def _condition(column: sa.ColumnElement[Any], condition: Condition) -> sa.ColumnElement[bool]:
    if isinstance(condition, AnyOf):
        values = list(condition.values)
        return column.overlap(values) if isinstance(column.type, ARRAY) else column.in_(values)
    if isinstance(condition, Like):
        each = sa.func.unnest(column).column_valued("each")
        liked = sa.or_(*(each.like(pattern, escape="") for pattern in condition.patterns))
        return sa.exists(sa.select(each).where(liked))
    bounds = []
    if condition.since is not None:
        bounds.append(column >= condition.since)
    if condition.before is not None:
        bounds.append(column < condition.before)
    return sa.and_(sa.true(), *bounds)

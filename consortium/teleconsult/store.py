"""The tables of consultations, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from consortium.records.paging import Page, cursor, position
from consortium.teleconsult.errors import UnknownConsultationError
from consortium.teleconsult.model import Deadline, Kind, Party, Place, Standing, State

Row = dict[str, Any]

_COLUMNS = (
    "id", "kind", "urgency", "requesting_facility", "consulting_facility", "patient_id", "encounter_number",
    "question", "consent_by", "consent_method", "version", "state", "owner", "owner_facility",
    "deadline_kind", "remind_at", "deadline_at", "escalation_level", "number", "department", "starts_at",
    "ends_at", "fee", "created_by", "created_at", "changed_at",
)  # fmt: skip
CONSULTATION = sa.table(
    "consultation",
    *map(sa.column, _COLUMNS),
    sa.column("documents", ARRAY(sa.Uuid)),
    sa.column("experts", ARRAY(sa.Text)),
    sa.column("confirmed_by", ARRAY(sa.Text)),
    sa.column("opinion", JSONB(none_as_null=True)),
    schema="teleconsult",
)
EVENT = sa.table(
    "event",
    *map(sa.column, ("consultation_id", "number", "key", "step", "from_state", "to_state", "party")),
    *map(sa.column, ("username", "note", "at")),
    sa.column("details", JSONB),
    schema="teleconsult",
)
_SIGNED_COLUMNS = ("consultation_id", "content", "sha256", "signer", "signed_at")
SIGNED = sa.table("signed_opinion", *map(sa.column, _SIGNED_COLUMNS), schema="teleconsult")
EVALUATION = sa.table(
    "evaluation",
    *map(sa.column, ("consultation_id", "username", "party", "rating", "comment", "at")),
    schema="teleconsult",
)
LINK = sa.table("link", *map(sa.column, ("source_patient_id", "person_id")), schema="identity")
_C = CONSULTATION.c


def select() -> sa.Select[Any]:
    """Return the query for consultations with `person_id`, the golden person; None where nobody knows it."""
    linked = LINK.c.source_patient_id == _C.patient_id
    return sa.select(CONSULTATION, LINK.c.person_id).select_from(CONSULTATION.outerjoin(LINK, linked))


def get(connection: sa.Connection, id_: UUID) -> Row:
    """Return one consultation. Raises UnknownConsultationError."""
    row = connection.execute(select().where(_C.id == id_)).mappings().one_or_none()
    if row is None:
        raise UnknownConsultationError(
            f"there is no consultation {id_}: look it up in the list of consultations"
        )
    return dict(row)


def lock(connection: sa.Connection, id_: UUID) -> Row:
    """Return one consultation, which nobody else changes before this transaction ends.

    Raises UnknownConsultationError.
    """
    connection.execute(sa.select(_C.id).where(_C.id == id_).with_for_update())
    return get(connection, id_)


def update(connection: sa.Connection, id_: UUID, values: Mapping[str, Any]) -> None:
    """Change columns of a consultation."""
    connection.execute(sa.update(CONSULTATION).where(_C.id == id_).values(**values))


def known(connection: sa.Connection, id_: UUID, key: str) -> bool:
    """Whether a step of that idempotency key was recorded."""
    statement = sa.select(EVENT.c.number).where(EVENT.c.consultation_id == id_, EVENT.c.key == key)
    return connection.execute(statement).first() is not None


def events(connection: sa.Connection, id_: UUID) -> list[Row]:
    """Return the way of a consultation, the first step first."""
    statement = sa.select(EVENT).where(EVENT.c.consultation_id == id_).order_by(EVENT.c.number)
    return [dict(row) for row in connection.execute(statement).mappings()]


def signed(connection: sa.Connection, id_: UUID) -> Row | None:
    """Return the signed opinion, if there is one."""
    row = connection.execute(sa.select(SIGNED).where(SIGNED.c.consultation_id == id_)).mappings()
    return next((dict(one) for one in row), None)


def evaluations(connection: sa.Connection, id_: UUID) -> list[Row]:
    """Return how it was rated."""
    statement = sa.select(EVALUATION).where(EVALUATION.c.consultation_id == id_).order_by(EVALUATION.c.at)
    return [dict(row) for row in connection.execute(statement).mappings()]


def listed(
    connection: sa.Connection,
    mine: sa.ColumnElement[bool],
    states: Sequence[State],
    limit: int,
    after: str | None,
) -> Page:
    """Return a page of somebody's consultations, the newest first. Raises BadCursorError."""
    wanted = [mine]
    if states:
        wanted.append(_C.state.in_([state.value for state in states]))
    if after is not None:
        at, id_ = position(after)
        wanted.append(sa.or_(_C.created_at < at, sa.and_(_C.created_at == at, _C.id > id_)))
    statement = select().where(*wanted).order_by(_C.created_at.desc(), _C.id).limit(limit + 1)
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    kept = rows[:limit]
    more = len(rows) > limit and bool(kept)
    return Page(kept, cursor(kept[-1]["created_at"], kept[-1]["id"]) if more else None)


def of_staff(organisation: str, username: str) -> sa.ColumnElement[bool]:
    """Return what chooses the consultations of a hospital and of an expert; a draft is who asks's alone."""
    experts: sa.ColumnElement[Any] = _C.experts
    return sa.or_(
        _C.requesting_facility == organisation,
        sa.and_(_C.consulting_facility == organisation, _C.state != State.DRAFT.value),
        sa.cast(experts, ARRAY(sa.Text)).contains([username]),
    )


def of_person(person: UUID) -> sa.ColumnElement[bool]:
    """Return what chooses the consultations about a golden person."""
    return LINK.c.person_id == person


def standing(row: Mapping[str, Any]) -> Standing:
    """Return how a consultation stands, as the table reads it."""
    owner, deadline = row["owner"], row["deadline_kind"]
    place = Place(
        State(row["state"]), Party(owner) if owner else None, Deadline(deadline) if deadline else None
    )
    return Standing(Kind(row["kind"]), row["urgency"], place)


def columns(place: Place) -> Row:
    """Return a place, as columns."""
    return {
        "state": place.state.value,
        "owner": place.owner.value if place.owner else None,
        "deadline_kind": place.deadline.value if place.deadline else None,
    }

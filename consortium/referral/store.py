"""The tables of schema `referral`, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from consortium.referral.errors import UnknownReferralError
from consortium.referral.model import Kind, Party, Place, Side, Standing, State

Row = dict[str, Any]

_REFERRAL_COLUMNS = (
    "id", "parent_id", "direction", "urgency", "sending_facility", "receiving_facility", "patient_id",
    "encounter_number", "form_version", "criteria", "state", "owner",
    "owner_user", "owner_facility", "deadline_kind", "remind_at", "deadline_at", "deadline_provisional",
    "escalation_level", "asked", "number", "department", "bed", "slot_id", "slot_start", "slot_end",
    "onward_facility", "follow_up_at",
    "arrival_encounter", "outcome", "created_by", "created_at", "changed_at",
)  # fmt: skip
REFERRAL = sa.table(
    "referral",
    *map(sa.column, _REFERRAL_COLUMNS),
    sa.column("form", JSONB),
    sa.column("resume", JSONB(none_as_null=True)),
    schema="referral",
)
EVENT = sa.table(
    "event",
    *map(
        sa.column,
        ("referral_id", "number", "key", "step", "from_state", "to_state", "party", "username", "note", "at"),
    ),
    sa.column("details", JSONB),
    schema="referral",
)
MESSAGE = sa.table(
    "message",
    *map(sa.column, ("id", "referral_id", "party", "username", "body", "at")),
    schema="referral",
)
DOCUMENT = sa.table(
    "document", *map(sa.column, ("referral_id", "document_id", "added_by", "at")), schema="referral"
)
CONSENT = sa.table(
    "consent",
    *map(sa.column, ("id", "referral_id", "given", "by_relation", "method", "recorded_by", "at")),
    schema="referral",
)
APPROVAL = sa.table(
    "approval",
    *map(sa.column, ("referral_id", "rank", "code", "name", "by", "duty", "username", "at")),
    schema="referral",
)
LINK = sa.table("link", *map(sa.column, ("source_patient_id", "person_id")), schema="identity")


def select() -> sa.Select[Any]:
    """Return the query for referrals with `person_id`, the golden person; None where nobody knows it."""
    linked = LINK.c.source_patient_id == REFERRAL.c.patient_id
    return sa.select(REFERRAL, LINK.c.person_id).select_from(REFERRAL.outerjoin(LINK, linked))


def get(connection: sa.Connection, id_: UUID) -> Row:
    """Return one referral. Raises UnknownReferralError."""
    return _one(connection, select().where(REFERRAL.c.id == id_), id_)


def lock(connection: sa.Connection, id_: UUID) -> Row:
    """Return one referral, which nobody else changes before this transaction ends.

    Raises UnknownReferralError.
    """
    held = sa.select(REFERRAL.c.id).where(REFERRAL.c.id == id_).with_for_update()
    connection.execute(held)
    return get(connection, id_)


def _one(connection: sa.Connection, statement: sa.Select[Any], id_: UUID) -> Row:
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise UnknownReferralError(f"there is no referral {id_}: look it up in the list of referrals")
    return dict(row)


def update(connection: sa.Connection, id_: UUID, values: Mapping[str, Any]) -> None:
    """Change columns of a referral."""
    connection.execute(sa.update(REFERRAL).where(REFERRAL.c.id == id_).values(**values))


def known(connection: sa.Connection, id_: UUID, key: str) -> Row | None:
    """Return the event of a referral that has that idempotency key."""
    statement = sa.select(EVENT).where(EVENT.c.referral_id == id_, EVENT.c.key == key)
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else dict(row)


def events(connection: sa.Connection, id_: UUID) -> list[Row]:
    """Return the way of a referral, the first step first."""
    statement = sa.select(EVENT).where(EVENT.c.referral_id == id_).order_by(EVENT.c.number)
    return [dict(row) for row in connection.execute(statement).mappings()]


def consented(connection: sa.Connection, id_: UUID) -> bool:
    """Whether the patient agrees, by the last word recorded."""
    c = CONSENT.c
    statement = sa.select(c.given).where(c.referral_id == id_).order_by(c.at.desc(), c.id).limit(1)
    return bool(connection.execute(statement).scalar_one_or_none())


def standing(row: Mapping[str, Any]) -> Standing:
    """Return how a referral stands, as the table reads it."""
    resume = row["resume"]
    return Standing(
        place=Place(
            State(row["state"]),
            Party(row["owner"]) if row["owner"] else None,
            Kind(row["deadline_kind"]) if row["deadline_kind"] else None,
        ),
        resume=_place(resume) if resume else None,
        asked=Side(row["asked"]) if row["asked"] else None,
    )


def columns(standing: Standing) -> Row:
    """Return how a referral stands, as columns."""
    place, resume = standing.place, standing.resume
    return {
        "state": place.state.value,
        "owner": place.owner.value if place.owner else None,
        "deadline_kind": place.deadline.value if place.deadline else None,
        "resume": None if resume is None else _json(resume),
        "asked": standing.asked.value if standing.asked else None,
    }


def _place(stored: Mapping[str, str]) -> Place:
    return Place(State(stored["state"]), Party(stored["owner"]), Kind(stored["deadline"]))


def _json(place: Place) -> dict[str, str | None]:
    return {
        "state": place.state.value,
        "owner": place.owner.value if place.owner else None,
        "deadline": place.deadline.value if place.deadline else None,
    }

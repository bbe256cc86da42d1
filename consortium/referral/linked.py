"""Referrals that go on from another: onward to a third hospital, and back down after the care."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from consortium.referral import applying, store
from consortium.referral.applying import Application
from consortium.referral.form import Form
from consortium.referral.model import State
from consortium.referral.store import Row
from consortium.scheduling.hours import Calendar

DOWN_FROM = frozenset({State.IN_CARE, State.INTERIM_REPORTED, State.OUTCOME_RETURNED, State.CLOSED})
"""States in which the receiver may refer the patient back down."""


def onward(connection: sa.Connection, row: Row, hospital: str, now: datetime, calendar: Calendar) -> UUID:
    """Begin the referral to the other hospital, as a draft of the same sender; return its id, ever the same.

    It carries form, criteria, documents, consent and approvals: the sender has but to submit it.
    """
    id_ = uuid5(row["id"], "onward")
    application = Application(
        id=id_,
        parent_id=row["id"],
        direction=row["direction"],
        urgency=row["urgency"],
        sending_facility=row["sending_facility"],
        receiving_facility=hospital,
        patient_id=row["patient_id"],
        encounter_number=row["encounter_number"],
        form=Form.model_validate(row["form"]),
        criteria=tuple(row["criteria"]),
        created_by=row["created_by"],
    )
    if applying.begin(connection, application, now, calendar):
        for table in (store.DOCUMENT, store.APPROVAL):
            _carry(connection, table, row["id"], id_)
        _consent(connection, row["id"], id_)
    return id_


def back_down(row: Row, id_: UUID, form: Form, patient_id: int | None, username: str) -> Application:
    """Return the referral by which the receiver sends the patient back, without criteria and documents."""
    return Application(
        id=id_,
        parent_id=row["id"],
        direction="down",
        urgency="routine",
        sending_facility=row["receiving_facility"],
        receiving_facility=row["sending_facility"],
        patient_id=row["patient_id"] if patient_id is None else patient_id,
        encounter_number=row["arrival_encounter"],
        form=form,
        created_by=username,
    )


def children(connection: sa.Connection, id_: UUID, facility: str | None) -> list[Row]:
    """Return the referrals that go on from one, the oldest first; of a hospital those that it has part in.

    `facility` None: all of them, for the patient.
    """
    c = store.REFERRAL.c
    statement = store.select().where(c.parent_id == id_).order_by(c.created_at, c.id)
    if facility is not None:
        statement = statement.where(sa.or_(c.sending_facility == facility, c.receiving_facility == facility))
    return [dict(row) for row in connection.execute(statement).mappings()]


def _carry(connection: sa.Connection, table: sa.TableClause, parent: UUID, child: UUID) -> None:
    names = [column.name for column in table.c if column.name != "referral_id"]
    had = sa.select(sa.literal(child, sa.Uuid), *(table.c[name] for name in names))
    rows = had.where(table.c.referral_id == parent)
    connection.execute(sa.insert(table).from_select(["referral_id", *names], rows))


def _consent(connection: sa.Connection, parent: UUID, child: UUID) -> None:
    """Carry the patient's last word over."""
    c = store.CONSENT.c
    last = sa.select(store.CONSENT).where(c.referral_id == parent).order_by(c.at.desc(), c.id).limit(1)
    for word in connection.execute(last).mappings():
        values = dict(word) | {"id": uuid5(word["id"], str(child)), "referral_id": child}
        connection.execute(
            insert(store.CONSENT).values(**values).on_conflict_do_nothing(index_elements=["id"])
        )

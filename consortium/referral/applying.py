"""Applying: the draft, its form and consent, what is attached, and what both sides write to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from consortium.referral import approvals, store
from consortium.referral.capabilities import Approval
from consortium.referral.deadlines import due
from consortium.referral.errors import FormChangedError
from consortium.referral.form import Form
from consortium.referral.model import BEGINNING, Direction, Kind, Party, State, Urgency
from consortium.referral.store import Row
from consortium.scheduling.hours import Calendar

EDITABLE = frozenset({State.DRAFT, State.RETURNED_FOR_INFO})
"""States in which the sender changes the form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A referral to be begun."""

    id: UUID
    parent_id: UUID | None = None
    direction: Direction
    urgency: Urgency
    sending_facility: str
    receiving_facility: str
    patient_id: int | None = None
    """Source patient at the sender; None: the hospital is not integrated."""
    encounter_number: str | None = None
    form: Form
    criteria: tuple[str, ...] = ()
    documents: tuple[UUID, ...] = ()
    approvals: tuple[Approval, ...] = ()
    """Inside the sending hospital, in their order."""
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """The patient's word about the referral; the last one counts."""

    id: UUID
    given: bool
    by_relation: Literal["patient", "guardian", "relative", "emergency"]
    method: Literal["written", "oral", "electronic"]


def begin(connection: sa.Connection, application: Application, now: datetime, calendar: Calendar) -> bool:
    """Write a draft; False when that id was begun before."""
    a = application
    ends = due(calendar, Kind.DRAFT, a.urgency, a.sending_facility, now, None)
    values: Row = {
        "id": a.id,
        "parent_id": a.parent_id,
        "direction": a.direction,
        "urgency": a.urgency,
        "sending_facility": a.sending_facility,
        "receiving_facility": a.receiving_facility,
        "patient_id": a.patient_id,
        "encounter_number": a.encounter_number,
        "form": a.form.model_dump(mode="json"),
        "criteria": list(a.criteria),
        "owner_user": a.created_by,
        "owner_facility": a.sending_facility,
        "remind_at": ends.remind_at,
        "deadline_at": ends.at,
        "deadline_provisional": ends.provisional,
        "created_by": a.created_by,
        "created_at": now,
        "changed_at": now,
    } | store.columns(BEGINNING)
    written = insert(store.REFERRAL).values(**values).on_conflict_do_nothing(index_elements=["id"])
    if connection.execute(written.returning(store.REFERRAL.c.id)).first() is None:
        return False
    attach(connection, a.id, a.documents, a.created_by, now)
    approvals.demand(connection, a.id, a.approvals)
    return True


def change_form(
    connection: sa.Connection, id_: UUID, version: int, form: Form, criteria: Sequence[str], now: datetime
) -> int:
    """Replace form and criteria, where `version` is still the newest; return the new version.

    What a draft's approvals were given for has changed, so they are to be given again.
    Raises UnknownReferralError, FormChangedError.
    """
    row = store.lock(connection, id_)
    if State(row["state"]) not in EDITABLE:
        raise FormChangedError(
            f"the form is not changed in the state {row['state']}; ask the receiving hospital to return it",
            zh="该状态下不能修改转诊单，请接收医院退回后再改",
        )
    if row["form_version"] != version:
        raise FormChangedError(
            f"the form is at version {row['form_version']} by now; read it again and change that one",
            zh="转诊单已被他人修改，请刷新后再改",
        )
    store.update(
        connection,
        id_,
        {
            "form": form.model_dump(mode="json"),
            "criteria": list(criteria),
            "form_version": version + 1,
            "changed_at": now,
        },
    )
    if State(row["state"]) is State.DRAFT:
        approvals.void(connection, id_)
    return version + 1


def consent(connection: sa.Connection, id_: UUID, word: Consent, username: str, now: datetime) -> None:
    """Record the patient's word, once by its id."""
    values: Row = {
        "id": word.id,
        "referral_id": id_,
        "given": word.given,
        "by_relation": word.by_relation,
        "method": word.method,
        "recorded_by": username,
        "at": now,
    }
    connection.execute(insert(store.CONSENT).values(**values).on_conflict_do_nothing(index_elements=["id"]))


def attach(
    connection: sa.Connection, id_: UUID, documents: Sequence[UUID], username: str, now: datetime
) -> None:
    """Attach documents of the records by reference; those attached before stay as they are."""
    rows = [{"referral_id": id_, "document_id": d, "added_by": username, "at": now} for d in documents]
    if rows:
        connection.execute(insert(store.DOCUMENT).values(rows).on_conflict_do_nothing())


def write_message(
    connection: sa.Connection,
    id_: UUID,
    message_id: UUID,
    party: Party,
    username: str,
    body: str,
    now: datetime,
) -> None:
    """Add to the thread, once by the message's id."""
    values: Row = {
        "id": message_id,
        "referral_id": id_,
        "party": party.value,
        "username": username,
        "body": body,
        "at": now,
    }
    connection.execute(insert(store.MESSAGE).values(**values).on_conflict_do_nothing(index_elements=["id"]))


def thread(connection: sa.Connection, id_: UUID) -> list[Row]:
    """Return what both sides wrote, the oldest first."""
    c = store.MESSAGE.c
    statement = sa.select(store.MESSAGE).where(c.referral_id == id_).order_by(c.at, c.id)
    return [dict(row) for row in connection.execute(statement).mappings()]


def documents(connection: sa.Connection, id_: UUID) -> list[Row]:
    """Return the documents attached, as references."""
    c = store.DOCUMENT.c
    statement = sa.select(store.DOCUMENT).where(c.referral_id == id_).order_by(c.at, c.document_id)
    return [dict(row) for row in connection.execute(statement).mappings()]

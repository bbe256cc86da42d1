"""Requesting: the draft with its question, what is to be read, and the patient's consent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from consortium.scheduling.hours import Calendar
from consortium.teleconsult import store
from consortium.teleconsult.deadlines import due
from consortium.teleconsult.errors import RequestChangedError
from consortium.teleconsult.model import BEGINNING, Deadline, Kind, State, Urgency

EDITABLE = frozenset({State.DRAFT, State.RETURNED})
"""States in which the requester changes the request."""


@dataclass(frozen=True, slots=True)
class Consent:
    """The patient's word."""

    by: Literal["patient", "guardian", "relative", "emergency"]
    method: Literal["written", "oral", "electronic"]


@dataclass(frozen=True, slots=True)
class Content:
    """What is asked, by what, with whose consent; it may be completed until it is submitted."""

    question: str = ""
    documents: Sequence[UUID] = ()
    consent: Consent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A consultation to be begun."""

    id: UUID
    kind: Kind
    urgency: Urgency
    requesting_facility: str
    consulting_facility: str
    patient_id: int | None = None
    """Source patient at the requester; None: the hospital is not integrated."""
    encounter_number: str | None = None
    content: Content
    created_by: str


def begin(connection: sa.Connection, request: Request, now: datetime, calendar: Calendar) -> bool:
    """Write a draft; False when that id was begun before."""
    facility = request.requesting_facility
    ends = due(calendar, Deadline.DRAFT, request.urgency, facility, now, None)
    values = {
        "id": request.id,
        "kind": request.kind.value,
        "urgency": request.urgency,
        "requesting_facility": facility,
        "consulting_facility": request.consulting_facility,
        "patient_id": request.patient_id,
        "encounter_number": request.encounter_number,
        "owner_facility": facility,
        "remind_at": ends.remind_at,
        "deadline_at": ends.at,
        "created_by": request.created_by,
        "created_at": now,
        "changed_at": now,
        **store.columns(BEGINNING),
        **_content(request.content),
    }
    statement = insert(store.CONSULTATION).values(**values).on_conflict_do_nothing(index_elements=["id"])
    return connection.execute(statement).rowcount == 1


def change(connection: sa.Connection, id_: UUID, version: int, content: Content, now: datetime) -> None:
    """Replace what is asked, as it was read at `version`.

    Raises RequestChangedError, UnknownConsultationError.
    """
    row = store.lock(connection, id_)
    if row["state"] not in EDITABLE:
        raise RequestChangedError(
            f"the request is {row['state']}, and is changed only as a draft or after it was returned",
            zh="申请已提交，仅草稿或退回后可修改",
        )
    if row["version"] != version:
        raise RequestChangedError(
            f"another changed it meanwhile: read version {row['version']} and change that",
            zh="他人已修改该申请，请重新读取",
        )
    store.update(connection, id_, {**_content(content), "version": version + 1, "changed_at": now})


def _content(content: Content) -> store.Row:
    consent = content.consent
    return {
        "question": content.question,
        "documents": list(content.documents),
        "consent_by": consent and consent.by,
        "consent_method": consent and consent.method,
    }

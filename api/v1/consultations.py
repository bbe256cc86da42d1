"""Consultations (远程会诊): request one, find them, and the times at which all experts are free."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid5

from fastapi import APIRouter, Depends, Header, Query
from pydantic import AwareDatetime
from sqlalchemy import Connection

from activities import outbox
from activities.consultations import stand
from api.caller import Caller, gate
from api.failures import Failure, FailureError
from api.hospitals import require_hospital
from api.v1.consultation_shapes import (
    Begin,
    Changed,
    Consultations,
    Content,
    Evaluated,
    Shown,
    Signed,
    Summary,
    Taken,
    Time,
)
from consortium.access.model import GROUP, Action, Resource
from consortium.referral.filling import Filled, fill
from consortium.teleconsult import requesting, slots, store
from consortium.teleconsult.decide import open_steps
from consortium.teleconsult.model import Party, Side, State
from consortium.teleconsult.parties import party_of, resource_of
from consortium.teleconsult.recording import recorded
from consortium.teleconsult.requesting import Consent, Request
from workflows.teleconsult.model import Start

router = APIRouter(prefix="/consultations", tags=["consultations"])
Reader = Annotated[Caller, Depends(gate(Action.CONSULTATION_READ))]
Writer = Annotated[Caller, Depends(gate(Action.CONSULTATION_WRITE))]
Key = Annotated[
    str,
    Header(alias="Idempotency-Key", min_length=1, max_length=100, description="the same again adds nothing"),
]
_IDS = UUID("5d1b8c43-7a8e-4a55-8a0f-2f9f6d5f1b0c")


def found(caller: Caller, connection: Connection, id_: UUID) -> tuple[dict[str, Any], Party]:
    """Return a consultation and which party of it the caller is.

    Raises UnknownConsultationError, ForbiddenError.
    """
    row = store.get(connection, id_)
    decision = caller.allow(resource_of(caller.user, row))
    party = party_of(caller.user, row)
    if party is None:
        raise FailureError(Failure(403, "forbidden", f"{decision.reason}; you are no party of this one"))
    return row, party


@router.post("", status_code=201, summary="Begin to request a consultation, as a draft")
def begin(caller: Writer, body: Begin, idempotency_key: Key) -> Shown:
    """Write a draft. With a number of one's own hospital it is about that visit's patient, and the documents
    of the visit are attached by reference.
    """
    facility = caller.user.organisation
    caller.allow(Resource(organisation=facility))
    if facility in (body.consulting_facility, GROUP):
        raise FailureError(Failure(422, "same-hospital", "name another hospital than your own to be asked"))
    id_, now = uuid5(_IDS, f"{caller.user.username}\n{idempotency_key}"), caller.parts.now()
    with caller.parts.engine.begin() as connection:
        require_hospital(caller, connection, body.consulting_facility)
        filled = fill(connection, facility, body.encounter) if body.encounter else Filled()
        wanted = Request(
            id=id_,
            kind=body.kind,
            urgency=body.urgency,
            requesting_facility=facility,
            consulting_facility=body.consulting_facility,
            patient_id=filled.patient_id,
            encounter_number=body.encounter,
            content=_content(body, *filled.documents),
            created_by=caller.user.username,
        )
        begun = requesting.begin(connection, wanted, now, caller.parts.calendar(connection))
        row = store.get(connection, id_)
        if begun:
            start = Start(consultation_id=id_, stand=stand(recorded(row)))
            outbox.tell(connection, f"consultation:{id_}", start.model_dump(mode="json"))
        shown = _shown(connection, row, Party.REQUESTING_DOCTOR)
        caller.note_in(connection, "consultation begun", persons(row))
    return shown


@router.get("", summary="List those of one's hospital, and those one is an expert of")
def list_consultations(
    caller: Reader,
    state: Annotated[list[State] | None, Query(description="without it all")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=200)] = None,
) -> Consultations:
    """Return the newest first, to a patient their own. Each patient shown is audited."""
    user = caller.user
    decision = caller.allow(Resource(organisation=user.organisation, person_id=user.person_id))
    mine = (
        store.of_person(user.person_id)
        if user.person_id
        else store.of_staff(user.organisation, user.username)
    )
    with caller.parts.statements.connect() as connection:
        page = store.listed(connection, mine, state or (), limit, after)
    caller.note(decision.reason, sorted({person for row in page.rows for person in persons(row)}))
    return Consultations(items=[_summary(row) for row in page.rows], next=page.after)


@router.get("/{id}", summary="Show one consultation, its way, and what one can do now")
def show(caller: Reader, id: UUID) -> Shown:  # noqa: A002 - the path's name of it
    """Return everything that belongs to it. The patient is audited."""
    with caller.parts.statements.connect() as connection:
        row, party = found(caller, connection, id)
        shown = _shown(connection, row, party)
    caller.note("consultation shown", persons(row))
    return shown


@router.put("/{id}/request", status_code=204, summary="Change what is asked")
def change(caller: Writer, id: UUID, body: Changed) -> None:  # noqa: A002 - the path's name of it
    """Replace question, documents and consent, as a draft or after it was returned; 409 when another changed
    it in between.
    """
    with caller.parts.engine.begin() as connection:
        row, party = found(caller, connection, id)
        if party.side is not Side.REQUESTING:
            raise FailureError(Failure(403, "forbidden", "the requesting hospital alone changes the request"))
        requesting.change(connection, id, body.version, _content(body), caller.parts.now())
        caller.note_in(connection, "request changed", persons(row))


@router.get("/{id}/times", summary="Find times at which all assigned experts are free")
def times(
    caller: Reader,
    id: UUID,  # noqa: A002 - the path's name of it
    start: AwareDatetime,
    end: AwareDatetime,
) -> list[Time]:
    """Return what every expert's calendar offers and nobody has, the earliest first."""
    with caller.parts.statements.connect() as connection:
        row, _ = found(caller, connection, id)
        free = slots.common(connection, row["experts"], start, end)
    caller.note("times looked up", persons(row))
    return [Time(start=one.start, end=one.end, slots=list(one.slots)) for one in free]


def persons(row: dict[str, Any]) -> list[UUID]:
    """Return whom a consultation is about, for the audit."""
    return [row["person_id"]] if row["person_id"] else []


def _content(body: Content, *documents: UUID) -> requesting.Content:
    consent = Consent(body.consent.by, body.consent.method) if body.consent else None
    attached = tuple(dict.fromkeys((*documents, *body.documents)))
    return requesting.Content(body.question.strip(), attached, consent)


def _summary(row: dict[str, Any]) -> Summary:
    return Summary(**{name: row[name] for name in Summary.model_fields})


def _shown(connection: Connection, row: dict[str, Any], party: Party) -> Shown:
    plain = {name: row[name] for name in Shown.model_fields if name in row}
    signed = store.signed(connection, row["id"])
    if signed is None and party is not Party.EXPERT:
        plain["opinion"] = None
    return Shown(
        **plain,
        signed=None if signed is None else _signed(signed),
        evaluations=[
            Evaluated(**{name: one[name] for name in Evaluated.model_fields})
            for one in store.evaluations(connection, row["id"])
        ],
        events=[
            Taken(**{name: event[name] for name in Taken.model_fields})
            for event in store.events(connection, row["id"])
        ],
        open_steps=list(open_steps(store.standing(row), party)),
    )


def _signed(row: dict[str, Any]) -> Signed:
    return Signed(
        content=row["content"],
        sha256=bytes(row["sha256"]).hex(),
        signer=row["signer"],
        signed_at=row["signed_at"],
    )

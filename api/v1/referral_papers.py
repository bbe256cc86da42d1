"""What belongs to a referral: its form, consent, documents, and the thread of both sides."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from sqlalchemy import Connection

from api.caller import Caller, gate
from api.failures import Failure, FailureError
from api.v1.referral_shapes import Attached, ChangedForm, ConsentGiven, Criterion, Message, Written
from api.v1.referrals import Key, found, named
from consortium.access.model import Action
from consortium.referral import applying, capabilities
from consortium.referral.criteria import Checked, Question, check
from consortium.referral.form import Form
from consortium.referral.model import Party, Side

router = APIRouter(prefix="/referrals", tags=["referrals"])
Reader = Annotated[Caller, Depends(gate(Action.REFERRAL_READ))]
Writer = Annotated[Caller, Depends(gate(Action.REFERRAL_WRITE))]


@router.put("/{id}/form", status_code=204, summary="Change form and criteria")
def change_form(caller: Writer, id: UUID, body: ChangedForm) -> None:  # noqa: A002 - the path's name of it
    """Replace both, as a draft or after the receiver returned it; 409 when another changed it in between."""
    with caller.parts.engine.begin() as connection:
        persons = _as_sender(caller, connection, id)
        applying.change_form(connection, id, body.version, body.form, body.criteria, caller.parts.now())
        caller.note_in(connection, "referral form changed", persons)


@router.get("/{id}/criteria", summary="Check the criteria of referral")
def criteria(caller: Reader, id: UUID) -> list[Criterion]:  # noqa: A002 - the path's name of it
    """Return the four of the direction against the form and what both hospitals can do, with the reason; it
    advises, and the doctors decide.
    """
    known = capabilities.load(caller.parts.settings.rules_dir)
    with caller.parts.statements.connect() as connection:
        row, _ = found(caller, connection, id)
    question = Question(
        form=Form.model_validate(row["form"]),
        urgency=row["urgency"],
        sending=known.get(row["sending_facility"]),
        receiving=known.get(row["receiving_facility"]),
    )
    caller.note("criteria checked", [row["person_id"]] if row["person_id"] else [])
    return [_criterion(one, row["criteria"]) for one in check(row["direction"], question)]


@router.post("/{id}/consent", status_code=204, summary="Record the patient's consent, or its end")
def consent(
    caller: Writer,
    id: UUID,  # noqa: A002 - the path's name of it
    body: ConsentGiven,
    idempotency_key: Key,
) -> None:
    """Record the patient's word; the last one counts."""
    word = applying.Consent(
        id=named(caller, idempotency_key, f"consent {id}"),
        given=body.given,
        by_relation=body.by_relation,
        method=body.method,
    )
    with caller.parts.engine.begin() as connection:
        persons = _as_sender(caller, connection, id)
        applying.consent(connection, id, word, caller.user.username, caller.parts.now())
        caller.note_in(connection, "consent recorded", persons)


@router.post("/{id}/documents", status_code=204, summary="Attach documents of the records, by reference")
def attach(caller: Writer, id: UUID, body: Attached) -> None:  # noqa: A002 - the path's name of it
    """Attach them; who reads one does so under their own rights."""
    with caller.parts.engine.begin() as connection:
        row, _ = found(caller, connection, id)
        applying.attach(connection, id, body.documents, caller.user.username, caller.parts.now())
        caller.note_in(connection, "documents attached", [row["person_id"]] if row["person_id"] else [])


@router.get("/{id}/messages", summary="Read what both sides wrote")
def thread(caller: Reader, id: UUID) -> list[Message]:  # noqa: A002 - the path's name of it
    """Return the oldest first; the patient does not read what the hospitals write to each other."""
    with caller.parts.statements.connect() as connection:
        row, party = found(caller, connection, id)
        _staff(party)
        rows = applying.thread(connection, id)
    caller.note("thread read", [row["person_id"]] if row["person_id"] else [])
    return [Message(**{name: one[name] for name in Message.model_fields}) for one in rows]


@router.post("/{id}/messages", status_code=201, summary="Write to the other side")
def write(
    caller: Writer,
    id: UUID,  # noqa: A002 - the path's name of it
    body: Written,
    idempotency_key: Key,
) -> Message:
    """Add to the thread. Nothing is changed or taken back."""
    message_id, now = named(caller, idempotency_key, f"message {id}"), caller.parts.now()
    user = caller.user.username
    with caller.parts.engine.begin() as connection:
        row, party = found(caller, connection, id)
        applying.write_message(connection, id, message_id, party, user, body.body, now)
        caller.note_in(connection, "message written", [row["person_id"]] if row["person_id"] else [])
    return Message(id=message_id, party=party, username=user, body=body.body, at=now)


def _criterion(one: Checked, claimed: list[str]) -> Criterion:
    return Criterion(
        code=one.code,
        title=one.title.en,
        title_zh=one.title.zh,
        claimed=one.code in claimed,
        verdict=one.verdict,
        reason=one.why.en,
        reason_zh=one.why.zh,
    )


def _as_sender(caller: Caller, connection: Connection, id_: UUID) -> list[UUID]:
    row, party = found(caller, connection, id_)
    if party.side is not Side.SENDING:
        raise FailureError(Failure(403, "not-yours", "this is for the sending hospital"))
    return [row["person_id"]] if row["person_id"] else []


def _staff(party: Party) -> None:
    if party is Party.PATIENT:
        raise FailureError(Failure(403, "not-yours", "the thread is for the hospitals"))

"""The forms of one message: for who was given the permission by name."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.caller import Caller, gate
from api.failures import not_found
from api.v1.messages import Id, recompute_of
from bus.forms import Forms, forms
from bus.rules.decision import Decision, Hold
from bus.sent_forms import How, Sent
from consortium.access.model import Action, Resource
from consortium.identity.service import person_of

router = APIRouter(prefix="/messages", tags=["messages"])
BodyReader = Annotated[Caller, Depends(gate(Action.MESSAGE_BODY_READ))]


class Part(BaseModel):
    """One field, element or key."""

    place: str = Field(examples=["PID-5"])
    value: str


class Outcome(BaseModel):
    """What the rules of now make of it; nothing is written."""

    rule: str | None
    change: dict[str, Any] | None = Field(description="the canonical change that would be recorded")
    rest: list[dict[str, Any]] = Field(description="the changes behind it, where a rule splits the message")
    code: str | None = Field(description="why it would be held")
    reason: str | None
    step: str | None
    field: str | None
    unmapped: list[str] = Field(description="codes that no table knows, as table and code")


class Answer(BaseModel):
    """What its sender was told, as it follows from what is kept."""

    at: datetime
    code: str = Field(description="AA or AR; an HTTP status; read, of a polled table", examples=["AA"])
    reason: str | None


class Sending(BaseModel):
    """What another system gets, and its answer."""

    delivery_id: int
    destination: str
    generation: int = Field(description="0: as the rules sent it; else sent again on purpose")
    again_of: int | None = Field(description="the delivery that it repeats on purpose")
    form: str = Field(description="raw, canonical, fhir or hl7")
    state: str = Field(examples=["delivered"])
    sent_at: datetime | None
    answered_at: datetime | None
    code: str | None
    rules: str | None = Field(description="the rule set under which it last went out")
    how: How = Field(description="kept: the bytes that went out; recomputed: it went out before they were")
    place: str | None = Field(description="the URL or file name, when that was made of the message")
    charset: str | None
    body: str | None = Field(description="base64; null: dropped by retention, or it cannot be made")
    answer: str | None = Field(description="base64, as it came")


class MessageForms(BaseModel):
    """One message in every form."""

    id: str
    charset: str
    size: int = Field(description="bytes that arrived")
    raw: str = Field(description="base64")
    text: str
    parts: list[Part]
    outcome: Outcome | None = Field(description="what the rules of now make of it")
    rules_then: str | None = Field(description="the rule set version that decided it last")
    outcome_then: Outcome | None = Field(
        description="what that version makes of it, with the codes mapped by now"
    )
    answer: Answer
    sent: list[Sending] = Field(description="to each other system")
    body_dropped: str | None = Field(description="when and why bytes, text and parts are not kept any more")


@router.get("/{id}/forms", summary="Show a message in every form")
def show_forms(caller: BodyReader, id: Id) -> MessageForms:  # noqa: A002 - the path's name of it
    """Return bytes, text, parts, what rules make of it, what was sent and answered. Audited as a read."""
    with caller.parts.statements.connect() as connection:
        found = forms(connection, id, caller.parts.rules, recompute_of(caller, connection))
        if found is None:
            raise not_found("message")
        decision = caller.allow(Resource(organisation=found.facility))
        known = found.facility and found.patient_number
        person = person_of(connection, found.facility or "", found.patient_number or "") if known else None
    caller.note(decision.reason, [person] if person else [], what=f"message {id} in every form")
    return _shown(found)


def _shown(found: Forms) -> MessageForms:
    return MessageForms(
        id=found.id,
        charset=found.charset,
        size=found.size,
        raw=base64.b64encode(found.raw).decode(),
        text=found.text,
        parts=[Part(place=part.place, value=part.value) for part in found.parts],
        outcome=None if found.decision is None else _outcome(found.decision),
        rules_then=found.rules_then,
        outcome_then=None if found.then is None else _outcome(found.then),
        sent=[_sending(one) for one in found.sent],
        answer=Answer(at=found.answer.at, code=found.answer.code, reason=found.answer.reason),
        body_dropped=found.body_dropped,
    )


def _sending(sent: Sent) -> Sending:
    return Sending(
        delivery_id=sent.id,
        generation=sent.generation,
        again_of=sent.again_of,
        rules=sent.rules,
        how=sent.how,
        place=sent.place,
        charset=sent.charset,
        destination=sent.destination,
        form=sent.form,
        state=sent.state,
        sent_at=sent.sent_at,
        answered_at=sent.answered_at,
        code=sent.code,
        body=None if sent.body is None else base64.b64encode(sent.body).decode(),
        answer=None if sent.answer is None else base64.b64encode(sent.answer).decode(),
    )


def _outcome(decision: Decision) -> Outcome:
    made = decision.outcome
    hold = made if isinstance(made, Hold) else None
    return Outcome(
        rule=decision.rule,
        change=None if isinstance(made, Hold) else made.model_dump(mode="json", exclude_none=True),
        rest=[one.model_dump(mode="json", exclude_none=True) for one in decision.rest],
        code=hold.code if hold else None,
        reason=hold.reason if hold else None,
        step=hold.step if hold else None,
        field=hold.field if hold else None,
        unmapped=[f"{miss.table} {miss.code}" for miss in decision.misses],
    )

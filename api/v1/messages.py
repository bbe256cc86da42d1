"""Messages: where each is, its whole journey, and letting a held one go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Header, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.caller import Caller, gate
from api.failures import not_found
from bus.delivery.recomputing import Recompute, recomputing
from bus.fhir.systems import Systems
from bus.finding import Filters, State
from bus.held import NotHeldError
from bus.journal import Entry, Page, search
from bus.journey import Journey, journey
from bus.replay import one
from bus.replay.ledger import Who
from bus.sent_forms import How, Sent, sent
from consortium.access.model import GROUP, SHARED, Action, Resource
from consortium.errors import ConflictError
from consortium.identity.service import person_of

router = APIRouter(prefix="/messages", tags=["messages"])
Reader = Annotated[Caller, Depends(gate(Action.MESSAGE_READ))]
Replayer = Annotated[Caller, Depends(gate(Action.MESSAGE_REPLAY))]
Id = Annotated[str, Path(pattern=r"^r?\d{1,18}$", description="inbox id, or `r` and a number for a refusal")]


class Message(BaseModel):
    """One message or refusal, without what it says of the patient."""

    id: str = Field(examples=["4711"])
    at: datetime
    state: State
    facility: str | None = Field(examples=["MAIN"])
    sender: str | None = Field(examples=["LIS"])
    control_id: str | None
    message_type: str | None = Field(examples=["ORU^R01"])
    protocol: str = Field(examples=["mllp"])
    endpoint: str
    code: str | None = Field(description="why it is held or was refused", examples=["unmapped_code"])
    reason: str | None
    rule: str | None
    step: str | None
    field: str | None
    blocked_by: str | None = Field(description="the held message that a waiting one is behind")
    size: int = Field(description="bytes")


class Messages(BaseModel):
    """A page, newest first."""

    items: list[Message]
    next: str | None = Field(description="give it as `after` for the next page; null at the end")


class Step(BaseModel):
    """Something that happened to it."""

    at: datetime
    step: str = Field(examples=["recorded"])
    detail: dict[str, Any]


class Holding(BaseModel):
    """A time when it was held."""

    held_at: datetime
    code: str
    reason: str
    rule: str | None
    step: str | None
    field: str | None
    released_at: datetime | None
    released_by: str | None


class Outgoing(BaseModel):
    """Something it makes others hear of."""

    created_at: datetime
    destination: str
    attempts: int
    delivered_at: datetime | None


class SentOut(BaseModel):
    """What went to another system at the last attempt, and its answer."""

    delivery_id: int = Field(examples=[815])
    destination: str = Field(examples=["ward-b"])
    generation: int = Field(description="0: as the rules sent it; else sent again on purpose")
    again_of: int | None = Field(description="the delivery that it repeats on purpose")
    form: str = Field(description="raw, canonical, fhir or hl7")
    state: str = Field(examples=["delivered"])
    sent_at: datetime | None
    answered_at: datetime | None
    code: str | None = Field(examples=["AA"])
    rules: str | None = Field(description="the rule set under which it last went out")
    how: How = Field(
        description="kept: the bytes that went out; recomputed: it went out before these were kept;"
        " not_sent: what would go out; dropped: not here any more"
    )
    place: str | None = Field(description="URL or file name made of the message; only with `body=true`")
    text: str | None = Field(description="decoded for people; only with `body=true` and permission")
    answer: str | None = Field(description="decoded for people; only with `body=true` and permission")


class Way(Message):
    """The whole journey of one message."""

    patient_number: str | None = Field(description="as the campus numbers the patient")
    visit_number: str | None
    charset: str | None
    trace_id: str | None = Field(description="of its OpenTelemetry trace, where traces are exported")
    steps: list[Step]
    holds: list[Holding]
    same_control_id: list[str] = Field(description="other messages under the same control id")
    waiting: list[str] = Field(description="messages that wait behind it")
    outgoing: list[Outgoing]
    sent: list[SentOut] = Field(description="to each other system")
    replays: list[Again] = Field(description="who let it go again and why")
    body: str | None = Field(description="decoded for people; only with `body=true` and permission")
    body_dropped: str | None = Field(description="when and why the body is not kept any more")


class Why(BaseModel):
    """Why it is done, kept with it; no patient data."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "代码表已补齐"}]})

    reason: str = Field(min_length=1, max_length=500)


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=100, description="the same again: the first answer"
    ),
]


class Again(BaseModel):
    """A time when it was let go again."""

    replay_id: int
    at: datetime
    by: str
    reason: str
    kind: str = Field(description="one, query or edit")
    effect: str = Field(description="released, again or edited")
    original_id: str
    message_id: str = Field(description="the original itself, or the message edited from it")


class Replayed(BaseModel):
    """What goes on again."""

    ready: list[str] = Field(description="it, and those that waited behind it, in inbox order")


def _fields(model: type[BaseModel], entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if name in model.model_fields}


@router.get("", summary="Find messages and refusals")
def list_messages(
    caller: Reader,
    facility: Annotated[str | None, Query(max_length=20, examples=["MAIN"])] = None,
    type: Annotated[  # noqa: A002 - the parameter's name
        str | None, Query(max_length=100, description="such as ORU^R01, soap:patient")
    ] = None,
    control_id: Annotated[str | None, Query(max_length=200)] = None,
    patient_number: Annotated[str | None, Query(max_length=100, description="at its campus")] = None,
    visit_number: Annotated[str | None, Query(max_length=100, description="at its campus")] = None,
    number: Annotated[
        str | None,
        Query(max_length=200, description="of an order, report, document, charge or appointment recorded"),
    ] = None,
    code: Annotated[
        str | None, Query(max_length=100, description="why it is held or refused, as unmapped_code")
    ] = None,
    rule: Annotated[str | None, Query(max_length=200, description="that recorded or holds it")] = None,
    state: State | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    text: Annotated[str | None, Query(max_length=200, description="part of the reason or its code")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[str | None, Query(max_length=60)] = None,
) -> Messages:
    """Return the newest first. A search by a patient's, visit's or record's number is audited."""
    organisation = caller.user.organisation
    wanted = facility or (None if organisation == GROUP else organisation)
    decision = caller.allow(Resource(organisation=wanted) if wanted else SHARED)
    filters = Filters(
        facility=wanted,
        message_type=type,
        control_id=control_id,
        patient_number=patient_number,
        visit_number=visit_number,
        number=number,
        code=code,
        rule=rule,
        state=state,
        since=since,
        until=until,
        text=text,
    )
    with caller.parts.statements.connect() as connection:
        found = search(connection, filters, Page(limit, after))
    if (patient_number, visit_number, number) != (None, None, None):
        caller.note(decision.reason, persons_of(caller, *found.entries))
    return Messages(items=[Message(**_fields(Message, entry)) for entry in found.entries], next=found.next)


def persons_of(caller: Caller, *entries: Entry) -> list[UUID]:
    numbers = {(e.facility, e.patient_number) for e in entries}
    known = [(facility, number) for facility, number in numbers if facility and number]
    with caller.parts.statements.connect() as connection:
        found = {person_of(connection, facility, number) for facility, number in known}
    return sorted(person for person in found if person)


def journey_of(caller: Caller, id_: str) -> Journey:
    with caller.parts.statements.connect() as connection:
        found = journey(connection, id_)
    if found is None:
        raise not_found("message")
    return found


@router.get("/{id}", summary="Show a message's whole journey")
def show_message(
    caller: Reader,
    id: Id,  # noqa: A002 - the path's name of it
    body: Annotated[bool, Query(description="show the body too; needs a permission given by name")] = False,
) -> Way:
    """Return every step, hold and delivery. Looking is audited, with the patient."""
    way = journey_of(caller, id)
    asked = Resource(organisation=way.entry.facility)
    decision = caller.allow(asked)
    persons = persons_of(caller, way.entry)
    if body:
        decision = caller.allow(asked, Action.MESSAGE_BODY_READ)
    shown = Action.MESSAGE_BODY_READ if body else Action.MESSAGE_READ
    with caller.parts.statements.connect() as connection:
        recompute = recompute_of(caller, connection)
        out = [] if id.startswith("r") else sent(connection, int(id), recompute)
    caller.note(decision.reason, persons, action=shown, what=f"message {id}")
    return _shown(way, out, body=body)


def recompute_of(caller: Caller, connection: sa.Connection) -> Recompute:
    """Return how what was not kept is made anew, by the destinations of now."""
    return recomputing(caller.parts.destinations.get(connection), Systems(caller.parts.settings))


def _sent(one: Sent, *, body: bool) -> SentOut:
    return SentOut(
        delivery_id=one.id,
        destination=one.destination,
        generation=one.generation,
        again_of=one.again_of,
        form=one.form,
        state=one.state,
        sent_at=one.sent_at,
        answered_at=one.answered_at,
        code=one.code,
        rules=one.rules,
        how=one.how,
        place=one.place if body else None,
        text=one.text if body else None,
        answer=one.answer_text if body else None,
    )


def _shown(way: Journey, out: Sequence[Sent], *, body: bool) -> Way:
    return Way(
        **_fields(Way, way.entry),
        charset=way.charset,
        trace_id=way.trace_id,
        steps=[Step(**asdict(step)) for step in way.steps],
        holds=[Holding(**asdict(holding)) for holding in way.holds],
        same_control_id=list(way.same_control_id),
        waiting=list(way.waiting),
        outgoing=[
            Outgoing(
                created_at=out.created_at,
                destination=out.destination,
                attempts=out.attempts,
                delivered_at=out.delivered_at,
            )
            for out in way.outgoing
        ],
        sent=[_sent(one, body=body) for one in out],
        replays=[
            Again(**asdict(r) | {"original_id": str(r.original_id), "message_id": str(r.message_id)})
            for r in way.replays
        ],
        body=way.body if body and way.body_dropped is None else None,
        body_dropped=way.body_dropped,
    )


@router.post(
    "/{id}/replay",
    summary="Let a message go through the rules again",
    responses={409: {"description": "it is on its way, or waits behind another; the detail says which"}},
)
def replay_message(
    caller: Replayer,
    id: Id,  # noqa: A002 - the path's name of it
    body: Why,
    idempotency_key: Key = None,
) -> Replayed:
    """Send it through the rules of now; those that wait behind it follow in inbox order.

    One that was recorded is recorded again, which changes what the rules of now say otherwise.
    """
    way = journey_of(caller, id)
    decision = caller.allow(Resource(organisation=way.entry.facility))
    if id.startswith("r"):
        raise ConflictError("a refused message was never taken; its sender has to send it again")
    try:
        who = Who(caller.user.username, body.reason, idempotency_key)
        ready = one.replay(caller.parts.engine, int(id), who, caller.parts.settings.routing_key)
    except NotHeldError as error:
        raise ConflictError(str(error)) from error
    caller.note(decision.reason, persons_of(caller, way.entry), what=f"message {id}")
    return Replayed(ready=[str(number) for number in ready])

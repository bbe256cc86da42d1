"""Destinations: how other systems stand, pausing them, and deciding about what did not reach them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from api.caller import Caller, gate
from api.failures import Failure, FailureError, not_found
from api.v1.messages import Key
from bus.delivery import again, control, overview
from bus.delivery.control import Mode
from bus.delivery.decide import State
from bus.journey import readable
from consortium.access import policy
from consortium.access.model import GROUP, Action, Resource
from consortium.identity.service import person_of

router = APIRouter(prefix="/destinations", tags=["destinations"])
Reader = Annotated[Caller, Depends(gate(Action.DESTINATION_READ))]
Manager = Annotated[Caller, Depends(gate(Action.DESTINATION_MANAGE))]
Decider = Annotated[Caller, Depends(gate(Action.DELIVERY_DECIDE))]
Sender = Annotated[Caller, Depends(gate(Action.DELIVERY_AGAIN))]
Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", examples=["ward-b"])]
Id = Annotated[int, Path(ge=1, le=2**63 - 1, description="of the delivery")]


class Times(BaseModel):
    """Of what was delivered in the last hour, seconds: in the queue, and from wire to answer."""

    delivered: int = Field(examples=[1280])
    queued_median: float = Field(examples=[0.12])
    queued_p95: float = Field(examples=[0.3])
    ack_median: float = Field(examples=[0.02])
    ack_p95: float = Field(examples=[0.08])
    last: datetime


class Destination(BaseModel):
    """How one destination stands."""

    name: str = Field(examples=["ward-b"])
    kind: str | None = Field(examples=["mllp"], description="null: no file names it, and rows are left")
    address: str | None = Field(examples=["10.2.0.7:2575"])
    facility: str | None = Field(examples=["HP"], description="whose system it is")
    mode: Mode
    changed_at: datetime | None
    changed_by: str | None = Field(examples=["ops"])
    why: str | None = Field(examples=["病区系统升级"])
    breaker: str | None = Field(
        examples=["closed"], description="closed, open, half_open; standby or null: nothing is sent"
    )
    problem: str | None = Field(description="why it is not started: its file or secret")
    counts: dict[str, int] = Field(
        description="open deliveries by state", examples=[{"queued": 12, "parked": 1}]
    )
    oldest: datetime | None = Field(description="when the first that is still queued was queued")
    last_hour: Times | None


class Destinations(BaseModel):
    """All that the caller may see."""

    items: list[Destination]


class Delivery(BaseModel):
    """One message for one destination, without what it says of the patient."""

    id: int = Field(examples=[815])
    destination: str = Field(examples=["ward-b"])
    message_id: int = Field(examples=[4711], description="`/api/v1/messages/{message_id}`")
    state: State
    form: str = Field(examples=["raw"])
    facility: str = Field(examples=["MAIN"])
    message_type: str = Field(examples=["ORU^R01"])
    control_id: str
    attempts: int
    queued_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    done_at: datetime | None
    not_before: datetime | None
    code: str | None = Field(examples=["AR"])
    reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    decided_why: str | None
    generation: int = Field(description="0: as the rules sent it; else sent again on purpose")
    again_of: int | None = Field(description="the delivery that it repeats")
    again_by: str | None
    again_at: datetime | None
    again_why: str | None
    sent_rules: str | None = Field(description="the rule set under which it last went out")


class Deliveries(BaseModel):
    """A page, oldest first."""

    items: list[Delivery]
    next: int | None = Field(description="give it as `after` for the next page; null at the end")


class Shown(Delivery):
    """One delivery, its times, and with permission the answer to it."""

    queued_seconds: float | None = Field(description="in the queue, until it last went out")
    ack_seconds: float | None = Field(description="from wire to answer")
    waiting_behind: int = Field(description="of the same patient")
    answer: str | None = Field(description="only with `answer=true` and permission")


class Reason(BaseModel):
    """Why it is done; kept with who does it. No patient data."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"why": "病区系统升级"}]})

    why: str = Field(min_length=1, max_length=500)


class Which(BaseModel):
    """Which deliveries; at least one is given."""

    model_config = ConfigDict(extra="forbid")

    since: AwareDatetime | None = Field(default=None, description="delivered, or given up, then or later")
    until: AwareDatetime | None = Field(default=None, description="… and before that")
    facility: str | None = Field(default=None, max_length=20, description="whose messages")
    type: str | None = Field(default=None, max_length=100, examples=["ORU^R01"])
    control_id: str | None = Field(default=None, max_length=200)
    patient_number: str | None = Field(default=None, max_length=100)

    def wanted(self) -> again.Wanted:
        """Return it as delivery has it."""
        values = self.model_dump()
        return again.Wanted(message_type=values.pop("type"), **values)


class AskedAgain(BaseModel):
    """Which to send again, why, and whether only to say how many."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"filters": {"since": "2026-11-24T08:00:00+08:00"}, "dry_run": True}]
        },
    )

    filters: Which
    dry_run: bool = False
    why: str = Field(default="", max_length=500, description="needed unless it is a dry run; no patient data")

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if not self.dry_run and not self.why.strip():
            raise ValueError("why: say why; it is kept with each delivery")
        return self


class Preview(BaseModel):
    """What would be sent again."""

    total: int
    patients: int
    first: datetime | None = Field(description="when the earliest of them was delivered")
    last: datetime | None
    passed: int = Field(description="passed by: bytes dropped by retention, or on its way again already")
    followed: int = Field(
        description="patients who were sent something later that is not among them: the receiver would have"
        " their older state last"
    )


class Again(BaseModel):
    """What is sent again."""

    again_id: int = Field(description="of the request")
    ids: list[int] = Field(description="the new deliveries, in the order in which they go")
    passed: int


STUCK: dict[int | str, dict[str, Any]] = {
    409: {"description": "it waits for nobody: the detail says what it is"}
}


def _all(caller: Caller, connection: sa.Connection) -> list[overview.Standing]:
    return overview.standings(connection, caller.parts.destinations.get(connection))


def _resource(one: overview.Standing) -> Resource:
    return Resource(organisation=one.facility or GROUP)


def _found(caller: Caller, connection: sa.Connection, name: str) -> overview.Standing:
    """Return a destination the caller may act on. Raises ForbiddenError, or that there is none."""
    for one in _all(caller, connection):
        if one.name == name:
            caller.allow(_resource(one))
            return one
    raise not_found("destination")


def _shown(one: overview.Standing) -> Destination:
    return Destination(**asdict(one))


def _delivery(one: overview.Delivery) -> Delivery:
    return Delivery(**{name: getattr(one, name) for name in Delivery.model_fields})


def _one(connection: sa.Connection, name: str, id_: int) -> overview.Delivery:
    found = overview.delivery(connection, name, id_)
    if found is None:
        raise not_found("delivery")
    return found


def _persons(connection: sa.Connection, one: overview.Delivery) -> list[UUID]:
    found = person_of(connection, one.facility, one.patient_number) if one.patient_number else None
    return [found] if found else []


@router.get("", summary="List destinations")
def list_destinations(caller: Reader) -> Destinations:
    """Return every destination of the caller's campus; those of the whole consortium for its own people."""
    with caller.parts.statements.connect() as connection:
        found = _all(caller, connection)
    user, purpose = caller.user, caller.purpose
    seen = [one for one in found if policy.decide(user, caller.action, _resource(one), purpose).allow]
    return Destinations(items=[_shown(one) for one in seen])


@router.get("/{name}", summary="Show one destination")
def show_destination(caller: Reader, name: Name) -> Destination:
    """Return its mode, its breaker, what waits, and its times of the last hour."""
    with caller.parts.statements.connect() as connection:
        return _shown(_found(caller, connection, name))


@router.post("/{name}/pause", summary="Send nothing more")
def pause(caller: Manager, name: Name, body: Reason) -> Destination:
    """Pause it; messages for it are queued all the same."""
    return _set(caller, name, Mode.PAUSED, body.why)


@router.post("/{name}/resume", summary="Send again")
def resume(caller: Manager, name: Name, body: Reason) -> Destination:
    """Let it run."""
    return _set(caller, name, Mode.RUNNING, body.why)


@router.post("/{name}/drain", summary="Send what is queued now, then pause")
def drain(caller: Manager, name: Name, body: Reason) -> Destination:
    """Drain it, before its system is taken down. What comes in meanwhile stays queued."""
    return _set(caller, name, Mode.DRAINING, body.why)


def _set(caller: Caller, name: str, mode: Mode, why: str) -> Destination:
    with caller.parts.engine.begin() as connection:
        _found(caller, connection, name)
        control.set_mode(connection, name, mode, caller.user.username, why)
        one = _found(caller, connection, name)
    caller.note(f"{mode.value}: {why}", what=f"destination {name}")
    return _shown(one)


@router.get("/{name}/deliveries", summary="List deliveries of a destination")
def list_deliveries(
    caller: Reader,
    name: Name,
    state: Annotated[State | None, Query(description="without it what is parked or ambiguous")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
) -> Deliveries:
    """Return the oldest first."""
    with caller.parts.statements.connect() as connection:
        _found(caller, connection, name)
        found = overview.deliveries(connection, name, state=state, after=after, limit=limit)
    following = found[-1].id if len(found) == limit else None
    return Deliveries(items=[_delivery(one) for one in found], next=following)


@router.get("/{name}/deliveries/{id}", summary="Show one delivery")
def show_delivery(
    caller: Reader,
    name: Name,
    id: Id,  # noqa: A002 - the path's name of it
    answer: Annotated[
        bool, Query(description="show the receiver's answer too; needs a permission given by name")
    ] = False,
) -> Shown:
    """Return its times apart: in the queue, and to the answer. Looking is audited, with the patient."""
    with caller.parts.statements.connect() as connection:
        standing = _found(caller, connection, name)
        one = _one(connection, name, id)
        decision = caller.allow(_resource(standing))
        if answer:
            decision = caller.allow(_resource(standing), Action.MESSAGE_BODY_READ)
        kept = overview.answer(connection, id) if answer else None
        behind = overview.waiting_behind(connection, id)
        persons = _persons(connection, one)
    shown = Action.MESSAGE_BODY_READ if answer else caller.action
    caller.note(decision.reason, persons, action=shown, what=f"delivery {id}")
    queued, acknowledged = one.queued_for, one.acknowledged_in
    return Shown(
        **_delivery(one).model_dump(),
        queued_seconds=None if queued is None else queued.total_seconds(),
        ack_seconds=None if acknowledged is None else acknowledged.total_seconds(),
        waiting_behind=behind,
        answer=None if kept is None else readable(kept, "utf-8"),
    )


@router.post("/{name}/deliveries/{id}/resend", summary="Send it again", responses=STUCK)
def resend(caller: Decider, name: Name, id: Id, body: Reason) -> Delivery:  # noqa: A002 - the path's name
    """Queue a parked or ambiguous delivery again. The receiver may get an ambiguous one twice."""
    return _decide(caller, name, id, body.why, control.resend)


@router.post("/{name}/deliveries/{id}/discard", summary="Give it up", responses=STUCK)
def discard(caller: Decider, name: Name, id: Id, body: Reason) -> Delivery:  # noqa: A002 - the path's name
    """End a parked or ambiguous delivery; its patient's next ones go on."""
    return _decide(caller, name, id, body.why, control.discard)


@router.post(
    "/{name}/deliveries/{id}/again",
    summary="Send a delivered message again, on purpose",
    responses={409: {"description": "it is not done, on its way again, or its bytes were dropped"}},
)
def send_again(
    caller: Sender,
    name: Name,
    id: Id,  # noqa: A002 - the path's name of it
    body: Reason,
    idempotency_key: Key = None,
) -> Again:
    """Queue it as a new delivery, linked to this one. The receiver does it a second time."""
    with caller.parts.engine.begin() as connection:
        _found(caller, connection, name)
        persons = _persons(connection, _one(connection, name, id))
        wanted = again.Wanted(id=id)
        done = again.send(connection, name, wanted, caller.user.username, body.why, idempotency_key)
    caller.note(f"again: {body.why}", persons, what=f"delivery {id}")
    return Again(again_id=done.again_id, ids=list(done.ids), passed=done.passed)


@router.post(
    "/{name}/deliveries/again",
    summary="Send many delivered messages again, on purpose",
    response_model=Preview | Again,
)
def send_many_again(
    caller: Sender, name: Name, body: AskedAgain, idempotency_key: Key = None
) -> Preview | Again:
    """With `dry_run` say how many; without it queue them, each patient's in order, in one transaction."""
    wanted = body.filters.wanted()
    if wanted.empty:
        raise FailureError(Failure(422, "no-filter", "give at least one filter, such as since"))
    with caller.parts.engine.begin() as connection:
        _found(caller, connection, name)
        persons = _persons_of(connection, wanted)
        if body.dry_run:
            preview = Preview(**asdict(again.preview(connection, name, wanted)))
            if wanted.patient_number:
                caller.note_in(
                    connection, "again: a dry run by a patient's number", persons, f"destination {name}"
                )
            return preview
        done = again.send(connection, name, wanted, caller.user.username, body.why, idempotency_key)
    caller.note(
        f"again: {body.why}", persons, what=f"destination {name}, request {done.again_id}: {len(done.ids)}"
    )
    return Again(again_id=done.again_id, ids=list(done.ids), passed=done.passed)


def _persons_of(connection: sa.Connection, wanted: again.Wanted) -> list[UUID]:
    """Return whose number was named, where it names somebody."""
    if not (wanted.facility and wanted.patient_number):
        return []
    person = person_of(connection, wanted.facility, wanted.patient_number)
    return [person] if person else []


def _decide(
    caller: Caller,
    name: str,
    id_: int,
    why: str,
    decide: Callable[[sa.Connection, int, str, str], control.Decided],
) -> Delivery:
    with caller.parts.engine.begin() as connection:
        _found(caller, connection, name)
        persons = _persons(connection, _one(connection, name, id_))
        decide(connection, id_, caller.user.username, why)
        one = _one(connection, name, id_)
    caller.note(f"{decide.__name__}: {why}", persons, what=f"delivery {id_}")
    return _delivery(one)

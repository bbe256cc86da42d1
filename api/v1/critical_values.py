"""Critical values (危急值): those of one's campus, and taking note of one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from api.caller import Caller, gate
from api.failures import not_found
from consortium.access.model import Action, Resource
from consortium.records import critical

State = Literal["open", "notified", "escalated", "acknowledged", "withdrawn"]

router = APIRouter(prefix="/critical-values", tags=["critical values"])
Reader = Annotated[Caller, Depends(gate(Action.CRITICAL_VALUE_READ))]
Acknowledger = Annotated[Caller, Depends(gate(Action.CRITICAL_VALUE_ACKNOWLEDGE))]


class CriticalValue(BaseModel):
    """One critical value and how far it is on its way to somebody's attention."""

    id: UUID
    facility: str = Field(examples=["MAIN"])
    person_id: UUID = Field(description="golden person; `/fhir/Patient/{person_id}`")
    report_id: UUID = Field(description="`/fhir/DiagnosticReport/{report_id}`")
    result_id: UUID = Field(description="`/fhir/Observation/{result_id}`")
    item_code: str = Field(examples=["2823-3"])
    item_name: str | None = Field(examples=["钾"])
    value: str = Field(examples=["6.80"])
    unit: str | None = Field(examples=["mmol/L"])
    reference_range: str | None = Field(examples=["3.5-5.3"])
    flag: str = Field(examples=["critical_high"])
    observed_at: datetime | None
    doctor_number: str | None
    doctor_name: str | None = Field(description="who ordered it, and is told first")
    department_name: str | None
    state: State
    opened_at: datetime
    notified_at: datetime | None
    escalation_level: int
    escalated_to: str | None
    escalated_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    note: str | None


class CriticalValues(BaseModel):
    """A page, newest first."""

    items: list[CriticalValue]
    next: str | None = Field(description="give it as `after` for the next page; null at the end")


class Acknowledgement(BaseModel):
    """What one has to say about it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"note": "已通知值班医生，复查血钾"}]}
    )

    note: str = Field(
        default="",
        max_length=2000,
        pattern=r"^[^\x00]*$",
        description="any text that PostgreSQL stores: no NUL",
    )


class Acknowledged(BaseModel):
    """The acknowledgement as it is recorded."""

    critical_value_id: UUID
    user: str = Field(examples=["doctor.main"])
    at: datetime


def _shown(row: dict[str, Any]) -> CriticalValue:
    return CriticalValue(**{name: row[name] for name in CriticalValue.model_fields})


def _one(caller: Caller, id_: UUID) -> dict[str, Any]:
    with caller.parts.statements.connect() as connection:
        row = critical.get_critical(connection, id_)
    if row is None:
        raise not_found("critical value")
    caller.allow(Resource(organisation=row["facility"], person_id=row["person_id"]))
    return row


@router.get("", summary="List critical values of a campus")
def list_critical_values(
    caller: Reader,
    facility: Annotated[
        str | None, Query(max_length=20, description="campus code; without it one's own")
    ] = None,
    state: Annotated[list[State] | None, Query(description="without it those still open")] = None,
    person: Annotated[UUID | None, Query(description="golden person")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=200)] = None,
) -> CriticalValues:
    """Return the newest first. Each patient shown is audited."""
    wanted = facility or caller.user.organisation
    decision = caller.allow(Resource(organisation=wanted))
    with caller.parts.statements.connect() as connection:
        page = critical.critical_values(
            connection,
            facility=wanted,
            states=tuple(state or critical.OPEN_STATES),
            person=person,
            limit=limit,
            after=after,
        )
    caller.note(decision.reason, sorted({row["person_id"] for row in page.rows}))
    return CriticalValues(items=[_shown(row) for row in page.rows], next=page.after)


@router.get("/{id}", summary="Show one critical value")
def show_critical_value(caller: Reader, id: UUID) -> CriticalValue:  # noqa: A002 - the path's name of it
    """Return it with its way so far."""
    row = _one(caller, id)
    caller.note("critical value shown", [row["person_id"]])
    return _shown(row)


@router.post(
    "/{id}/acknowledge",
    summary="Take note of a critical value",
    responses={
        409: {"description": "acknowledged by another, closed, or its workflow has not started yet"},
        503: {"description": "the workflow engine does not answer; send the same again"},
    },
)
async def acknowledge(
    caller: Acknowledger,
    id: UUID,  # noqa: A002 - the path's name of it
    body: Acknowledgement | None = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=100,
            description="the same again gives the first answer; without it, by user",
        ),
    ] = None,
) -> Acknowledged:
    """Record that the caller has taken note, which ends the escalation. Answers once it is committed."""
    row = await run_in_threadpool(_one, caller, id)
    user, note = caller.user.username, body.note if body else ""
    key = idempotency_key or f"acknowledge-{user}"
    done = await caller.parts.acknowledge(caller.parts.settings, id, user, note, key)
    await run_in_threadpool(caller.note, "critical value acknowledged", [row["person_id"]])
    return Acknowledged(critical_value_id=done.critical_value_id, user=done.user, at=done.at)

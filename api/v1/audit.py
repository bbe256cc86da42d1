"""The audit: who read whom, who was refused what, who changed what."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.caller import Caller, gate
from consortium.access import audit
from consortium.access.model import SHARED, Action, Purpose

router = APIRouter(tags=["audit"])
Auditor = Annotated[Caller, Depends(gate(Action.AUDIT_READ, Purpose.AUDIT))]


class Entry(BaseModel):
    """One row of the audit."""

    id: int
    at: datetime
    request_id: str
    username: str = Field(description="`-`: nobody had signed in")
    role: str
    organisation: str
    action: str = Field(examples=["patient.read"])
    purpose: str
    persons: list[UUID] = Field(description="golden persons whose data was shown or changed")
    resource: str = Field(examples=["GET /fhir/Patient/{id}"])
    outcome: Literal["allowed", "refused"]
    reason: str


class Entries(BaseModel):
    """A page, newest first."""

    items: list[Entry]
    next: int | None = Field(description="give it as `before` for the next page; null at the end")


class Chain(BaseModel):
    """The state of the hash chain."""

    intact: bool
    rows: int
    head: str = Field(
        description="hash of the newest row; kept elsewhere it shows whether the end was cut off"
    )
    broken_at: int | None


@router.get("/audit", summary="List the audit")
def entries(
    caller: Auditor,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, description="entries older than this number")] = None,
    username: Annotated[str | None, Query(max_length=100)] = None,
    person: Annotated[UUID | None, Query(description="golden person")] = None,
    outcome: Literal["allowed", "refused"] | None = None,
) -> Entries:
    """Return the newest entries first. Looking is itself put in the audit."""
    decision = caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        found = audit.entries(
            connection, limit=limit, before=before, username=username, person=person, outcome=outcome
        )
    caller.note(decision.reason)
    return Entries(
        items=[_entry(record) for record in found], next=found[-1].id if len(found) == limit else None
    )


def _entry(record: audit.Record) -> Entry:
    fields = {name: getattr(record.entry, name) for name in audit.Entry.__dataclass_fields__}
    return Entry(id=record.id, at=record.at, **fields)


@router.get("/audit/chain", summary="Verify the audit's hash chain")
def chain(caller: Auditor) -> Chain:
    """Walk the whole chain and say whether a row was altered, removed or moved."""
    decision = caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        verdict = audit.verify(connection)
    caller.note(decision.reason)
    return Chain(
        intact=verdict.broken_at is None, rows=verdict.rows, head=verdict.head, broken_at=verdict.broken_at
    )

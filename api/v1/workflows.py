"""Workflows (工作流): what runs, in which state, until when, and what holds it up. No patient."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from activities import overview, projections
from activities.client import connect
from activities.overview import UnknownWorkflowError, Wanted
from api.caller import Caller, gate
from api.failures import Failure, FailureError, not_found
from consortium.access.model import GROUP, GROUPS_OWN, SHARED, Action, Resource

router = APIRouter(prefix="/workflows", tags=["workflows"])
Reader = Annotated[Caller, Depends(gate(Action.WORKFLOW_READ))]
Code = Annotated[str | None, Query(max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]
Id = Annotated[str, Path(max_length=200, pattern=r"^[A-Za-z0-9_.-]+$")]


class Workflow(BaseModel):
    """One workflow, as Temporal has it."""

    id: str = Field(examples=["critical-value-6f1c2b3a-0d3e-4c55-9a5e-1f2d3c4b5a69"])
    type: str = Field(examples=["critical_value"])
    status: str = Field(
        description="running, completed, failed, canceled, terminated, timed_out or continued_as_new",
        examples=["running"],
    )
    started: datetime
    closed: datetime | None
    state: str | None = Field(description="business state", examples=["escalated"])
    facility: str | None = Field(examples=["MAIN"])
    level: int | None = Field(description="escalation level")
    deadline: datetime | None = Field(description="when the next step comes by itself")


class Workflows(BaseModel):
    """A page, newest first; some tenths of a second behind."""

    items: list[Workflow]
    next: str | None = Field(description="give it as `after` for the next page; null at the end")


class PendingActivity(BaseModel):
    """An activity that is not done yet."""

    activity: str = Field(examples=["critical_value.notify"])
    attempt: int
    failure: str | None = Field(description="kind of the last failure", examples=["OperationalError"])
    next_attempt: datetime | None


class Recorded(BaseModel):
    """The business state as PostgreSQL has it; it counts."""

    state: str
    facility: str
    level: int


class Step(BaseModel):
    """Somebody was told."""

    step: str = Field(examples=["told:1"])
    subject: str = Field(examples=["critical_value"])
    duty: str = Field(examples=["department"])
    level: int
    at: datetime


class WorkflowDetails(BaseModel):
    """One workflow, what it did and what holds it up."""

    workflow: Workflow
    queue: str = Field(examples=["yilian"])
    events: int = Field(description="length of the history; Temporal ends a workflow at 51,200")
    pending: list[PendingActivity]
    recorded: Recorded | None
    steps: list[Step]


@router.get("", summary="List workflows")
async def list_workflows(
    caller: Reader,
    facility: Code = None,
    type: Code = None,  # noqa: A002 - the query's name of it
    state: Code = None,
    closed: Annotated[bool, Query(description="those that ended, too")] = False,
    late: Annotated[bool, Query(description="those alone whose deadline has passed")] = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=4000)] = None,
) -> Workflows:
    """Return the newest first; of a campus's staff those of their campus."""
    own = caller.user.organisation
    whose = facility or (None if own == GROUP else own)
    await run_in_threadpool(caller.allow, Resource(organisation=whose) if whose else SHARED)
    client = await connect(caller.parts.settings)
    wanted = Wanted(whose, type, state, open=not closed, late=late)
    page = await overview.listed(client, wanted, caller.parts.now(), limit, _token(after))
    following = base64.urlsafe_b64encode(page.next).decode() if page.next else None
    return Workflows(items=[Workflow(**asdict(one)) for one in page.items], next=following)


@router.get("/{id}", summary="Show one workflow", responses={404: {"description": "Temporal knows none"}})
async def show_workflow(caller: Reader, id: Id) -> WorkflowDetails:  # noqa: A002 - the path's name of it
    """Return where it stands, whom it told, and which activity is tried again."""
    client = await connect(caller.parts.settings)
    try:
        found = await overview.shown(client, id)
    except UnknownWorkflowError as error:
        raise not_found("workflow") from error
    facility = found.standing.facility
    await run_in_threadpool(caller.allow, Resource(organisation=facility) if facility else GROUPS_OWN)
    return await run_in_threadpool(_details, caller, found)


def _details(caller: Caller, found: overview.Details) -> WorkflowDetails:
    with caller.parts.statements.connect() as connection:
        recorded = projections.recorded(connection, found.standing.id)
        steps = projections.steps(connection, found.standing.id)
    return WorkflowDetails(
        workflow=Workflow(**asdict(found.standing)),
        queue=found.queue,
        events=found.events,
        pending=[PendingActivity(**asdict(one)) for one in found.pending],
        recorded=Recorded(**asdict(recorded)) if recorded else None,
        steps=[Step(**asdict(one)) for one in steps],
    )


def _token(after: str | None) -> bytes | None:
    if after is None:
        return None
    try:
        return base64.b64decode(after, altchars=b"-_", validate=True)
    except binascii.Error:
        raise FailureError(Failure(400, "bad-cursor", "`after` is no cursor of this list")) from None

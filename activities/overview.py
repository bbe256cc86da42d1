"""Where workflows stand, for those who keep them running: from Temporal, with no patient in it.

What is listed comes from Temporal's visibility store, which lags behind by some tenths of a second.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from consortium.errors import PermanentError, RetryableError
from workflows import attributes

PATIENCE = timedelta(seconds=10)
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class UnknownWorkflowError(PermanentError):
    """Temporal has no such workflow: never started, or past the retention of closed ones."""

    code = "unknown_workflow"


class QueryError(PermanentError):
    """A filter that is no code."""

    code = "workflow_filter"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which workflows; what is None does not matter."""

    facility: str | None = None
    type: str | None = None
    state: str | None = None
    open: bool = True
    """Those alone that run."""
    late: bool = False
    """Those alone whose deadline has passed."""

    def query(self, now: datetime) -> str:
        """Return it in Temporal's list filter language. Raises QueryError for what is no code."""
        equal = (
            (attributes.FACILITY.name, self.facility),
            ("WorkflowType", self.type),
            (attributes.STATE.name, self.state),
            ("ExecutionStatus", "Running" if self.open or self.late else None),
        )
        parts = [f"{name} = '{_code(value)}'" for name, value in equal if value is not None]
        if self.late:
            parts.append(f"{attributes.DEADLINE.name} < '{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'")
        return " AND ".join(parts)


def _code(value: str) -> str:
    if not _WORD.fullmatch(value):
        raise QueryError("a campus, a type or a state has letters, digits, '_', '-' and '.' alone")
    return value


@dataclass(frozen=True, slots=True)
class Standing:
    """One workflow, as Temporal has it."""

    id: str
    type: str
    status: str
    """running, completed, failed, canceled, terminated, timed_out, continued_as_new."""
    started: datetime
    closed: datetime | None
    state: str | None
    """The business state, such as escalated."""
    facility: str | None
    level: int | None
    """Escalation level."""
    deadline: datetime | None


@dataclass(frozen=True, slots=True)
class Pending:
    """An activity that is not done yet."""

    activity: str
    attempt: int
    failure: str | None
    """Kind of the last failure; its words are encrypted."""
    next_attempt: datetime | None


@dataclass(frozen=True, slots=True)
class Details:
    """One workflow with what holds it up."""

    standing: Standing
    queue: str
    events: int
    """Length of its history; Temporal ends a workflow at 51,200."""
    pending: tuple[Pending, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Some workflows, newest first."""

    items: tuple[Standing, ...]
    next: bytes | None
    """For the next page."""


async def listed(
    client: Client, wanted: Wanted, now: datetime, limit: int, after: bytes | None = None
) -> Page:
    """Return a page. Raises QueryError, and RetryableError while Temporal does not answer."""
    asked = client.list_workflows(
        wanted.query(now), page_size=limit, next_page_token=after, rpc_timeout=PATIENCE
    )
    try:
        await asked.fetch_next_page()
    except RPCError as error:
        raise _away(error) from error
    return Page(tuple(_standing(one) for one in asked.current_page or ()), asked.next_page_token or None)


async def shown(client: Client, workflow_id: str) -> Details:
    """Return all that Temporal tells of a workflow's newest run.

    Raises UnknownWorkflowError, and RetryableError while Temporal does not answer.
    """
    try:
        found = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=PATIENCE)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise UnknownWorkflowError(f"Temporal knows no workflow {workflow_id}") from error
        raise _away(error) from error
    return Details(
        standing=_standing(found),
        queue=found.task_queue,
        events=found.history_length,
        pending=tuple(_pending(one) for one in found.raw_description.pending_activities),
    )


def _away(error: RPCError) -> RetryableError:
    return RetryableError(f"Temporal did not answer: {error.status.name}; see ./yilian status")


def _standing(found: WorkflowExecution) -> Standing:
    told = found.typed_search_attributes
    return Standing(
        id=found.id,
        type=found.workflow_type,
        status=found.status.name.lower() if found.status else "unknown",
        started=found.start_time,
        closed=found.close_time,
        state=told.get(attributes.STATE),
        facility=told.get(attributes.FACILITY),
        level=told.get(attributes.LEVEL),
        deadline=told.get(attributes.DEADLINE),
    )


def _pending(one: PendingActivityInfo) -> Pending:
    due = one.next_attempt_schedule_time
    return Pending(
        activity=one.activity_type.name,
        attempt=one.attempt,
        failure=_kind(one),
        next_attempt=due.ToDatetime(UTC) if one.HasField("next_attempt_schedule_time") else None,
    )


def _kind(one: PendingActivityInfo) -> str | None:
    if not one.HasField("last_failure"):
        return None
    told = one.last_failure
    if told.HasField("server_failure_info") and told.HasField("cause"):
        told = told.cause  # a long failure is cut short by the server, and wrapped
    which = told.WhichOneof("failure_info") or "failure"
    return told.application_failure_info.type or which.removesuffix("_info")

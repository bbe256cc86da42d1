"""The way into a running consultation for those who serve people: one step, taken and committed."""

from __future__ import annotations

from uuid import UUID

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.client import PATIENCE, connect
from activities.queues import Queue
from consortium.errors import ConflictError, RetryableError
from consortium.referral.model import Words
from consortium.teleconsult.decide import Refusal
from consortium.teleconsult.errors import StepRefusedError
from consortium.teleconsult.model import State, Step
from runtime.settings import Settings
from workflows.teleconsult.model import Stand, Start, Take, consultation_workflow_id


async def take_consultation_step(settings: Settings, start: Start, take: Take, idempotency_key: str) -> Stand:
    """Take a step of a consultation, and return how it stands once that is committed.

    The workflow is started where none runs: its start is still on its way, or it was lost. The same
    `idempotency_key` again does nothing more.

    Raises `StepRefusedError` and `ConflictError` (HTTP 409), and `RetryableError` (HTTP 503) when Temporal or
    its worker does not answer.
    """
    return await taken(await connect(settings), start, take, idempotency_key)


async def taken(client: Client, start: Start, take: Take, idempotency_key: str) -> Stand:
    """Take a step through that client; see `take_consultation_step`."""
    starting: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
        "consultation",
        start,
        id=consultation_workflow_id(start.consultation_id),
        task_queue=Queue.WORKFLOWS,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="consultation",
    )
    try:
        stand: Stand = await client.execute_update_with_start_workflow(
            "take",
            take,
            start_workflow_operation=starting,
            id=idempotency_key,
            result_type=Stand,
            rpc_timeout=PATIENCE,
        )
    except WorkflowUpdateFailedError as failed:
        raise refused(start.consultation_id, failed.cause) from failed
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError) as late:
        raise RetryableError(
            f"consultation {start.consultation_id}: no answer in {PATIENCE.total_seconds():.0f} s; ask again"
            " with the same key, which repeats nothing"
        ) from late
    except RPCError as error:
        raise RetryableError(f"Temporal did not answer: {error.status.name}") from error
    return stand


def refused(consultation_id: UUID, cause: BaseException) -> ConflictError:
    """Return the error that an update failed with, as callers know it."""
    if not isinstance(cause, ApplicationError):
        return ConflictError(f"consultation {consultation_id}: the workflow refused it")
    if cause.type != "Refused":
        zh = str(cause.details[0]) if cause.details else ""
        return ConflictError(f"consultation {consultation_id}: {cause.message}", zh=zh)
    zh, state, steps, code = cause.details
    refusal = Refusal(code, Words(cause.message, zh))
    return StepRefusedError(refusal, State(state), tuple(Step(step) for step in steps))

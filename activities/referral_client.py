"""The way into a running referral for those who serve people: one step, taken and committed."""

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
from consortium.referral.decide import Refusal
from consortium.referral.errors import StepRefusedError
from consortium.referral.model import State, Step, Words
from runtime.settings import Settings
from workflows.referral.model import Stand, Start, Take, workflow_id


async def take_step(settings: Settings, start: Start, take: Take, idempotency_key: str) -> Stand:
    """Take a step of a referral, and return how it stands once that is committed.

    The workflow is started where none runs: one whose start is still on its way, one that was lost, and one
    that is over and is reopened. The same `idempotency_key` again does nothing more.

    Raises `StepRefusedError` and `ConflictError` (HTTP 409), and `RetryableError` (HTTP 503) when Temporal or
    its worker does not answer.
    """
    return await taken(await connect(settings), start, take, idempotency_key)


async def taken(client: Client, start: Start, take: Take, idempotency_key: str) -> Stand:
    """Take a step through that client; see `take_step`."""
    starting: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
        "referral",
        start,
        id=workflow_id(start.referral_id),
        task_queue=Queue.WORKFLOWS,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="referral",
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
        raise refused(start.referral_id, failed.cause) from failed
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError) as late:
        raise RetryableError(
            f"referral {start.referral_id}: no answer in {PATIENCE.total_seconds():.0f} s; ask again with the"
            " same key, which repeats nothing"
        ) from late
    except RPCError as error:
        raise RetryableError(f"Temporal did not answer: {error.status.name}") from error
    return stand


def refused(referral_id: UUID, cause: BaseException) -> ConflictError:
    """Return the error that an update failed with, as callers know it."""
    if not isinstance(cause, ApplicationError):
        return ConflictError(f"referral {referral_id}: the workflow refused it")
    if cause.type != "Refused":
        return ConflictError(f"referral {referral_id}: {cause.message}")
    zh, state, steps, code, *current = cause.details
    refusal = Refusal(code, Words(cause.message, zh))
    return StepRefusedError(refusal, State(state), tuple(Step(step) for step in steps), *current)

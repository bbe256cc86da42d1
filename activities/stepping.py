"""What workflows that people take steps of have in common: the way in for a step, and its transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.client import PATIENCE
from activities.queues import Queue
from consortium.errors import ConflictError, PermanentError, RetryableError
from consortium.referral.errors import StepRefusedError as ReferralRefusedError
from consortium.teleconsult.errors import StepRefusedError as ConsultationRefusedError

REFUSED = "Refused"
"""Type of the failure by which a refused step travels."""
Stand = TypeVar("Stand")


@dataclass(frozen=True, slots=True)
class Subject:
    """A workflow of the type `kind`, about one thing."""

    kind: str
    id: UUID
    workflow_id: str

    def __str__(self) -> str:
        """Return it as errors name it."""
        return f"{self.kind} {self.id}"


async def take(
    client: Client, subject: Subject, start: Any, step: Any, key: str, stand: type[Stand]
) -> Stand:
    """Take a step, starting the workflow where none runs; the same `key` again does nothing more.

    Raises WorkflowUpdateFailedError, whose cause says why, and RetryableError when Temporal or its worker
    does not answer.
    """
    starting: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
        subject.kind,
        start,
        id=subject.workflow_id,
        task_queue=Queue.WORKFLOWS,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=subject.kind,
    )
    try:
        taken: Stand = await client.execute_update_with_start_workflow(
            "take", step, start_workflow_operation=starting, id=key, result_type=stand, rpc_timeout=PATIENCE
        )
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError) as late:
        raise RetryableError(
            f"{subject}: no answer in {PATIENCE.total_seconds():.0f} s; ask again with the same key, which"
            " repeats nothing"
        ) from late
    except RPCError as error:
        raise RetryableError(f"Temporal did not answer: {error.status.name}") from error
    return taken


def other_conflict(subject: Subject, cause: BaseException) -> ConflictError | None:
    """Return the error of an update that failed for another reason than the table; None: for the table's."""
    if not isinstance(cause, ApplicationError):
        return ConflictError(f"{subject}: the workflow refused it")
    if cause.type == REFUSED:
        return None
    zh = str(cause.details[0]) if cause.details else ""
    return ConflictError(f"{subject}: {cause.message}", zh=zh)


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Commit a step at the end; what no repetition can mend ends it at once."""
    try:
        with engine.begin() as connection:
            yield connection
    except (ReferralRefusedError, ConsultationRefusedError) as error:
        raise ApplicationError(
            str(error),
            error.zh,
            error.state.value,
            [step.value for step in error.steps],
            error.refusal.code,
            *([error.current] if isinstance(error, ReferralRefusedError) else []),
            type=REFUSED,
            non_retryable=True,
        ) from error
    except PermanentError as error:
        kind = type(error).__name__
        raise ApplicationError(str(error), error.zh, type=kind, non_retryable=True) from error

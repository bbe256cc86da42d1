"""The way into a running referral for those who serve people: one step, taken and committed."""

from __future__ import annotations

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from activities import stepping
from activities.client import connect
from activities.stepping import Subject
from consortium.errors import ConflictError
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
    subject = Subject("referral", start.referral_id, workflow_id(start.referral_id))
    try:
        return await stepping.take(client, subject, start, take, idempotency_key, Stand)
    except WorkflowUpdateFailedError as failed:
        raise refused(subject, failed.cause) from failed


def refused(subject: Subject, cause: BaseException) -> ConflictError:
    """Return the error that an update failed with, as callers know it."""
    other = stepping.other_conflict(subject, cause)
    if other is not None:
        return other
    assert isinstance(cause, ApplicationError)  # noqa: S101 - narrows: the failure of a refused step
    zh, state, steps, code, *current = cause.details
    refusal = Refusal(code, Words(cause.message, zh))
    return StepRefusedError(refusal, State(state), tuple(Step(step) for step in steps), *current)

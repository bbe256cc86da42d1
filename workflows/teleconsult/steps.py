"""The activities that the workflow of a consultation calls, by name; `activities.consultations` holds them.

Each is idempotent by the consultation and the step's key, and works in one transaction.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.teleconsult.model import Stand

RECORD = "consultation.record"
REMIND = "consultation.remind"

ATTEMPT = timedelta(seconds=30)
"""How long one attempt may take; the database's own statement timeout is shorter."""

RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))
"""Without end: a database that is away comes back. What is wrong for good is raised as not retryable."""


async def perform(name: str, order: BaseModel, summary: str) -> Stand:
    """Run one activity to its end; `summary` is what the Temporal UI shows, and holds no patient data.

    Raises `ApplicationError` with the activity's own words when it refuses for good.
    """
    try:
        answer: Stand = await workflow.execute_activity(
            name,
            order,
            result_type=Stand,
            start_to_close_timeout=ATTEMPT,
            retry_policy=RETRY,
            summary=summary,
        )
    except ActivityError as failed:
        cause = failed.cause
        if not isinstance(cause, ApplicationError):
            raise
        raise ApplicationError(cause.message, *cause.details, type=cause.type, non_retryable=True) from failed
    return answer

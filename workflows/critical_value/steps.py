"""The activities that the critical value workflow calls, by name; `activities.critical_values` holds them.

Each is idempotent by workflow id and step, and works in one transaction.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

NOTIFY = "critical_value.notify"
ESCALATE = "critical_value.escalate"
ACKNOWLEDGE = "critical_value.acknowledge"
TELL_WITHDRAWN = "critical_value.tell_withdrawn"

ATTEMPT = timedelta(seconds=30)
"""How long one attempt may take; the database's own statement timeout is shorter."""

RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))
"""Without end: a database that is away comes back. What is wrong for good is raised as not retryable."""

Answer = TypeVar("Answer", bound=BaseModel)


async def perform(name: str, order: BaseModel, answer: type[Answer], summary: str) -> Answer:
    """Run one activity to its end; `summary` is what the Temporal UI shows, and holds no patient data.

    Raises `ApplicationError` with the activity's own words when it refuses for good.
    """
    try:
        result = await workflow.execute_activity(
            name,
            order,
            result_type=answer,
            start_to_close_timeout=ATTEMPT,
            retry_policy=RETRY,
            summary=summary,
        )
    except ActivityError as failed:
        cause = failed.cause
        if not isinstance(cause, ApplicationError):
            raise
        raise ApplicationError(cause.message, type=cause.type, non_retryable=True) from failed
    return answer.model_validate(result)

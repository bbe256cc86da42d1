"""Which event starts or signals which workflow. An event is named by its dedupe key up to the colon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.queues import Queue
from workflows import attributes
from workflows.critical_value.model import Start, Withdrawn, workflow_id
from workflows.referral import model as referral
from workflows.teleconsult import model as consultation
from workflows.teleconsult.model import VideoEvent, consultation_workflow_id

PATIENCE = timedelta(seconds=5)
"""How long one call to Temporal may take."""

Delivery = Callable[[Client, str, Mapping[str, Any]], Awaitable[str]]
"""Delivers one event, named by what follows the colon of its dedupe key; returns the workflow id."""


def deliveries(critical_value_minutes: tuple[float, ...]) -> Mapping[str, Delivery]:
    """Return how each event is delivered; `critical_value_minutes` are the deadlines new workflows get."""
    return {
        "critical": partial(start_critical_value, minutes=critical_value_minutes),
        "critical-withdrawn": withdraw_critical_value,
        "referral": start_referral,
        "referral-arrived": tell_arrival,
        "consultation": start_consultation,
        "consultation-video": report_video,
    }


async def start_critical_value(
    client: Client, subject: str, payload: Mapping[str, Any], minutes: tuple[float, ...]
) -> str:
    """Start the workflow of a critical value, once for ever."""
    start = Start(critical_value_id=UUID(subject), facility=payload["facility"], minutes=minutes)
    workflow = workflow_id(start.critical_value_id)
    described = TypedSearchAttributes(
        [
            SearchAttributePair(attributes.STATE, "open"),
            SearchAttributePair(attributes.FACILITY, start.facility),
            SearchAttributePair(attributes.LEVEL, 0),
        ]
    )
    with suppress(WorkflowAlreadyStartedError):  # it ran and closed: the event was delivered before
        await client.start_workflow(
            "critical_value",
            start,
            id=workflow,
            task_queue=Queue.WORKFLOWS,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            memo={"critical_value_id": str(start.critical_value_id)},
            search_attributes=described,
            static_summary="critical value",
            rpc_timeout=PATIENCE,
        )
    return workflow


async def withdraw_critical_value(client: Client, subject: str, payload: Mapping[str, Any]) -> str:
    """Signal that the result behind a critical value was corrected or cancelled.

    A workflow that is closed needs no signal, and one not started yet will read it from PostgreSQL.
    """
    workflow = workflow_id(UUID(subject))
    event = Withdrawn.model_validate(payload)
    try:
        await client.get_workflow_handle(workflow).signal("withdrawn", event, rpc_timeout=PATIENCE)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return workflow


async def start_referral(client: Client, subject: str, payload: Mapping[str, Any]) -> str:
    """Start the workflow of a referral; one that runs or ran goes its own way."""
    start = referral.Start.model_validate(payload)
    workflow = referral.workflow_id(UUID(subject))
    with suppress(
        WorkflowAlreadyStartedError
    ):  # a step came first and started it, or it was delivered before
        await client.start_workflow(
            "referral",
            start,
            id=workflow,
            task_queue=Queue.WORKFLOWS,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary="referral",
            rpc_timeout=PATIENCE,
        )
    return workflow


async def tell_arrival(client: Client, subject: str, payload: Mapping[str, Any]) -> str:
    """Signal that the patient of a referral is at the receiving hospital; one that is over needs no signal.

    The subject is the referral's id, a colon, and the visit's number.
    """
    workflow = referral.workflow_id(UUID(subject.partition(":")[0]))
    event = referral.Arrived.model_validate(payload)
    try:
        await client.get_workflow_handle(workflow).signal("arrived", event, rpc_timeout=PATIENCE)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return workflow


async def start_consultation(client: Client, subject: str, payload: Mapping[str, Any]) -> str:
    """Start the workflow of a consultation; one that runs or ran goes its own way."""
    start = consultation.Start.model_validate(payload)
    workflow = consultation_workflow_id(UUID(subject))
    with suppress(WorkflowAlreadyStartedError):  # a step came first, or it was delivered before
        await client.start_workflow(
            "consultation",
            start,
            id=workflow,
            task_queue=Queue.WORKFLOWS,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary="consultation",
            rpc_timeout=PATIENCE,
        )
    return workflow


async def report_video(client: Client, subject: str, payload: Mapping[str, Any]) -> str:
    """Signal to a consultation what the video server told, by the event's id.

    A consultation without a workflow, or with one that is over, needs no signal: it is all in PostgreSQL.
    """
    event = VideoEvent.model_validate({**payload, "event_id": subject})
    workflow = consultation_workflow_id(event.consultation_id)
    try:
        await client.get_workflow_handle(workflow).signal("video", event, rpc_timeout=PATIENCE)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return workflow

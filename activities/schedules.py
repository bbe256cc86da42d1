"""Temporal Schedules made to be as the reviewed settings say, each time the worker starts.

What is right already is left alone, a pause by a person in the Temporal UI too. Whether it is right is told
by a digest of the settings in the id of the workflows that it starts. Schedules of others are never touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.queues import Queue
from consortium.errors import RetryableError
from runtime.schedules import WorkflowSchedule

log = structlog.get_logger("activities.schedules")

PREFIX = "yilian-"
PATIENCE = timedelta(seconds=10)
_OVERLAP = {"skip": ScheduleOverlapPolicy.SKIP, "buffer_one": ScheduleOverlapPolicy.BUFFER_ONE}
_RETRYABLE = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
    }
)


@dataclass(slots=True)
class Applied:
    """What was done, by the schedules' names."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """Name to reason; the others stand."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A schedule of ours, as Temporal has it."""

    name: str
    workflow: str
    paused: bool
    next: datetime | None
    last: datetime | None


def run_id(wanted: WorkflowSchedule) -> str:
    """Return how runs are called, before Temporal adds the time; other settings give another."""
    digest = hashlib.sha256(wanted.model_dump_json().encode()).hexdigest()[:8]
    return f"schedule-{wanted.name}-{digest}"


def schedule(wanted: WorkflowSchedule) -> Schedule:
    """Return the schedule that settings describe."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            wanted.workflow,
            dict(wanted.argument),
            id=run_id(wanted),
            task_queue=Queue.WORKFLOWS,
            static_summary=f"scheduled: {wanted.name}",
        ),
        spec=ScheduleSpec(cron_expressions=[wanted.cron], time_zone_name=wanted.time_zone),
        policy=SchedulePolicy(
            overlap=_OVERLAP[wanted.overlap], catchup_window=timedelta(minutes=wanted.catch_up_minutes)
        ),
        state=ScheduleState(note="made from the setting workflow_schedules", paused=wanted.paused),
    )


async def apply(client: Client, wanted: Sequence[WorkflowSchedule], known: Collection[str]) -> Applied:
    """Make, change and remove schedules until they are as wanted; `known`: types of workflows that there are.

    One that Temporal refuses, or of no known type, is left out and told, and keeps nothing else from
    working. Raises `RetryableError` while Temporal does not answer.
    """
    done = Applied()
    for one in wanted:
        if one.workflow not in known:
            done.refused[one.name] = f"no workflow is called {one.workflow}"
            continue
        try:
            await _settle(client, one, done)
        except RPCError as error:
            if error.status in _RETRYABLE:
                raise RetryableError(f"Temporal did not answer: {error.status.name}") from error
            done.refused[one.name] = f"Temporal refused it: {error.status.name}"
    await _remove_others(client, {PREFIX + one.name for one in wanted}, done)
    for name, reason in done.refused.items():
        log.error("schedule_refused", name=name, reason=reason)
    return done


async def _settle(client: Client, wanted: WorkflowSchedule, done: Applied) -> None:
    handle = client.get_schedule_handle(PREFIX + wanted.name)
    try:
        found = await handle.describe(rpc_timeout=PATIENCE)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        await _create(client, handle, wanted, done)
        return
    action = found.schedule.action
    if not isinstance(action, ScheduleActionStartWorkflow) or action.id != run_id(wanted):
        await _update(handle, wanted, done)


async def _create(client: Client, handle: ScheduleHandle, wanted: WorkflowSchedule, done: Applied) -> None:
    try:
        await client.create_schedule(handle.id, schedule(wanted), rpc_timeout=PATIENCE)
    except ScheduleAlreadyRunningError:  # another worker made it meanwhile
        await _update(handle, wanted, done)
    else:
        done.created.append(wanted.name)


async def _update(handle: ScheduleHandle, wanted: WorkflowSchedule, done: Applied) -> None:
    def change(_found: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule(wanted))

    await handle.update(change, rpc_timeout=PATIENCE)
    done.updated.append(wanted.name)


async def _remove_others(client: Client, wanted: Collection[str], done: Applied) -> None:
    """Remove those of ours that the settings have no more; the list lags, the next start finds the rest."""
    try:
        others = [
            one.id
            async for one in await client.list_schedules(rpc_timeout=PATIENCE)
            if one.id.startswith(PREFIX) and one.id not in wanted
        ]
        for id_ in others:
            await client.get_schedule_handle(id_).delete(rpc_timeout=PATIENCE)
            done.removed.append(id_.removeprefix(PREFIX))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise RetryableError(f"Temporal did not answer: {error.status.name}") from error


async def planned(client: Client) -> list[Planned]:
    """Return the schedules of ours. Raises `RetryableError` while Temporal does not answer."""
    try:
        ids = [
            one.id
            async for one in await client.list_schedules(rpc_timeout=PATIENCE)
            if one.id.startswith(PREFIX)
        ]
        return [await _planned(client.get_schedule_handle(id_)) for id_ in sorted(ids)]
    except RPCError as error:
        raise RetryableError(f"Temporal did not answer: {error.status.name}") from error


async def _planned(handle: ScheduleHandle) -> Planned:
    found = await handle.describe(rpc_timeout=PATIENCE)
    action = found.schedule.action
    return Planned(
        name=handle.id.removeprefix(PREFIX),
        workflow=action.workflow if isinstance(action, ScheduleActionStartWorkflow) else "",
        paused=found.schedule.state.paused,
        next=min(found.info.next_action_times, default=None),
        last=max((one.started_at for one in found.info.recent_actions), default=None),
    )

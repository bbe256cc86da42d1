"""Schedules are as the reviewed settings say, however often they are applied."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    ScheduleState,
)
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.codec import data_converter
from activities.queues import Queue
from activities.schedules import Applied, apply, planned, run_id
from runtime.schedules import WorkflowSchedule
from runtime.settings import Settings
from tests.integration.workflows.conftest import holds, temporal_server

KNOWN = frozenset({"follow_up"})
DAILY = WorkflowSchedule(
    name="daily", workflow="follow_up", cron="30 7 * * MON-FRI", argument={"facility": "MAIN"}
)
Act = Callable[[Client], Coroutine[Any, Any, None]]


@dataclass
class Running:
    """A server, and something done with a client of it."""

    settings: Settings
    _done: list[str] = field(default_factory=list)

    def __call__(self, act: Act) -> None:
        """Do it."""

        async def connected() -> None:
            settings = self.settings
            converter = data_converter(settings.payload_key, (), settings.temporal_namespace)
            await act(await Client.connect(settings.temporal_address, data_converter=converter))

        asyncio.run(connected())


@pytest.fixture
def running(settings: Settings, tmp_path: Path) -> Iterator[Running]:
    """A Temporal server without schedules."""
    with temporal_server(settings, tmp_path):
        yield Running(settings)


async def eventually(client: Client, names: list[str]) -> None:
    """Wait until Temporal's list, which lags, has these of ours."""

    async def listed() -> bool:
        return [one.name for one in await planned(client)] == names

    await holds(listed)


def test_applied_twice_it_is_there_once_and_left_alone(running: Running) -> None:
    async def act(client: Client) -> None:
        assert await apply(client, [DAILY], KNOWN) == Applied(created=["daily"])
        handle = client.get_schedule_handle("yilian-daily")
        first = (await handle.describe()).info.created_at
        await handle.pause(note="a person paused it")
        assert await apply(client, [DAILY], KNOWN) == Applied()
        found = await handle.describe()
        assert found.schedule.state.paused, "a person paused it"
        assert found.info.created_at == first
        spec = found.schedule.spec
        assert (spec.time_zone_name, spec.calendars[0].hour[0].start) == ("Asia/Shanghai", 7)

    running(act)


def test_changed_settings_change_it_and_removed_ones_remove_it(running: Running) -> None:
    async def act(client: Client) -> None:
        await apply(client, [DAILY], KNOWN)
        later = DAILY.model_copy(update={"cron": "0 9 * * *"})
        assert await apply(client, [later], KNOWN) == Applied(updated=["daily"])
        found = await client.get_schedule_handle("yilian-daily").describe()
        assert found.schedule.spec.calendars[0].hour[0].start == 9
        await eventually(client, ["daily"])
        assert await apply(client, [], KNOWN) == Applied(removed=["daily"])
        await eventually(client, [])

    running(act)


def test_schedules_of_others_are_not_touched(running: Running) -> None:
    async def act(client: Client) -> None:
        theirs = Schedule(
            action=ScheduleActionStartWorkflow("other", id="other", task_queue="other"),
            spec=ScheduleSpec(cron_expressions=["0 0 1 1 *"]),
            state=ScheduleState(paused=True),
        )
        await client.create_schedule("theirs", theirs)
        await apply(client, [DAILY], KNOWN)

        async def both() -> bool:
            return len([one async for one in await client.list_schedules()]) == 2

        await holds(both)
        assert (await apply(client, [], KNOWN)).removed == ["daily"]
        assert (await client.get_schedule_handle("theirs").describe()).id == "theirs"

    running(act)


def test_one_that_is_wrong_is_told_and_the_others_stand(running: Running) -> None:
    async def act(client: Client) -> None:
        unknown = DAILY.model_copy(update={"name": "unknown", "workflow": "nobody_knows"})
        never = DAILY.model_copy(update={"name": "never", "cron": "99 99 * * *"})
        done = await apply(client, [unknown, never, DAILY], KNOWN)
        assert done.created == ["daily"]
        assert done.refused == {
            "unknown": "no workflow is called nobody_knows",
            "never": "Temporal refused it: INVALID_ARGUMENT",
        }

    running(act)


@workflow.defn(name="follow_up")
class FollowUp:
    """Gives back what it was given."""

    @workflow.run
    async def run(self, told: dict[str, Any]) -> str:
        """Return the campus."""
        return str(told["facility"])


@asynccontextmanager
async def serving(client: Client) -> AsyncIterator[None]:
    async with Worker(
        client,
        task_queue=Queue.WORKFLOWS,
        workflows=[FollowUp],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield


def test_it_starts_its_workflow_on_the_workflows_queue(running: Running) -> None:
    async def act(client: Client) -> None:
        await apply(client, [DAILY], KNOWN)
        handle = client.get_schedule_handle("yilian-daily")
        async with serving(client):
            await handle.trigger()

            async def triggered() -> bool:
                return bool((await handle.describe()).info.recent_actions)

            await holds(triggered)
            started = (await handle.describe()).info.recent_actions[0].action
            assert isinstance(started, ScheduleActionExecutionStartWorkflow)
            assert started.workflow_id.startswith(f"{run_id(DAILY)}-")
            assert await client.get_workflow_handle(started.workflow_id).result() == "MAIN"
        [one] = await planned(client)
        assert (one.workflow, one.paused) == ("follow_up", False)
        assert one.next is not None

    running(act)

"""Histories of earlier releases replay on the workflows as they are: a worker can be replaced meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import create_engine
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from activities.codec import data_converter
from activities.starts import start_critical_value
from activities.worker import offer
from runtime.settings import Settings
from tests.unit.workflows.record import HISTORIES, KEY
from tests.unit.workflows.staff import Ward
from workflows.critical_value.model import Acknowledge, Closing, Start, workflow_id
from workflows.critical_value.workflow import CriticalValue

SAVED = sorted(HISTORIES.glob("*.json"))
OFFERED = offer(create_engine("postgresql+psycopg://"), Settings()).workflows
"""Every workflow of the worker, by its type; nothing connects."""


def history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("saved", path.read_text())


def replayer(key: str, *workflows: type) -> Replayer:
    return Replayer(
        workflows=workflows,
        data_converter=data_converter(key, (), "default"),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )


@pytest.mark.parametrize("type_", OFFERED)
def test_every_workflow_has_saved_histories(type_: str) -> None:
    assert [path for path in SAVED if path.name.startswith(f"{type_}_")], "see docs/develop.md: record some"


@pytest.mark.parametrize("path", SAVED, ids=lambda p: p.stem)
async def test_a_saved_history_replays(path: Path) -> None:
    sandboxed = Replayer(workflows=[*OFFERED.values()], data_converter=data_converter(KEY, (), "default"))
    await sandboxed.replay_workflow(history(path))


@workflow.defn(name="critical_value")
class Impatient:
    """An incompatible change: waits before it tells anybody."""

    @workflow.run
    async def run(self, start: Start) -> Closing:
        """Wait, then end."""
        await asyncio.sleep(timedelta(minutes=1).total_seconds())
        return Closing(state="withdrawn", level=0)


@workflow.defn(name="critical_value")
class Patched(CriticalValue):
    """The same change behind a patch: who started before it does not wait."""

    @workflow.init
    def __init__(self, start: Start) -> None:
        """Begin as before."""
        super().__init__(start)

    @workflow.run
    async def run(self, start: Start) -> Closing:
        """Wait where it started after the change, then go on as before."""
        if workflow.patched("wait-first"):
            await workflow.sleep(timedelta(minutes=1))
        return await super().run(start)


CRITICAL = [path for path in SAVED if path.name.startswith("critical_value_")]


@pytest.mark.parametrize("path", CRITICAL, ids=lambda p: p.stem)
async def test_an_incompatible_workflow_does_not_replay(path: Path) -> None:
    with pytest.raises(workflow.NondeterminismError):
        await replayer(KEY, Impatient).replay_workflow(history(path))


@pytest.mark.parametrize("path", CRITICAL, ids=lambda p: p.stem)
async def test_the_same_change_behind_a_patch_replays(path: Path) -> None:
    await replayer(KEY, Patched).replay_workflow(history(path))


async def test_a_workflow_started_after_the_patch_needs_it_for_as_long_as_it_is_open(
    environment: WorkflowEnvironment, ward: Ward, critical_value_id: UUID
) -> None:
    async with Worker(
        environment.client,
        task_queue="yilian",
        workflows=[Patched],
        activities=ward.activities,
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        await start_critical_value(environment.client, str(critical_value_id), {"facility": "MAIN"}, (10, 10))
        handle = environment.client.get_workflow_handle_for(Patched.run, workflow_id(critical_value_id))
        await environment.sleep(timedelta(seconds=30))
        assert ward.told == []
        await environment.sleep(timedelta(seconds=40))
        await handle.execute_update(Patched.acknowledge, Acknowledge(user="doctor.main"), id="key-1")
        assert (await handle.result()).state == "acknowledged"
        done = await handle.fetch_history()
    await replayer("test key", Patched).replay_workflow(done)
    with pytest.raises(workflow.NondeterminismError):
        await replayer("test key", CriticalValue).replay_workflow(done)

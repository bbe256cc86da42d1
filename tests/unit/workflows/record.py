"""`python -m tests.unit.workflows.record RELEASE`: save one history for each path of each workflow.

Run it when a release changes a workflow, and keep the older histories: workflows of theirs may be open. A
history is called <type>_<path>_<release>.json. A new workflow adds its paths here.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import attributes
from activities.codec import data_converter
from activities.starts import start_critical_value
from tests.unit.workflows.staff import Ward
from workflows.critical_value.model import Acknowledge, Closing, Withdrawn, workflow_id
from workflows.critical_value.workflow import CriticalValue

HISTORIES = Path(__file__).parent / "histories"
KEY = "the key of the saved histories"
Handle = WorkflowHandle[CriticalValue, Closing]


async def acknowledged(handle: Handle, environment: WorkflowEnvironment) -> None:
    """Acknowledged at once."""
    await handle.execute_update(CriticalValue.acknowledge, Acknowledge(user="doctor.main"), id="key-1")


async def escalated_twice(handle: Handle, environment: WorkflowEnvironment) -> None:
    """Acknowledged by medical affairs."""
    await environment.sleep(timedelta(minutes=25))
    await acknowledged(handle, environment)


async def withdrawn(handle: Handle, environment: WorkflowEnvironment) -> None:
    """Taken back after the first escalation."""
    await environment.sleep(timedelta(minutes=11))
    await handle.signal(CriticalValue.withdrawn, Withdrawn())


PATHS: tuple[Callable[[Handle, WorkflowEnvironment], Awaitable[None]], ...] = (
    acknowledged,
    escalated_twice,
    withdrawn,
)


async def main(release: str) -> None:
    """Play each path and write its history."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(Path(sys.executable).with_name("temporal-test-server")),
        test_server_startup_timeout=timedelta(seconds=60),
        identity="recorder",
        data_converter=data_converter(KEY, (), "default"),
    ) as environment:
        await attributes.register(environment.client)
        worker = Worker(
            environment.client, task_queue="yilian", workflows=[CriticalValue], activities=Ward().activities
        )
        async with worker:
            for number, path in enumerate(PATHS, 1):
                identifier = UUID(int=number)
                await start_critical_value(
                    environment.client, str(identifier), {"facility": "MAIN"}, (10, 10)
                )
                handle = environment.client.get_workflow_handle_for(
                    CriticalValue.run, workflow_id(identifier)
                )
                await path(handle, environment)
                await handle.result()
                history = await handle.fetch_history()
                (HISTORIES / f"critical_value_{path.__name__}_{release}.json").write_text(history.to_json())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("say which release: python -m tests.unit.workflows.record 0.2.0")
    asyncio.run(main(sys.argv[1]))

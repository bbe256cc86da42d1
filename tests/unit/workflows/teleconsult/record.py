"""`python -m tests.unit.workflows.teleconsult.record VERSION`: save one history for each path.

Run it when a release changes the workflow, and keep the older histories: consultations of theirs may be open.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import attributes
from activities.codec import data_converter
from consortium.teleconsult.model import State, Step
from tests.unit.workflows.conftest import TEST_SERVER
from tests.unit.workflows.record import HISTORIES, KEY
from tests.unit.workflows.teleconsult.conftest import ASSIGNED, CC, RD, Case, begun
from tests.unit.workflows.teleconsult.desk import Desk
from workflows.teleconsult.workflow import Consultation


async def closed(case: Case) -> None:
    """The whole way, with a session that begins when two have met."""
    await case.to_confirmed()
    await case.enters("event-1", 1)
    await case.enters("event-2", 2)
    await case.reaches(State.IN_SESSION)
    await case.to_closed()


async def expired(case: Case) -> None:
    """Nobody assigns experts."""
    await case.take(Step.SUBMIT, RD)


async def missed(case: Case) -> None:
    """Nobody comes, and nobody finds another time."""
    await case.to_confirmed()


async def continued(case: Case) -> None:
    """Continued as new after two steps; the history is that of its first run."""
    await case.take(Step.SUBMIT, RD)
    await case.take(Step.ASSIGN, CC, ASSIGNED)


PATHS: tuple[tuple[Callable[[Case], Awaitable[None]], int], ...] = (
    (closed, 500),
    (expired, 500),
    (missed, 500),
    (continued, 2),
)


async def main(release: str) -> None:
    """Play each path and write its history."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(TEST_SERVER),
        test_server_startup_timeout=timedelta(seconds=60),
        identity="recorder",
        data_converter=data_converter(KEY, (), "default"),
    ) as environment:
        await attributes.register(environment.client)
        for number, (path, most) in enumerate(PATHS, 1):
            desk = Desk()
            worker = Worker(
                environment.client, task_queue="yilian", workflows=[Consultation], activities=desk.activities
            )
            async with worker:
                case = await begun(environment, desk, UUID(int=number), most=most)
                first = (await case.handle.describe()).run_id
                await path(case)
                await case.ends()
                handle = environment.client.get_workflow_handle(case.handle.id, run_id=first)
                history = await handle.fetch_history()
                (HISTORIES / f"consultation_{path.__name__}_{release}.json").write_text(history.to_json())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

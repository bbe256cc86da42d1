"""`python -m tests.unit.workflows.referral.record VERSION`: save one history for each path of a referral.

Run it when a release changes the workflow, and keep the older histories: referrals of theirs may be open for
months.
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
from consortium.referral.details import Details
from consortium.referral.model import Party, Step
from tests.unit.workflows.conftest import TEST_SERVER
from tests.unit.workflows.record import HISTORIES, KEY
from tests.unit.workflows.referral.conftest import WHY, Case, begun
from tests.unit.workflows.referral.desk import Desk
from workflows.referral.workflow import Referral


async def closed(case: Case) -> None:
    """The whole way, with an arrival told by the bus."""
    await case.to_booked()
    await case.arrives("V-9")
    await case.take(Step.BEGIN_CARE, Party.RECEIVING_DOCTOR)
    await case.take(Step.RETURN_OUTCOME, Party.RECEIVING_DOCTOR, WHY)
    await case.take(Step.CLOSE, Party.SENDING_DOCTOR)


async def followed(case: Case) -> None:
    """Closed, with a follow-up months later."""
    await case.to_booked()
    await case.arrives("V-9")
    await case.take(Step.BEGIN_CARE, Party.RECEIVING_DOCTOR)
    await case.take(Step.RETURN_OUTCOME, Party.RECEIVING_DOCTOR, WHY)
    later = await case.environment.get_current_time() + timedelta(days=90)
    await case.take(Step.CLOSE, Party.SENDING_DOCTOR, Details(follow_up_at=later))


async def expired(case: Case) -> None:
    """Nobody receives it."""
    await case.take(Step.SUBMIT, Party.SENDING_DOCTOR)


async def cancelled(case: Case) -> None:
    """Cancelled by both sides, after the first attempt was refused."""
    await case.to_accepted()
    await case.take(Step.REQUEST_CANCEL, Party.SENDING_DOCTOR, WHY)
    await case.take(Step.DECLINE_CANCEL, Party.RECEIVING_COORDINATOR, WHY)
    await case.take(Step.REQUEST_CANCEL, Party.RECEIVING_COORDINATOR, WHY)
    await case.take(Step.CONFIRM_CANCEL, Party.SENDING_COORDINATOR)


async def continued(case: Case) -> None:
    """Continued as new after two steps; the history is that of its first run."""
    await case.to_accepted()


PATHS: tuple[tuple[Callable[[Case], Awaitable[None]], int], ...] = (
    (closed, 500),
    (followed, 500),
    (expired, 500),
    (cancelled, 500),
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
                environment.client, task_queue="yilian", workflows=[Referral], activities=desk.activities
            )
            async with worker:
                case = await begun(environment, desk, UUID(int=number), most)
                first = (await case.handle.describe()).run_id
                await path(case)
                await case.ends()
                handle = environment.client.get_workflow_handle(case.handle.id, run_id=first)
                history = await handle.fetch_history()
                (HISTORIES / f"referral_{path.__name__}_{release}.json").write_text(history.to_json())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

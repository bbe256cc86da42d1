"""A referral that was just begun, on the time-skipping server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.referral_client import taken
from activities.starts import start_referral
from consortium.referral.details import Details
from consortium.referral.model import Party, State, Step
from tests.unit.workflows.referral.desk import Desk
from workflows.referral.model import Arrived, Closing, Stand, Start, Take, workflow_id
from workflows.referral.workflow import Referral

WHY = Details(note="已说明")
CARDIOLOGY = Details(department="0101")
NOTHING = Details()
Handle = WorkflowHandle[Referral, Closing]


@dataclass
class Case:
    """One referral as those who work on it see it."""

    environment: WorkflowEnvironment
    desk: Desk
    start: Start
    keys: int = 0

    @property
    def handle(self) -> Handle:
        """The newest run of its workflow."""
        return self.environment.client.get_workflow_handle_for(
            Referral.run, workflow_id(self.start.referral_id)
        )

    @property
    def stand(self) -> Stand:
        """How it stands in the records."""
        return self.desk.stands[self.start.referral_id]

    async def take(
        self, step: Step, party: Party, details: Details = NOTHING, key: str | None = None
    ) -> Stand:
        """Take a step, starting the workflow where none runs."""
        self.keys += 1
        start = self.start.model_copy(update={"stand": self.stand})
        request = Take(step=step, party=party, user="someone.hp", details=details)
        return await taken(self.environment.client, start, request, key or f"key-{self.keys}")

    async def arrives(self, encounter: str) -> None:
        """Have the bus tell that the patient is there, and wait until that is noted."""
        await self.handle.signal(Referral.arrived, Arrived(encounter=encounter))
        async with asyncio.timeout(30):
            while self.stand.standing.state is not State.ARRIVED:
                await asyncio.to_thread(self.desk.recorded.wait, 0.1)
                self.desk.recorded.clear()

    async def ends(self) -> Closing:
        """Let half a year pass, by when it is over."""
        await self.environment.sleep(timedelta(days=180))
        return await self.handle.result()

    async def to_accepted(self) -> None:
        """Apply and accept."""
        await self.take(Step.SUBMIT, Party.SENDING_DOCTOR)
        await self.take(Step.TAKE, Party.RECEIVING_COORDINATOR)
        await self.take(Step.ACCEPT, Party.RECEIVING_COORDINATOR, CARDIOLOGY)

    async def to_booked(self, after: timedelta = timedelta(days=3)) -> None:
        """Apply, accept and book a time so much later."""
        await self.to_accepted()
        begin = await self.environment.get_current_time() + after
        slot = Details(slot_start=begin, slot_end=begin + timedelta(minutes=30))
        await self.take(Step.BOOK, Party.RECEIVING_COORDINATOR, slot)


@pytest.fixture
def desk() -> Desk:
    """A desk where nothing happened yet."""
    return Desk()


@pytest.fixture
async def working(environment: WorkflowEnvironment, desk: Desk) -> AsyncIterator[WorkflowEnvironment]:
    """The environment with a worker."""
    async with Worker(
        environment.client, task_queue="yilian", workflows=[Referral], activities=desk.activities
    ):
        yield environment


async def begun(environment: WorkflowEnvironment, desk: Desk, id_: UUID, most: int = 500) -> Case:
    """Begin a referral: a draft with a week's time."""
    now = await environment.get_current_time()
    stand = Stand(owner_facility="HP", remind_at=now + timedelta(days=3), deadline_at=now + timedelta(days=7))
    desk.stands[id_] = stand
    start = Start(referral_id=id_, stand=stand, most=most)
    await start_referral(environment.client, str(id_), start.model_dump(mode="json"))
    return Case(environment, desk, start)


@pytest.fixture
async def case(working: WorkflowEnvironment, desk: Desk) -> Case:
    """A referral that was just begun."""
    return await begun(working, desk, uuid4())

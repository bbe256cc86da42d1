"""A consultation that was just begun, on the time-skipping server."""

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

from activities.consultation_client import taken
from activities.starts import report_video, start_consultation
from consortium.teleconsult.details import Details, Opinion
from consortium.teleconsult.model import BEGINNING, Kind, Party, Standing, State, Step
from tests.unit.workflows.teleconsult.desk import Desk
from workflows.teleconsult.model import Closing, Stand, Start, Take, consultation_workflow_id
from workflows.teleconsult.workflow import Consultation

NOTHING = Details()
ASSIGNED = Details(experts=("expert.main",))
SLOT = Details(slots=(UUID(int=1),))
OPINION = Details(opinion=Opinion(opinion="建议手术"))
RD, EX, CC = Party.REQUESTING_DOCTOR, Party.EXPERT, Party.CONSULTING_COORDINATOR
Handle = WorkflowHandle[Consultation, Closing]


@dataclass
class Case:
    """One consultation as those who work on it see it."""

    environment: WorkflowEnvironment
    desk: Desk
    start: Start
    keys: int = 0

    @property
    def handle(self) -> Handle:
        """The newest run of its workflow."""
        id_ = consultation_workflow_id(self.start.consultation_id)
        return self.environment.client.get_workflow_handle_for(Consultation.run, id_)

    @property
    def stand(self) -> Stand:
        """How it stands in the records."""
        return self.desk.stands[self.start.consultation_id]

    async def take(
        self, step: Step, party: Party, details: Details = NOTHING, key: str | None = None
    ) -> Stand:
        """Take a step, starting the workflow where none runs."""
        self.keys += 1
        start = self.start.model_copy(update={"stand": self.stand})
        request = Take(step=step, party=party, user="someone.hp", details=details)
        return await taken(self.environment.client, start, request, key or f"key-{self.keys}")

    async def enters(self, event: str, participant: int) -> None:
        """Have the video server tell that somebody came in."""
        payload = {
            "consultation_id": str(self.start.consultation_id),
            "kind": "participant_joined",
            "participant_id": str(UUID(int=participant)),
            "at": (await self.environment.get_current_time()).isoformat(),
        }
        await report_video(self.environment.client, event, payload)

    async def reaches(self, state: State) -> None:
        """Wait until it stands there."""
        async with asyncio.timeout(30):
            while self.stand.standing.state is not state:
                await asyncio.to_thread(self.desk.recorded.wait, 0.1)
                self.desk.recorded.clear()

    async def ends(self) -> Closing:
        """Let half a year pass, by when it is over."""
        await self.environment.sleep(timedelta(days=180))
        return await self.handle.result()

    async def to_confirmed(self) -> None:
        """Request, assign, hold a time and confirm it."""
        await self.take(Step.SUBMIT, RD)
        await self.take(Step.ASSIGN, CC, ASSIGNED)
        await self.take(Step.SCHEDULE, CC, SLOT)
        await self.take(Step.CONFIRM, EX)

    async def to_closed(self) -> None:
        """From a session to the end."""
        await self.take(Step.WRITE, EX, OPINION)
        await self.take(Step.SIGN, EX)
        await self.take(Step.CLOSE, RD)


@pytest.fixture
def desk() -> Desk:
    """A desk where nothing happened yet."""
    return Desk()


@pytest.fixture
async def working(environment: WorkflowEnvironment, desk: Desk) -> AsyncIterator[WorkflowEnvironment]:
    """The environment with a worker."""
    async with Worker(
        environment.client, task_queue="yilian", workflows=[Consultation], activities=desk.activities
    ):
        yield environment


async def begun(
    environment: WorkflowEnvironment, desk: Desk, id_: UUID, kind: Kind = Kind.VIDEO, most: int = 500
) -> Case:
    """Begin a consultation: a draft with a week's time."""
    now = await environment.get_current_time()
    stand = Stand(
        standing=Standing(kind, "routine", BEGINNING),
        owner_facility="HP",
        remind_at=now + timedelta(days=3),
        deadline_at=now + timedelta(days=7),
    )
    desk.stands[id_] = stand
    start = Start(consultation_id=id_, stand=stand, most=most)
    await start_consultation(environment.client, str(id_), start.model_dump(mode="json"))
    return Case(environment, desk, start)


@pytest.fixture
async def case(working: WorkflowEnvironment, desk: Desk) -> Case:
    """A video consultation that was just begun."""
    return await begun(working, desk, uuid4())

"""A worker that is killed at each boundary of each step: every referral closes rightly, and tells once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from activities.client import connect
from activities.database import engine
from activities.queues import Queue
from activities.referral_client import taken
from activities.referrals import stand
from activities.worker import ready
from consortium.errors import RetryableError
from consortium.referral import store
from consortium.referral.details import Details
from consortium.referral.model import Party, State, Step
from consortium.referral.recording import recorded
from consortium.referral.telling import Telling
from consortium.scheduling import resources
from consortium.scheduling.resources import Search
from runtime import process
from runtime.settings import Settings
from tests.integration.consortium.referral.applications import Case
from tests.integration.workflows.conftest import temporal_server
from workflows.referral.model import Closing, Start, Take, workflow_id

RC, RD, SD = Party.RECEIVING_COORDINATOR, Party.RECEIVING_DOCTOR, Party.SENDING_DOCTOR
WHY = Details(note="已说明")
SOON = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
TASK = timedelta(seconds=2)
"""How long the server waits for a worker that died in between two steps; ten seconds in earnest."""
Way = Sequence[tuple[Step, Party]]

CLOSED: Way = (
    (Step.SUBMIT, SD),
    (Step.TAKE, RC),
    (Step.ACCEPT, RC),
    (Step.BOOK, RC),
    (Step.RESCHEDULE, RC),
    (Step.CONFIRM, Party.PATIENT),
    (Step.ARRIVE, RC),
    (Step.BEGIN_CARE, RD),
    (Step.REPORT_INTERIM, RD),
    (Step.RETURN_OUTCOME, RD),
    (Step.CLOSE, SD),
)
CANCELLED: Way = (*CLOSED[:4], (Step.DECLINE, SD), (Step.REQUEST_CANCEL, SD), (Step.CONFIRM_CANCEL, RC))
ONWARD: Way = (*CLOSED[:2], (Step.REFER_ONWARD, RC))


class Told(Case):
    """A referral whose steps are taken without Temporal, and told."""

    def tell(self, connection: sa.Connection, notice: Any) -> None:
        Telling()(connection, notice)


@dataclass
class Journey:
    """One referral, at which step its workflow begins, and what it does from there."""

    id: UUID
    way: Way
    begins: int
    slots: tuple[UUID, UUID]

    def details(self, step: Step) -> Details:
        """What a step carries here."""
        match step:
            case Step.ACCEPT:
                return Details(department="0101")
            case Step.BOOK:
                return Details(slot_id=self.slots[0])
            case Step.RESCHEDULE:
                return Details(slot_id=self.slots[1])
            case Step.REFER_ONWARD:
                return Details(hospital="HY", note="无床")
            case _:
                return WHY

    def walk(self, database: sa.Engine, until: int) -> None:
        """Take the first steps without Temporal."""
        with database.begin() as connection:
            case = Told(connection, id=self.id, now=datetime.now(UTC)).begin()
            for step, party in self.way[:until]:
                case.take(step, party, self.details(step), user=str(party))


def journey(database: sa.Engine, way: Way, begins: int, clinic: str) -> Journey:
    with database.begin() as connection:
        room = resources.add(connection, "MAIN", "clinic", clinic, by="x")
        times = [(SOON + timedelta(hours=n), SOON + timedelta(hours=n, minutes=30)) for n in range(2)]
        first, second = resources.publish(connection, room.id, times, by="x")
        id_ = Told(connection).id
    return Journey(id_, way, begins, (first.id, second.id))


@contextmanager
def killed(folder: Path, log: Path) -> Iterator[None]:
    """Run the worker that is killed, with what gives it its next life."""
    folder.mkdir()
    program = process.python("tests.integration.workflows.killed_worker", str(folder))
    with log.open("wb") as out:
        started = subprocess.Popen(
            program, env=dict(os.environ), stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield
    finally:
        alive = started.poll() is None
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
        assert alive, log.read_text()[-3000:]


def _start(database: sa.Engine, one: Journey) -> Start:
    with database.connect() as connection:
        return Start(referral_id=one.id, stand=stand(recorded(store.get(connection, one.id))))


async def _take(client: Any, database: sa.Engine, one: Journey, step: Step, party: Party) -> None:
    """Take a step as the API does: again with the same key while nobody answers."""
    request = Take(step=step, party=party, user=str(party), details=one.details(step))
    async with asyncio.timeout(80):
        while True:
            try:
                await taken(client, _start(database, one), request, f"{party}:{step}")
            except RetryableError:
                continue
            return


async def _go(client: Any, database: sa.Engine, one: Journey) -> Closing:
    await client.start_workflow(
        "referral",
        _start(database, one),
        id=workflow_id(one.id),
        task_queue=Queue.WORKFLOWS,
        task_timeout=TASK,
    )
    for step, party in one.way[one.begins :]:
        await _take(client, database, one, step, party)
    handle = client.get_workflow_handle(workflow_id(one.id), result_type=Closing)
    closing: Closing = await handle.result()
    return closing


async def _all(settings: Settings, database: sa.Engine, journeys: Sequence[Journey]) -> list[Closing]:
    client = await connect(settings)
    return await asyncio.gather(*(_go(client, database, one) for one in journeys))


def told(database: sa.Engine, id_: UUID) -> Counter[tuple[Any, ...]]:
    """What was told of a referral: by which step, to whom, in which words."""
    query = sa.text(
        "SELECT step, facility, duty, recipient, template FROM workflow.notification WHERE subject_id = :id"
    )
    with database.connect() as connection:
        return Counter(tuple(row) for row in connection.execute(query, {"id": id_}))


def taken_steps(database: sa.Engine, id_: UUID) -> list[str]:
    with database.connect() as connection:
        return [event["step"] for event in store.events(connection, id_)]


def boundaries(journeys: Sequence[Journey]) -> set[str]:
    """Every boundary that there is: after each step, and while somebody is told of it."""
    steps = {step for one in journeys for step, _ in one.way}
    silent = {Step.TAKE}  # whoever takes it up is whoever owes the next step: nobody is told
    return {f"{step}.after" for step in steps} | {f"{step}.during" for step in steps - silent}


@pytest.mark.timeout(180)
def test_a_worker_that_is_killed_at_every_boundary_loses_nothing_and_tells_nothing_twice(
    settings: Settings, tmp_path: Path
) -> None:
    database = engine(settings.database_url)
    ways = (CLOSED, CANCELLED, ONWARD)
    journeys = [journey(database, way, 0, f"门诊 {n}") for n, way in enumerate(ways)]
    journeys += [journey(database, CLOSED, begins, f"诊室 {begins}") for begins in (3, 6, 9)]
    for one in journeys:
        one.walk(database, one.begins)
    twins = {way: journey(database, way, len(way), f"样板 {n}") for n, way in enumerate(ways)}
    for twin in twins.values():
        twin.walk(database, len(twin.way))
    with temporal_server(settings, tmp_path):
        asyncio.run(_ready(settings))
        with killed(tmp_path / "died", tmp_path / "killed.log"):
            closings = asyncio.run(_all(settings, database, journeys))
    assert {path.name for path in (tmp_path / "died").iterdir()} == boundaries(journeys)
    ends = {CLOSED: State.CLOSED, CANCELLED: State.CANCELLED, ONWARD: State.REFERRED_ONWARD}
    for one, closing in zip(journeys, closings, strict=True):
        assert (closing.state, closing.number) == (ends[one.way], len(one.way))
        assert taken_steps(database, one.id) == [step.value for step, _ in one.way]
        assert told(database, one.id) == told(database, twins[one.way].id)
        assert set(told(database, one.id).values()) == {1}
    with database.connect() as connection:
        offered = resources.offered(connection, Search(states=None))
        assert {slot.state for slot in offered} == {"free"}
        children = sa.text("SELECT count(*) FROM referral.referral WHERE parent_id = :id")
        assert connection.execute(children, {"id": journeys[2].id}).scalar_one() == 1
    database.dispose()


async def _ready(settings: Settings) -> None:
    await ready(settings)

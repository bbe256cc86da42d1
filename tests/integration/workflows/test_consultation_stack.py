"""A consultation over Temporal from request to close, with real servers and a worker killed in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from temporalio.client import Client

from activities import outbox
from activities.consultation_client import take_consultation_step
from activities.consultations import stand
from activities.database import engine
from consortium.errors import ConflictError, RetryableError
from consortium.scheduling.hours import PlainCalendar
from consortium.teleconsult import requesting, store
from consortium.teleconsult.details import Details, Opinion
from consortium.teleconsult.errors import StepRefusedError
from consortium.teleconsult.model import Kind, Party, State, Step
from consortium.teleconsult.recording import recorded
from runtime.settings import Settings
from runtime.waiting import until
from tests.integration.consortium.teleconsult import consultations
from tests.integration.consortium.teleconsult.consultations import CC, EX, EXPERTS, HOST, RD
from tests.integration.workflows.conftest import Reader, temporal_server, worker
from workflows.teleconsult.model import Stand, Start, Take, consultation_workflow_id

Take_ = Callable[..., Stand]
NOTHING = Details()
SAID = Details(opinion=Opinion(opinion="王珅建议手术"))


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for the calls of a test."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def database(settings: Settings) -> Iterator[sa.Engine]:
    """The database, with the accounts of those who take part."""
    made = engine(settings.database_url)
    with made.begin() as connection:
        consultations.staff(connection)
    yield made
    made.dispose()


@pytest.fixture
def times(database: sa.Engine) -> list[Details]:
    """Two times at which both experts offer a slot."""
    with database.begin() as connection:
        pairs = zip(*(consultations.slots(connection, one, 0, 1) for one in EXPERTS), strict=True)
    return [Details(slots=pair) for pair in pairs]


@pytest.fixture
def begin(database: sa.Engine) -> Callable[[], UUID]:
    """Write a draft, and the event that starts its workflow, as the API does."""

    def begun() -> UUID:
        id_ = uuid4()
        with database.begin() as connection:
            wanted = consultations.request(id_, Kind.VIDEO)
            requesting.begin(connection, wanted, datetime.now(UTC), PlainCalendar())
            start = Start(consultation_id=id_, stand=stand(recorded(store.get(connection, id_))))
            outbox.tell(connection, f"consultation:{id_}", start.model_dump(mode="json"))
        return id_

    return begun


@pytest.fixture
def take(settings: Settings, database: sa.Engine, runner: asyncio.Runner) -> Take_:
    """What the API calls."""

    def taken(id_: UUID, step: Step, party: Party, details: Details = NOTHING, user: str = HOST) -> Stand:
        with database.connect() as connection:
            start = Start(consultation_id=id_, stand=stand(recorded(store.get(connection, id_))))
        request = Take(step=step, party=party, user=user, details=details)
        key = str(uuid4())
        answers: list[Stand] = []

        def answered() -> bool:
            """Whether it is taken; while a worker starts, or a killed one is missed, ask again."""
            try:
                answers.append(runner.run(take_consultation_step(settings, start, request, key)))
            except RetryableError:
                return False
            return True

        assert until(answered, 90)
        return answers[0]

    return taken


async def _history(settings: Settings, workflow: str) -> str:
    plain = await Client.connect(settings.temporal_address)
    return (await plain.get_workflow_handle(workflow).fetch_history()).to_json()


def test_a_consultation_goes_its_way_and_a_taken_time_is_refused(
    settings: Settings,
    tmp_path: Path,
    reader: Reader,
    begin: Callable[[], UUID],
    take: Take_,
    times: list[Details],
    runner: asyncio.Runner,
) -> None:
    first, second = begin(), begin()
    with temporal_server(settings, tmp_path):
        with worker(tmp_path, "first") as one:
            for id_ in (first, second):
                take(id_, Step.SUBMIT, RD)
                take(id_, Step.ASSIGN, CC, Details(experts=EXPERTS))
            take(first, Step.SCHEDULE, CC, times[0])
            with pytest.raises(ConflictError, match="somebody else has the slot"):
                take(second, Step.SCHEDULE, CC, times[0])
            with pytest.raises(StepRefusedError) as refused:
                take(first, Step.SIGN, EX)
            assert refused.value.state is State.SCHEDULED
            one.kill()
        with worker(tmp_path, "second"):
            take(second, Step.SCHEDULE, CC, times[1])
            take(first, Step.CONFIRM, EX, NOTHING, EXPERTS[0])
            take(first, Step.CONFIRM, EX, NOTHING, EXPERTS[1])
            assert take(first, Step.CONFIRM, RD).standing.state is State.CONFIRMED
            take(first, Step.BEGIN, EX, NOTHING, EXPERTS[0])
            take(first, Step.WRITE, EX, SAID, EXPERTS[0])
            take(first, Step.SIGN, EX, NOTHING, EXPERTS[0])
            assert take(first, Step.CLOSE, RD).standing.state is State.CLOSED
            take(second, Step.CANCEL, RD, Details(note="王珅已转院"))
            written = runner.run(_history(settings, consultation_workflow_id(first)))
    for secret in ("王珅", *EXPERTS, "手术"):
        assert secret not in written
    assert "王珅" not in (tmp_path / "second.log").read_text()
    states = reader.ask("SELECT business_key, state FROM scheduling.booking ORDER BY business_key")
    assert {state for key, state in states if str(first) in key} == {"confirmed"}
    assert {state for key, state in states if str(second) in key} == {"released"}
    told = reader.ask("SELECT count(*), count(DISTINCT (workflow_id, step)) FROM workflow.notification")
    assert told[0][0] == told[0][1] > 10

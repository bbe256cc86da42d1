"""A referral over Temporal from draft to close and reopening, with real servers and a killed worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from temporalio.client import Client

from activities import outbox
from activities.database import engine
from activities.referral_client import take_step
from activities.referrals import stand
from consortium.errors import RetryableError
from consortium.referral import applying, store
from consortium.referral.applying import Consent
from consortium.referral.details import Details
from consortium.referral.errors import StepRefusedError
from consortium.referral.model import Party, State, Step
from consortium.referral.recording import recorded
from consortium.scheduling.hours import PlainCalendar
from runtime.settings import Settings
from runtime.waiting import until
from tests.integration.consortium.referral.applications import application
from tests.integration.workflows.conftest import Reader, temporal_server, worker
from workflows.referral.model import Stand, Start, Take, workflow_id

Step_ = Callable[..., Stand]
RC, RD, SD = Party.RECEIVING_COORDINATOR, Party.RECEIVING_DOCTOR, Party.SENDING_DOCTOR
WHY = Details(note="王珅已说明原因")


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for the calls of a test."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def referral(settings: Settings) -> UUID:
    """A draft with consent, and the event that starts its workflow, as the API writes them."""
    id_, now = uuid4(), datetime.now(UTC)
    database = engine(settings.database_url)
    with database.begin() as connection:
        applying.begin(connection, application(id_), now, PlainCalendar())
        word = Consent(id=uuid4(), given=True, by_relation="patient", method="written")
        applying.consent(connection, id_, word, "doctor.huangpu", now)
        start = Start(referral_id=id_, stand=stand(recorded(store.get(connection, id_))))
        outbox.tell(connection, f"referral:{id_}", start.model_dump(mode="json"))
    database.dispose()
    return id_


@pytest.fixture
def take(settings: Settings, runner: asyncio.Runner, referral: UUID) -> Step_:
    """What the API calls."""

    def taken(step: Step, party: Party, details: Details = WHY, key: str | None = None) -> Stand:
        database = engine(settings.database_url)
        with database.connect() as connection:
            start = Start(referral_id=referral, stand=stand(recorded(store.get(connection, referral))))
        database.dispose()
        request = Take(step=step, party=party, user="somebody", details=details)
        return runner.run(take_step(settings, start, request, key or f"{step}-{start.stand.number}"))

    return taken


def steps(reader: Reader) -> list[str]:
    return [step for (step,) in reader.ask("SELECT step FROM referral.event ORDER BY number")]


async def _history(settings: Settings, workflow: str) -> str:
    plain = await Client.connect(settings.temporal_address)
    return (await plain.get_workflow_handle(workflow).fetch_history()).to_json()


def test_a_referral_goes_its_way_and_is_reopened(
    settings: Settings, tmp_path: Path, reader: Reader, take: Step_, referral: UUID, runner: asyncio.Runner
) -> None:
    with temporal_server(settings, tmp_path), worker(tmp_path):
        assert until(lambda: reader.outbox()[0], 30)
        take(Step.SUBMIT, SD)
        with pytest.raises(StepRefusedError) as refused:
            take(Step.ACCEPT, RC, Details(department="0101"))
        assert refused.value.state is State.SUBMITTED
        take(Step.TAKE, RC)
        take(Step.ACCEPT, RC, Details(department="0101"))
        _arrives(settings, referral)
        assert until(lambda: steps(reader)[-1] == "arrive", 30)
        take(Step.BEGIN_CARE, RD)
        take(Step.RETURN_OUTCOME, RD)
        assert take(Step.CLOSE, SD).standing.state is State.CLOSED
        assert take(Step.REOPEN, SD).standing.state is State.IN_CARE
        written = runner.run(_history(settings, workflow_id(referral)))
    assert steps(reader)[-3:] == ["return_outcome", "close", "reopen"]
    for secret in ("王珅", "somebody", "0101"):
        assert secret not in written
    assert "王珅" not in (tmp_path / "worker.log").read_text()
    told = reader.ask("SELECT count(*), count(DISTINCT (workflow_id, step)) FROM workflow.notification")
    assert told[0][0] == told[0][1] > 5


def test_steps_go_on_though_the_worker_is_killed_and_none_is_taken_twice(
    settings: Settings, tmp_path: Path, reader: Reader, take: Step_
) -> None:
    with temporal_server(settings, tmp_path):
        with worker(tmp_path, "first") as first:
            take(Step.SUBMIT, SD, key="once")
            first.kill()
        with worker(tmp_path, "second"):
            assert take(Step.SUBMIT, SD, key="once").standing.state is State.SUBMITTED
            assert until(lambda: _answered(take, Step.TAKE, RC), 60)
    assert steps(reader) == ["submit", "take"]


def test_a_step_before_the_event_of_the_start_starts_the_workflow_itself(
    settings: Settings, tmp_path: Path, reader: Reader, take: Step_, referral: UUID
) -> None:
    with psycopg.connect(settings.database_url, autocommit=True) as database:
        database.execute("UPDATE bus.outbox SET not_before = now() + interval '1 hour'")
        with temporal_server(settings, tmp_path), worker(tmp_path):
            take(Step.SUBMIT, SD)
            database.execute("UPDATE bus.outbox SET not_before = NULL")
            assert until(lambda: reader.outbox()[0], 30)
            assert take(Step.TAKE, RC).number == 2


def _answered(take: Step_, step: Step, party: Party) -> bool:
    """Whether the step is taken; the server waits a while for the worker that was killed, so ask again."""
    try:
        take(step, party, key="again")
    except RetryableError:
        return False
    return True


def _arrives(settings: Settings, referral: UUID) -> None:
    """Write the event of an arrival."""
    database = engine(settings.database_url)
    with database.begin() as connection:
        outbox.tell(connection, f"referral-arrived:{referral}:V9", {"encounter": "V9"})
    database.dispose()

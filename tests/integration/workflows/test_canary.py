"""A patient's name that people write is nowhere in what Temporal, RabbitMQ and the logs hold."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from temporalio import activity, workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleState,
    WorkflowExecutionDescription,
)
from temporalio.common import RetryPolicy, SearchAttributePair, TypedSearchAttributes
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities import attributes as known
from activities.client import acknowledge_critical_value
from activities.codec import data_converter
from bus.relay.publisher import RabbitPublisher
from bus.relay.relay import Relay
from consortium.errors import RetryableError
from runtime.settings import Settings
from runtime.waiting import until
from tests.canary import files_hold, rabbitmq_holds, sightings, temporal_holds
from tests.integration.bus.clinic import hl7, rows, store
from tests.integration.workflows.conftest import (
    Reader,
    critical_potassium,
    holds,
    temporal_server,
    worker,
)
from workflows import attributes
from workflows.critical_value.model import Acknowledged, workflow_id

CANARY = "金丝雀𠮷安珅"
NOTE = f"{CANARY}的血钾 7.1，已补钾"
TELLTALE = (
    "CREATE FUNCTION records.telltale() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'refused for now: %', NEW.note; END $$;"
    "CREATE TRIGGER telltale BEFORE UPDATE ON records.critical_value FOR EACH ROW"
    " WHEN (NEW.note IS NOT NULL) EXECUTE FUNCTION records.telltale()"
)
"""A database that quotes in its error what was to be written, as databases do."""
CURED = "DROP TRIGGER telltale ON records.critical_value"


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


async def described(client: Client, workflow: str) -> WorkflowExecutionDescription:
    return await client.get_workflow_handle(workflow).describe()


async def acknowledged_at_the_second_attempt(settings: Settings, identifier: UUID) -> list[tuple[str, bytes]]:
    """Take note while the database fails; return what Temporal holds meanwhile."""
    client = await Client.connect(settings.temporal_address)

    async def acknowledge() -> Acknowledged:
        return await acknowledge_critical_value(settings, identifier, "doctor.main", NOTE, "key-1")

    async def failed() -> bool:
        pending = (await described(client, workflow_id(identifier))).raw_description.pending_activities
        return any(one.HasField("last_failure") for one in pending)

    first = asyncio.create_task(acknowledge())
    await holds(failed)
    places = await temporal_holds(settings.temporal_address)
    await asyncio.to_thread(execute, settings.database_url, CURED)
    with suppress(RetryableError):  # it took longer than a caller waits: the same key again
        await first
    assert (await acknowledge()).user == "doctor.main"
    return places


def test_a_critical_values_workflow_leaves_a_patients_name_nowhere(
    settings: Settings, tmp_path: Path, reader: Reader
) -> None:
    identifier = critical_potassium(settings.database_url, name=CANARY)
    with temporal_server(settings, tmp_path), worker(tmp_path):
        assert until(lambda: bool(reader.told()), 30)
        execute(settings.database_url, TELLTALE)
        places = asyncio.run(acknowledged_at_the_second_attempt(settings, identifier))
        places += asyncio.run(temporal_holds(settings.temporal_address))
    assert reader.ask("SELECT note FROM records.critical_value") == [(NOTE,)], "it was carried all the way"
    assert sum("described" in where for where, _ in places) == 2
    assert b"Encoded failure" in b"".join(held for _, held in places)
    files = dict(files_hold(tmp_path))
    assert {"worker.log", "temporal.log", "temporal/temporal.db"} <= files.keys()
    assert sightings(CANARY, [*places, *files.items()]) == []


async def test_the_brokers_queues_and_what_rings_in_them_name_nobody(
    database_url: str, amqp_url: str, amqp_server: tuple[str, str]
) -> None:
    store(database_url, *(hl7("ADT^A28", f"M{n}", name=CANARY) for n in range(3)))
    relay = Relay(database_url, lambda: RabbitPublisher.connect(amqp_url, 2))
    running = asyncio.create_task(relay.run())

    async def published() -> bool:
        return rows(database_url, "SELECT count(*) FROM bus.work WHERE published_at IS NULL") == [(0,)]

    try:
        await holds(published)
        places = await asyncio.to_thread(lambda: [*rabbitmq_holds(amqp_server[1], amqp_url)])
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert sum(where.startswith("RabbitMQ: message") for where, _ in places) == 3
    assert sightings(CANARY, places) == []


class Leak:
    """An activity that fails with its text, then heartbeats it until the test has looked."""

    def __init__(self) -> None:
        """Wait for `looked`."""
        self.looked = asyncio.Event()

    @activity.defn(name="leak")
    async def leak(self, text: str) -> str:
        """Fail, then beat, then give the text back."""
        if activity.info().attempt == 1:
            raise ApplicationError(text, {"detail": text})
        activity.heartbeat(text)
        await self.looked.wait()
        return text


@workflow.defn(name="leaky")
class Leaky:
    """Carries a text everywhere that a workflow can carry one."""

    @workflow.run
    async def run(self, text: str) -> str:
        """Have it leaked."""
        again = RetryPolicy(initial_interval=timedelta(milliseconds=10))
        result: str = await workflow.execute_activity(
            "leak", text, start_to_close_timeout=timedelta(minutes=1), retry_policy=again, summary=text
        )
        return result

    @workflow.signal
    def told(self, text: str) -> None:
        """Take a signal."""

    @workflow.query
    def echo(self, text: str) -> str:
        """Give it back."""
        return text


async def leaked(settings: Settings, converter: DataConverter) -> list[tuple[str, bytes]]:
    """Run a leaky workflow and return what Temporal holds, in its middle and at its end."""
    leak = Leak()
    client = await Client.connect(settings.temporal_address, data_converter=converter)
    await known.register(client)
    async with Worker(
        client,
        task_queue="leaky",
        workflows=[Leaky],
        activities=[leak.leak],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        handle = await client.start_workflow(
            Leaky.run,
            CANARY,
            id="leaky-1",
            task_queue="leaky",
            memo={"note": CANARY},
            static_summary=CANARY,
            static_details=CANARY,
            start_signal="told",
            start_signal_args=[CANARY],
        )

        async def beating() -> bool:
            pending = (await described(client, "leaky-1")).raw_description.pending_activities
            return any(one.HasField("heartbeat_details") for one in pending)

        await holds(beating)
        assert await handle.query(Leaky.echo, CANARY) == CANARY
        await client.create_schedule(
            "leaky",
            Schedule(
                action=ScheduleActionStartWorkflow(Leaky.run, CANARY, id="leaky-s", task_queue="leaky"),
                spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=1))]),
                state=ScheduleState(paused=True),
            ),
            memo={"note": CANARY},
        )
        places = await temporal_holds(settings.temporal_address)
        leak.looked.set()
        assert await handle.result() == CANARY
        return places + await temporal_holds(settings.temporal_address)


def test_whatever_a_workflow_carries_is_encrypted(settings: Settings, tmp_path: Path) -> None:
    converter = data_converter(settings.payload_key, (), settings.temporal_namespace)
    with temporal_server(settings, tmp_path):
        places = asyncio.run(leaked(settings, converter))
    assert sightings(CANARY, [*places, *files_hold(tmp_path)]) == []


def test_the_search_finds_the_name_wherever_an_open_workflow_would_show_it(
    settings: Settings, tmp_path: Path
) -> None:
    with temporal_server(settings, tmp_path):
        places = asyncio.run(leaked(settings, DataConverter.default))
    found = {one.rsplit(": ", 1)[0].removeprefix("workflow leaky: ") for one in sightings(CANARY, places)}
    assert {"listed", "described", "schedule: described"} <= found
    assert len({one for one in found if one.startswith("event ")}) >= 4
    in_files = sightings(CANARY, files_hold(tmp_path))
    assert any(one.startswith("temporal/temporal.db") for one in in_files)


@pytest.mark.parametrize("where", ["workflow id", "search attribute"])
def test_what_encryption_does_not_reach_is_searched_too(
    settings: Settings, tmp_path: Path, where: str
) -> None:
    identifier = f"{where}-{CANARY}" if where == "workflow id" else "opaque"
    facility = CANARY if where == "search attribute" else "MAIN"

    async def start() -> list[tuple[str, bytes]]:
        converter = data_converter(settings.payload_key, (), settings.temporal_namespace)
        client = await Client.connect(settings.temporal_address, data_converter=converter)
        await known.register(client)
        shown = TypedSearchAttributes([SearchAttributePair(attributes.FACILITY, facility)])
        await client.start_workflow("leaky", id=identifier, task_queue="nobody", search_attributes=shown)

        async def listed() -> bool:
            return [one.id async for one in client.list_workflows()] == [identifier]

        await holds(listed)
        return await temporal_holds(settings.temporal_address)

    with temporal_server(settings, tmp_path):
        found = sightings(CANARY, asyncio.run(start()))
    assert {"workflow leaky: listed", "workflow leaky: described"} <= {
        one.rsplit(": ", 1)[0] for one in found
    }

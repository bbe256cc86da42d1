"""The critical value workflow as a story, with the clock skipped."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from uuid import UUID

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import attributes
from activities.codec import data_converter
from activities.latency import BUFFER, Latencies
from activities.starts import start_critical_value
from tests.unit.workflows.conftest import TEST_SERVER
from tests.unit.workflows.staff import Ward
from workflows.critical_value.model import Acknowledge, Acknowledged, Closing, Withdrawn, workflow_id
from workflows.critical_value.workflow import CriticalValue

Handle = WorkflowHandle[CriticalValue, Closing]
DOCTOR = Acknowledge(user="doctor.main", note="已通知患者，立即补钾")


async def acknowledge(handle: Handle, request: Acknowledge = DOCTOR, key: str = "key-1") -> Acknowledged:
    return await handle.execute_update(CriticalValue.acknowledge, request, id=key)


async def test_acknowledged_at_once_nobody_else_is_told(
    started: Handle, ward: Ward, critical_value_id: UUID
) -> None:
    recorded = await acknowledge(started)
    closing = await started.result()
    assert recorded.user == "doctor.main"
    assert closing == Closing(state="acknowledged", level=0, acknowledged=recorded)
    assert ward.told == [("ordering_doctor", 0)]
    assert [(a.user, a.note, a.key) for a in ward.acknowledgements] == [("doctor.main", DOCTOR.note, "key-1")]


async def test_escalates_to_the_department_and_then_to_medical_affairs(
    started: Handle, ward: Ward, running: WorkflowEnvironment
) -> None:
    await running.sleep(timedelta(minutes=9))
    assert ward.told == [("ordering_doctor", 0)]
    await running.sleep(timedelta(minutes=2))
    assert ward.told == [("ordering_doctor", 0), ("department", 1)]
    await running.sleep(timedelta(minutes=10))
    assert ward.told == [("ordering_doctor", 0), ("department", 1), ("medical_affairs", 2)]


async def test_the_last_level_waits_until_somebody_acknowledges(
    started: Handle, ward: Ward, running: WorkflowEnvironment
) -> None:
    await running.sleep(timedelta(days=3))
    assert len(ward.told) == 3
    await acknowledge(started, Acknowledge(user="duty.main"))
    closing = await started.result()
    assert (closing.state, closing.level) == ("acknowledged", 2)


async def test_a_second_start_joins_the_first(
    started: Handle, ward: Ward, running: WorkflowEnvironment, critical_value_id: UUID
) -> None:
    await start_critical_value(running.client, str(critical_value_id), {"facility": "MAIN"}, (10, 10))
    await acknowledge(started)
    await started.result()
    await start_critical_value(running.client, str(critical_value_id), {"facility": "MAIN"}, (10, 10))
    assert ward.told == [("ordering_doctor", 0)]


async def test_the_same_key_twice_gives_the_first_result(started: Handle, ward: Ward) -> None:
    first = await acknowledge(started, key="same")
    again = await acknowledge(started, Acknowledge(user="someone.else"), key="same")
    assert again == first
    assert len(ward.acknowledgements) == 1


async def test_of_two_people_at_the_same_moment_one_is_recorded_and_the_other_refused(
    started: Handle, ward: Ward
) -> None:
    answers = await asyncio.gather(
        acknowledge(started, Acknowledge(user="doctor.main"), key="a"),
        acknowledge(started, Acknowledge(user="duty.main"), key="b"),
        return_exceptions=True,
    )
    recorded = [a for a in answers if isinstance(a, Acknowledged)]
    refused = [a for a in answers if isinstance(a, (WorkflowUpdateFailedError, RPCError))]
    assert (len(recorded), len(refused)) == (1, 1)
    assert [a.user for a in ward.acknowledgements] == [recorded[0].user]


async def test_a_withdrawn_result_ends_it_and_is_told(
    started: Handle, ward: Ward, running: WorkflowEnvironment
) -> None:
    await running.sleep(timedelta(minutes=11))
    await started.signal(CriticalValue.withdrawn, Withdrawn(reason="corrected"))
    closing = await started.result()
    assert (closing.state, closing.level) == ("withdrawn", 1)
    assert ward.told[-1] == ("withdrawn", 1)


async def test_withdrawn_in_postgresql_before_the_start_tells_no_doctor(
    running: WorkflowEnvironment, ward: Ward, critical_value_id: UUID
) -> None:
    ward.states[critical_value_id] = "withdrawn"
    await start_critical_value(running.client, str(critical_value_id), {"facility": "MAIN"}, (10, 10))
    handle = running.client.get_workflow_handle_for(CriticalValue.run, workflow_id(critical_value_id))
    assert (await handle.result()).state == "withdrawn"
    assert ("ordering_doctor", 0) not in ward.told


async def test_what_postgresql_refuses_the_update_refuses_and_the_workflow_goes_on(
    started: Handle, ward: Ward, critical_value_id: UUID, running: WorkflowEnvironment
) -> None:
    await running.sleep(timedelta(minutes=1))
    ward.states[critical_value_id] = "withdrawn"
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await acknowledge(started)
    assert "already withdrawn" in str(refused.value.cause)
    await started.signal(CriticalValue.withdrawn, Withdrawn())
    assert (await started.result()).state == "withdrawn"


async def test_the_sdk_measures_how_long_tasks_wait(ward: Ward, critical_value_id: UUID) -> None:
    buffer = MetricBuffer(BUFFER)
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(TEST_SERVER),
        test_server_startup_timeout=timedelta(seconds=60),
        data_converter=data_converter("test key", (), "default"),
        runtime=Runtime(telemetry=TelemetryConfig(metrics=buffer)),
    ) as environment:
        await attributes.register(environment.client)
        async with Worker(
            environment.client, task_queue="yilian", workflows=[CriticalValue], activities=ward.activities
        ):
            await start_critical_value(
                environment.client, str(critical_value_id), {"facility": "MAIN"}, (10, 10)
            )
            handle = environment.client.get_workflow_handle_for(
                CriticalValue.run, workflow_id(critical_value_id)
            )
            await acknowledge(handle)
            await handle.result()
    latencies = Latencies(["yilian"])
    latencies.take(buffer.retrieve_updates())
    assert {"yilian workflow", "yilian activity"} <= latencies.detail().keys()


def metadata_in(told: object) -> list[dict[str, str]]:
    """Return the metadata of every encrypted payload in a history."""
    if isinstance(told, list):
        return [one for below in told for one in metadata_in(below)]
    if not isinstance(told, dict):
        return []
    if "encryption-key-id" in told.get("metadata", {}):
        return [told["metadata"]]
    return [one for below in told.values() for one in metadata_in(below)]


async def test_every_payload_of_a_history_names_its_workflow(
    started: Handle, critical_value_id: UUID
) -> None:
    await acknowledge(started)
    await started.result()
    written = metadata_in((await started.fetch_history()).to_json_dict())
    own = base64.b64encode(workflow_id(critical_value_id).encode()).decode()
    assert len(written) > 5
    assert {one.get("workflow-id") for one in written} == {own}

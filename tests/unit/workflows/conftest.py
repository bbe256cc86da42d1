"""A time-skipping Temporal test server and the workflow on it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import attributes
from activities.codec import data_converter
from activities.starts import start_critical_value
from tests.unit.workflows.staff import Ward
from workflows.critical_value.model import workflow_id
from workflows.critical_value.workflow import CriticalValue

TEST_SERVER = Path(sys.executable).with_name("temporal-test-server")


@pytest.fixture
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    """A server whose clock jumps to the next timer; payloads are encrypted as in the real stack."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(TEST_SERVER),
        test_server_startup_timeout=timedelta(seconds=60),
        data_converter=data_converter("test key", (), "default"),
    ) as started:
        await attributes.register(started.client)
        yield started


@pytest.fixture
def ward() -> Ward:
    """A ward where nobody was told yet."""
    return Ward()


@pytest.fixture
async def running(environment: WorkflowEnvironment, ward: Ward) -> AsyncIterator[WorkflowEnvironment]:
    """The environment with a worker."""
    async with Worker(
        environment.client, task_queue="yilian", workflows=[CriticalValue], activities=ward.activities
    ):
        yield environment


@pytest.fixture
def critical_value_id() -> UUID:
    """A critical value."""
    return uuid4()


@pytest.fixture
async def started(
    running: WorkflowEnvironment, critical_value_id: UUID
) -> WorkflowHandle[CriticalValue, object]:
    """The workflow of that critical value, with ten minutes a level."""
    await start_critical_value(running.client, str(critical_value_id), {"facility": "MAIN"}, (10, 10))
    return running.client.get_workflow_handle_for(CriticalValue.run, workflow_id(critical_value_id))

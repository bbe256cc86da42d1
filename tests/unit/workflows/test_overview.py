"""Where a workflow stands, as Temporal describes it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.overview import UnknownWorkflowError, shown
from workflows.critical_value.model import Closing, workflow_id
from workflows.critical_value.workflow import CriticalValue


async def test_state_level_deadline_and_campus_are_told(
    started: WorkflowHandle[CriticalValue, Closing], running: WorkflowEnvironment, critical_value_id: UUID
) -> None:
    await running.sleep(timedelta(minutes=11))
    found = await shown(running.client, workflow_id(critical_value_id))
    one = found.standing
    assert (one.type, one.status, one.state, one.level) == ("critical_value", "running", "escalated", 1)
    assert (one.facility, found.queue, found.pending) == ("MAIN", "yilian", ())
    assert one.deadline is not None
    assert one.deadline > one.started


async def test_a_workflow_that_never_was_is_not_known(running: WorkflowEnvironment) -> None:
    with pytest.raises(UnknownWorkflowError):
        await shown(running.client, "critical-value-1")

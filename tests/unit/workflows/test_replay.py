"""Histories of earlier releases replay on the workflow as it is: a worker can be replaced meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from activities.codec import data_converter
from tests.unit.workflows.record import HISTORIES, KEY
from workflows.critical_value.model import Closing, Start
from workflows.critical_value.workflow import CriticalValue

SAVED = sorted(HISTORIES.glob("critical_value_*.json"))


def history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("critical-value-saved", path.read_text())


@pytest.mark.parametrize("path", SAVED, ids=lambda p: p.stem)
async def test_a_saved_history_replays(path: Path) -> None:
    replayer = Replayer(workflows=[CriticalValue], data_converter=data_converter(KEY, (), "default"))
    await replayer.replay_workflow(history(path))


@workflow.defn(name="critical_value")
class Impatient:
    """An incompatible change: waits before it tells anybody."""

    @workflow.run
    async def run(self, start: Start) -> Closing:
        """Wait, then end."""
        await asyncio.sleep(timedelta(minutes=1).total_seconds())
        return Closing(state="withdrawn", level=0)


@pytest.mark.parametrize("path", SAVED, ids=lambda p: p.stem)
async def test_an_incompatible_workflow_does_not_replay(path: Path) -> None:
    replayer = Replayer(
        workflows=[Impatient],
        data_converter=data_converter(KEY, (), "default"),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(history(path))


def test_every_path_has_a_saved_history() -> None:
    assert {p.stem.removeprefix("critical_value_").rpartition("_")[0] for p in SAVED} == {
        "acknowledged",
        "escalated_twice",
        "withdrawn",
    }


@pytest.mark.parametrize("path", SAVED, ids=lambda p: p.stem)
def test_a_saved_history_holds_no_name_in_the_clear(path: Path) -> None:
    assert "doctor.main" not in path.read_text()

"""Referrals of earlier releases replay on the workflow as it is: they are open for months."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from activities.codec import data_converter
from consortium.referral.model import State
from tests.unit.workflows.record import HISTORIES, KEY
from workflows.referral.model import Closing, Start
from workflows.referral.workflow import Referral

SAVED = sorted(HISTORIES.glob("referral_*.json"))


def history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("referral-saved", path.read_text())


@pytest.mark.parametrize("path", SAVED, ids=lambda p: p.stem)
async def test_a_saved_history_replays(path: Path) -> None:
    replayer = Replayer(workflows=[Referral], data_converter=data_converter(KEY, (), "default"))
    await replayer.replay_workflow(history(path))


@workflow.defn(name="referral")
class Impatient:
    """An incompatible change: waits a minute, then ends."""

    @workflow.run
    async def run(self, start: Start) -> Closing:
        """Wait, then end."""
        await asyncio.sleep(timedelta(minutes=1).total_seconds())
        return Closing(state=State.EXPIRED, number=0)


@pytest.mark.parametrize("path", SAVED, ids=lambda p: p.stem)
async def test_an_incompatible_workflow_does_not_replay(path: Path) -> None:
    replayer = Replayer(
        workflows=[Impatient],
        data_converter=data_converter(KEY, (), "default"),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(history(path))


def test_every_path_was_saved() -> None:
    assert {path.stem.split("_")[1] for path in SAVED} >= {"closed", "expired", "cancelled", "continued"}


@pytest.mark.parametrize("path", SAVED, ids=lambda p: p.stem)
def test_a_saved_history_holds_nothing_that_people_wrote(path: Path) -> None:
    written = path.read_text()
    assert [word for word in ("someone.hp", "已说明") if word in written] == []

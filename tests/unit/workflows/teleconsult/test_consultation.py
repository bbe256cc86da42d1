"""The workflow of a consultation: steps, meetings, reminders, lapses."""

from __future__ import annotations

from uuid import uuid4

import pytest
from temporalio.testing import WorkflowEnvironment

from consortium.teleconsult.errors import StepRefusedError
from consortium.teleconsult.model import Kind, State, Step
from tests.unit.workflows.teleconsult.conftest import ASSIGNED, CC, EX, OPINION, RD, SLOT, Case, begun
from tests.unit.workflows.teleconsult.desk import Desk


async def test_it_goes_from_draft_to_close_and_begins_when_two_have_met(case: Case) -> None:
    await case.to_confirmed()
    await case.enters("event-1", 1)
    await case.enters("event-1", 1)
    assert case.stand.standing.state is State.CONFIRMED
    await case.enters("event-2", 2)
    await case.reaches(State.IN_SESSION)
    await case.to_closed()
    assert (await case.handle.result()).state is State.CLOSED
    assert case.desk.taken.count(Step.BEGIN) == 1


async def test_a_refused_step_tells_the_state_and_what_is_open(case: Case) -> None:
    with pytest.raises(StepRefusedError) as refused:
        await case.take(Step.ASSIGN, CC, ASSIGNED)
    assert refused.value.state is State.DRAFT
    assert "submit" in str(refused.value)


async def test_the_same_key_again_takes_it_once(case: Case) -> None:
    first = await case.take(Step.SUBMIT, RD, key="once")
    assert await case.take(Step.SUBMIT, RD, key="once") == first
    assert case.desk.taken == [Step.SUBMIT]


async def test_nobody_acts_it_is_reminded_escalated_and_expires(case: Case) -> None:
    await case.take(Step.SUBMIT, RD)
    assert (await case.ends()).state is State.EXPIRED
    assert case.desk.taken == [Step.SUBMIT, Step.ESCALATE, Step.ESCALATE, Step.EXPIRE]
    assert case.desk.reminded == [1, 2, 3]


async def test_an_appointment_to_which_nobody_came_is_missed_and_then_lapses(case: Case) -> None:
    await case.to_confirmed()
    assert (await case.ends()).state is State.EXPIRED
    assert case.desk.taken[4:6] == [Step.MISS, Step.ESCALATE]


async def test_a_signed_opinion_that_nobody_closes_is_closed_by_itself(
    working: WorkflowEnvironment, desk: Desk
) -> None:
    case = await begun(working, desk, uuid4(), Kind.ECG)
    await case.take(Step.SUBMIT, RD)
    await case.take(Step.ASSIGN, CC, ASSIGNED)
    with pytest.raises(StepRefusedError):
        await case.take(Step.SCHEDULE, CC, SLOT)
    await case.take(Step.WRITE, EX, OPINION)
    await case.take(Step.SIGN, EX)
    assert (await case.ends()).state is State.CLOSED


async def test_it_goes_on_as_new_with_who_was_there(working: WorkflowEnvironment, desk: Desk) -> None:
    case = await begun(working, desk, uuid4(), most=2)
    await case.enters("event-1", 1)
    await case.to_confirmed()
    await case.enters("event-2", 2)
    await case.reaches(State.IN_SESSION)
    await case.to_closed()
    assert (await case.handle.result()).number == 8

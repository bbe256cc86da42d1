"""The referral workflow as a story, with the clock skipped through months."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from consortium.referral.details import RECORDED, Details
from consortium.referral.errors import StepRefusedError
from consortium.referral.model import Need, Party, State, Step
from tests.unit.workflows.referral.conftest import WHY, Case, begun
from tests.unit.workflows.referral.desk import Desk
from workflows.referral.model import Arrived, Closing, Stand
from workflows.referral.workflow import Referral

RC, RD = Party.RECEIVING_COORDINATOR, Party.RECEIVING_DOCTOR
SD, SC = Party.SENDING_DOCTOR, Party.SENDING_COORDINATOR


async def test_from_the_draft_over_an_arrival_told_by_the_bus_to_the_close(case: Case) -> None:
    await case.to_booked()
    await case.take(Step.CONFIRM, Party.PATIENT)
    await case.arrives("V-9")
    await case.take(Step.BEGIN_CARE, RD)
    await case.take(Step.REPORT_INTERIM, RD, WHY)
    await case.take(Step.RETURN_OUTCOME, RD, WHY)
    await case.take(Step.CLOSE, SD)
    assert await case.ends() == Closing(state=State.CLOSED, number=10)
    arrival = next(order for order in case.desk.orders if order.step is Step.ARRIVE)
    assert (arrival.party, arrival.user, arrival.details.encounter) == (Party.SYSTEM, None, "V-9")


async def test_a_forgotten_draft_is_reminded_escalated_twice_and_expires(case: Case) -> None:
    closing = await case.ends()
    assert closing.state is State.EXPIRED
    assert case.desk.taken == [Step.ESCALATE, Step.ESCALATE, Step.EXPIRE]
    assert case.desk.reminded == [0, 1, 2]


async def test_the_deadline_starts_anew_with_each_hand_off(case: Case) -> None:
    await case.environment.sleep(timedelta(days=2))
    await case.take(Step.SUBMIT, SD)
    await case.environment.sleep(timedelta(hours=5))
    assert (case.desk.reminded, case.desk.taken) == ([1], [Step.SUBMIT])
    await case.environment.sleep(timedelta(hours=4))
    assert case.desk.taken == [Step.SUBMIT, Step.ESCALATE]
    assert case.stand.level == 1
    stand = await case.take(Step.TAKE, RC)
    assert (stand.level, stand.standing.state) == (0, State.UNDER_REVIEW)


async def test_who_does_not_come_is_noted_two_hours_after_the_booked_time(case: Case) -> None:
    await case.to_booked(timedelta(days=90))
    await case.environment.sleep(timedelta(days=90, hours=2))
    before = case.stand.standing.state
    await case.environment.sleep(timedelta(hours=1))
    assert (before, case.stand.standing.state) == (State.BOOKED, State.NO_SHOW)


async def test_care_goes_on_for_months_and_is_asked_about_but_never_expires(case: Case) -> None:
    await case.to_booked()
    await case.take(Step.ARRIVE, RC)
    await case.take(Step.BEGIN_CARE, RD)
    await case.environment.sleep(timedelta(days=120))
    assert case.stand.standing.state is State.IN_CARE
    assert case.stand.level > 10
    assert (await case.handle.describe()).status is WorkflowExecutionStatus.RUNNING


async def closed_with_follow_up(case: Case) -> None:
    await case.to_booked()
    for step, party in ((Step.ARRIVE, RC), (Step.BEGIN_CARE, RD), (Step.RETURN_OUTCOME, RD)):
        await case.take(step, party, WHY)
    now = await case.environment.get_current_time()
    closed = await case.take(Step.CLOSE, SD, Details(follow_up_at=now + timedelta(days=90)))
    assert closed.standing.state is State.CLOSED


async def test_whoever_looks_after_the_patient_is_told_months_after_the_close(case: Case) -> None:
    await closed_with_follow_up(case)
    await case.environment.sleep(timedelta(days=89))
    assert case.desk.followed_up == []
    assert (await case.ends()).state is State.CLOSED
    assert case.desk.followed_up == [case.stand.number]


async def test_a_referral_that_is_reopened_before_its_follow_up_goes_on(case: Case) -> None:
    await closed_with_follow_up(case)
    reopened = await case.take(Step.REOPEN, SD, WHY)
    assert reopened.standing.state is State.IN_CARE
    await case.take(Step.REPORT_INTERIM, RD, WHY)
    assert case.desk.followed_up == []


async def test_a_cancellation_takes_both_sides(case: Case) -> None:
    await case.to_booked()
    asked = await case.take(Step.REQUEST_CANCEL, Party.PATIENT, WHY)
    assert asked.standing.place.owner is RC
    with pytest.raises(StepRefusedError) as refused:
        await case.take(Step.CONFIRM_CANCEL, SC)
    assert refused.value.refusal.code == "not-yours"
    back = await case.take(Step.DECLINE_CANCEL, RC, WHY)
    assert back.standing.state is State.BOOKED
    await case.take(Step.REQUEST_CANCEL, RC, WHY)
    await case.take(Step.CONFIRM_CANCEL, SC)
    assert (await case.ends()).state is State.CANCELLED


async def test_a_cancellation_that_the_other_side_leaves_unanswered_holds_in_the_end(case: Case) -> None:
    await case.to_accepted()
    await case.take(Step.REQUEST_CANCEL, SD, WHY)
    assert (await case.ends()).state is State.CANCELLED
    assert case.desk.orders[-1].party is Party.SYSTEM


async def test_whoever_comes_is_not_cancelled(case: Case) -> None:
    await case.to_booked()
    await case.take(Step.REQUEST_CANCEL, SD, WHY)
    await case.arrives("V-9")
    stand = await case.take(Step.BEGIN_CARE, RD)
    assert stand.standing.state is State.IN_CARE


async def test_an_arrival_before_anybody_accepted_and_a_second_one_change_nothing(case: Case) -> None:
    await case.handle.signal(Referral.arrived, Arrived(encounter="V-1"))
    await case.to_booked()
    for _ in range(2):
        await case.arrives("V-9")
    await case.take(Step.BEGIN_CARE, RD)
    assert case.desk.taken.count(Step.ARRIVE) == 1


async def test_a_refused_step_says_why_and_what_is_open_and_leaves_no_history(case: Case) -> None:
    before = len((await case.handle.fetch_history()).events)
    with pytest.raises(StepRefusedError) as refused:
        await case.take(Step.ACCEPT, RC)
    assert refused.value.state is State.DRAFT
    assert "草稿" in refused.value.zh
    with pytest.raises(StepRefusedError) as others:
        await case.take(Step.SUBMIT, RC)
    assert others.value.refusal.code == "not-yours"
    written = (await case.handle.fetch_history()).events[before:]
    assert not [
        event for event in written if event.HasField("workflow_execution_update_accepted_event_attributes")
    ]


async def test_what_the_records_lack_refuses_the_step_and_the_workflow_goes_on(case: Case) -> None:
    case.desk.there = RECORDED - {Need.CONSENT}
    with pytest.raises(StepRefusedError) as refused:
        await case.take(Step.SUBMIT, SD)
    assert refused.value.refusal.code == "something-missing"
    case.desk.there = RECORDED
    assert (await case.take(Step.SUBMIT, SD)).standing.state is State.SUBMITTED


async def test_the_same_key_twice_is_one_step(case: Case) -> None:
    first = await case.take(Step.SUBMIT, SD, key="same")
    again = await case.take(Step.SUBMIT, SD, key="same")
    assert first == again
    assert case.desk.taken == [Step.SUBMIT]


async def test_of_two_coordinators_at_the_same_moment_one_accepts_and_the_other_is_refused(
    case: Case,
) -> None:
    await case.take(Step.SUBMIT, SD)
    await case.take(Step.TAKE, RC)
    answers = await asyncio.gather(
        case.take(Step.ACCEPT, RC, Details(department="A")),
        case.take(Step.REJECT, RC, WHY),
        return_exceptions=True,
    )
    assert len([a for a in answers if isinstance(a, Stand)]) == 1
    assert len([a for a in answers if isinstance(a, StepRefusedError)]) == 1


async def test_delegation_keeps_state_and_deadline(case: Case) -> None:
    await case.take(Step.SUBMIT, SD)
    before = case.stand
    after = await case.take(Step.DELEGATE, RC, Details(delegate="other.main"))
    assert (after.standing, after.deadline_at) == (before.standing, before.deadline_at)


async def test_a_closed_referral_is_reopened_by_a_new_run(case: Case) -> None:
    await case.to_booked()
    await case.take(Step.ARRIVE, RC)
    await case.take(Step.BEGIN_CARE, RD)
    await case.take(Step.RETURN_OUTCOME, RD, WHY)
    assert (await case.ends()).state is State.CLOSED, "nobody takes note, and it closes by itself"
    with pytest.raises(StepRefusedError):
        await case.take(Step.CLOSE, SD)
    stand = await case.take(Step.REOPEN, SD, Details(note="补充病理结果"))
    assert stand.standing.state is State.IN_CARE
    await case.take(Step.RETURN_OUTCOME, RD, WHY)
    await case.take(Step.CLOSE, SD)
    assert (await case.ends()).state is State.CLOSED


async def test_it_continues_as_new_with_everything_it_knows(working: WorkflowEnvironment, desk: Desk) -> None:
    case = await begun(working, desk, uuid4(), most=2)
    first = (await case.handle.describe()).run_id
    await case.to_booked(timedelta(days=30))
    await case.take(Step.REQUEST_CANCEL, SD, WHY)
    await case.take(Step.DECLINE_CANCEL, RC, WHY)
    assert (await case.handle.describe()).run_id != first
    await case.arrives("V-9")
    await case.take(Step.BEGIN_CARE, RD)
    await case.take(Step.RETURN_OUTCOME, RD, WHY)
    await case.take(Step.CLOSE, SD)
    assert (await case.ends()).state is State.CLOSED
    assert [order.step for order in desk.orders].count(Step.ARRIVE) == 1


async def test_the_deadline_survives_continuing_as_new(working: WorkflowEnvironment, desk: Desk) -> None:
    case = await begun(working, desk, uuid4(), most=1)
    await case.take(Step.SUBMIT, SD)
    assert (await case.ends()).state is State.EXPIRED
    assert desk.taken == [Step.SUBMIT, Step.ESCALATE, Step.ESCALATE, Step.EXPIRE]

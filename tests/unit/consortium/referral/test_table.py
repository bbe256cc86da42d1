"""The table as a whole: what it must hold, whatever its lines are."""

from __future__ import annotations

import pytest

from consortium.referral import words
from consortium.referral.deadlines import LIMITS
from consortium.referral.model import FINAL, OPEN, Kind, Need, Party, Side, State, Step
from consortium.referral.page import PAGE, page
from consortium.referral.table import TABLE
from tests.conftest import CHECKOUT

AGREED = """draft submitted under_review returned_for_info rejected referred_onward accepted awaiting_slot
booked rescheduled no_show arrived in_care interim_reported outcome_returned closed cancel_requested cancelled
expired"""


def targets(state: State) -> set[State]:
    return {line.to for line in TABLE if state in line.start and isinstance(line.to, State)}


def test_the_states_are_those_agreed_on() -> None:
    assert " ".join(State) == AGREED.replace("\n", " ")


@pytest.mark.parametrize("state", [s for s in State if s is not State.DRAFT])
def test_every_state_is_reached_from_a_draft(state: State) -> None:
    reached, frontier = {State.DRAFT}, [State.DRAFT]
    while frontier:
        new = targets(frontier.pop()) - reached
        reached |= new
        frontier += new
    assert state in reached


@pytest.mark.parametrize("state", OPEN)
def test_every_open_state_has_a_way_to_an_end(state: State) -> None:
    reached, frontier = {state}, [state]
    while frontier:
        new = targets(frontier.pop()) - reached
        reached |= new
        frontier += new
    assert reached & FINAL


@pytest.mark.parametrize("state", OPEN)
def test_in_every_open_state_the_system_escalates_and_the_owner_delegates(state: State) -> None:
    steps = {line.step for line in TABLE if state in line.start}
    assert {Step.ESCALATE, Step.DELEGATE} <= steps


@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_final_state_is_left_by_reopening_alone(state: State) -> None:
    assert {line.step for line in TABLE if state in line.start} <= {Step.REOPEN}


@pytest.mark.parametrize("line", TABLE, ids=lambda line: f"{line.start[0]}-{line.step}")
def test_a_line_that_leads_to_an_open_state_names_owner_and_deadline_and_no_other_does(line) -> None:
    leads = isinstance(line.to, State) and line.to not in FINAL
    assert (line.owner is not None, line.deadline is not None) == (leads, leads)
    assert line.who


def test_no_two_lines_answer_the_same_question() -> None:
    asked = [
        (state, line.step, party, side)
        for line in TABLE
        for state in line.start
        for party in line.who
        for side in ([line.asked] if line.asked else [Side.SENDING, Side.RECEIVING])
    ]
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("kind", Kind)
def test_the_lapse_of_a_deadline_is_a_step_of_the_system_wherever_that_deadline_runs(kind: Kind) -> None:
    lapse = LIMITS[kind].lapse
    states = {line.to for line in TABLE if line.deadline is kind and isinstance(line.to, State)}
    states |= {State.DRAFT} if kind is Kind.DRAFT else set()
    assert states
    for state in states:
        steps = {line.step for line in TABLE if state in line.start and Party.SYSTEM in line.who}
        assert lapse is None or lapse in steps


def test_everything_is_said_in_both_languages() -> None:
    for known, said in (
        (State, words.STATES),
        (Step, words.STEPS),
        (Party, words.PARTIES),
        (Need, words.NEEDS),
    ):
        assert list(known) == list(said)
        assert all(word.en.isascii() and not word.zh.isascii() for word in said.values())


def test_the_page_is_made_from_the_table() -> None:
    assert (CHECKOUT / PAGE).read_text(encoding="utf-8") == page(), "run python -m consortium.referral.page"

"""The table of consultations as a whole: what it must hold, whatever its lines are."""

from __future__ import annotations

import pytest

from consortium.teleconsult import words
from consortium.teleconsult.deadlines import LIMITS
from consortium.teleconsult.model import FINAL, OPEN, Deadline, Kind, Need, Party, State, Step
from consortium.teleconsult.page import PAGE, page
from consortium.teleconsult.table import TABLE
from tests.conftest import CHECKOUT

ONLY_VIDEO = {State.SCHEDULED, State.CONFIRMED, State.IN_SESSION, State.NO_SHOW}


def reached_from(state: State, kind: Kind) -> set[State]:
    reached, frontier = {state}, [state]
    while frontier:
        here = frontier.pop()
        lines = [line for line in TABLE if here in line.start and kind in line.kinds]
        new = {line.to for line in lines if isinstance(line.to, State)} - reached
        reached |= new
        frontier += new
    return reached


@pytest.mark.parametrize("kind", Kind)
def test_every_state_is_reached_from_a_draft_but_those_of_a_session_without_one(kind: Kind) -> None:
    assert set(State) - reached_from(State.DRAFT, kind) == (set() if kind is Kind.VIDEO else ONLY_VIDEO)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("state", OPEN)
def test_every_open_state_has_a_way_to_an_end_and_is_escalated(state: State, kind: Kind) -> None:
    if kind is Kind.VIDEO or state not in ONLY_VIDEO:
        assert reached_from(state, kind) & FINAL
    assert any(line.step is Step.ESCALATE and state in line.start for line in TABLE)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_final_state_is_never_left(state: State) -> None:
    assert not [line for line in TABLE if state in line.start]


@pytest.mark.parametrize("line", TABLE, ids=lambda line: f"{line.start[0]}-{line.step}-{len(line.kinds)}")
def test_a_line_that_leads_to_an_open_state_names_owner_and_deadline_and_no_other_does(line) -> None:
    leads = isinstance(line.to, State) and line.to not in FINAL
    assert (line.owner is not None, line.deadline is not None) == (leads, leads)
    assert line.who


def test_two_lines_that_answer_the_same_question_differ_in_what_they_need() -> None:
    asked = [
        (state, line.step, party, kind, line.urgency, line.needs)
        for line in TABLE
        for state in line.start
        for party in line.who
        for kind in line.kinds
    ]
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("deadline", Deadline)
def test_the_lapse_of_a_deadline_is_a_step_of_the_system_wherever_that_deadline_runs(
    deadline: Deadline,
) -> None:
    lapse = LIMITS[deadline].lapse
    states = {line.to for line in TABLE if line.deadline is deadline and isinstance(line.to, State)}
    states |= {State.DRAFT} if deadline is Deadline.DRAFT else set()
    assert states
    for state in states:
        steps = {line.step for line in TABLE if state in line.start and Party.SYSTEM in line.who}
        assert lapse is None or lapse in steps


def test_everything_is_said_in_both_languages() -> None:
    for known, said in (
        (Kind, words.KINDS),
        (State, words.STATES),
        (Step, words.STEPS),
        (Party, words.PARTIES),
        (Need, words.NEEDS),
    ):
        assert list(known) == list(said)
        assert all(word.en.isascii() and not word.zh.isascii() for word in said.values())


def test_the_page_is_made_from_the_table() -> None:
    assert (CHECKOUT / PAGE).read_text(encoding="utf-8") == page(), (
        "run python -m consortium.teleconsult.page"
    )

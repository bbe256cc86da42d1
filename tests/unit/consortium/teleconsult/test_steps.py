"""Every path that anybody can take through a consultation, explored; and its stories, told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import ValidationError

from consortium.scheduling.hours import PlainCalendar
from consortium.teleconsult.deadlines import LATE, due, lapse
from consortium.teleconsult.decide import Move, Refusal, decide, open_steps
from consortium.teleconsult.details import RECORDED, Details
from consortium.teleconsult.model import (
    BEGINNING,
    FINAL,
    Deadline,
    Kind,
    Need,
    Party,
    Place,
    Standing,
    State,
    Step,
    Urgency,
)
from consortium.teleconsult.table import TABLE

EVERYTHING = frozenset(Need)
NOW = datetime(2026, 11, 25, 1, tzinfo=UTC)


class Explorer(RuleBasedStateMachine):
    """Anybody tries anything, with anything at hand."""

    standing: Standing

    @initialize(kind=st.sampled_from(Kind), urgency=st.sampled_from(("routine", "urgent")))
    def begin(self, kind: Kind, urgency: Urgency) -> None:
        self.standing = Standing(kind, urgency, BEGINNING)

    @rule(step=st.sampled_from(Step), party=st.sampled_from(Party), has=st.frozensets(st.sampled_from(Need)))
    def attempt(self, step: Step, party: Party, has: frozenset[Need]) -> None:
        self._try(step, party, has)

    @rule(data=st.data(), party=st.sampled_from(Party))
    def go_on(self, data: st.DataObject, party: Party) -> None:
        """Take a step that is open to that party, with all it needs: it is never refused."""
        steps = open_steps(self.standing, party)
        if steps:
            assert isinstance(self._try(data.draw(st.sampled_from(steps)), party, EVERYTHING), Move)

    @precondition(lambda self: self.standing.place.deadline is not None)
    @rule(level=st.integers(0, 3))
    def lapse(self, level: int) -> None:
        """At the end of a deadline the system's step is open."""
        running = self.standing.place.deadline
        assert running is not None
        step = lapse(running, level)
        assert isinstance(self._try(step, Party.SYSTEM, frozenset()), Move)

    def _try(self, step: Step, party: Party, has: frozenset[Need]) -> Move | Refusal:
        before = self.standing
        answer = decide(before, step, party, has)
        if isinstance(answer, Refusal):
            assert answer.why.en
            assert not answer.why.zh.isascii()
            open_ = step in open_steps(before)
            assert (answer.code == "not-from-this-state") == (not open_)
            assert (answer.code == "something-missing") == bool(answer.missing)
            return answer
        line = answer.line
        assert line in TABLE
        assert before.state in line.start
        assert before.kind in line.kinds
        assert party in line.who
        assert line.needs <= has
        place = before.place if line.to == "stays" else Place(line.to, line.owner, line.deadline)
        assert answer.after == before.at(place)
        self.standing = answer.after
        return answer

    @invariant()
    def somebody_owes_the_next_step_until_it_is_over(self) -> None:
        place = self.standing.place
        is_open = place.state not in FINAL
        assert (place.owner is not None, place.deadline is not None) == (is_open, is_open)

    @invariant()
    def whoever_owes_the_next_step_can_take_one(self) -> None:
        owner = self.standing.place.owner
        if owner:
            assert open_steps(self.standing, owner)


TestExplorer = Explorer.TestCase


def played(kind: Kind, *steps: tuple[Step, Party], urgency: Urgency = "routine") -> State:
    standing = Standing(kind, urgency, BEGINNING)
    for step, party in steps:
        answer = decide(standing, step, party, EVERYTHING)
        assert isinstance(answer, Move), answer
        standing = answer.after
    return standing.state


RD, EX, CC = Party.REQUESTING_DOCTOR, Party.EXPERT, Party.CONSULTING_COORDINATOR
ASKED = (Step.SUBMIT, RD)
ASSIGNED = (Step.ASSIGN, CC)
OPINION = ((Step.WRITE, EX), (Step.SIGN, EX))


def test_a_video_consultation_from_draft_to_close() -> None:
    way: tuple[tuple[Step, Party], ...] = (ASKED, (Step.RETURN, CC), ASKED, ASSIGNED)
    way += ((Step.SCHEDULE, CC), (Step.CONFIRM, EX))
    way += ((Step.RESCHEDULE, CC), (Step.CONFIRM, RD), (Step.BEGIN, Party.SYSTEM), *OPINION)
    assert played(Kind.VIDEO, *way, (Step.EVALUATE, RD), (Step.CHARGE, CC), (Step.CLOSE, RD)) is State.CLOSED


@pytest.mark.parametrize("kind", [Kind.IMAGING, Kind.RECORD, Kind.ECG])
def test_a_reading_needs_no_time(kind: Kind) -> None:
    assert played(kind, ASKED, ASSIGNED, *OPINION) is State.SIGNED
    standing = Standing(kind, "routine", Place(State.ACCEPTED, EX, Deadline.OPINION))
    assert isinstance(decide(standing, Step.SCHEDULE, CC, EVERYTHING), Refusal)


def test_an_urgent_one_is_claimed_on_call_and_begins_without_an_appointment() -> None:
    way = (ASKED, (Step.CLAIM, Party.CONSULTING_DOCTOR), (Step.BEGIN, EX))
    assert played(Kind.VIDEO, *way, urgency="urgent") is State.IN_SESSION
    routine = Standing(Kind.VIDEO, "routine", Place(State.ACCEPTED, CC, Deadline.SCHEDULING))
    assert isinstance(decide(routine, Step.BEGIN, EX, EVERYTHING), Refusal)
    urgent = due(PlainCalendar(), Deadline.TRIAGE, "urgent", "MAIN", NOW, None)
    assert urgent.at == NOW + timedelta(minutes=15)


def test_a_time_is_confirmed_when_the_last_has() -> None:
    held = Standing(Kind.VIDEO, "routine", Place(State.SCHEDULED, EX, Deadline.CONFIRMATION))
    first = decide(held, Step.CONFIRM, EX, frozenset())
    last = decide(held, Step.CONFIRM, RD, frozenset({Need.LAST_WORD}))
    assert isinstance(first, Move)
    assert isinstance(last, Move)
    assert (first.after.state, last.after.state) == (State.SCHEDULED, State.CONFIRMED)


def test_experts_are_substituted_and_a_missed_one_gets_another_time() -> None:
    before = (ASKED, ASSIGNED, (Step.SCHEDULE, CC), (Step.CONFIRM, EX))
    assert played(Kind.VIDEO, *before, (Step.SUBSTITUTE, CC)) is State.ACCEPTED
    assert played(Kind.VIDEO, *before, (Step.MISS, CC), (Step.RESCHEDULE, CC)) is State.SCHEDULED


def test_a_refusal_says_what_is_missing_who_may_and_what_is_open() -> None:
    draft = Standing(Kind.ECG, "routine", BEGINNING)
    missing = decide(draft, Step.SUBMIT, RD, frozenset({Need.QUESTION}))
    assert isinstance(missing, Refusal)
    assert missing.missing == (Need.CONSENT, Need.MATERIAL)
    strange = decide(draft, Step.SUBMIT, EX, EVERYTHING)
    assert isinstance(strange, Refusal)
    assert "doctor of the requesting hospital" in strange.why.en
    early = decide(draft, Step.SIGN, EX, EVERYTHING)
    assert isinstance(early, Refusal)
    assert "discard the draft" in early.why.en


def test_an_appointment_counts_as_missed_half_an_hour_after_its_beginning() -> None:
    begins = NOW + timedelta(days=3)
    ends = due(PlainCalendar(), Deadline.ATTENDANCE, "routine", "MAIN", NOW, begins)
    assert (ends.remind_at, ends.at) == (begins - timedelta(days=1), begins + LATE)


def test_what_a_step_carries_meets_its_needs() -> None:
    assert Details().has() == frozenset()
    said = Details.model_validate(
        {"note": "请尽快", "experts": ["e"], "rating": 5, "fee": "300.00", "opinion": {"opinion": "同意"}}
    )
    assert said.has() == {Need.NOTE, Need.EXPERT, Need.RATING, Need.FEE, Need.OPINION}
    assert not said.has() & RECORDED
    with pytest.raises(ValidationError, match="named twice"):
        Details(experts=("e", "e"))

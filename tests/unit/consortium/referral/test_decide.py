"""Every path that anybody can take through a referral, explored; and its stories, told."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from consortium.referral.deadlines import LIMITS, lapse
from consortium.referral.decide import Move, Refusal, decide, open_steps
from consortium.referral.model import (
    BEGINNING,
    FINAL,
    Need,
    Party,
    Place,
    Side,
    Standing,
    State,
    Step,
)
from consortium.referral.table import TABLE

EVERYTHING = frozenset(Need)


class Explorer(RuleBasedStateMachine):
    """Anybody tries anything, with anything at hand."""

    def __init__(self) -> None:
        super().__init__()
        self.standing = BEGINNING

    @rule(step=st.sampled_from(Step), party=st.sampled_from(Party), has=st.frozensets(st.sampled_from(Need)))
    def attempt(self, step: Step, party: Party, has: frozenset[Need]) -> None:
        self._try(step, party, has)

    @rule(data=st.data(), party=st.sampled_from(Party))
    def go_on(self, data: st.DataObject, party: Party) -> None:
        """Take a step that is open to that party, with all it needs: it is never refused."""
        steps = open_steps(self.standing, party)
        if steps:
            step = data.draw(st.sampled_from(steps))
            assert isinstance(self._try(step, party, EVERYTHING), Move)

    @rule(level=st.integers(0, 3))
    def lapse(self, level: int) -> None:
        """At the end of a deadline the system's step is open."""
        if self.standing.place.deadline:
            step = lapse(self.standing.place.deadline, level)
            assert isinstance(self._try(step, Party.SYSTEM, frozenset()), Move)

    def _try(self, step: Step, party: Party, has: frozenset[Need]) -> Move | Refusal:
        before = self.standing
        answer = decide(before, step, party, has)
        if isinstance(answer, Refusal):
            assert answer.why.en
            assert not answer.why.zh.isascii()
            lines = [x for x in TABLE if before.state in x.start and x.step is step]
            assert (answer.code == "not-from-this-state") == (not [x for x in lines if self._guarded(x)])
        else:
            self._in_the_table(before, answer, party, has)
            self.standing = answer.after
        return answer

    def _guarded(self, line) -> bool:
        return line.asked in (None, self.standing.asked)

    def _in_the_table(self, before: Standing, move: Move, party: Party, has: frozenset[Need]) -> None:
        line, after = move.line, move.after
        assert line in TABLE
        assert before.state in line.start
        assert party in line.who
        assert line.needs <= has
        if line.to == "stays":
            assert after == before
        elif line.to == "back":
            assert before.resume is not None
            assert after == Standing(before.resume)
        else:
            assert after.place == Place(line.to, line.owner, line.deadline)

    @invariant()
    def somebody_owes_the_next_step_until_it_is_over(self) -> None:
        place = self.standing.place
        is_open = place.state not in FINAL
        assert (place.owner is not None, place.deadline is not None) == (is_open, is_open)
        if place.deadline:
            assert place.deadline in LIMITS

    @invariant()
    def a_cancellation_remembers_where_it_came_from(self) -> None:
        asked = self.standing.state is State.CANCEL_REQUESTED
        assert (self.standing.resume is not None, self.standing.asked is not None) == (asked, asked)

    @invariant()
    def whoever_owes_the_next_step_can_take_one(self) -> None:
        owner = self.standing.place.owner
        if owner:
            assert set(open_steps(self.standing, owner)) - {Step.DELEGATE}


TestExplorer = Explorer.TestCase


def played(*steps: tuple[Step, Party]) -> Standing:
    standing = BEGINNING
    for step, party in steps:
        answer = decide(standing, step, party, EVERYTHING)
        assert isinstance(answer, Move), answer
        standing = answer.after
    return standing


SUBMITTED = (Step.SUBMIT, Party.SENDING_DOCTOR)
TAKEN = (Step.TAKE, Party.RECEIVING_COORDINATOR)
ACCEPTED = (Step.ACCEPT, Party.RECEIVING_COORDINATOR)


def test_a_referral_from_its_draft_to_its_close() -> None:
    end = played(
        SUBMITTED,
        TAKEN,
        (Step.RETURN_FOR_INFO, Party.RECEIVING_DOCTOR),
        SUBMITTED,
        TAKEN,
        ACCEPTED,
        (Step.BOOK, Party.RECEIVING_COORDINATOR),
        (Step.CONFIRM, Party.PATIENT),
        (Step.ARRIVE, Party.SYSTEM),
        (Step.BEGIN_CARE, Party.RECEIVING_DOCTOR),
        (Step.REPORT_INTERIM, Party.RECEIVING_DOCTOR),
        (Step.RETURN_OUTCOME, Party.RECEIVING_DOCTOR),
        (Step.CLOSE, Party.SENDING_DOCTOR),
    )
    assert end == Standing(Place(State.CLOSED, None, None))


def test_a_refused_cancellation_leads_back_with_owner_and_deadline() -> None:
    before = played(SUBMITTED, TAKEN, ACCEPTED)
    asked = played(SUBMITTED, TAKEN, ACCEPTED, (Step.REQUEST_CANCEL, Party.SENDING_DOCTOR))
    assert (asked.state, asked.asked, asked.place.owner) == (
        State.CANCEL_REQUESTED,
        Side.SENDING,
        Party.RECEIVING_COORDINATOR,
    )
    back = decide(asked, Step.DECLINE_CANCEL, Party.RECEIVING_COORDINATOR, EVERYTHING)
    assert isinstance(back, Move)
    assert back.after == before


def test_whoever_asked_for_a_cancellation_does_not_agree_to_it() -> None:
    asked = played(SUBMITTED, (Step.REQUEST_CANCEL, Party.SENDING_DOCTOR))
    answer = decide(asked, Step.CONFIRM_CANCEL, Party.SENDING_DOCTOR, EVERYTHING)
    assert isinstance(answer, Refusal)
    assert answer.code == "not-yours"
    assert "接收医院转诊管理人员" in answer.why.zh


def test_a_refusal_says_what_is_missing() -> None:
    answer = decide(BEGINNING, Step.SUBMIT, Party.SENDING_DOCTOR, EVERYTHING - {Need.CONSENT})
    assert isinstance(answer, Refusal)
    assert (answer.code, answer.missing) == ("something-missing", (Need.CONSENT,))
    assert answer.why.en == "cannot submit yet; missing: the patient's consent"


def test_a_refusal_says_what_can_be_done_instead() -> None:
    answer = decide(played(SUBMITTED), Step.ACCEPT, Party.RECEIVING_COORDINATOR, EVERYTHING)
    assert isinstance(answer, Refusal)
    assert answer.code == "not-from-this-state"
    assert "已提交" in answer.why.zh
    assert "受理" in answer.why.zh


def test_the_other_side_does_not_delegate() -> None:
    answer = decide(played(SUBMITTED), Step.DELEGATE, Party.SENDING_COORDINATOR, EVERYTHING)
    assert isinstance(answer, Refusal)
    assert answer.code == "not-yours"

"""What becomes of a message after an attempt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bus.delivery.decide import Attempt, Health, Outcome, Result, State
from bus.delivery.transport import Answer, NotSentError, UnansweredError, UnsendableError, Verdict
from bus.rules.destinations import Destination, Retry

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def decided(
    result: Result, *, refusals: int = 0, tried: timedelta | None = None, resend_ambiguous: bool = False
) -> Outcome:
    spec = Destination(
        name="ward",
        description="a ward",
        facility="HP",
        resend_ambiguous=resend_ambiguous,
        retry=Retry(first_seconds=2, longest_seconds=60, give_up_hours=1),
    )
    tried_at = None if tried is None else NOW - tried
    return Attempt(spec, refusals, tried_at, NOW, 0.0).decide(result)


def answer(verdict: Verdict, retry_after: float | None = None) -> Answer:
    return Answer(verdict, "X", b"the receiver's words", retry_after)


def test_what_was_taken_is_delivered_and_its_answer_kept() -> None:
    outcome = decided(answer(Verdict.TAKEN))
    assert (outcome.state, outcome.health, outcome.code) == (State.DELIVERED, Health.WELL, "X")
    assert outcome.answer == b"the receiver's words"


def test_a_refusal_parks_the_message_and_says_the_destination_is_well() -> None:
    outcome = decided(answer(Verdict.NEVER))
    assert (outcome.state, outcome.health) == (State.PARKED, Health.WELL)


def test_an_error_is_tried_again_later_and_later() -> None:
    waits = [decided(answer(Verdict.LATER), refusals=n).not_before for n in (0, 1, 2, 20)]
    assert waits == [NOW + timedelta(seconds=s) for s in (1, 2, 4, 30)]
    outcome = decided(answer(Verdict.LATER))
    assert (outcome.state, outcome.health, outcome.refused) == (State.QUEUED, Health.UNWELL, True)


def test_a_receiver_that_asks_for_more_time_gets_it_within_an_hour() -> None:
    assert decided(answer(Verdict.LATER, 120.0)).not_before == NOW + timedelta(minutes=2)
    assert decided(answer(Verdict.LATER, 1e9)).not_before == NOW + timedelta(hours=1)


def test_what_keeps_failing_is_parked_after_its_time() -> None:
    outcome = decided(answer(Verdict.LATER), refusals=41, tried=timedelta(hours=1))
    assert (outcome.state, outcome.answer) == (State.PARKED, b"the receiver's words")
    assert outcome.reason is not None
    assert "given up after 42 tries in 1 hours" in outcome.reason
    assert decided(answer(Verdict.LATER), tried=timedelta(minutes=59)).state is State.QUEUED


@pytest.mark.parametrize("result", [NotSentError("no connection"), answer(Verdict.WRONG_DOOR)])
def test_no_message_is_to_blame_for_a_destination_that_takes_nothing(result: Result) -> None:
    outcome = decided(result, tried=timedelta(days=30))
    assert (outcome.state, outcome.health) == (State.QUEUED, Health.AWAY)
    assert (outcome.refused, outcome.not_before) == (False, None)


@pytest.mark.parametrize("result", [UnansweredError("silence"), answer(Verdict.UNSURE)])
def test_what_may_have_been_taken_waits_for_a_person(result: Result) -> None:
    outcome = decided(result)
    assert (outcome.state, outcome.health) == (State.AMBIGUOUS, Health.UNWELL)
    again = decided(result, resend_ambiguous=True)
    assert (again.state, again.refused, again.not_before) == (
        State.QUEUED,
        True,
        NOW + timedelta(seconds=1),
    )


def test_what_cannot_be_sent_this_way_is_parked_under_its_own_code() -> None:
    outcome = decided(UnsendableError("not_hl7", "no HL7"))
    assert (outcome.state, outcome.code, outcome.reason) == (State.PARKED, "not_hl7", "no HL7")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_receivers_words_are_kept_and_never_part_of_the_reason(verdict: Verdict) -> None:
    outcome = decided(answer(verdict))
    assert outcome.answer == b"the receiver's words"
    assert "words" not in (outcome.reason or "")

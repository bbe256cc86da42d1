"""Who acts while somebody is away, and that covers never go in a circle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.scheduling.absence import (
    Absence,
    Acting,
    CoverCycleError,
    Duty,
    Nobody,
    refuse_cycle,
    who_acts,
)

MONDAY = datetime(2026, 11, 30, tzinfo=UTC)


def day(number: float) -> datetime:
    return MONDAY + timedelta(days=number)


def away(who: str, since: float, until: float, cover: str | None = None, duty: str = "") -> Absence:
    return Absence(who, day(since), day(until), cover, duty)


def acting(*absences: Absence, holders: tuple[str, ...] = ("chen",), at: float = 1) -> Acting | Nobody:
    return who_acts(Duty("MAIN", "referral-review", holders, absences), day(at))


def test_the_holder_acts_who_is_there() -> None:
    assert acting() == Acting("chen", ("chen",))
    assert acting(away("chen", 2, 3, "li")) == Acting("chen", ("chen",))
    assert acting(away("chen", 0, 1, "li")) == Acting("chen", ("chen",))  # back at the very instant
    assert acting(away("chen", 0, 2, "li", "ecg")) == Acting("chen", ("chen",))  # from another duty


def test_who_covers_acts_and_whoever_covers_for_them() -> None:
    found = acting(away("chen", 0, 2, "li"), away("li", 1, 2, "wang"))
    assert found == Acting("wang", ("chen", "li", "wang"))
    assert isinstance(found, Acting)
    assert found.instead_of == "chen"


def test_an_absence_from_this_duty_goes_before_one_from_all() -> None:
    found = acting(away("chen", 0, 2, "li"), away("chen", 0, 2, "wang", "referral-review"))
    assert found == Acting("wang", ("chen", "wang"))


def test_the_next_holder_acts_when_the_first_has_no_cover() -> None:
    assert acting(away("chen", 0, 2), holders=("chen", "zhao")) == Acting("zhao", ("zhao",))


def test_nobody_is_said_with_whom_was_asked() -> None:
    found = acting(away("chen", 0, 2, "li"), away("li", 0, 2), away("zhao", 0, 2), holders=("chen", "zhao"))
    assert isinstance(found, Nobody)
    assert found.reason == "chen → li is away; zhao is away"
    assert acting(holders=()) == Nobody(())
    assert Nobody(()).reason == "nobody holds the duty"


def test_a_circle_counts_as_nobody_there() -> None:
    found = acting(away("chen", 0, 2, "li"), away("li", 0, 2, "chen"))
    assert found == Nobody((("chen", "li", "chen"),))


@pytest.mark.parametrize(
    ("known", "new"),
    [
        ([away("li", 0, 2, "chen")], away("chen", 1, 3, "li")),
        ([away("li", 0, 2, "wang"), away("wang", 1, 3, "chen")], away("chen", 1, 2, "li")),
        ([away("li", 0, 2, "chen", "ecg")], away("chen", 1, 3, "li")),
        ([away("li", 0, 2, "chen")], away("chen", 1, 3, "li", "ecg")),
    ],
)
def test_a_circle_is_refused(known: list[Absence], new: Absence) -> None:
    with pytest.raises(CoverCycleError, match="chen → li"):
        refuse_cycle(known, new)


@pytest.mark.parametrize(
    ("known", "new"),
    [
        ([away("li", 0, 1, "chen")], away("chen", 1, 3, "li")),  # one after the other
        ([away("li", 0, 2, "wang"), away("wang", 2, 3, "chen")], away("chen", 0, 3, "li")),
        ([away("li", 0, 2, "chen", "ecg")], away("chen", 0, 2, "li", "video")),
        ([away("li", 0, 2)], away("chen", 0, 2, "li")),
    ],
)
def test_what_is_no_circle_is_taken(known: list[Absence], new: Absence) -> None:
    refuse_cycle(known, new)


PEOPLE = st.sampled_from(["a", "b", "c", "d"])
ABSENCES = st.builds(
    lambda who, cover, since, length, duty: away(who, since, since + length, cover, duty),
    PEOPLE,
    st.one_of(st.none(), PEOPLE),
    st.integers(0, 6),
    st.integers(1, 4),
    st.sampled_from(["", "referral-review", "ecg"]),
).filter(lambda one: one.covered_by != one.username)


@given(st.lists(ABSENCES, max_size=8), st.integers(0, 10), PEOPLE)
def test_what_is_taken_in_never_makes_a_circle(wanted: list[Absence], at: int, holder: str) -> None:
    taken: list[Absence] = []
    for one in wanted:
        try:
            refuse_cycle(taken, one)
        except CoverCycleError:
            continue
        taken.append(one)
    found = acting(*taken, holders=(holder,), at=at)
    if isinstance(found, Nobody):
        assert all(len(set(chain)) == len(chain) for chain in found.chains)
    else:
        assert not [one for one in taken if one.username == found.username and _away(one, at)]


def _away(one: Absence, at: int) -> bool:
    return one.duty in ("", "referral-review") and one.since <= day(at) < one.until

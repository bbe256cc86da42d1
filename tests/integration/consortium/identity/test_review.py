"""The review queue: claiming, deciding, undoing, and what becomes of links and golden records."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread
from uuid import UUID

import pytest
import sqlalchemy as sa

from consortium.errors import ConflictError
from consortium.identity import candidates, review
from consortium.identity.review import Review
from tests.integration.consortium.identity.pairs import (
    NOW,
    PEOPLE,
    open_review,
    person_of,
    register,
    stale_goldens,
)
from tests.integration.consortium.identity.test_service import wait_until_blocked

WANG, OUYANG, *_ = PEOPLE


@pytest.fixture
def pair(connection: sa.Connection) -> tuple[int, int]:
    """Two numbers without a card: of one person, who knows."""
    left = register(connection, 1, "MAIN", WANG.as_patient("M1", id_card=None))
    right = register(connection, 2, "HP", OUYANG.as_patient("H1", id_card=None))
    return left, right


@pytest.fixture
def open_(connection: sa.Connection, pair: tuple[int, int]) -> Review:
    return found(connection, open_review(connection, *pair))


def found(connection: sa.Connection, id_: UUID) -> Review:
    one = review.get(connection, id_)
    assert one is not None
    return one


def test_a_decision_takes_effect_at_once_and_its_undoing_too(
    connection: sa.Connection, pair: tuple[int, int], open_: Review
) -> None:
    before = [person_of(connection, id_) for id_ in pair]
    decided = review.decide(connection, open_, "same", "护照一致", "lin")
    assert (decided.state, decided.says, decided.decided_by, decided.why) == (
        "decided",
        "same",
        "lin",
        "护照一致",
    )
    assert person_of(connection, pair[0]) == person_of(connection, pair[1])
    assert stale_goldens(connection) == []
    again = review.undo(connection, decided, "看错了", "chen")
    assert [person_of(connection, id_) for id_ in pair] == before
    assert stale_goldens(connection) == []
    assert (again.state, again.id != decided.id, again.evidence) == ("open", True, open_.evidence)
    kept = found(connection, decided.id)
    assert (kept.state, kept.revoked_by, kept.decided_by) == ("decided", "chen", "lin")
    with pytest.raises(ConflictError, match="taken back"):
        review.undo(connection, kept, "再来", "chen")


def test_what_was_decided_different_is_not_opened_again(
    connection: sa.Connection, pair: tuple[int, int], open_: Review
) -> None:
    review.decide(connection, open_, "different", "姐妹", "lin")
    register(connection, 3, "HP", OUYANG.as_patient("H1", phone=WANG.phone, id_card=None))
    assert review.reviews(connection, review.Wanted()).items == []
    assert person_of(connection, pair[0]) != person_of(connection, pair[1])


def test_who_claims_a_pair_keeps_others_from_deciding_it(connection: sa.Connection, open_: Review) -> None:
    claimed = review.claim(connection, open_, "lin")
    assert review.claim(connection, claimed, "lin").claimed_by == "lin"
    with pytest.raises(ConflictError, match="lin has claimed it"):
        review.claim(connection, claimed, "chen")
    with pytest.raises(ConflictError, match="lin has claimed it"):
        review.decide(connection, claimed, "same", "x", "chen")
    with pytest.raises(ConflictError, match="lin has claimed it"):
        review.release(connection, claimed, "chen")
    assert review.release(connection, claimed, "lin").state == "open"
    assert review.claim(connection, open_, "chen").claimed_by == "chen"
    assert review.release(connection, open_, "ops", anybody=True).claimed_by is None


def test_what_is_decided_is_neither_claimed_nor_decided_again(
    connection: sa.Connection, open_: Review
) -> None:
    decided = review.decide(connection, open_, "same", "x", "lin")
    for attempt in (
        lambda: review.claim(connection, open_, "chen"),
        lambda: review.decide(connection, decided, "different", "x", "chen"),
        lambda: review.undo(connection, open_, "x", "chen"),
    ):
        with pytest.raises(ConflictError):
            attempt()


def test_the_oldest_come_first_page_by_page(connection: sa.Connection) -> None:
    ids = [register(connection, n, "MAIN", one.as_patient(f"M{n}")) for n, one in enumerate(PEOPLE, 1)]
    opened = [
        open_review(connection, ids[0], other, at=NOW - timedelta(hours=hours))
        for hours, other in enumerate(ids[1:])
    ]
    seen: list[UUID] = []
    after: str | None = None
    while not seen or after is not None:
        page = review.reviews(connection, review.Wanted(limit=3, after=after))
        seen += [one.id for one in page.items]
        after = page.after
    assert seen == opened[::-1]


def test_the_queue_is_narrowed_by_campus_reason_and_person(
    connection: sa.Connection, open_: Review, pair: tuple[int, int]
) -> None:
    third = register(connection, 5, "HY", PEOPLE[2].as_patient("Y1"))
    other = open_review(connection, pair[0], third, reason="overlay")

    def ids(wanted: review.Wanted) -> list[UUID]:
        return [one.id for one in review.reviews(connection, wanted).items]

    assert ids(review.Wanted(facility="HP")) == [open_.id]
    assert set(ids(review.Wanted(facility="MAIN"))) == {open_.id, other}
    assert ids(review.Wanted(reason="overlay")) == [other]
    review.claim(connection, open_, "lin")
    assert ids(review.Wanted(by_user="lin")) == [open_.id]
    assert ids(review.Wanted(states=["open"])) == [other]


def test_the_sides_show_what_is_known_now_and_was_known_before(
    connection: sa.Connection, pair: tuple[int, int]
) -> None:
    register(connection, 3, "MAIN", WANG.as_patient("M1", name="王坤", id_card=None))
    sides = candidates.candidates(connection, list(pair))
    left = sides[pair[0]]
    assert left.linked.patient.facts.name == "王坤"
    assert [(one.field, one.value, one.message_id) for one in left.former] == [("name", "王珅", 3)]
    compared = {
        each.field: each.agree for each in candidates.compared(left.linked.patient, left.linked.patient)
    }
    assert compared["name"] is True
    assert compared["address"] is None


def test_of_two_who_decide_at_once_one_is_told(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        left = register(connection, 1, "MAIN", WANG.as_patient("M1", id_card=None))
        right = register(connection, 2, "HP", OUYANG.as_patient("H1", id_card=None))
        id_ = open_review(connection, left, right)
    told: list[str] = []
    with engine.connect() as first, engine.connect() as second:
        pid = second.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        seen = found(second, id_)
        review.decide(first, found(first, id_), "same", "x", "lin")

        def late() -> None:
            try:
                review.decide(second, seen, "different", "y", "chen")
            except ConflictError as error:
                told.append(str(error))
                second.rollback()

        thread = Thread(target=late)
        thread.start()
        wait_until_blocked(engine, pid, thread)
        first.commit()
        thread.join(timeout=30)
        assert len(told) == 1
        assert found(first, id_).decided_by == "lin"
        assert person_of(first, left) == person_of(first, right)

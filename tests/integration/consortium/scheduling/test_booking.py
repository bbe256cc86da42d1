"""Slots on a real PostgreSQL: held, confirmed, moved, released, and never booked twice."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from bus.tending import sweep_holds
from consortium.scheduling import absences, booking, resources, rows
from consortium.scheduling.absence import Absence
from consortium.scheduling.errors import (
    HoldExpiredError,
    KeyInUseError,
    NotActiveError,
    OverlapError,
    SlotTakenError,
    StateError,
    UnknownError,
)
from consortium.scheduling.model import Booking, Resource, Want
from consortium.scheduling.resources import Search
from tests.integration.consortium.scheduling.conftest import HALF_AN_HOUR, NINE, Slots, subject

QUARTER = timedelta(minutes=15)


def hold(engine: sa.Engine, *wants: tuple[UUID, str], by: str = "li") -> list[Booking]:
    with engine.begin() as connection:
        asked = [Want(slot, key) for slot, key in wants]
        return booking.hold(connection, asked, subject=subject(), by=by, length=QUARTER)


def lapse(engine: sa.Engine, key: str) -> None:
    """Let a hold be over, as if its time had passed."""
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE scheduling.booking SET held_until = clock_timestamp() WHERE business_key = :key"),
            {"key": key},
        )


def states(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        found = resources.offered(connection, Search(NINE, NINE + timedelta(days=1), states=None))
    return [slot.state for slot in found]


def test_a_slot_is_held_then_confirmed_and_each_step_may_come_again(engine: sa.Engine, slots: Slots) -> None:
    one, _ = slots(2)
    (first,) = hold(engine, (one, "a"))
    assert hold(engine, (one, "a")) == [first]
    assert (first.state, first.start, states(engine)) == ("held", NINE, ["held", "free"])
    for _ in range(2):
        with engine.begin() as connection:
            confirmed = booking.confirm(connection, "a", by="zhao")
        assert (confirmed.id, confirmed.state) == (first.id, "confirmed")
        assert states(engine) == ["confirmed", "free"]
        assert hold(engine, (one, "a")) == [confirmed]


def test_who_comes_too_late_is_told_how_the_slot_stands(engine: sa.Engine, slots: Slots) -> None:
    (one,) = slots(1)
    (first,) = hold(engine, (one, "a"))
    with pytest.raises(SlotTakenError) as refused:
        hold(engine, (one, "b"))
    assert refused.value.current == {"state": "held", "held_until": first.held_until.isoformat()}
    with engine.begin() as connection:
        booking.confirm(connection, "a", by="zhao")
    with pytest.raises(SlotTakenError) as refused:
        hold(engine, (one, "b"))
    assert refused.value.current == {"state": "confirmed", "held_until": None}


def test_several_slots_are_held_together_or_not_at_all(engine: sa.Engine, slots: Slots) -> None:
    one, two, three = slots(3)
    hold(engine, (two, "other"))
    with engine.begin() as connection:
        wants = [Want(three, "x:3"), Want(one, "x:1"), Want(two, "x:2")]
        with pytest.raises(SlotTakenError):
            booking.hold(connection, wants, subject=subject(), by="li", length=QUARTER)
    assert states(engine) == ["free", "held", "free"]
    found = hold(engine, (three, "x:3"), (one, "x:1"))
    assert [b.slot for b in found] == [three, one]


def test_a_key_has_one_slot_at_a_time(engine: sa.Engine, slots: Slots) -> None:
    one, two = slots(2)
    hold(engine, (one, "a"))
    with pytest.raises(KeyInUseError) as refused:
        hold(engine, (two, "a"))
    assert refused.value.current["slot"] == str(one)
    with engine.begin() as connection:
        booking.release(connection, "a", by="li")
    assert hold(engine, (two, "a"))[0].slot == two


def test_a_hold_that_is_over_is_taken_by_the_next_and_confirmed_by_nobody(
    engine: sa.Engine, slots: Slots
) -> None:
    (one,) = slots(1)
    hold(engine, (one, "a"))
    lapse(engine, "a")
    assert states(engine) == ["free"]
    with engine.begin() as connection, pytest.raises(HoldExpiredError) as refused:
        booking.confirm(connection, "a", by="zhao")
    assert refused.value.current["state"] == "expired"
    (second,) = hold(engine, (one, "b"))
    assert second.state == "held"
    with engine.begin() as connection:
        assert rows.booking(connection, "a").state == "expired"
        assert booking.release(connection, "a", by="li").state == "expired"
        with pytest.raises(HoldExpiredError):
            booking.move(connection, "a", one)


def test_whoever_let_a_hold_lapse_may_hold_again(engine: sa.Engine, slots: Slots) -> None:
    one, two = slots(2)
    (before,) = hold(engine, (one, "a"))
    lapse(engine, "a")
    (after,) = hold(engine, (two, "a"))
    assert (after.id != before.id, after.slot) == (True, two)
    assert states(engine) == ["free", "held"]


def test_holds_that_are_over_are_swept(engine: sa.Engine, slots: Slots) -> None:
    one, two, three = slots(3)
    hold(engine, (one, "a"), (two, "b"), (three, "c"))
    lapse(engine, "a")
    lapse(engine, "b")
    sweep_holds(engine)
    with engine.begin() as connection:
        assert booking.sweep(connection) == 0
        assert [rows.booking(connection, key).state for key in "abc"] == ["expired", "expired", "held"]


def test_a_booking_moves_at_once_and_its_old_time_is_free(engine: sa.Engine, slots: Slots) -> None:
    one, two, three = slots(3)
    hold(engine, (one, "a"), (three, "b"))
    for _ in range(2):
        with engine.begin() as connection:
            moved = booking.move(connection, "a", two)
        assert (moved.slot, moved.moves, moved.start) == (two, 1, NINE + HALF_AN_HOUR)
    assert states(engine) == ["free", "held", "held"]
    with engine.begin() as connection, pytest.raises(SlotTakenError):
        booking.move(connection, "a", three)
    assert states(engine) == ["free", "held", "held"]
    with engine.begin() as connection:
        booking.release(connection, "a", by="li")
        with pytest.raises(NotActiveError):
            booking.move(connection, "a", one)


def test_a_slot_that_somebody_has_is_not_withdrawn(engine: sa.Engine, slots: Slots) -> None:
    one, two = slots(2)
    hold(engine, (one, "a"))
    with engine.begin() as connection:
        with pytest.raises(StateError, match="held"):
            resources.withdraw(connection, one, by="zhao")
        resources.withdraw(connection, two, by="zhao")
        resources.withdraw(connection, two, by="zhao")
    with pytest.raises(SlotTakenError, match="no more"):
        hold(engine, (two, "b"))
    assert states(engine) == ["held"]


def test_an_expert_who_is_away_is_not_booked(engine: sa.Engine, slots: Slots) -> None:
    one, two = slots(2)
    with engine.begin() as connection:
        absences.record(connection, Absence("chen", NINE, NINE + QUARTER, "li"), by="zhao")
    assert states(engine) == ["absent", "free"]
    with pytest.raises(SlotTakenError) as refused:
        hold(engine, (one, "a"))
    assert refused.value.current == {"state": "absent"}
    hold(engine, (two, "a"))
    with engine.begin() as connection:
        free = resources.offered(connection, Search(NINE, NINE + timedelta(days=1)))
    assert free == []


def test_what_is_over_is_not_held(engine: sa.Engine, expert: Resource) -> None:
    with engine.begin() as connection:
        past = (NINE - timedelta(days=30), NINE - timedelta(days=30) + HALF_AN_HOUR)
        (slot,) = resources.publish(connection, expert.id, [past], by="zhao")
    with pytest.raises(SlotTakenError, match="over"):
        hold(engine, (slot.id, "a"))


def test_what_is_not_there_is_told(engine: sa.Engine, slots: Slots) -> None:
    (one,) = slots(1)
    with pytest.raises(UnknownError, match="no slot"):
        hold(engine, (one, "a"), (uuid4(), "b"))
    with engine.begin() as connection:
        for step in (booking.confirm, booking.release):
            with pytest.raises(UnknownError, match="no booking"):
                step(connection, "nobody", by="li")
        with pytest.raises(ValueError, match="at most 7 days"):
            booking.hold(connection, [Want(one, "a")], subject="x", by="li", length=timedelta(days=8))


def test_slots_are_published_once_and_apart(engine: sa.Engine, slots: Slots, expert: Resource) -> None:
    assert slots(2) == slots(2)
    with engine.begin() as connection, pytest.raises(OverlapError) as refused:
        resources.publish(connection, expert.id, [(NINE + QUARTER, NINE + HALF_AN_HOUR)], by="zhao")
    assert refused.value.current["start"] == NINE.isoformat()
    with engine.begin() as connection, pytest.raises(UnknownError):
        resources.publish(connection, uuid4(), [(NINE, NINE + QUARTER)], by="zhao")


def test_somebody_has_one_calendar(engine: sa.Engine, expert: Resource) -> None:
    with engine.begin() as connection:
        again = resources.add(connection, "MAIN", "expert", expert.name, by="zhao", username="chen")
        assert again == expert
        with pytest.raises(StateError, match="calendar already"):
            resources.add(connection, "HP", "expert", "黄埔门诊", by="zhao", username="chen")
        with pytest.raises(StateError, match="somebody else"):
            resources.add(connection, "MAIN", "expert", expert.name, by="zhao", username="li")
        with pytest.raises(UnknownError, match="no user"):
            resources.add(connection, "MAIN", "expert", "另一位", by="zhao", username="nobody")
        bed = resources.add(connection, "MAIN", "bed", "心内科 12 床", by="zhao")
    with engine.connect() as connection:
        assert resources.listed(connection, organisation="MAIN") == [bed, expert]
        assert resources.listed(connection, kind="room") == []


def test_the_database_itself_refuses_what_overlaps(engine: sa.Engine, slots: Slots) -> None:
    (one,) = slots(1)
    hold(engine, (one, "a"))
    copied = sa.text(
        "INSERT INTO scheduling.booking (id, business_key, subject, resource_id, slot_id, during, state,"
        " held_until, held_by) SELECT gen_random_uuid(), 'b', subject, resource_id, slot_id, during, 'held',"
        " held_until, held_by FROM scheduling.booking"
    )
    with pytest.raises(sa.exc.IntegrityError, match="booking_apart"), engine.begin() as connection:
        connection.execute(copied)

"""The slot of a referral: had, moved, given back with its steps; never by two, by none that is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from consortium.referral import store
from consortium.referral.details import Details
from consortium.referral.errors import StepRefusedError
from consortium.referral.model import Party, Step
from consortium.scheduling import booking, resources, rows
from consortium.scheduling.model import Want
from consortium.scheduling.resources import Search
from tests.integration.consortium.referral.applications import Case

RC, RD, SD = Party.RECEIVING_COORDINATOR, Party.RECEIVING_DOCTOR, Party.SENDING_DOCTOR
WHY = Details(note="原因已说明")
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    url = database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    made = sa.create_engine(url, pool_size=12)
    yield made
    made.dispose()


def offer(engine: sa.Engine, organisation: str = "MAIN", number: int = 3) -> list[UUID]:
    with engine.begin() as connection:
        clinic = resources.add(connection, organisation, "clinic", "心内科门诊", by="coordinator.main")
        times = [
            (TOMORROW + timedelta(hours=n), TOMORROW + timedelta(hours=n, minutes=30)) for n in range(number)
        ]
        return [slot.id for slot in resources.publish(connection, clinic.id, times, by="coordinator.main")]


@pytest.fixture
def slots(engine: sa.Engine) -> list[UUID]:
    """Three times of a clinic of the main campus, from tomorrow on."""
    return offer(engine)


def accepted(engine: sa.Engine) -> UUID:
    with engine.begin() as connection:
        return Case(connection).begin().accepted().id


def take(engine: sa.Engine, id_: UUID, step: Step, party: Party, details: Details = WHY) -> None:
    with engine.begin() as connection:
        Case(connection, id=id_).take(step, party, details, user="coordinator.main", key=str(uuid4()))


def book(engine: sa.Engine, id_: UUID, slot: UUID, step: Step = Step.BOOK) -> None:
    take(engine, id_, step, RC, Details(slot_id=slot))


def states(engine: sa.Engine) -> list[str]:
    """How the offered slots stand, in their order."""
    with engine.connect() as connection:
        return [slot.state for slot in resources.offered(connection, Search(states=None))]


def referral(engine: sa.Engine, id_: UUID) -> store.Row:
    with engine.connect() as connection:
        return store.get(connection, id_)


def test_booking_has_the_slot_and_its_times(engine: sa.Engine, slots: list[UUID]) -> None:
    id_ = accepted(engine)
    book(engine, id_, slots[0])
    row = referral(engine, id_)
    assert (row["state"], row["slot_id"], row["slot_start"]) == ("booked", slots[0], TOMORROW)
    assert row["deadline_at"] == TOMORROW + timedelta(minutes=30, hours=2)
    assert states(engine) == ["confirmed", "free", "free"]


def test_accepting_holds_the_slot_and_booking_another_moves_it(engine: sa.Engine, slots: list[UUID]) -> None:
    with engine.begin() as connection:
        case = Case(connection).begin()
        case.take(Step.SUBMIT, SD)
        case.take(Step.TAKE, RC)
        case.take(Step.ACCEPT, RC, Details(department="0101", slot_id=slots[0]))
    assert states(engine) == ["held", "free", "free"]
    book(engine, case.id, slots[1])
    assert states(engine) == ["free", "confirmed", "free"]


def test_another_time_frees_the_first_one(engine: sa.Engine, slots: list[UUID]) -> None:
    id_ = accepted(engine)
    book(engine, id_, slots[0])
    book(engine, id_, slots[2], Step.RESCHEDULE)
    assert states(engine) == ["free", "free", "confirmed"]
    assert referral(engine, id_)["slot_start"] == TOMORROW + timedelta(hours=2)


@pytest.mark.parametrize("wanted", [Step.BOOK, Step.RESCHEDULE])
def test_a_slot_that_is_taken_refuses_the_step_and_changes_nothing(
    engine: sa.Engine, slots: list[UUID], wanted: Step
) -> None:
    first, second = accepted(engine), accepted(engine)
    book(engine, first, slots[0])
    if wanted is Step.RESCHEDULE:
        book(engine, second, slots[1])
    before = referral(engine, second)
    with pytest.raises(StepRefusedError) as refused:
        book(engine, second, slots[0], wanted)
    assert refused.value.refusal.code == "slot-taken"
    assert refused.value.current["state"] == "confirmed"
    assert wanted in refused.value.steps
    assert referral(engine, second) == before


@pytest.mark.parametrize("organisation", ["HP", None])
def test_a_slot_of_another_hospital_or_of_none_is_refused(
    engine: sa.Engine, organisation: str | None
) -> None:
    slot = offer(engine, organisation)[0] if organisation else uuid4()
    id_ = accepted(engine)
    with pytest.raises(StepRefusedError) as refused:
        book(engine, id_, slot)
    assert refused.value.refusal.code == "slot-taken"
    assert referral(engine, id_)["state"] == "accepted"


def _declined(engine: sa.Engine, id_: UUID) -> None:
    take(engine, id_, Step.DECLINE, Party.PATIENT)


def _missed(engine: sa.Engine, id_: UUID) -> None:
    take(engine, id_, Step.MISS, Party.SYSTEM)


def _cancelled(engine: sa.Engine, id_: UUID) -> None:
    take(engine, id_, Step.REQUEST_CANCEL, SD)
    assert "confirmed" in states(engine), "kept until the other side agrees"
    take(engine, id_, Step.CONFIRM_CANCEL, RC)


def _closed_before_its_time(engine: sa.Engine, id_: UUID) -> None:
    for step, party in (
        (Step.ARRIVE, Party.SYSTEM),
        (Step.BEGIN_CARE, RD),
        (Step.RETURN_OUTCOME, RD),
        (Step.CLOSE, SD),
    ):
        take(engine, id_, step, party)


def _at_a_time_of_its_own(engine: sa.Engine, id_: UUID) -> None:
    times = Details(slot_start=TOMORROW, slot_end=TOMORROW + timedelta(hours=1))
    take(engine, id_, Step.RESCHEDULE, RC, times)


@pytest.mark.parametrize(
    "ends", [_declined, _missed, _cancelled, _closed_before_its_time, _at_a_time_of_its_own]
)
def test_the_slot_is_free_when_the_referral_needs_it_no_more(
    engine: sa.Engine, slots: list[UUID], ends: Callable[[sa.Engine, UUID], None]
) -> None:
    id_ = accepted(engine)
    book(engine, id_, slots[0])
    ends(engine, id_)
    assert states(engine) == ["free", "free", "free"]
    other = accepted(engine)
    book(engine, other, slots[0])
    assert states(engine)[0] == "confirmed"


def test_a_hold_that_is_over_is_had_again_where_the_slot_is_free(
    engine: sa.Engine, slots: list[UUID]
) -> None:
    id_ = accepted(engine)
    name = f"referral-{id_}"
    with engine.begin() as connection:
        booking.hold(
            connection, [Want(slots[0], name)], subject=name, by="x", length=timedelta(microseconds=1)
        )
    book(engine, id_, slots[0])
    with engine.connect() as connection:
        assert rows.booking(connection, name).state == "confirmed"


def test_of_many_who_want_one_slot_one_has_it(engine: sa.Engine, slots: list[UUID]) -> None:
    ids = [accepted(engine) for _ in range(8)]

    def attempt(id_: UUID) -> bool:
        try:
            book(engine, id_, slots[0])
        except StepRefusedError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, ids)) == 1
    assert sorted(referral(engine, id_)["state"] for id_ in ids) == ["accepted"] * 7 + ["booked"]

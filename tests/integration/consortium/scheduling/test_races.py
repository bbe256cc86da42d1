"""Many at once, one who waits while a hold lapses, and those who die in between."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from consortium.scheduling import booking, resources, rows
from consortium.scheduling.errors import HoldExpiredError, NotActiveError, SlotTakenError
from consortium.scheduling.model import Want
from runtime.settings import CHECKOUT
from tests.integration.consortium.scheduling.conftest import Slots, subject

RACERS = 200
QUARTER = timedelta(minutes=15)
PATIENCE = 60.0
"""Seconds after which a condition that never comes true fails the test."""

OVERLAPPING = sa.text(
    "SELECT count(*) FROM scheduling.booking a JOIN scheduling.booking b ON a.id < b.id"
    " AND a.resource_id = b.resource_id AND a.during && b.during"
    " AND a.state IN ('held', 'confirmed') AND b.state IN ('held', 'confirmed')"
)
STATES = sa.text("SELECT state, count(*) AS number FROM scheduling.booking GROUP BY state")


def wait_for(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "what was waited for did not come"
        threading.Event().wait(0.01)


def raced(engine: sa.Engine, step: Callable[[sa.Connection, int], object]) -> Counter[str]:
    """Let all of them begin together; count what came of each: `won`, or the name of the error."""
    start = threading.Barrier(20)

    def once(number: int) -> str:
        if number < start.parties:
            start.wait(PATIENCE)
        try:
            with engine.begin() as connection:
                step(connection, number)
        except SlotTakenError:
            return "late"
        return "won"

    with ThreadPoolExecutor(start.parties) as pool:
        return Counter(pool.map(once, range(RACERS)))


def counted(engine: sa.Engine) -> tuple[int, dict[str, int]]:
    with engine.connect() as connection:
        overlapping = connection.execute(OVERLAPPING).scalar_one()
        return overlapping, {row.state: row.number for row in connection.execute(STATES)}


def test_two_hundred_race_for_twenty_slots(engine: sa.Engine, slots: Slots) -> None:
    offered = slots(20)

    def book(connection: sa.Connection, number: int) -> None:
        key = f"racer-{number}"
        want = Want(offered[number % len(offered)], key)
        booking.hold(connection, [want], subject=subject(), by=key, length=QUARTER)
        booking.confirm(connection, key, by=key)

    assert raced(engine, book) == {"won": 20, "late": 180}
    assert counted(engine) == (0, {"confirmed": 20})


def test_two_hundred_race_for_pairs_in_every_order(engine: sa.Engine, slots: Slots) -> None:
    """Each wants two slots of two resources, in any order: nobody meets a deadlock, and no half is left."""
    with engine.begin() as connection:
        room = resources.add(connection, "MAIN", "room", "远程会诊室", by="zhao")
    experts, rooms = slots(20), slots(20, room)
    rng = random.Random(6)
    pairs = [(rng.choice(experts), rng.choice(rooms)) for _ in range(RACERS)]

    def book(connection: sa.Connection, number: int) -> None:
        keys = [f"{number}:expert", f"{number}:room"]
        wants = [Want(slot, key) for slot, key in zip(pairs[number], keys, strict=True)]
        if number % 2:
            wants.reverse()
        booking.hold(connection, wants, subject=subject(), by="li", length=QUARTER)

    done = raced(engine, book)
    assert done["won"] + done["late"] == RACERS
    assert counted(engine) == (0, {"held": 2 * done["won"]})


def test_two_hundred_move_about_and_no_time_is_had_twice(engine: sa.Engine, slots: Slots) -> None:
    with engine.begin() as connection:
        clinic = resources.add(connection, "MAIN", "clinic", "心内科门诊", by="zhao")
    places = [*slots(10), *slots(10, clinic)]
    with engine.begin() as connection:
        wants = [Want(place, f"{number}") for number, place in enumerate(places[:15])]
        booking.hold(connection, wants, subject=subject(), by="li", length=QUARTER)
    rng = random.Random(7)
    moves = [(str(rng.randrange(15)), rng.choice(places)) for _ in range(RACERS)]

    def move(connection: sa.Connection, number: int) -> None:
        booking.move(connection, *moves[number])

    done = raced_moves(engine, move)
    assert sum(done.values()) == RACERS
    assert counted(engine) == (0, {"held": 15})


def raced_moves(engine: sa.Engine, step: Callable[[sa.Connection, int], object]) -> Counter[str]:
    """As `raced`; that somebody else moved the booking at that moment is an answer too."""

    def tolerant(connection: sa.Connection, number: int) -> None:
        try:
            step(connection, number)
        except NotActiveError as error:
            raise SlotTakenError(str(error), error.current) from error

    return raced(engine, tolerant)


def test_the_same_key_sent_two_hundred_times_is_one_booking(engine: sa.Engine, slots: Slots) -> None:
    (one,) = slots(1)
    found: set[UUID] = set()

    def again(connection: sa.Connection, number: int) -> None:
        want = Want(one, "the-same")
        found.update(b.id for b in booking.hold(connection, [want], subject="x", by="li", length=QUARTER))

    assert raced(engine, again) == {"won": RACERS}
    assert len(found) == 1


def test_a_hold_that_lapses_while_another_waits_is_the_others(engine: sa.Engine, slots: Slots) -> None:
    (one,) = slots(1)
    with engine.begin() as connection:
        first = [Want(one, "first")]
        booking.hold(connection, first, subject="x", by="li", length=timedelta(milliseconds=300))
    lapsed = sa.text(
        "SELECT held_until <= clock_timestamp() FROM scheduling.booking WHERE business_key = 'first'"
    )
    waiting = sa.text(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock'"
    )

    def second() -> str:
        with engine.begin() as connection:
            return booking.hold(connection, [Want(one, "second")], subject="x", by="zhao", length=QUARTER)[
                0
            ].state

    with ThreadPoolExecutor(1) as pool, engine.connect() as watch:
        watch = watch.execution_options(isolation_level="AUTOCOMMIT")
        with engine.begin() as blocking:
            blocking.execute(sa.text("SELECT 1 FROM scheduling.resource FOR UPDATE"))
            waits = pool.submit(second)
            wait_for(lambda: bool(watch.execute(waiting).scalar_one()))
            wait_for(lambda: bool(watch.execute(lapsed).scalar_one()))
        assert waits.result(PATIENCE) == "held"
    with engine.begin() as connection:
        assert rows.booking(connection, "first").state == "expired"
        with pytest.raises(HoldExpiredError):
            booking.confirm(connection, "first", by="li")


def test_who_confirms_while_another_waits_for_the_lapse_has_the_slot(engine: sa.Engine, slots: Slots) -> None:
    (one,) = slots(1)
    with engine.begin() as connection:
        booking.hold(connection, [Want(one, "first")], subject="x", by="li", length=QUARTER)

    def second() -> object:
        with engine.begin() as connection:
            return booking.hold(connection, [Want(one, "second")], subject="x", by="zhao", length=QUARTER)

    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            booking.confirm(connection, "first", by="li")
            waits = pool.submit(second)
        with pytest.raises(SlotTakenError) as refused:
            waits.result(PATIENCE)
    assert refused.value.current["state"] == "confirmed"


HOLDER = """
import sys
from datetime import timedelta
from uuid import UUID
import sqlalchemy as sa
from consortium.scheduling import booking
from consortium.scheduling.model import Want
engine = sa.create_engine(sys.argv[1])
connection = engine.connect()
length = timedelta(milliseconds=int(sys.argv[4]))
booking.hold(connection, [Want(UUID(sys.argv[2]), "killed")], subject="x", by="li", length=length)
if sys.argv[3] == "committed":
    connection.commit()
print("held", flush=True)
sys.stdin.read()
"""


def killed_after_hold(engine: sa.Engine, slot: UUID, when: str, milliseconds: int) -> None:
    """Have a process hold a slot, and kill it before it confirms."""
    url = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", HOLDER, url, str(slot), when, str(milliseconds)]
    process = subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)


def test_who_is_killed_before_the_commit_held_nothing(engine: sa.Engine, slots: Slots) -> None:
    (one,) = slots(1)
    killed_after_hold(engine, one, "open", 900_000)
    with engine.begin() as connection:  # waits for the end of the dead one's transaction, if need be
        (mine,) = booking.hold(connection, [Want(one, "next")], subject="x", by="zhao", length=QUARTER)
    assert mine.state == "held"
    assert counted(engine) == (0, {"held": 1})


def test_who_is_killed_between_hold_and_confirm_goes_on_by_the_same_key(
    engine: sa.Engine, slots: Slots
) -> None:
    (one,) = slots(1)
    killed_after_hold(engine, one, "committed", 900_000)
    with engine.begin() as connection:
        (again,) = booking.hold(connection, [Want(one, "killed")], subject="x", by="li", length=QUARTER)
        assert booking.confirm(connection, "killed", by="li").id == again.id
    assert counted(engine) == (0, {"confirmed": 1})


def test_the_slot_of_one_who_is_killed_and_never_comes_again_is_free_by_itself(
    engine: sa.Engine, slots: Slots
) -> None:
    (one,) = slots(1)
    killed_after_hold(engine, one, "committed", 200)

    def free() -> bool:
        with engine.begin() as connection:
            try:
                booking.hold(connection, [Want(one, "next")], subject="x", by="zhao", length=QUARTER)
            except SlotTakenError:
                return False
        return True

    wait_for(free)
    assert counted(engine) == (0, {"expired": 1, "held": 1})

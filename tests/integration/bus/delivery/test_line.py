"""One destination on a real PostgreSQL, with a receiver that answers well, badly, late, or not at all."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from bus.delivery import line
from bus.delivery.breaker import Position
from tests.integration.bus.clinic import rows, steps
from tests.integration.bus.delivery.queue import delivering, enqueue, messages, mllp, states, until
from tests.integration.bus.delivery.receivers import (
    Behaviour,
    MllpReceiver,
    Reply,
    ack,
    closes,
    silent,
    takes,
)


def of_patient(got: list[str], patient: int) -> list[str]:
    return [control for control in got if control.startswith(f"P{patient}-")]


async def test_messages_arrive_once_each_patient_in_order_with_the_bytes_as_they_came(
    database_url: str,
) -> None:
    async with MllpReceiver() as ward:
        arrivals, keys = messages(60, patients=6)
        enqueue(database_url, "ward", arrivals, keys)
        async with delivering(database_url, mllp(ward.port, connections=4)):
            await until(lambda: set(states(database_url)) == {"delivered"})
        assert sorted(ward.bodies) == sorted(arrival.body for arrival in arrivals)
        for patient in range(1, 7):
            assert of_patient(ward.got, patient) == [f"P{patient}-{n}" for n in range(1, 11)]
        assert ward.connections <= 4


async def test_a_patient_s_next_message_goes_as_soon_as_the_one_before_has_gone(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "IDLE", 60.0)
    async with MllpReceiver() as ward:
        arrivals, keys = messages(5)
        enqueue(database_url, "ward", arrivals, keys)
        async with delivering(database_url, mllp(ward.port)):
            await until(lambda: states(database_url) == ["delivered"] * 5)
        assert ward.got == [f"P1-{number}" for number in range(1, 6)]


async def test_the_time_queued_and_the_time_to_the_answer_and_the_answer_are_kept(database_url: str) -> None:
    async with MllpReceiver() as ward:
        arrivals, keys = messages(1)
        enqueue(database_url, "ward", arrivals, keys)
        async with delivering(database_url, mllp(ward.port)):
            await until(lambda: states(database_url) == ["delivered"])
    query = "SELECT queued_at <= sent_at AND sent_at <= answered_at, code, answer, attempts FROM bus.delivery"
    [(ordered, code, answer, attempts)] = rows(database_url, query)
    assert (ordered, code, bytes(answer), attempts) == (True, "AA", ack("AA", "P1-1"), 1)
    [(detail,)] = rows(database_url, "SELECT detail FROM bus.trace WHERE step = 'delivered'")
    assert detail.keys() == {"destination", "code", "queued_ms", "ack_ms"}


async def test_a_refused_message_parks_its_patient_and_no_other(database_url: str) -> None:
    def picky(control: str) -> Reply:
        return ack("AR" if control == "P1-1" else "AA", control)

    async with MllpReceiver(picky) as ward:
        arrivals, keys = messages(6, patients=2)
        ids = enqueue(database_url, "ward", arrivals, keys)
        async with delivering(database_url, mllp(ward.port)):
            await until(lambda: Counter(states(database_url))["delivered"] == 3)
            await until(lambda: Counter(states(database_url))["parked"] == 1)
        assert ward.got.count("P1-1") == 1
        assert of_patient(ward.got, 1) == ["P1-1"]
        assert of_patient(ward.got, 2) == ["P2-1", "P2-2", "P2-3"]
    query = "SELECT id, code, reason, answer FROM bus.delivery WHERE state = 'parked'"
    [(parked, code, reason, answer)] = rows(database_url, query)
    assert (parked, code, bytes(answer)) == (ids[0], "AR", ack("AR", "P1-1"))
    assert "AR" in reason


async def test_an_error_is_tried_again_and_those_behind_it_wait(database_url: str) -> None:
    async with MllpReceiver() as ward:
        ward.behaviour = lambda control: ack("AE" if ward.got.count("P1-1") < 3 else "AA", control)
        arrivals, keys = messages(2)
        enqueue(database_url, "ward", arrivals, keys)
        async with delivering(database_url, mllp(ward.port)):
            await until(lambda: states(database_url) == ["delivered", "delivered"])
        assert ward.got == ["P1-1", "P1-1", "P1-1", "P1-2"]
    assert rows(database_url, "SELECT attempts, refusals FROM bus.delivery ORDER BY id") == [(3, 2), (1, 0)]


async def test_what_keeps_failing_is_given_up(database_url: str) -> None:
    retry = {"first_seconds": 0.05, "longest_seconds": 0.1, "give_up_hours": 0.3 / 3600}
    async with MllpReceiver(lambda control: ack("AE", control)) as ward:
        arrivals, keys = messages(1)
        enqueue(database_url, "ward", arrivals, keys)
        async with delivering(database_url, mllp(ward.port, retry=retry)):
            await until(lambda: states(database_url) == ["parked"])
        assert len(ward.got) > 1
    [(reason,)] = rows(database_url, "SELECT reason FROM bus.delivery")
    assert "given up after" in reason


@pytest.mark.parametrize(
    "behaviour",
    [silent, closes, lambda _control: ack("AA", "ANOTHER"), lambda _control: b"MSH|^~\\&|WARD\rZZZ|1\r"],
    ids=["silent", "closes", "answers another", "answers no MSA"],
)
async def test_without_its_own_answer_a_message_is_ambiguous_and_not_sent_again(
    database_url: str, behaviour: Behaviour
) -> None:
    async with MllpReceiver(behaviour) as ward:
        arrivals, keys = messages(2)
        ids = enqueue(database_url, "ward", arrivals, keys)
        async with delivering(database_url, mllp(ward.port, timeout_seconds=0.3)) as line:
            await until(lambda: states(database_url)[0] == "ambiguous")
            ward.behaviour = takes
            arrivals, keys = messages(1, start=9)
            enqueue(database_url, "ward", arrivals, [77])
            await until(lambda: states(database_url) == ["ambiguous", "queued", "delivered"])
            assert line.breaker.position(0.0) is Position.CLOSED
        assert ward.got == ["P1-1", "P1-9"]
        assert ward.connections == 2  # the socket that kept one waiting was dropped
    [(code, reason)] = rows(database_url, "SELECT code, reason FROM bus.delivery WHERE id = %s", ids[0])
    assert code == "unanswered"
    assert "discard or resend" in reason


async def test_an_idempotent_receiver_is_sent_the_unanswered_again(database_url: str) -> None:
    async with MllpReceiver() as ward:
        ward.behaviour = lambda control: None if len(ward.got) == 1 else ack("AA", control)
        arrivals, keys = messages(2)
        enqueue(database_url, "ward", arrivals, keys)
        spec = mllp(ward.port, timeout_seconds=0.3, resend_ambiguous=True)
        async with delivering(database_url, spec):
            await until(lambda: states(database_url) == ["delivered", "delivered"])
        assert ward.got == ["P1-1", "P1-1", "P1-2"]


async def test_a_late_answer_is_never_taken_for_the_next_message(database_url: str) -> None:
    """The receiver answers the first message after its time, when the next one has come."""
    async with MllpReceiver(lambda control: None if control == "P1-1" else ack("AA", "P1-1")) as ward:
        arrivals, keys = messages(2, patients=2)
        enqueue(database_url, "ward", arrivals, keys)
        async with delivering(database_url, mllp(ward.port, timeout_seconds=0.3)):
            await until(lambda: states(database_url) == ["ambiguous", "ambiguous"])
        assert (ward.got, ward.connections) == (["P1-1", "P2-1"], 2)
    kept = rows(database_url, "SELECT answer, reason FROM bus.delivery ORDER BY id")
    assert [answer and bytes(answer) for answer, _ in kept] == [None, ack("AA", "P1-1")]
    assert "no such answer" in kept[1][1]


async def test_an_answer_to_an_earlier_message_on_the_same_socket_is_passed_over(database_url: str) -> None:
    """In enhanced mode the application's answer to a message may come after that of the next one's."""

    def both(control: str) -> Reply:
        return ack("CA", control) + b"\x1c\r\x0b" + ack("AE", control)

    async with MllpReceiver(both) as ward:
        arrivals, keys = messages(3, patients=3)
        enqueue(database_url, "ward", arrivals, keys)
        async with delivering(database_url, mllp(ward.port, acknowledgement="enhanced")):
            await until(lambda: states(database_url) == ["delivered"] * 3)
        assert ward.connections == 1
    assert rows(database_url, "SELECT DISTINCT code FROM bus.delivery") == [("CA",)]


async def test_in_original_mode_an_accept_acknowledgement_is_not_the_end(database_url: str) -> None:
    def both(control: str) -> Reply:
        return ack("CA", control) + b"\x1c\r\x0b" + ack("AR", control)

    async with MllpReceiver(both) as ward:
        arrivals, keys = messages(1)
        enqueue(database_url, "ward", arrivals, keys)
        async with delivering(database_url, mllp(ward.port)):
            await until(lambda: states(database_url) == ["parked"])


async def test_a_destination_that_is_down_keeps_its_queue_in_order_and_leaves_others_alone(
    database_url: str,
) -> None:
    async with MllpReceiver() as ward, MllpReceiver() as lab:
        await ward.down()
        arrivals, keys = messages(30, patients=3)
        enqueue(database_url, "ward", arrivals, keys)
        more, more_keys = messages(30, patients=3, start=100)
        enqueue(database_url, "lab", more, more_keys)
        async with (
            delivering(database_url, mllp(ward.port)) as line,
            delivering(database_url, mllp(lab.port, "lab")),
        ):
            await until(lambda: set(states(database_url, "lab")) == {"delivered"})
            await until(lambda: line.detail()["breaker"] in ("open", "half_open"))
            assert set(states(database_url)) <= {"queued", "claimed"}
            await ward.up()
            await until(lambda: set(states(database_url)) == {"delivered"})
            assert line.detail()["breaker"] == "closed"
        for patient in (1, 2, 3):
            assert of_patient(ward.got, patient) == [f"P{patient}-{n}" for n in range(1, 11)]
        assert len(ward.got) == 30


async def test_a_hanging_destination_is_left_alone_by_the_breaker(database_url: str) -> None:
    """Ten patients wait; three messages stay unanswered, then one alone tries at a time."""
    async with MllpReceiver(silent) as ward:
        arrivals, keys = messages(10, patients=10)
        enqueue(database_url, "ward", arrivals, keys)
        breaker = {"failures": 3, "open_seconds": 60.0, "longest_seconds": 60.0}
        async with delivering(database_url, mllp(ward.port, timeout_seconds=0.1, breaker=breaker)) as line:
            await until(lambda: line.detail()["breaker"] == "open")
            await until(lambda: Counter(states(database_url)) == {"ambiguous": 3, "queued": 7})
        assert len(ward.got) == 3


async def test_a_message_that_is_no_hl7_is_parked_and_never_sent(database_url: str) -> None:
    async with MllpReceiver() as ward:
        arrivals, keys = messages(1)
        enqueue(database_url, "ward", arrivals, keys)
        rows_changed = "UPDATE bus.body SET body = '{}' RETURNING id"
        rows(database_url, rows_changed)
        async with delivering(database_url, mllp(ward.port)):
            await until(lambda: states(database_url) == ["parked"])
        assert ward.got == []
    assert rows(database_url, "SELECT code FROM bus.delivery") == [("not_hl7",)]


async def test_a_database_that_cut_its_connections_is_found_again_and_nothing_is_sent_twice(
    database_url: str,
) -> None:
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'delivery' AND datname = current_database()"
    )
    async with MllpReceiver() as ward:
        arrivals, keys = messages(60, patients=20)
        enqueue(database_url, "ward", arrivals, keys)
        async with delivering(database_url, mllp(ward.port, connections=2)):
            for count in (5, 25, 45):
                await until(lambda count=count: len(ward.got) >= count)  # type: ignore[misc]
                rows(database_url, cut)
            await until(lambda: set(states(database_url)) == {"delivered"})
        assert len(ward.got) == len(set(ward.got)) == 60


async def test_of_two_processes_one_owns_the_destination_and_the_other_takes_over(database_url: str) -> None:
    async with MllpReceiver() as ward:
        spec = mllp(ward.port)
        async with delivering(database_url, spec) as first:
            await until(lambda: first.owned)
            async with delivering(database_url, spec) as second:
                arrivals, keys = messages(5, patients=5)
                enqueue(database_url, "ward", arrivals, keys)
                await until(lambda: set(states(database_url)) == {"delivered"})
                assert (first.owned, second.owned) == (True, False)
                first.stop()
                await until(lambda: second.owned)
                arrivals, keys = messages(5, patients=5, start=2)
                enqueue(database_url, "ward", arrivals, keys)
                await until(lambda: states(database_url) == ["delivered"] * 10)
        assert len(ward.got) == 10


async def test_told_to_stop_it_waits_for_the_answer_that_is_due(database_url: str) -> None:
    async with MllpReceiver() as ward:
        arrived = asyncio.Event()
        ward.behaviour = lambda _control: arrived.set()
        arrivals, keys = messages(2, patients=2)
        enqueue(database_url, "ward", arrivals, keys)
        async with delivering(database_url, mllp(ward.port)) as line:
            await asyncio.wait_for(arrived.wait(), 10)
            line.stop()
            ward.writers[0].write(b"\x0b" + ack("AA", "P1-1") + b"\x1c\r")
        assert states(database_url) == ["delivered", "queued"]
    assert steps(database_url, rows(database_url, "SELECT min(message_id) FROM bus.delivery")[0][0]) == [
        "delivery_queued",
        "delivered",
    ]

"""The inbox on a real PostgreSQL: once, in order, and never a false success."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.envelope import Arrival, Outcome, Receipt, Refusal
from bus.inbox import Inbox, accept_in
from bus.partition import message_key, patient_key
from consortium.errors import PermanentError, RetryableError

KEY = "a routing key of this test"
MONTH = timedelta(days=30)


def arrival(control_id: str, content: str = "珅", patient: str | None = "P1", **more: str) -> Arrival:
    body = content.encode("gb18030")
    fields: dict[str, Any] = {"facility": "MAIN", "sender": "LIS", "message_type": "ORU^R01"} | more
    return Arrival(
        control_id=control_id,
        body=body,
        charset="gb18030",
        protocol="mllp",
        endpoint="mllp",
        digest=sha256(body).digest(),
        patient_number=patient,
        **fields,
    )


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


async def accepted(url: str, *arrivals: Arrival) -> list[Receipt]:
    async with Inbox(url, KEY) as inbox:
        return await asyncio.gather(*(inbox.accept(a) for a in arrivals))


async def test_a_message_is_stored_as_its_bytes_with_its_work(database_url: str) -> None:
    sent = arrival("C1")._replace(other_patient_number="P2", visit_number="V1", message_time="20260101")
    [receipt] = await accepted(database_url, sent)
    assert receipt.outcome is Outcome.STORED
    [row] = rows(
        database_url,
        "SELECT id, facility, sender, control_id, generation, message_type, protocol, endpoint, charset,"
        " patient_number, visit_number, message_time, digest, body FROM bus.message",
    )
    assert row == (
        *(receipt.id, "MAIN", "LIS", "C1", 0, "ORU^R01", "mllp", "mllp", "gb18030", "P1", "V1", "20260101"),
        *(sent.digest, sent.body),
    )
    keys = (patient_key("MAIN", "P1", KEY), patient_key("MAIN", "P2", KEY))
    assert rows(database_url, "SELECT id, patient_key, other_key, state FROM bus.work") == [
        (receipt.id, *keys, 0)
    ]


async def test_a_message_without_patient_gets_a_key_of_its_own(database_url: str) -> None:
    await accepted(database_url, arrival("C1", patient=None))
    assert rows(database_url, "SELECT patient_key, other_key FROM bus.work") == [
        (message_key("MAIN", "C1", KEY), None)
    ]


async def test_ids_follow_the_order_of_submission(database_url: str) -> None:
    receipts = await accepted(database_url, *(arrival(f"C{n}", str(n)) for n in range(1000)))
    ids = [receipt.id for receipt in receipts]
    assert ids == sorted(ids)
    stored = rows(database_url, "SELECT control_id FROM bus.inbox ORDER BY id")
    assert [control_id for (control_id,) in stored] == [f"C{n}" for n in range(1000)]
    assert rows(database_url, "SELECT count(*) FROM bus.work JOIN bus.inbox USING (id)") == [(1000,)]


async def test_the_same_again_is_a_duplicate_with_the_same_id_and_no_second_work(database_url: str) -> None:
    [first] = await accepted(database_url, arrival("C1"))
    [second] = await accepted(database_url, arrival("C1"))
    assert second == Receipt(first.id, Outcome.DUPLICATE)
    assert rows(database_url, "SELECT count(*) FROM bus.inbox") == [(1,)]
    assert rows(database_url, "SELECT count(*) FROM bus.work") == [(1,)]


async def test_fifty_at_once_are_one(database_url: str) -> None:
    receipts = await accepted(database_url, *[arrival("C1")] * 50)
    assert len({receipt.id for receipt in receipts}) == 1
    assert sorted(r.outcome.value for r in receipts) == ["duplicate"] * 49 + ["stored"]
    assert rows(database_url, "SELECT count(*) FROM bus.work") == [(1,)]


@pytest.mark.parametrize("other", [{"facility": "HP"}, {"sender": "RIS"}])
async def test_a_control_id_belongs_to_a_facility_and_sender(
    database_url: str, other: dict[str, str]
) -> None:
    receipts = await accepted(database_url, arrival("C1"), arrival("C1", **other))
    assert {r.outcome for r in receipts} == {Outcome.STORED}


async def test_other_content_under_a_known_id_is_stored_held_and_told(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [first, second] = await accepted(database_url, arrival("C1"), arrival("C1", "other"))
    assert second.outcome is Outcome.CONFLICT
    assert second.id != first.id
    assert rows(database_url, "SELECT generation, body FROM bus.message ORDER BY id") == [
        (0, "珅".encode("gb18030")),
        (1, b"other"),
    ]
    assert rows(database_url, "SELECT state FROM bus.work ORDER BY id") == [(0,), (1,)]
    [(message, code, reason, step)] = rows(
        database_url, "SELECT message_id, code, reason, step FROM bus.held"
    )
    assert (message, code, step) == (second.id, "control_id_conflict", "inbox")
    assert str(first.id) in reason
    assert "control_id_conflict" in capsys.readouterr().out


async def test_a_retry_of_the_conflicting_one_is_its_duplicate(database_url: str) -> None:
    outcomes = [
        arrival("C1", "a"),
        arrival("C1", "b"),
        arrival("C1", "b"),
        arrival("C1", "a"),
        arrival("C1", "c"),
    ]
    first, second, third, fourth, fifth = await accepted(database_url, *outcomes)
    assert (second.outcome, fifth.outcome) == (Outcome.CONFLICT, Outcome.CONFLICT)
    assert third == Receipt(second.id, Outcome.DUPLICATE)
    assert fourth == Receipt(first.id, Outcome.DUPLICATE)
    assert rows(database_url, "SELECT count(*) FROM bus.held") == [(2,)]


@pytest.mark.parametrize("content", ["珅", "other"])
async def test_after_the_window_a_control_id_is_new_again(database_url: str, content: str) -> None:
    [first] = await accepted(database_url, arrival("C1"))
    rows(database_url, "UPDATE bus.inbox SET received_at = received_at - interval '31 days' RETURNING id")
    [second] = await accepted(database_url, arrival("C1", content))
    assert second.outcome is Outcome.STORED
    assert second.id > first.id
    assert rows(database_url, "SELECT state FROM bus.work ORDER BY id") == [(0,), (0,)]
    assert rows(database_url, "SELECT max(generation) FROM bus.inbox") == [(1,)]


async def test_two_processes_that_take_the_same_conflict_store_it_once_each_content(
    database_url: str,
) -> None:
    async with Inbox(database_url, KEY) as one, Inbox(database_url, KEY) as two:
        await one.accept(arrival("C1", "first"))
        futures = [inbox.accept(arrival("C1", f"content {n}")) for n in range(20) for inbox in (one, two)]
        receipts = await asyncio.gather(*futures)
    assert len({r.id for r in receipts}) == rows(database_url, "SELECT count(*) - 1 FROM bus.inbox")[0][0]
    assert rows(database_url, "SELECT max(generation) + 1 = count(*) FROM bus.inbox") == [(True,)]


async def test_one_message_that_cannot_be_stored_does_not_take_its_neighbours_along(
    database_url: str,
) -> None:
    async with Inbox(database_url, KEY) as inbox:
        futures = [inbox.submit(arrival("C1")), inbox.submit(arrival("C2\0")), inbox.submit(arrival("C3"))]
        first, second, third = await asyncio.gather(*futures, return_exceptions=True)
    assert isinstance(second, PermanentError)
    assert [type(first), type(third)] == [Receipt, Receipt]
    assert rows(database_url, "SELECT control_id FROM bus.inbox ORDER BY id") == [("C1",), ("C3",)]


async def test_a_database_that_is_away_is_told_and_never_a_success() -> None:
    async with Inbox("postgresql://nobody@127.0.0.1:1/none", KEY, patience=0) as inbox:
        with pytest.raises(RetryableError, match="send the message again"):
            await inbox.accept(arrival("C1"))
        with pytest.raises(RetryableError):
            await inbox.refuse(REFUSAL)


async def test_it_connects_again_and_what_waited_is_stored_in_order(database_url: str) -> None:
    async with Inbox(database_url, KEY, patience=30) as inbox:
        await inbox.accept(arrival("C0"))
        pids = rows(
            database_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'yilian inbox'"
            " AND datname = current_database()",
        )
        assert pids == [(True,)]
        receipts = await asyncio.gather(*(inbox.accept(arrival(f"C{n}", str(n))) for n in range(1, 100)))
    assert {r.outcome for r in receipts} == {Outcome.STORED}
    assert [r.id for r in receipts] == sorted(r.id for r in receipts)


async def test_a_full_inbox_says_so(database_url: str) -> None:
    async with Inbox(database_url, KEY, most=2) as inbox:
        futures = [inbox.submit(arrival(f"C{n}")) for n in range(3)]
        results = await asyncio.gather(*futures, return_exceptions=True)
    assert [type(r) for r in results] == [Receipt, Receipt, RetryableError]


async def test_closing_stores_what_waits_and_takes_nothing_more(database_url: str) -> None:
    inbox = Inbox(database_url, KEY)
    async with inbox:
        futures = [inbox.submit(arrival(f"C{n}")) for n in range(10)]
    assert all(f.result().outcome is Outcome.STORED for f in futures)
    with pytest.raises(RetryableError):
        await inbox.accept(arrival("late"))


REFUSAL = Refusal(
    "mllp", "mllp", "127.0.0.1:9", "framing", "no start byte", b"\x00GET /", 6, control_id="C\x001"
)


async def test_what_is_refused_is_found_again(database_url: str) -> None:
    async with Inbox(database_url, KEY) as inbox:
        number = await inbox.refuse(REFUSAL)
    found = rows(database_url, "SELECT id, code, peer, control_id, facility, size, body FROM bus.refusal")
    assert found == [(number, "framing", "127.0.0.1:9", "C�1", None, 6, b"\x00GET /")]


def test_a_poller_stores_in_its_own_transaction(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        sent = [arrival("C1"), arrival("C2", "x"), arrival("C1"), arrival("C2", "y")]
        receipts = accept_in(connection, sent, routing_key=KEY, window=MONTH)
        assert [r.outcome.value for r in receipts] == ["stored", "stored", "duplicate", "conflict"]
        assert accept_in(connection, [], routing_key=KEY, window=MONTH) == []
        connection.rollback()
        assert rows(database_url, "SELECT count(*) FROM bus.inbox") == [(0,)]
        accept_in(connection, sent, routing_key=KEY, window=MONTH)
        connection.commit()
    assert rows(database_url, "SELECT count(*) FROM bus.inbox") == [(3,)]


steps = st.lists(st.tuples(st.sampled_from(["C1", "C2"]), st.sampled_from("abc")), max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=steps, groups=st.integers(1, 3))
def test_any_history_stores_each_content_of_a_control_id_once(
    database_url: str, sent: list[tuple[str, str]], groups: int
) -> None:
    with psycopg.connect(database_url) as connection:
        receipts: list[Receipt] = []
        for start in range(0, len(sent), groups):
            part = [arrival(*step) for step in sent[start : start + groups]]
            receipts += accept_in(connection, part, routing_key=KEY, window=MONTH)
        seen: dict[tuple[str, str], int] = {}
        for step, receipt in zip(sent, receipts, strict=True):
            assert (receipt.outcome is Outcome.DUPLICATE) == (step in seen)
            assert receipt.id == seen.setdefault(step, receipt.id)
        connection.rollback()

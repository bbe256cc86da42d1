"""Following open tables by watermark: nothing lost, nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
import pytest

from adapters.tables.client import Source
from adapters.tables.marks import Mark
from adapters.tables.poll import Counts, follow
from adapters.tables.server import Poller
from adapters.tables.settings import Campus
from adapters.tables.store import Store
from bus.envelope import Arrival, Receipt
from tests.integration.adapters.tables.conftest import Hospital, arrived

UNTIL = datetime(2026, 11, 21, tzinfo=UTC)


def keys(database: psycopg.Connection, type_: str = "table:patient") -> list[str]:
    """Return the keys of the messages of a type, in inbox order."""
    return [message.key for message in arrived(database, type_)]


def test_all_rows_arrive_in_order_though_some_share_a_time(
    hospital: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    for number in ("P1", "P2", "P3", "P4", "P5", "P6", "P7"):
        hospital.patient(number, "01:00:00")
    hospital.patient("P0", "02:00:00")
    counts = follow(source, store, huiya.table("patient"), UNTIL)
    assert counts == Counts(read=8, stored=8)
    assert keys(database) == ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P0"]
    row = database.execute(
        "SELECT facility, sender, message_type, protocol, endpoint, patient_number, message_time"
        " FROM bus.inbox LIMIT 1"
    ).fetchone()
    assert row is not None
    assert row[:6] == ("HY", "patient", "table:patient", "tables", "huiya_url/patient", "P1")
    assert row[6] == "2026-11-20T01:00:00.000000Z"


def test_reading_again_changes_nothing(
    hospital: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    for minute in range(5):
        hospital.patient(f"P{minute}", f"01:0{minute}:00")
    follow(source, store, huiya.table("patient"), UNTIL)
    again = follow(source, store, huiya.table("patient"), UNTIL)
    assert again == Counts(read=5, duplicate=5)
    assert len(arrived(database)) == 5


def test_a_late_edit_is_a_message_of_its_own(
    hospital: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    hospital.patient("P1", "01:00:00", phone="1")
    follow(source, store, huiya.table("patient"), UNTIL)
    hospital.patient("P1", "09:00:00", phone="2")
    assert follow(source, store, huiya.table("patient"), UNTIL) == Counts(read=1, stored=1)
    messages = arrived(database)
    assert [message.body["phone"] for message in messages] == ["1", "2"]
    assert [message.body["_version"] for message in messages] == sorted(m.body["_version"] for m in messages)


def test_two_edits_within_the_same_millisecond_are_two_messages(
    hospital: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    hospital.patient("P1", "01:00:00", phone="1")
    follow(source, store, huiya.table("patient"), UNTIL)
    hospital.patient("P1", "01:00:00", phone="2")
    assert follow(source, store, huiya.table("patient"), UNTIL).stored == 1
    assert database.execute("SELECT count(*) FROM bus.held").fetchone() == (0,)


def test_a_row_that_was_committed_late_is_found_in_the_overlap(
    hospital: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    hospital.patient("P2", "01:09:00")
    follow(source, store, huiya.table("patient"), UNTIL)
    hospital.patient("P1", "01:00:00")
    assert follow(source, store, huiya.table("patient"), UNTIL) == Counts(read=2, stored=1, duplicate=1)
    assert keys(database) == ["P2", "P1"]


def test_rows_younger_than_the_bound_wait(
    hospital: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    hospital.patient("P1", "01:00:00")
    bound = datetime(2026, 11, 20, 1, tzinfo=UTC)
    assert follow(source, store, huiya.table("patient"), bound).read == 0
    assert follow(source, store, huiya.table("patient"), UNTIL).read == 1


def test_an_impossible_date_travels_as_it_is(
    hospital: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    hospital.patient("P1", "01:00:00", birth_date="2026-02-30")
    follow(source, store, huiya.table("patient"), UNTIL)
    assert arrived(database)[0].body["birth_date"] == "2026-02-30"


def test_a_row_taken_back_says_so(
    hospital: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    row = {"visit_no": "V1", "patient_no": "P1", "visit_type": "O", "status": "取消"}
    hospital.put("visit", "01:00:00", **row)
    follow(source, store, huiya.table("visit"), UNTIL)
    hospital.put("visit", "02:00:00", is_deleted=1, **row)
    follow(source, store, huiya.table("visit"), UNTIL)
    assert [message.body["_deleted"] for message in arrived(database)] == [False, True]


def test_each_row_of_a_report_brings_the_whole_report(
    hospital: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    hospital.result("R1-1", "01:00:00")
    hospital.result("R1-2", "01:00:01", item_code="10122", value="141")
    hospital.result("R2-1", "01:00:02")
    follow(source, store, huiya.table("lab_result"), UNTIL)
    hospital.result("R1-2", "02:00:00", item_code="10122", value="139", status="修正")
    assert follow(source, store, huiya.table("lab_result"), UNTIL).stored == 1
    messages = arrived(database)
    assert [message.key for message in messages] == ["R1-1", "R1-2", "R2-1", "R1-2"]
    assert [len(message.body["rows"]) for message in messages] == [2, 2, 1, 2]
    last = messages[-1].body
    assert [row["value"] for row in last["rows"]] == ["4.1", "139"]
    assert (last["status"], last["_version"], last["_deleted"]) == (
        "修正",
        "2026-11-20T02:00:00.000000Z",
        False,
    )


def test_a_report_is_deleted_when_all_its_rows_are(
    hospital: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    hospital.result("R1-1", "01:00:00", is_deleted=1)
    hospital.result("R1-2", "01:00:01")
    follow(source, store, huiya.table("lab_result"), UNTIL)
    hospital.result("R1-2", "02:00:00", is_deleted=1)
    follow(source, store, huiya.table("lab_result"), UNTIL)
    assert [message.body["_deleted"] for message in arrived(database)] == [False, False, True]


class Killed(BaseException):
    """The process ends here."""


class Dying:
    """A store that dies at its nth page, before or after that page's commit."""

    def __init__(self, store: Store, at: int, committed: bool) -> None:
        self.store = store
        self.left = at
        self.committed = committed

    def mark(self, poller: str) -> dict[str, str] | None:
        """As the store."""
        return self.store.mark(poller)

    def accept(self, arrivals: Sequence[Arrival], mark: Mark | None) -> list[Receipt]:
        """As the store, until it dies."""
        self.left -= 1
        if self.left == 0 and not self.committed:
            raise Killed
        receipts = self.store.accept(arrivals, mark)
        if self.left == 0:
            raise Killed
        return receipts


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_restart_between_pages_loses_nothing_and_doubles_nothing(
    hospital: Hospital,
    source: Source,
    store: Store,
    huiya: Campus,
    database: psycopg.Connection,
    page: int,
    committed: bool,
) -> None:
    numbers = [f"P{hour}" for hour in range(8)]
    for hour, number in enumerate(numbers):
        hospital.patient(number, f"0{hour}:00:00")
    with pytest.raises(Killed):
        follow(source, Dying(store, page, committed), huiya.table("patient"), UNTIL)
    before = len(arrived(database))
    assert before == min((page - 1 + committed) * 3, 8)
    follow(source, store, huiya.table("patient"), UNTIL)
    assert keys(database) == numbers


def test_the_watermark_is_in_the_transaction_of_its_rows(
    hospital: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    hospital.patient("P1", "01:00:00")
    database.execute("ALTER TABLE bus.watermark ADD CONSTRAINT none CHECK (false) NOT VALID")
    try:
        with pytest.raises(psycopg.errors.CheckViolation):
            follow(source, store, huiya.table("patient"), UNTIL)
    finally:
        database.execute("ALTER TABLE bus.watermark DROP CONSTRAINT none")
    assert arrived(database) == []


def test_a_cycle_reads_all_tables_patients_first(
    hospital: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    hospital.charge("C1", "01:00:00")
    hospital.result("R1-1", "01:00:00")
    hospital.patient("P1", "03:00:00")
    poller = Poller(huiya, source, store, threading.Event())
    assert poller.cycle() == Counts(read=3, stored=3)
    assert poller.cycle() == Counts(read=3)
    assert [message.type for message in arrived(database)] == [
        "table:patient",
        "table:lab_result",
        "table:charge",
    ]

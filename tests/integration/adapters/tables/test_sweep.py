"""Rows that are removed from a table without a trace."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

import psycopg
import pytest

from adapters.tables import sweep as sweeping
from adapters.tables.client import Source
from adapters.tables.poll import Counts, follow
from adapters.tables.server import Poller
from adapters.tables.settings import Campus
from adapters.tables.store import Store
from tests.integration.adapters.tables.conftest import Hospital, arrived

UNTIL = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def bill(
    hospital: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> Hospital:
    """Seven lines of a bill, brought to the inbox; one of them in three versions."""
    for line in range(1, 8):
        hospital.charge(f"C{line}", f"01:0{line}:00")
    follow(source, store, huiya.table("charge"), UNTIL)
    for minute in (20, 30):
        hospital.charge("C3", f"01:{minute}:00", amount=str(minute))
        follow(source, store, huiya.table("charge"), UNTIL)
    return hospital


def sweep_all(source: Source, store: Store, huiya: Campus) -> Counts:
    """Sweep more pages than there are."""
    total = Counts()
    for _ in range(6):
        total += sweeping.sweep(source, store, huiya.table("charge"))
    return total


def test_a_removed_row_becomes_one_deletion(
    bill: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    bill.remove("charge", "C3")
    bill.remove("charge", "C7")
    assert sweep_all(source, store, huiya) == Counts(stored=2)
    deletions = [message for message in arrived(database) if message.body["_deleted"]]
    assert sorted(message.key for message in deletions) == ["C3", "C7"]
    third = next(message for message in deletions if message.key == "C3")
    assert third.body["amount"] == "30.00"
    assert third.body["_version"] == "2026-11-20T01:30:00.000000Z~deleted"
    assert third.type == "table:charge"


def test_a_row_whose_bytes_were_dropped_is_still_told_as_gone(
    bill: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    database.execute("DELETE FROM bus.body")
    bill.remove("charge", "C3")
    assert sweep_all(source, store, huiya) == Counts(stored=1)
    [gone] = database.execute(
        "SELECT body, patient_number FROM bus.message WHERE body IS NOT NULL"
    ).fetchall()
    assert json.loads(gone[0]) == {
        "_table": "charge",
        "_key": "C3",
        "_version": "2026-11-20T01:30:00.000000Z~deleted",
        "_deleted": True,
        "charge_no": "C3",
        "patient_no": gone[1],
        "visit_no": "V1",
    }


def test_sweeping_again_changes_nothing(
    bill: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    bill.remove("charge", "C3")
    sweep_all(source, store, huiya)
    before = len(arrived(database))
    sweep_all(source, store, huiya)
    assert len(arrived(database)) == before


def test_a_row_that_comes_back_and_goes_again_is_deleted_again(
    bill: Hospital, source: Source, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    bill.remove("charge", "C3")
    sweep_all(source, store, huiya)
    bill.charge("C3", "05:00:00")
    follow(source, store, huiya.table("charge"), UNTIL)
    assert sweep_all(source, store, huiya) == Counts()
    bill.remove("charge", "C3")
    assert sweep_all(source, store, huiya).stored == 1
    versions = [message.body["_version"] for message in arrived(database) if message.key == "C3"]
    assert versions == sorted(versions)


def test_a_table_that_is_suddenly_empty_deletes_nothing(
    hospital: Hospital, huiya_url: str, store: Store, huiya: Campus, database: psycopg.Connection
) -> None:
    for line in range(30):
        hospital.charge(f"C{line:02d}", "01:00:00")
    wide = huiya.model_copy(update={"sweep_page": 100})
    with Source(wide, huiya_url) as source:
        poller = Poller(wide, source, store, threading.Event())
        poller.cycle()
        hospital.connection.execute("TRUNCATE charge")
        poller.attempt()
    assert not any(message.body["_deleted"] for message in arrived(database))
    assert "nothing was deleted" in poller.detail()["sweep_suspended"]["charge"]
    assert poller.detail()["state"] == "polling"

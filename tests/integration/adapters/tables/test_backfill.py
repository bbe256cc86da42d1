"""Loading past windows."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from adapters.tables.backfill import Counts, load_window
from adapters.tables.client import Source
from adapters.tables.poll import follow
from adapters.tables.settings import Campus
from adapters.tables.store import Store
from consortium.errors import PermanentError
from runtime.settings import Settings
from tests.integration.adapters.tables.conftest import Hospital, arrived

ONE, TWO, THREE = (datetime(2026, 11, 20, hour, tzinfo=UTC) for hour in (1, 2, 3))


def test_a_window_holds_its_beginning_and_not_its_end(
    hospital: Hospital, settings: Settings, database: psycopg.Connection
) -> None:
    for hour in range(5):
        hospital.patient(f"P{hour}", f"0{hour}:00:00")
    assert load_window(settings, "patient", ONE, THREE) == Counts(read=2, stored=2)
    assert [message.key for message in arrived(database)] == ["P1", "P2"]


def test_loading_a_window_again_or_after_the_live_feed_changes_nothing(
    hospital: Hospital,
    settings: Settings,
    source: Source,
    store: Store,
    huiya: Campus,
    database: psycopg.Connection,
) -> None:
    for hour in range(5):
        hospital.patient(f"P{hour}", f"0{hour}:00:00")
    load_window(settings, "patient", ONE, TWO)
    assert load_window(settings, "patient", ONE, TWO) == Counts(read=1, duplicate=1)
    live = follow(source, store, huiya.table("patient"), THREE)
    assert live == Counts(read=3, stored=2, duplicate=1)
    assert load_window(settings, "patient", ONE, THREE) == Counts(read=2, duplicate=2)
    assert len(arrived(database)) == 3


def test_a_window_leaves_the_live_watermark_alone(
    hospital: Hospital, settings: Settings, database: psycopg.Connection
) -> None:
    hospital.patient("P1", "01:00:00")
    load_window(settings, "patient", ONE, THREE)
    assert database.execute("SELECT count(*) FROM bus.watermark").fetchone() == (0,)


def test_a_window_of_many_pages_can_be_limited(
    hospital: Hospital, settings: Settings, database: psycopg.Connection
) -> None:
    for minute in range(10, 20):
        hospital.patient(f"P{minute}", f"01:{minute}:00")
    assert load_window(settings, "patient", ONE, TWO, limit=4).read == 4
    assert load_window(settings, "patient", ONE, TWO) == Counts(read=10, stored=6, duplicate=4)


def test_a_window_does_not_reach_into_the_lag(
    hospital: Hospital, settings: Settings, database: psycopg.Connection
) -> None:
    hospital.connection.execute(
        "INSERT INTO patient (patient_no, name, updated_at) VALUES ('P1', 'x', now() + interval '1 hour')"
    )
    assert load_window(settings, "patient", ONE, datetime(2100, 1, 1, tzinfo=UTC)).read == 0


def test_an_unknown_table_is_named(settings: Settings) -> None:
    with pytest.raises(PermanentError, match="HY has no open table 'nothing'; it has patient"):
        load_window(settings, "nothing", ONE, TWO)

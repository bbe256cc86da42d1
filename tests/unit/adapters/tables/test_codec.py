"""From rows to arrivals."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.tables import codec
from adapters.tables.rows import Row, version
from adapters.tables.settings import campus
from runtime.settings import CHECKOUT

HUIYA = campus("HY", CHECKOUT / "rules")
PATIENT, VISIT, RESULT, CHARGE = (HUIYA.table(name) for name in ("patient", "visit", "lab_result", "charge"))
AT = datetime(2026, 11, 20, 0, 40, 0, 345000, tzinfo=UTC)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.timezones())  # noqa: DTZ001 - zones follow
KEYS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


def row(key: str = "P1", at: datetime = AT, **columns: Any) -> Row:
    """Return a row of the patient table."""
    return Row(key, at, {"patient_no": key, "charge_no": key, "updated_at": at} | columns)


def line(number: str, at: datetime, **columns: Any) -> dict[str, Any]:
    """Return the columns of a line of a lab report."""
    said = {"result_no": number, "patient_no": "P1", "visit_no": "V1", "status": "审核", "is_deleted": 0}
    return said | {"updated_at": at} | columns


def body(row_: Row, table: Any = PATIENT) -> dict[str, Any]:
    """Return what a row's message says."""
    said: dict[str, Any] = json.loads(codec.arrival(HUIYA, table, row_).body)
    return said


def test_a_row_becomes_an_arrival() -> None:
    arrival = codec.arrival(HUIYA, PATIENT, row(name="欧阳珅"))
    assert (arrival.facility, arrival.sender, arrival.message_type) == ("HY", "patient", "table:patient")
    assert arrival.control_id.startswith("P1@2026-11-20T00:40:00.345000Z#")
    assert (arrival.patient_number, arrival.visit_number) == ("P1", None)
    assert "欧阳珅".encode() in arrival.body


@given(TIMES, TIMES)
def test_versions_sort_as_times_do(one: datetime, other: datetime) -> None:
    assert (version(one) < version(other)) == (one.astimezone(UTC) < other.astimezone(UTC))


@given(KEYS, TIMES)
def test_the_key_is_found_in_the_control_id(key: str, at: datetime) -> None:
    arrival = codec.arrival(HUIYA, PATIENT, row(key, at))
    assert codec.key_of(arrival.control_id) == key
    assert not codec.is_deletion(arrival.control_id)


@given(KEYS, TIMES, st.timedeltas(timedelta(microseconds=1), timedelta(days=1)))
def test_a_deletion_comes_after_the_last_version_and_before_any_later(
    key: str, at: datetime, more: timedelta
) -> None:
    last = codec.arrival(HUIYA, CHARGE, row(key, at))
    gone = codec.deletion(HUIYA, CHARGE, json.loads(last.body))
    later = codec.arrival(HUIYA, CHARGE, row(key, at.astimezone(UTC) + more))
    versions = [json.loads(arrival.body)["_version"] for arrival in (last, gone, later)]
    assert versions == sorted(versions)
    assert codec.is_deletion(gone.control_id)
    assert codec.key_of(gone.control_id) == key
    assert max(last.control_id, gone.control_id) == gone.control_id


def test_equal_rows_are_equal_messages_and_others_are_not() -> None:
    assert codec.arrival(HUIYA, PATIENT, row(name="a")) == codec.arrival(HUIYA, PATIENT, row(name="a"))
    assert (
        codec.arrival(HUIYA, PATIENT, row(name="a")).control_id
        != codec.arrival(HUIYA, PATIENT, row(name="b")).control_id
    )


def test_types_of_the_database_are_written_as_people_would() -> None:
    said = body(row(amount=Decimal("48.10"), day=AT.date(), picture=b"\x00\xff", nothing=None, count=3))
    assert (said["amount"], said["day"], said["picture"]) == ("48.10", "2026-11-20", "AP8=")
    assert (said["nothing"], said["count"]) == (None, 3)


def test_a_text_that_is_no_date_travels_as_it_is() -> None:
    assert body(row(birth_date="2026-02-30"))["birth_date"] == "2026-02-30"


def test_a_row_taken_back_says_so() -> None:
    columns = {"visit_no": "V1", "patient_no": "P1", "updated_at": AT}
    assert body(Row("V1", AT, columns | {"is_deleted": 1}), VISIT)["_deleted"] is True
    assert body(Row("V1", AT, columns | {"is_deleted": 0}), VISIT)["_deleted"] is False


def test_a_sibling_s_change_does_not_make_a_row_new() -> None:
    first, second = line("R-1", AT), line("R-2", AT)
    changed = line("R-2", AT + timedelta(hours=1))
    before, after = (
        codec.arrival(HUIYA, RESULT, Row("R-1", AT, first, (first, other))) for other in (second, changed)
    )
    assert (before.control_id, before.digest) == (after.control_id, after.digest)


def test_the_newest_living_row_speaks_for_the_whole_report() -> None:
    rows = (
        line("R-1", AT, status="修正"),
        line("R-2", AT - timedelta(hours=1)),
        line("R-3", AT + timedelta(hours=1), status="作废", is_deleted=1),
    )
    said = body(Row("R-2", rows[1]["updated_at"], rows[1], rows), RESULT)
    assert (said["status"], said["_key"], said["_deleted"]) == ("修正", "R-2", False)
    assert said["_version"] == version(AT + timedelta(hours=1))
    assert [part["result_no"] for part in said["rows"]] == ["R-1", "R-2", "R-3"]

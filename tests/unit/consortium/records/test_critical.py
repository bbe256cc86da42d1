"""When a critical value is opened and withdrawn."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from consortium.records.critical import alarm
from consortium.records.facts import Row
from consortium.records.tables import REPORT, RESULT

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def result(version: int = 1, **facts: Any) -> Row:
    row = dict.fromkeys(RESULT.columns) | {"id": UUID(int=1), "version": version, "deleted": False, "at": NOW}
    return row | {"value": "6.8", "flag": "critical_high", "status": "final"} | facts


def report(**facts: Any) -> Row:
    return dict.fromkeys(REPORT.columns) | {"id": UUID(int=2), "deleted": False} | facts


def test_a_final_critical_result_opens_one() -> None:
    found = alarm(None, result(), report(doctor_number="7"))
    assert found is not None
    assert found.opens is not None
    assert (found.opens["result_id"], found.opens["doctor_number"], found.withdraws) == (
        UUID(int=1),
        "7",
        None,
    )


def test_nobody_hears_of_a_preliminary_or_harmless_or_deleted_one() -> None:
    for harmless in (
        result(status="preliminary"),
        result(flag="high"),
        result(flag=None),
        result(deleted=True),
    ):
        assert alarm(None, harmless, report()) is None
    assert alarm(None, result(), report(deleted=True)) is None


def test_the_same_value_again_opens_nothing() -> None:
    assert alarm(result(), result(2, unit="mmol/L"), report()) is None


def test_a_preliminary_one_that_becomes_final_opens_one() -> None:
    found = alarm(result(status="preliminary"), result(2), report())
    assert found is not None
    assert found.opens is not None


def test_another_critical_value_withdraws_the_first_and_opens_anew() -> None:
    first = alarm(None, result(), report())
    second = alarm(result(), result(2, value="7.1", status="corrected"), report())
    assert first is not None
    assert second is not None
    assert first.opens is not None
    assert second.opens is not None
    assert second.withdraws == "corrected"
    assert first.opens["id"] != second.opens["id"]


def test_what_no_longer_stands_is_withdrawn() -> None:
    corrected = alarm(result(), result(2, value="4.8", flag="normal"), report())
    cancelled = [
        alarm(result(), result(2, status="cancelled"), report()),
        alarm(result(), result(2, deleted=True), report()),
        alarm(result(), result(2, unit="x"), report(deleted=True)),
    ]
    assert corrected is not None
    assert (corrected.opens, corrected.withdraws) == (None, "corrected")
    assert [found.withdraws for found in cancelled if found is not None] == ["cancelled"] * 3

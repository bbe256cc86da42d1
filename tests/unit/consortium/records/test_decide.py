"""What becomes of a record when something is said of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consortium.records import decide
from consortium.records.facts import Row, take_apart
from consortium.records.model import (
    Change,
    Coded,
    Encounter,
    Kind,
    Order,
    Patient,
    Practitioner,
    Provenance,
    Report,
    Result,
)

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
ITEM = Coded(code="2823-3", name="钾")


def provenance(message: int, version: str | None = None) -> Provenance:
    at = NOW + timedelta(minutes=message)
    return Provenance(message_id=message, facility="MAIN", received_at=at, source_version=version)


def visit(message: int, version: str | None = None, kind: Kind = Kind.ENCOUNTER, **facts: Any) -> Any:
    change = Change(kind=kind, patient=Patient(number="1"), encounter=Encounter(number="V1", **facts))
    return take_apart(change, provenance(message, version))[0]


def result(message: int, **facts: Any) -> Any:
    report = Report(number="R1", kind="lab", item=ITEM, results=(Result(item=ITEM, **facts),))
    change = Change(kind=Kind.REPORT, patient=Patient(number="1"), reports=(report,))
    return take_apart(change, provenance(message))[0].children[0]


def told(*saids: Any) -> Row:
    row = decide.created(saids[0], 1)
    for said in saids[1:]:
        row = decide.revised(said, row)
    return row


def test_a_newer_statement_replaces_and_what_it_leaves_out_stays() -> None:
    row = told(visit(1, status="in_progress", bed="3-12"), visit(2, status="finished"))
    assert (row["status"], row["bed"], row["version"], row["message_id"]) == ("finished", "3-12", 2, 2)


def test_the_same_statement_changes_nothing() -> None:
    row = told(visit(1, status="in_progress"))
    assert decide.revised(visit(1, status="in_progress"), row) == row


def test_the_same_facts_in_a_newer_message_are_no_new_version() -> None:
    row = told(visit(1, status="in_progress"), visit(3, status="in_progress"))
    assert (row["version"], row["message_id"], row["changed_at"]) == (1, 3, NOW + timedelta(minutes=1))


def test_an_older_statement_only_fills_what_is_not_known() -> None:
    row = told(visit(2, status="finished"), visit(1, status="in_progress", bed="3-12"))
    assert (row["status"], row["bed"], row["message_id"]) == ("finished", "3-12", 2)


VERSIONS = st.permutations([("1", "in_progress"), ("2", "finished"), ("3", "cancelled")])


@given(VERSIONS)
def test_versions_come_to_one_end_in_any_order(order: list[tuple[str, str]]) -> None:
    row = told(*(visit(i, version, status=status) for i, (version, status) in enumerate(order, 1)))
    assert (row["status"], row["source_version"]) == ("cancelled", "3")


def test_what_only_comes_along_fills_and_never_replaces() -> None:
    along = visit(2, kind=Kind.REPORT, status="arrived", bed="3-12")
    row = told(visit(1, status="finished"), along)
    assert (row["status"], row["bed"], row["message_id"]) == ("finished", "3-12", 1)


def test_a_visit_first_named_by_a_report_is_filled_by_its_own_older_version() -> None:
    row = told(visit(5, "9", kind=Kind.REPORT), visit(6, "1", status="finished"))
    assert (row["status"], row["source_version"]) == ("finished", "1")


def test_a_default_is_no_statement() -> None:
    def order(message: int, **facts: Any) -> Any:
        change = Change(
            kind=Kind.ORDER,
            patient=Patient(number="1"),
            orders=(Order(number="O1", kind="lab", item=ITEM, **facts),),
        )
        return take_apart(change, provenance(message))[0]

    row = told(order(1, status="completed", priority="stat"), order(2))
    assert (row["status"], row["priority"]) == ("completed", "stat")


def test_a_new_code_does_not_keep_the_old_ones_name() -> None:
    row = told(visit(1, department=Coded(code="01", name="心内科")), visit(2, department=Coded(code="02")))
    assert (row["department_code"], row["department_name"]) == ("02", None)


def test_the_same_code_keeps_its_name() -> None:
    row = told(visit(1, department=Coded(code="01", name="心内科")), visit(2, department=Coded(code="01")))
    assert row["department_name"] == "心内科"


def test_a_doctor_known_by_name_only_does_not_keep_anothers_number() -> None:
    row = told(visit(1, doctor=Practitioner(number="7", name="李")), visit(2, doctor=Practitioner(name="王")))
    assert (row["doctor_number"], row["doctor_name"]) == (None, "王")


def test_an_older_doctor_is_not_mixed_with_the_newer() -> None:
    row = told(visit(2, doctor=Practitioner(name="王")), visit(1, doctor=Practitioner(number="7", name="李")))
    assert (row["doctor_number"], row["doctor_name"]) == (None, "王")


def test_a_corrected_value_does_not_keep_the_flag_of_the_old_one() -> None:
    row = told(
        result(1, value="6.8", number=Decimal("6.8"), flag="critical_high", unit="mmol/L"),
        result(2, value="4.8", number=Decimal("4.8"), status="corrected"),
    )
    assert (row["value"], row["flag"], row["unit"], row["status"]) == ("4.8", None, "mmol/L", "corrected")


def test_entered_in_error_is_a_version_of_its_own_and_can_be_taken_back() -> None:
    row = told(visit(1, "1"), visit(2, "2", deleted=True))
    assert (row["deleted"], row["version"]) == (True, 2)
    assert decide.revised(visit(3, "1"), row)["deleted"]
    assert not decide.revised(visit(3, "3"), row)["deleted"]


def test_what_only_comes_along_does_not_take_back_a_deletion() -> None:
    assert told(visit(1, deleted=True), visit(2, kind=Kind.REPORT))["deleted"]


def test_the_clinical_time_is_when_it_came_only_while_nothing_better_is_known() -> None:
    assert told(visit(1))["at"] == NOW + timedelta(minutes=1)
    assert told(visit(1), visit(2, start=NOW))["at"] == NOW

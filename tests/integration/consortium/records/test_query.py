"""Reading records."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from consortium.records import query
from consortium.records.model import Coded, Kind, Order, Patient, Provenance
from consortium.records.query import Code, Search, TooBroadError
from consortium.records.service import apply
from tests.integration.consortium.records.messages import NOW, PANEL, lab, order, provenance, visit

CARD = {"id_card": "11010519491231002X", "name": "王珅"}


def test_a_person_has_the_records_of_all_campuses(connection: sa.Connection) -> None:
    people = set()
    for message, facility in enumerate(("MAIN", "HP", "HY"), 1):
        change = visit(start=NOW + timedelta(hours=message)).model_copy(
            update={"patient": Patient(number="P1", **CARD)}
        )
        people.add(apply(connection, change, provenance(message, facility)).person_id)
    (person,) = people
    found = query.encounters(connection, Search(person=person)).rows
    assert [row["facility"] for row in found] == ["HY", "HP", "MAIN"]
    assert query.count(connection, "encounter", Search(person=person)) == 3
    assert len(query.encounters(connection, Search(person=person, facility="HP")).rows) == 1


def test_pages_follow_each_other_without_gap_or_repeat(connection: sa.Connection) -> None:
    person = apply(connection, lab(), provenance(1)).person_id
    seen: list[UUID] = []
    after: str | None = None
    while not seen or after is not None:
        page = query.results(connection, Search(person=person, limit=7, after=after))
        seen += [row["id"] for row in page.rows]
        after = page.after
    assert len(seen) == len(set(seen)) == 20


def test_results_are_narrowed_by_code_time_status_flag_and_visit(connection: sa.Connection) -> None:
    person = apply(connection, lab(), provenance(1)).person_id
    encounter = query.encounters(connection, Search(person=person)).rows[0]["id"]

    def found(**search: Any) -> int:
        return len(query.results(connection, Search(person=person, **search)).rows)

    assert found(codes=(Code("I00"), Code("I01", "http://loinc.org"))) == 2
    assert found(codes=(Code("I00", ""),)) == 0
    assert found(since=NOW, before=NOW + timedelta(seconds=1)) == 20
    assert found(before=NOW) == 0
    assert (found(statuses=("final",)), found(statuses=("preliminary",))) == (20, 0)
    assert (found(flags=("normal",)), found(categories=("lab",)), found(categories=("exam",))) == (1, 20, 0)
    assert (found(encounter=encounter), found(changed_since=NOW + timedelta(days=1))) == (20, 0)


def test_a_reports_results_come_in_their_order(connection: sa.Connection) -> None:
    apply(connection, lab(), provenance(1))
    report = query.reports(connection, Search(numbers=("R1",))).rows[0]
    found = query.results_of(connection, [report])
    assert [row["item_code"] for row in found] == [f"I{i:02}" for i in range(20)]
    assert len(query.results(connection, Search(report=report["id"])).rows) == 20
    assert query.result_ids_of(connection, [report, report]) == {report["id"]: [row["id"] for row in found]}
    assert query.results_of(connection, []) == []
    assert query.result_ids_of(connection, []) == {}


def test_patients_that_were_read_before_are_not_read_again(connection: sa.Connection) -> None:
    person = apply(connection, lab(), provenance(1)).person_id
    patients = query.patients_of(connection, person)
    assert len(query.reports(connection, Search(person=person, patients=patients)).rows) == 1
    assert query.reports(connection, Search(person=person, patients=())).rows == []


def test_a_report_says_whether_its_order_is_here(connection: sa.Connection) -> None:
    person = apply(connection, lab(), provenance(1)).person_id
    assert not query.reports(connection, Search(person=person)).rows[0]["order_known"]
    apply(connection, order(), provenance(2))
    report = query.reports(connection, Search(person=person)).rows[0]
    assert report["order_known"]
    assert (
        query.reports(connection, Search(person=person, order=report["order_id"])).rows[0]["id"]
        == report["id"]
    )
    placed = query.record(connection, "order", report["order_id"])
    assert placed is not None
    assert placed["number"] == "O1"


def test_an_order_is_found_by_its_filler_number_within_a_person(connection: sa.Connection) -> None:
    placed = Order(number="O1", filler_number="F1", kind="exam", item=PANEL)
    change = order().model_copy(update={"orders": (placed,)})
    person = apply(connection, change, provenance(1)).person_id
    assert query.orders(connection, Search(person=person, numbers=("F1",))).rows[0]["number"] == "O1"
    assert query.orders(connection, Search(person=person, numbers=("O1",))).rows[0]["number"] == "O1"


def test_visits_are_narrowed_by_class_and_department(connection: sa.Connection) -> None:
    facts: dict[str, Any] = {"class_": "inpatient", "department": Coded(code="01", name="心内科")}
    person = apply(connection, visit(**facts), provenance(1)).person_id
    assert len(query.encounters(connection, Search(person=person, categories=("inpatient",))).rows) == 1
    assert len(query.encounters(connection, Search(person=person, codes=(Code("02"),))).rows) == 0


def test_a_deleted_record_is_read_by_id_and_not_found_by_search(connection: sa.Connection) -> None:
    person = apply(connection, visit(deleted=True), provenance(1)).person_id
    assert query.encounters(connection, Search(person=person)).rows == []
    id_ = query.encounters(connection, Search(person=person, deleted=True)).rows[0]["id"]
    record = query.record(connection, "encounter", id_)
    assert record is not None
    assert record["deleted"]


def test_a_search_that_would_read_everything_is_refused(connection: sa.Connection) -> None:
    with pytest.raises(TooBroadError):
        query.results(connection, Search(codes=(Code("I00"),)))


def test_a_person_without_records_has_none(connection: sa.Connection) -> None:
    change = visit(kind=Kind.PATIENT).model_copy(update={"encounter": None})
    source: Provenance = provenance(1)
    assert query.results(connection, Search(person=apply(connection, change, source).person_id)).rows == []

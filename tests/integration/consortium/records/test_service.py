"""Applying changes on a real PostgreSQL."""

from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from consortium.identity import service as identity
from consortium.records import query
from consortium.records.errors import RecordError
from consortium.records.model import (
    Appointment,
    Change,
    Charge,
    Coded,
    Document,
    Kind,
    Merge,
    Patient,
    Report,
    Result,
)
from consortium.records.query import Search
from consortium.records.service import Applied, apply, apply_many
from tests.integration.consortium.records.messages import NOW, item, lab, order, provenance, results, visit

TABLES = (
    "encounter", "diagnosis", "order", "report", "result", "document", "charge", "appointment", "history",
    "blob", "business_key", "critical_value",
)  # fmt: skip


def everything(connection: sa.Connection) -> dict[str, set[str]]:
    """All rows of all tables, as text."""
    tables = [
        *(f'records."{t}"' for t in TABLES),
        "identity.source_patient",
        "identity.link",
        "identity.ledger",
        "identity.person",
    ]
    return {t: set(connection.execute(sa.text(f"SELECT x::text FROM {t} x")).scalars()) for t in tables}  # noqa: S608 - constants


def values(connection: sa.Connection, report: str = "R1") -> dict[str, Any]:
    rows = query.results(connection, Search(numbers=(report,), limit=100)).rows
    return {row["item_code"]: row["value"] for row in rows}


def kept(connection: sa.Connection) -> int:
    return int(connection.execute(sa.text("SELECT count(*) FROM records.history")).scalar_one())


def test_a_report_of_twenty_results_is_recorded(connection: sa.Connection) -> None:
    applied = apply(connection, lab(), provenance(1))
    assert applied.written == {"patient": 1, "link": 1, "encounter": 1, "report": 1, "result": 20}
    assert applied.person_id == identity.person_of(connection, "MAIN", "P1")
    found = query.results(connection, Search(person=applied.person_id, limit=100)).rows
    assert len(found) == 20
    assert {row["message_id"] for row in found} == {1}


def test_the_same_message_twice_changes_nothing(connection: sa.Connection) -> None:
    changes = [
        (visit(diagnoses=(Coded(code="I10", name="高血压"),)), provenance(1)),
        (order(), provenance(2)),
        (lab(results=results(value="6.8", flag="critical_high")), provenance(3)),
    ]
    for change, source in changes:
        apply(connection, change, source)
    before = everything(connection)
    for change, source in changes:
        again = apply(connection, change, source)
        assert (again.written, again.events) == ({}, ())
    assert everything(connection) == before


def test_a_correction_replaces_one_value_and_keeps_the_old_one(connection: sa.Connection) -> None:
    apply(connection, lab(), provenance(1))
    applied = apply(
        connection, lab(status="corrected", results=results(value="4.9", status="corrected")), provenance(2)
    )
    assert applied.written == {"report": 1, "result": 1}
    result = query.results(connection, Search(numbers=("R1",), codes=(query.Code("I00"),))).rows[0]
    assert (result["value"], result["status"], result["version"], result["message_id"]) == (
        "4.9",
        "corrected",
        2,
        2,
    )
    old = query.history(connection, result["id"])
    assert [(row["version"], row["facts"]["value"], row["message_id"]) for row in old] == [(1, "4.1", 2)]
    assert kept(connection) == 2


def test_a_report_that_comes_row_by_row_is_one_report(connection: sa.Connection) -> None:
    for index in range(3):
        one = (Result(item=item(index), value=str(index)),)
        apply(connection, lab(results=one), provenance(index + 1, version=f"{index + 1}"))
    assert values(connection) == {"I00": "0", "I01": "1", "I02": "2"}


def test_one_item_taken_back_leaves_the_others(connection: sa.Connection) -> None:
    apply(connection, lab(), provenance(1))
    apply(connection, lab(results=(Result(item=item(3), deleted=True),)), provenance(2))
    assert "I03" not in values(connection)
    assert len(values(connection)) == 19


@pytest.mark.parametrize("order_of_coming", ["live first", "backfill first"])
def test_live_feed_and_backfill_agree_whichever_comes_first(
    connection: sa.Connection, order_of_coming: str
) -> None:
    old = (lab(results=results(value="4.1")), "2026-11-20T08:00:00+00:00")
    new = (lab(status="corrected", results=results(value="4.9")), "2026-11-20T09:00:00+00:00")
    coming = [new, old] if order_of_coming == "live first" else [old, new]
    for message, (change, version) in enumerate(coming, 1):
        apply(connection, change, provenance(message, version=version))
    report = query.reports(connection, Search(numbers=("R1",))).rows[0]
    assert (report["status"], report["source_version"]) == ("corrected", new[1])
    assert values(connection)["I00"] == "4.9"


def test_an_older_version_after_a_deletion_does_not_bring_it_back(connection: sa.Connection) -> None:
    apply(connection, visit(deleted=True), provenance(1, version="2"))
    apply(connection, visit(status="in_progress"), provenance(2, version="1"))
    assert query.encounters(connection, Search(numbers=("V1",))).rows == []
    row = query.encounters(connection, Search(numbers=("V1",), deleted=True)).rows[0]
    assert row["deleted"]


def test_a_deleted_report_takes_its_results_along_and_history_stays(connection: sa.Connection) -> None:
    apply(connection, lab(), provenance(1))
    apply(connection, lab(results=(), deleted=True), provenance(2))
    assert values(connection) == {}
    assert query.reports(connection, Search(numbers=("R1",))).rows == []
    assert len(query.results(connection, Search(numbers=("R1",), deleted=True, limit=100)).rows) == 20
    assert kept(connection) == 21


def test_diagnoses_of_a_newer_message_replace_those_before(connection: sa.Connection) -> None:
    first = (Coded(code="N39.0", name="尿路感染"), Coded(code="I10", name="高血压"))
    apply(connection, visit(diagnoses=first), provenance(1))
    applied = apply(connection, visit(diagnoses=(Coded(code="J18.9", name="肺炎"), first[1])), provenance(2))
    apply(connection, visit(status="finished"), provenance(3))
    encounter = query.encounters(connection, Search(person=applied.person_id)).rows[0]
    assert encounter["status"] == "finished"
    assert [d["code"] for d in query.diagnoses(connection, [encounter])] == ["J18.9", "I10"]


def test_a_number_of_another_patient_is_refused_without_a_trace(connection: sa.Connection) -> None:
    apply(connection, lab(patient="P1"), provenance(1))
    before = everything(connection)
    for field, change in (
        ("encounter.number", lab("R2", "P2")),
        ("reports[0].number", lab("R1", "P2", visit="V2")),
    ):
        with pytest.raises(RecordError) as refused:
            apply(connection, change, provenance(2))
        assert (refused.value.code, refused.value.field) == ("number_of_other_patient", field)
        assert "P1" not in str(refused.value)
    assert everything(connection) == before


def test_the_same_number_at_another_campus_is_another_record(connection: sa.Connection) -> None:
    apply(connection, lab(patient="P1"), provenance(1))
    apply(connection, lab(patient="P9"), provenance(2, "HP"))
    found = query.reports(connection, Search(numbers=("R1",))).rows
    assert {row["facility"] for row in found} == {"MAIN", "HP"}
    assert len({row["person_id"] for row in found}) == 2


def test_a_merge_moves_no_record_and_both_numbers_go_on(connection: sa.Connection) -> None:
    apply(connection, lab("R1", "P1", visit=None), provenance(1))
    before = query.reports(connection, Search(numbers=("R1",))).rows[0]
    merge = Change(
        kind=Kind.MERGE, patient=Patient(number="P2", name="王珅"), merge=Merge(surviving="P2", retired="P1")
    )
    applied = apply(connection, merge, provenance(2))
    after = query.reports(connection, Search(numbers=("R1",))).rows[0]
    assert after["patient_id"] == before["patient_id"]
    assert after["person_id"] == applied.person_id != before["person_id"]
    apply(connection, lab("R1", "P2", visit=None, results=results(value="5.0")), provenance(3))
    apply(connection, lab("R1", "P1", visit=None, results=results(value="5.1")), provenance(4))
    assert values(connection)["I00"] == "5.1"
    assert query.reports(connection, Search(numbers=("R1",))).rows[0]["patient_id"] == before["patient_id"]


def test_a_batch_comes_to_the_same_end_as_one_by_one(engine: sa.Engine, connection: sa.Connection) -> None:
    changes = [
        (visit(status="in_progress", diagnoses=(Coded(code="I10"),)), provenance(1)),
        (lab(results=results(value="6.8", flag="critical_high")), provenance(2)),
        (visit(status="finished", diagnoses=(Coded(code="I11"),)), provenance(3)),
        (lab(results=results(value="4.8")), provenance(4)),
        (visit("V2", "P2"), provenance(5)),
        (lab("R2", "P2", visit="V2"), provenance(6)),
        (visit("V3", "P2", status="arrived"), provenance(7)),
    ]
    batched = apply_many(connection, changes)
    together = everything(connection)
    connection.rollback()
    with engine.connect() as other:
        one_by_one = [apply(other, change, source) for change, source in changes]
        apart = everything(other)
        other.rollback()
    assert all(isinstance(applied, Applied) for applied in batched)
    assert [getattr(a, "person_id", a) for a in batched] == [a.person_id for a in one_by_one]
    for records in ("history", "encounter", "diagnosis", "report", "result"):
        assert len(together[f'records."{records}"']) == len(apart[f'records."{records}"'])


def test_a_refused_change_of_a_batch_leaves_no_trace_and_the_others_go_on(connection: sa.Connection) -> None:
    changes = [
        (lab("R1", "P1"), provenance(1)),
        (lab("R1", "P2", visit="V2"), provenance(2)),
        (lab("R3", "P1", results=(Result(item=item(1), value="\x00"),)), provenance(3)),
        (lab("R4", "P1"), provenance(4)),
    ]
    outcomes = apply_many(connection, changes)
    assert [getattr(o, "code", "applied") for o in outcomes] == [
        "applied", "number_of_other_patient", "unstorable_character", "applied",
    ]  # fmt: skip
    assert not identity.known(connection, "MAIN", "P2")
    numbers = (
        connection.execute(sa.text("SELECT number FROM records.business_key ORDER BY 1")).scalars().all()
    )
    assert numbers == ["R1", "R4", "V1"]


def test_documents_keep_their_bytes_once(connection: sa.Connection) -> None:
    text = "出院小结：患者王珅，病情平稳。\r\n" * 200

    def document(number: str, **facts: Any) -> Change:
        one = Document(number=number, type=Coded(code="C0053", name="出院小结"), title="出院小结", **facts)
        return Change(kind=Kind.DOCUMENT, patient=Patient(number="P1"), documents=(one,))

    applied = apply(connection, document("D1", content=text.encode("gb18030")), provenance(1))
    apply(connection, document("D2", content=text.encode("gb18030"), replaces="D1"), provenance(2))
    found = query.documents(connection, Search(person=applied.person_id)).rows
    assert {row["number"]: row["superseded"] for row in found} == {"D1": True, "D2": False}
    content = query.content(connection, found[0]["id"])
    assert content is not None
    assert content.data.decode("gb18030") == text
    stored = connection.execute(
        sa.text("SELECT count(*), max(size), max(length(content)) FROM records.blob")
    ).one()
    assert stored[0] == 1
    assert stored[2] < stored[1] == len(text.encode("gb18030"))


def test_charges_and_appointments_are_recorded(connection: sa.Connection) -> None:
    charge = Charge(number="C1", item=Coded(code="250301", name="血常规"), amount="20.00", charged_at=NOW)
    booked = Appointment(number="A1", item=Coded(code="CT-XB", name="胸部CT"), start=NOW, minutes=15)
    change = Change(kind=Kind.CHARGE, patient=Patient(number="P1"), charges=(charge,), appointments=(booked,))
    applied = apply(connection, change, provenance(1))
    assert str(query.charges(connection, Search(person=applied.person_id)).rows[0]["amount"]) == "20.00"
    assert query.appointments(connection, Search(numbers=("A1",))).rows[0]["minutes"] == 15


@pytest.mark.parametrize("start", range(0xAB, 0xAC))
def test_the_hazardous_characters_survive(connection: sa.Connection, start: int) -> None:
    hazardous = [c for c in map(chr, range(0x4E00, 0xA000)) if set(c.encode("gb18030")) & set(b"|^~\\")]
    assert len(hazardous) == 464
    text = "".join(hazardous)
    report = Report(number="E1", kind="exam", item=Coded(code="E1001", name=text), findings=text)
    change = Change(kind=Kind.REPORT, patient=Patient(number="P1", name=text), reports=(report,))
    person = apply(connection, change, provenance(1)).person_id
    row = query.reports(connection, Search(person=person)).rows[0]
    assert (row["findings"], row["item_name"]) == (text, text)
    assert identity.search(connection, identity.PersonSearch(ids=(person,))).rows[0]["name"] == text


def test_a_known_patients_report_takes_few_statements(connection: sa.Connection) -> None:
    apply(connection, lab("R1"), provenance(1))
    statements: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *args: statements.append(args[2]))
    apply(connection, lab("R2"), provenance(2))
    copies = 3  # business_key, report, result: COPY does not pass SQLAlchemy
    assert len(statements) + copies <= 6


def test_two_transactions_with_one_new_number_end_in_one_record(engine: sa.Engine) -> None:
    with engine.connect() as first, engine.connect() as second:
        apply(first, lab("R1"), provenance(1))
        pid = second.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        outcome: list[Applied] = []

        def late() -> None:
            outcome.append(apply(second, lab("R1", results=results(value="4.9")), provenance(2)))
            second.commit()

        thread = Thread(target=late)
        thread.start()
        waiting = sa.text("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = :pid")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watcher:
            while not watcher.execute(waiting, {"pid": pid}).scalar_one():
                assert thread.is_alive(), "it did not wait for the other transaction"
        first.commit()
        thread.join(timeout=30)
        assert outcome[0].written == {"result": 1}
        assert values(first)["I00"] == "4.9"

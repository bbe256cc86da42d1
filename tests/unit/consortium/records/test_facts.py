"""Taking a change apart."""

from datetime import UTC, datetime

import pytest

from consortium.records.errors import RecordError
from consortium.records.facts import check_patient, take_apart
from consortium.records.keys import record_id
from consortium.records.model import (
    Change,
    Coded,
    Document,
    Encounter,
    Kind,
    Order,
    Patient,
    Provenance,
    Report,
    Result,
)

ITEM = Coded(code="2823-3", name="钾")
PROVENANCE = Provenance(
    message_id=1, facility="MAIN", received_at=datetime(2026, 11, 20, tzinfo=UTC), source_version="7"
)


def report(**facts: object) -> Change:
    return Change(
        kind=Kind.REPORT,
        patient=Patient(number="1"),
        encounter=Encounter(number="V1"),
        orders=(Order(number="O1", kind="lab", item=ITEM, status="completed"),),
        reports=(Report(number="R1", kind="lab", item=ITEM, order_number="O1", **facts),),
    )


def test_a_report_names_its_visit_and_order() -> None:
    visit, order, said = take_apart(report(results=(Result(item=ITEM),)), PROVENANCE)
    assert said.key == ("R1", "lab_report", "MAIN")
    assert said.first["order_id"] == order.id == record_id("MAIN", "order", "O1")
    assert {row["encounter_id"] for row in (said.first, order.first, said.children[0].first)} == {visit.id}


def test_the_source_version_is_the_subjects_alone() -> None:
    visit, order, said = take_apart(report(), PROVENANCE)
    assert [(s.word.version.source, s.word.authority) for s in (visit, order, said)] == [
        (None, False), (None, True), ("7", True),
    ]  # fmt: skip


def test_an_item_that_comes_twice_is_two_results() -> None:
    said = take_apart(report(results=(Result(item=ITEM), Result(item=ITEM))), PROVENANCE)[-1]
    assert len({child.id for child in said.children}) == 2
    assert [child.first["rank"] for child in said.children] == [0, 1]


def test_lab_and_exam_reports_may_share_a_number() -> None:
    other = Report(number="R1", kind="exam", item=ITEM)
    change = report().model_copy(update={"reports": (*report().reports, other)})
    lab, exam = take_apart(change, PROVENANCE)[-2:]
    assert lab.id != exam.id


def test_a_character_that_cannot_be_kept_is_refused_by_its_field() -> None:
    with pytest.raises(RecordError) as refused:
        take_apart(report(results=(Result(item=ITEM, value="4\x00"),)), PROVENANCE)
    assert (refused.value.code, refused.value.field) == (
        "unstorable_character",
        "reports[0].results[0].value",
    )
    with pytest.raises(RecordError) as refused:
        check_patient(Patient(number="1", name="王\x00"))
    assert refused.value.field == "patient.name"


def test_a_documents_content_is_known_by_its_digest() -> None:
    document = Document(number="D1", type=ITEM, title="出院小结", content="患者".encode())
    change = Change(kind=Kind.DOCUMENT, patient=Patient(number="1"), documents=(document,))
    said = take_apart(change, PROVENANCE)[0]
    assert said.content == "患者".encode()
    assert (len(said.first["content_sha256"]), said.first["content_size"]) == (32, 6)

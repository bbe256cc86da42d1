"""What is built as HL7 v2 and read again by rules says the same, and other readers take it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.hl7.charset import codec_for
from bus.hl7.header import peek
from bus.hl7.message import parse
from bus.hl7.problem import HL7Error
from bus.hl7.writing.message import Heading, write
from bus.rules.ruleset import RuleSet
from bus.sources.hl7 import parse_hl7
from bus.sources.source import Envelope
from consortium.records.model import (
    Appointment,
    Change,
    Charge,
    Coded,
    Encounter,
    Kind,
    Order,
    Patient,
    Report,
    Result,
)
from tests.changes import WITHOUT_V2_MESSAGE, change
from tests.unit.bus.hl7.dialect import write_rules

GB = "GB 18030-2000"
AT = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


def heading(**more: Any) -> Heading:
    known = {"facility": "HP", "domain": "1.2.156.10011.99.2", "control_id": "YL7", "at": AT}
    return Heading(**{**known, **more})


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    return RuleSet.load(write_rules(tmp_path_factory.mktemp("rules")))


def heard(rules: RuleSet, body: bytes, charset: str) -> Change:
    type_ = "^".join(filter(None, (parse(body).get("MSH-9.1"), parse(body).get("MSH-9.2"))))
    source = parse_hl7(body, codec_for(charset), Envelope("HP", "YILIAN", type_, "mllp", "YL7"))
    outcome = rules.decide(source, "HP", type_).outcome
    assert isinstance(outcome, Change), outcome
    return outcome


@pytest.mark.parametrize("kind", WITHOUT_V2_MESSAGE)
@settings(max_examples=5)
@given(data=st.data())
def test_what_hl7_v2_cannot_say_whole_is_refused(kind: Kind, data: st.DataObject) -> None:
    with pytest.raises(HL7Error, match="send FHIR"):
        write(data.draw(change(kind)), heading())


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in WITHOUT_V2_MESSAGE])
@settings(max_examples=25)
@given(
    data=st.data(), version=st.sampled_from(["2.4", "2.5"]), charset=st.sampled_from(["UNICODE UTF-8", GB])
)
def test_it_says_the_same(
    rules: RuleSet, kind: Kind, data: st.DataObject, version: Any, charset: str
) -> None:
    said = data.draw(change(kind))
    body = write(said, heading(version=version, charset=charset))
    assert body == write(said, heading(version=version, charset=charset))
    visit = said.encounter
    if kind is not Kind.ENCOUNTER and visit is not None:  # its state and diagnoses are those of an ADT
        visit = Encounter.model_validate(visit.model_dump(exclude={"status", "diagnoses"}))
    same = heard(rules, body, charset)
    assert same == said.model_copy(update={"encounter": visit})


WANG = Patient(number="HP-1", name="王珅|^~\\&", sex="male", id_card="11010519491231002X")
ITEM = Coded(code="2823-3", name="钾", system="http://loinc.org")
GONE = Appointment(number="1", deleted=True)
ITS_VISIT = Encounter(number="V1", class_="inpatient", status="in_progress")


def built(kind: Kind, patient: Patient = WANG, **said: Any) -> Change:
    return Change(kind=kind, patient=patient, **said)


def test_delimiters_in_a_value_do_not_break_it_apart() -> None:
    message = parse(write(built(Kind.PATIENT), heading()))
    assert message.get("PID-5.1") == WANG.name
    assert message.get("PID-8") == "M"


@pytest.mark.parametrize(
    ("change", "type_", "structure"),
    [
        (built(Kind.ENCOUNTER, encounter=ITS_VISIT), "ADT^A01", "ADT_A01"),
        (
            built(Kind.ENCOUNTER, encounter=ITS_VISIT.model_copy(update={"class_": "outpatient"})),
            "ADT^A04",
            "ADT_A01",
        ),
        (
            built(Kind.ENCOUNTER, encounter=ITS_VISIT.model_copy(update={"status": "finished"})),
            "ADT^A03",
            "ADT_A03",
        ),
        (
            built(Kind.ENCOUNTER, encounter=ITS_VISIT.model_copy(update={"deleted": True})),
            "ADT^A11",
            "ADT_A09",
        ),
        (built(Kind.ENCOUNTER, encounter=Encounter(number="V1")), "ADT^A08", "ADT_A01"),
        (built(Kind.PATIENT), "ADT^A08", "ADT_A01"),
        (built(Kind.MERGE, merge={"surviving": "HP-1", "retired": "HP-2"}), "ADT^A40", "ADT_A39"),
        (built(Kind.ORDER, orders=(Order(number="1", kind="lab", item=ITEM),)), "OMG^O19", "OMG_O19"),
        (
            built(Kind.APPOINTMENT, appointments=(Appointment(number="1", deleted=True),)),
            "SIU^S17",
            "SIU_S12",
        ),
    ],
)
def test_the_event_says_what_happened(change: Change, type_: str, structure: str) -> None:
    body = write(change, heading())
    found = peek(body, {"HP": "utf-8"})
    assert (found.message_type, found.control_id, found.patient_number) == (type_, "YL7", "HP-1")
    assert parse(body).get("MSH-9.3") == structure


def test_an_order_is_an_orm_before_version_2_5() -> None:
    body = write(
        built(Kind.ORDER, orders=(Order(number="1", kind="lab", item=ITEM),)), heading(version="2.4")
    )
    assert parse(body).get("MSH-9.3") == "ORM_O01"


def test_what_a_charset_lacks_is_an_error_that_names_the_field_and_not_the_character() -> None:
    rare = WANG.model_copy(update={"name": "𠮷田"})
    with pytest.raises(HL7Error) as caught:
        write(built(Kind.PATIENT, rare), heading(charset="BIG-5"))
    assert (caught.value.code, caught.value.location) == ("unencodable", "PID-5")
    assert "𠮷" not in caught.value.reason
    assert b"?" not in write(built(Kind.PATIENT, rare), heading(charset=GB))


def test_two_documents_need_two_messages() -> None:
    booked = tuple(Appointment(number=str(number)) for number in range(2))
    with pytest.raises(HL7Error, match="a message for each"):
        write(built(Kind.APPOINTMENT, appointments=booked), heading())


def test_what_was_entered_in_error_is_taken_back() -> None:
    results = (Result(item=ITEM, value="6.80", number=Decimal("6.80"), deleted=True),)
    report = Report(number="R1", kind="lab", item=ITEM, results=results, deleted=True)
    message = parse(write(built(Kind.REPORT, reports=(report,)), heading()))
    assert (message.get("OBR-25"), message.get("OBX-11")) == ("X", "D")
    charge = Charge(number="F1", item=ITEM, amount=Decimal("68.00"), deleted=True)
    message = parse(write(built(Kind.CHARGE, charges=(charge,)), heading()))
    assert (message.get("FT1-6"), message.get("FT1-11.1.1")) == ("CR", "68.00")

"""Resources are valid R4 (4.0.1), as far as R4B's definitions tell.

fhir.resources has R4B (4.3.0) and no R4. R4B changed medication, evidence and subscription resources and left
those served here as they were in R4; what R5 changed in them is checked by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from fhir.resources.R4B import get_fhir_model_class

from api.fhir.capability import capability_statement
from bus.fhir.resources.allergy_intolerance import allergy_intolerance
from bus.fhir.resources.appointment import appointment
from bus.fhir.resources.charge_item import charge_item
from bus.fhir.resources.condition import condition
from bus.fhir.resources.diagnostic_report import diagnostic_report
from bus.fhir.resources.document_reference import document_reference
from bus.fhir.resources.encounter import encounter
from bus.fhir.resources.medication_request import medication_request
from bus.fhir.resources.observation import observation
from bus.fhir.resources.patient import patient
from bus.fhir.resources.procedure import procedure
from bus.fhir.resources.schedule import schedule, slot
from bus.fhir.resources.service_request import service_request
from bus.fhir.systems import Domain, Systems
from consortium.scheduling import model
from runtime.settings import Settings

SYSTEMS = Systems(Settings())
AT = datetime(2026, 11, 20, 1, 30, tzinfo=UTC)
ID, PERSON = UUID(int=1), UUID(int=2)
META: dict[str, Any] = {
    "id": ID,
    "person_id": PERSON,
    "facility": "HP",
    "at": AT,
    "deleted": False,
    "version": 2,
    "changed_at": AT,
    "number": "N-1",
    "encounter_id": None,
}
ITEM = {"item_code": "K", "item_name": None, "item_system": None}
DOCTOR = {"doctor_number": None, "doctor_name": None}
AUTHOR = {"author_number": None, "author_name": None}
DEPARTMENT = {"department_code": None, "department_name": None, "department_system": None}


def unknown(*columns: str) -> dict[str, None]:
    return dict.fromkeys(columns)


BARE: dict[str, dict[str, Any]] = {
    "Patient": {"id": PERSON, "active": True, "changed_at": AT, "identifiers": []}
    | unknown("name", "sex", "birth_date", "id_card", "phone", "address", "deceased", "vip"),
    "Encounter": META | DEPARTMENT | DOCTOR | unknown("class", "status", "bed", "start_at", "end_at"),
    "Observation": META
    | ITEM
    | unknown("observed_at", "value_number", "unit", "flag", "reference_range", "sub_id")
    | {"status": "final", "category": "lab", "value": ""},
    "DiagnosticReport": META
    | ITEM
    | AUTHOR
    | DOCTOR
    | unknown("order_id", "modality", "issued_at", "findings", "conclusion")
    | unknown("specimen_code", "specimen_name", "specimen_system")
    | {"kind": "exam", "status": "final", "order_known": False},
    "ServiceRequest": META
    | ITEM
    | DOCTOR
    | DEPARTMENT
    | unknown("filler_number", "ordered_at")
    | {"kind": "other", "status": "active", "priority": "routine"},
    "MedicationRequest": META
    | ITEM
    | DOCTOR
    | DEPARTMENT
    | unknown("filler_number", "ordered_at", "prescription", "dose", "dose_unit", "days", "instructions")
    | unknown("quantity", "quantity_unit", "route_code", "route_name", "route_system")
    | unknown("frequency_code", "frequency_name", "frequency_system")
    | {"kind": "medication", "status": "active", "priority": "routine"},
    "Procedure": META
    | ITEM
    | DOCTOR
    | DEPARTMENT
    | unknown("site_code", "site_name", "site_system", "start_at", "end_at", "order_number", "part_of")
    | unknown("level", "incision", "note")
    | {"kind": "other", "status": "completed"},
    "Condition": META | {"encounter_id": ID, "code": "I10", "name": None, "system": None},
    "AllergyIntolerance": META
    | ITEM
    | AUTHOR
    | unknown("category", "criticality", "reaction", "noted_at")
    | {"status": "active"},
    "Appointment": META
    | unknown("item_code", "item_name", "item_system", "start_at", "minutes")
    | DOCTOR
    | DEPARTMENT
    | {"status": "booked"},
    "ChargeItem": META
    | ITEM
    | unknown("charged_at", "payer")
    | {"amount": Decimal("-68.00"), "currency": "CNY", "quantity": Decimal(1)},
    "DocumentReference": META
    | AUTHOR
    | unknown("type_name", "type_system", "replaces", "content_sha256", "content_size", "created_at")
    | {
        "type_code": "T",
        "title": "病历",
        "status": "current",
        "superseded": False,
        "mime_type": "text/plain",
    },
}
MAKE: dict[str, Callable[..., dict[str, Any]]] = {
    "Patient": patient,
    "Encounter": encounter,
    "Observation": observation,
    "DiagnosticReport": diagnostic_report,
    "ServiceRequest": service_request,
    "DocumentReference": document_reference,
    "Appointment": appointment,
    "ChargeItem": charge_item,
    "MedicationRequest": medication_request,
    "Procedure": procedure,
    "Condition": condition,
    "AllergyIntolerance": allergy_intolerance,
}
VERIFIED = ("Condition", "AllergyIntolerance")
"""What says by its verification status that it was entered in error."""


def made(kind: str, /, **columns: Any) -> dict[str, Any]:
    resource = MAKE[kind](BARE[kind] | columns, SYSTEMS)
    get_fhir_model_class(kind).model_validate(resource)
    assert no_empty_element(resource)
    return resource


def no_empty_element(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(map(no_empty_element, value.values()))
    if isinstance(value, list):
        return bool(value) and all(map(no_empty_element, value))
    return value is not None and value != ""


@pytest.mark.parametrize("kind", MAKE)
def test_a_resource_of_which_little_is_known_is_valid(kind: str) -> None:
    assert made(kind)["resourceType"] == kind


@pytest.mark.parametrize("kind", [kind for kind in MAKE if kind != "Patient"])
def test_what_was_entered_in_error_says_so(kind: str) -> None:
    resource = made(kind, deleted=True)
    if kind in VERIFIED:
        assert resource["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
        assert "clinicalStatus" not in resource
    else:
        assert resource["status"] == "entered-in-error"


def test_a_refuted_allergy_is_not_shown_as_one_that_stands() -> None:
    refuted = made("AllergyIntolerance", status="refuted")
    assert refuted["verificationStatus"]["coding"][0]["code"] == "refuted"
    assert refuted["clinicalStatus"]["coding"][0]["code"] == "inactive"


def test_how_a_medicine_is_taken() -> None:
    taken = made(
        "MedicationRequest",
        dose=Decimal("0.5"),
        dose_unit="g",
        route_code="1",
        route_name="口服",
        frequency_code="tid",
        days=7,
        prescription="CF1",
        instructions="饭后",
        quantity=Decimal(2),
        quantity_unit="盒",
    )
    [dosage] = taken["dosageInstruction"]
    assert dosage["doseAndRate"] == [{"doseQuantity": {"value": Decimal("0.5"), "unit": "g"}}]
    assert dosage["timing"]["repeat"]["boundsDuration"]["value"] == 7
    assert taken["dispenseRequest"]["quantity"] == {"value": Decimal(2), "unit": "盒"}
    assert taken["groupIdentifier"]["system"].endswith("99.2.16")


@pytest.mark.parametrize("kind", ["nursing", "midwifery", "checkup"])
def test_reports_that_fhir_does_not_tell_apart_have_a_category_of_ours(kind: str) -> None:
    report = made("DiagnosticReport", kind=kind)
    own = {"system": SYSTEMS.report_kind, "code": kind}
    assert own.items() <= report["category"][0]["coding"][-1].items()
    assert own.items() <= made("Observation", category=kind)["category"][-1]["coding"][0].items()


def test_the_capability_statement_is_of_r4() -> None:
    statement = capability_statement("http://127.0.0.1/fhir", "2026-11-20")
    get_fhir_model_class("CapabilityStatement").model_validate(statement)
    assert statement["fhirVersion"] == "4.0.1"


@pytest.mark.parametrize("kind", ["expert", "clinic", "bed", "room"])
def test_calendars_are_schedules(kind: model.Kind) -> None:
    made = schedule(model.Resource(ID, "HP", kind, "心内科 远程会诊", "doctor.huangpu"), SYSTEMS)
    get_fhir_model_class("Schedule").model_validate(made)
    assert [actor["display"] for actor in made["actor"]] == ["心内科 远程会诊", "黄埔院区"]
    assert "doctor.huangpu" not in str(made)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("free", "free"),
        ("held", "busy-tentative"),
        ("confirmed", "busy"),
        ("absent", "busy-unavailable"),
    ],
)
def test_times_are_slots(state: model.Offer, status: str) -> None:
    end = AT + timedelta(minutes=30)
    made = slot(model.Slot(ID, PERSON, AT, end, state, end if state == "held" else None))
    get_fhir_model_class("Slot").model_validate(made)
    assert (made["status"], made["start"]) == (status, "2026-11-20T09:30:00+08:00")
    assert made["schedule"] == {"reference": f"Schedule/{PERSON}"}
    assert ("comment" in made) is (state == "held")


def test_what_r5_changed_has_the_form_of_r4() -> None:
    visit = made("Encounter", start_at=AT, doctor_name="张医生")
    assert isinstance(visit["class"], dict)
    assert visit["period"] == {"start": "2026-11-20T09:30:00+08:00"}
    assert visit["participant"][0]["individual"]["display"] == "张医生"
    document = made("DocumentReference", encounter_id=ID)
    assert document["masterIdentifier"]["value"] == "N-1"
    assert document["context"] == {"encounter": [{"reference": f"Encounter/{ID}"}]}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("outpatient", "AMB"),
        ("emergency", "EMER"),
        ("inpatient", "IMP"),
        ("checkup", "checkup"),
        (None, "UNK"),
    ],
)
def test_classes_of_encounter(ours: str | None, theirs: str) -> None:
    assert made("Encounter", **{"class": ours})["class"]["code"] == theirs


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("normal", "N"), ("low", "L"), ("high", "H"), ("abnormal", "A"),
        ("critical_low", "LL"), ("critical_high", "HH"), ("critical", "AA"),
    ],
)  # fmt: skip
def test_flags_of_results(ours: str, theirs: str) -> None:
    assert made("Observation", flag=ours)["interpretation"][0]["coding"][0]["code"] == theirs


def test_a_result_without_a_value_says_that_it_is_absent() -> None:
    assert "dataAbsentReason" in made("Observation")
    assert made("Observation", value="阳性(+)", unit=None)["valueString"] == "阳性(+)"
    assert made("Observation", value="<0.1", unit="mg/L")["valueString"] == "<0.1 mg/L"


def test_an_order_that_is_not_here_is_not_referred_to() -> None:
    assert "basedOn" not in made("DiagnosticReport", order_id=ID)
    assert made("DiagnosticReport", order_id=ID, order_known=True)["basedOn"]


def test_a_document_that_another_replaces_is_superseded() -> None:
    assert made("DocumentReference", superseded=True)["status"] == "superseded"
    assert made("DocumentReference", status="cancelled")["status"] == "entered-in-error"
    newer = made("DocumentReference", replaces="N-0")
    assert newer["relatesTo"][0]["target"]["identifier"]["value"] == "N-0"


def test_a_retired_number_is_old_and_a_person_without_numbers_names_the_successor() -> None:
    number = {"facility": "HP", "number": "1", "active": False}
    row = BARE["Patient"] | {"active": False, "identifiers": [number], "birth_date": date(1990, 3, 7)}
    resource = patient(row, SYSTEMS, [ID])
    assert resource["identifier"][-1]["use"] == "old"
    assert resource["link"] == [{"other": {"reference": f"Patient/{ID}"}, "type": "replaced-by"}]
    assert (resource["active"], resource["birthDate"]) == (False, "1990-03-07")


def test_systems_are_told_apart() -> None:
    assert SYSTEMS.domain("urn:oid:1.2.156.10011.99.2") == Domain("patient", "HP")
    assert SYSTEMS.domain(SYSTEMS.of("HY", "exam_report")) == Domain("exam_report", "HY")
    assert SYSTEMS.domain("urn:oid:1.2") is None

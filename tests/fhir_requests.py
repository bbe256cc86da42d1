"""What a campus's program sends over FHIR."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

Json = dict[str, Any]
HP = "urn:oid:1.2.156.10011.99.2"
MAIN = "urn:oid:1.2.156.10011.99.1"
LOINC = "http://loinc.org"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def numbered(arc: str, value: str, campus: str = HP) -> list[Json]:
    return [{"system": f"{campus}{arc}", "value": value}]


def about(number: str = "HP-7", campus: str = HP) -> Json:
    return {"identifier": {"system": campus, "value": number}}


def patient(number: str = "HP-7", campus: str = HP, **more: Any) -> Json:
    return {
        "resourceType": "Patient",
        "identifier": numbered("", number, campus),
        "name": [{"text": "欧阳珅"}],
        "gender": "female",
        "birthDate": "1990-03-07",
        "telecom": [{"system": "phone", "value": "13800000000"}],
    } | more


def visit(number: str = "V-7", subject: Json | None = None, **more: Any) -> Json:
    return {
        "resourceType": "Encounter",
        "identifier": numbered(".1", number),
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": subject or about(),
        "serviceType": {"coding": [{"system": f"{HP}.9", "code": "NK", "display": "内科"}]},
        "period": {"start": "2026-11-20T09:30:00+08:00"},
        "reasonCode": [
            {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10", "display": "高血压"}]}
        ],
    } | more


def order(number: str = "O-7", subject: Json | None = None, **more: Any) -> Json:
    return {
        "resourceType": "ServiceRequest",
        "identifier": numbered(".2", number),
        "status": "active",
        "intent": "order",
        "category": [{"coding": [{"system": "http://snomed.info/sct", "code": "108252007"}]}],
        "priority": "stat",
        "code": {"coding": [{"system": LOINC, "code": "24326-1", "display": "电解质"}]},
        "subject": subject or about(),
        "authoredOn": "2026-11-20T09:35:00+08:00",
        "requester": {"identifier": {"system": f"{HP}.7", "value": "D2001"}, "display": "何婉仪"},
    } | more


def potassium(value: str = "6.80", flag: str = "HH", subject: Json | None = None, **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "2823-3", "display": "钾"}]},
        "subject": subject or about(),
        "effectiveDateTime": "2026-11-20T10:00:00+08:00",
        "valueQuantity": {"value": Decimal(value), "unit": "mmol/L"},
        "interpretation": [{"coding": [{"system": INTERPRETATION, "code": flag}]}],
        "referenceRange": [{"text": "3.5-5.3"}],
    } | more


def report(number: str = "R-7", subject: Json | None = None, **more: Any) -> Json:
    return {
        "resourceType": "DiagnosticReport",
        "identifier": numbered(".4", number),
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}]}
        ],
        "code": {"coding": [{"system": LOINC, "code": "24326-1", "display": "电解质"}]},
        "subject": subject or about(),
        "issued": "2026-11-20T10:30:00+08:00",
        "conclusion": "血钾危急，请立即处理。",
    } | more


def document(number: str = "D-7", subject: Json | None = None, **more: Any) -> Json:
    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": numbered(".6", number)[0],
        "status": "current",
        "type": {"coding": [{"system": LOINC, "code": "18842-5", "display": "出院小结"}]},
        "subject": subject or about(),
        "date": "2026-11-20T16:00:00+08:00",
        "description": "出院小结",
        "content": [{"attachment": {"contentType": "application/pdf", "data": "JVBERi0="}}],
    } | more


def booking(number: str = "A-7", subject: Json | None = None, **more: Any) -> Json:
    return {
        "resourceType": "Appointment",
        "identifier": numbered(".8", number),
        "status": "booked",
        "serviceType": [{"coding": [{"system": LOINC, "code": "24558-9", "display": "腹部彩超"}]}],
        "start": "2026-11-21T09:00:00+08:00",
        "end": "2026-11-21T09:20:00+08:00",
        "participant": [{"actor": subject or about(), "status": "accepted"}],
    } | more


def charge(number: str = "F-7", subject: Json | None = None, **more: Any) -> Json:
    return {
        "resourceType": "ChargeItem",
        "identifier": numbered(".10", number),
        "status": "billable",
        "code": {"coding": [{"system": f"{HP}.9", "code": "DJZ", "display": "电解质"}]},
        "subject": subject or about(),
        "occurrenceDateTime": "2026-11-20T09:00:00+08:00",
        "quantity": {"value": 1},
        "priceOverride": {"value": 68, "currency": "CNY"},
    } | more


def entry(resource: Json, address: str | None = None, method: str = "POST", **request: Any) -> Json:
    url = request.pop("url", resource["resourceType"])
    named = {"fullUrl": address} if address else {}
    return {**named, "resource": resource, "request": {"method": method, "url": url, **request}}


def bundle(*entries: Json, type_: str = "transaction", **more: Any) -> Json:
    return {"resourceType": "Bundle", "type": type_, "entry": list(entries), **more}


SUBJECT = {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"}
VISIT = {"reference": "urn:uuid:00000000-0000-4000-8000-000000000002"}
ORDER = {"reference": "urn:uuid:00000000-0000-4000-8000-000000000003"}
RESULT = {"reference": "urn:uuid:00000000-0000-4000-8000-000000000004"}


def whole_day() -> Json:
    """A patient with a visit, an order, its report of a critical potassium, a document, a booking, a bill."""
    return copy.deepcopy(
        bundle(
            entry(patient(), SUBJECT["reference"]),
            entry(visit(subject=SUBJECT), VISIT["reference"]),
            entry(order(subject=SUBJECT, encounter=VISIT), ORDER["reference"]),
            entry(report(subject=SUBJECT, encounter=VISIT, basedOn=[ORDER], result=[RESULT])),
            entry(potassium(subject=SUBJECT, encounter=VISIT), RESULT["reference"]),
            entry(document(subject=SUBJECT, context={"encounter": [VISIT]})),
            entry(booking(subject=SUBJECT)),
            entry(charge(subject=SUBJECT, context=VISIT)),
        )
    )

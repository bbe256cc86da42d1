"""Documents with their metadata as a program shares them over FHIR (MHD, ITI-65)."""

from __future__ import annotations

import base64
from typing import Any

from bus.fhir.documents.terms import LIST_TYPES, MHD
from consortium.documents.model import PatientId
from tests.shared_documents import CONSORTIUM, oid

Json = dict[str, Any]
TEXT = "<ClinicalDocument>出院小结：欧阳珅𠮷</ClinicalDocument>".encode()


def concept(code: str, system: str, display: str) -> Json:
    return {"coding": [{"system": f"urn:oid:{system}", "code": code, "display": display}]}


def uri(value: str) -> Json:
    return {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{value}"}


def document(who: PatientId, number: int, *, minimal: bool = False, **more: Any) -> Json:
    """A DocumentReference whose Binary is urn:uuid:…-<number>."""
    attachment = {
        "contentType": "text/xml",
        "url": f"urn:uuid:00000000-0000-4000-8000-0000000000{number:02}",
        "title": "出院小结：欧阳珅",
        "language": "zh-CN",
        "creation": "2026-11-20T17:30:00+08:00",
    }
    made: Json = {
        "resourceType": "DocumentReference",
        "masterIdentifier": uri(oid()),
        "status": "current",
        "subject": {"reference": f"Patient/{who.number}"},
        "content": [{"attachment": attachment}],
    }
    if not minimal:
        made |= {
            "type": concept("C0053", "2.16.156.10011.2.4", "出院小结"),
            "category": [concept("discharge", f"{CONSORTIUM}.21", "出院")],
            "securityLabel": [concept("N", "2.16.840.1.113883.5.25", "一般")],
            "contained": [
                {"resourceType": "Practitioner", "id": "a", "name": [{"text": "张珅"}]},
                {
                    "resourceType": "Patient",
                    "id": "p",
                    "identifier": [{"system": "urn:oid:1.2.156.10011.99.2", "value": "HP000123"}],
                },
            ],
            "author": [{"reference": "#a"}],
            "context": {
                "facilityType": concept("tertiary-hospital", f"{CONSORTIUM}.24", "三级医院"),
                "practiceSetting": concept("03", f"{CONSORTIUM}.25", "内科"),
                "sourcePatientInfo": {"reference": "#p"},
                "period": {"start": "2026-11-10", "end": "2026-11-20"},
            },
        }
        made["content"][0]["format"] = {"system": f"urn:oid:{CONSORTIUM}.23", "code": "wst500-cda"}
    return made | more


def bundle(who: PatientId, *documents: Json, minimal: bool = False, content: bytes = TEXT) -> Json:
    """A Provide Document Bundle."""
    kind = "Minimal" if minimal else "Comprehensive"
    submission = {
        "resourceType": "List",
        "extension": [
            {
                "url": f"{MHD}ihe-designationType",
                "valueCodeableConcept": concept("inpatient", f"{CONSORTIUM}.26", "住院"),
            },
            {"url": f"{MHD}ihe-sourceId", "valueIdentifier": uri("1.2.156.10011.99.2")},
        ],
        "identifier": [uri(oid()) | {"use": "usual"}],
        "status": "current",
        "mode": "working",
        "title": "出院资料",
        "code": {"coding": [{"system": LIST_TYPES, "code": "submissionset"}]},
        "subject": {"reference": f"Patient/{who.number}"},
        "date": "2026-11-20T17:31:00+08:00",
        "entry": [{"item": {"reference": f"urn:uuid:d{place}"}} for place in range(len(documents))],
    }
    resources: list[tuple[str, Json]] = [("urn:uuid:set", submission)]
    for place, one in enumerate(documents):
        data = base64.b64encode(content).decode()
        binary = {"resourceType": "Binary", "contentType": "text/xml", "data": data}
        url = one["content"][0]["attachment"]["url"]
        resources += [(f"urn:uuid:d{place}", one), (url, binary)]
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{MHD}IHE.MHD.{kind}.ProvideBundle"]},
        "type": "transaction",
        "entry": [
            {
                "fullUrl": url,
                "resource": one,
                "request": {"method": "POST", "url": one["resourceType"]},
            }
            for url, one in resources
        ],
    }

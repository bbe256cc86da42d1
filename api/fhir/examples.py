"""What the OpenAPI page shows of FHIR: parameters and examples."""

from __future__ import annotations

from typing import Any

from api.encoding import FHIR_JSON
from api.fhir.capability import PATIENT, Parameter, parameters
from api.fhir.kinds import KINDS

PERSON = "6f1c2d9e-3a52-5d8e-9a63-0c0f6f3f2a11"
_GIVEN = {
    "identifier": "urn:oid:2.16.156.10011.1.3|110101199003070038",
    "name": "王",
    "birthdate": "ge1990-01-01",
    "patient": PERSON,
    "date": "ge2026-11-01",
    "code": "http://loinc.org|2823-3",
}
_CONTROLS: tuple[Parameter, ...] = (
    ("_count", "number", "size of a page, to 200; 0 counts only"),
    ("_summary", "token", "count"),
    ("_total", "token", "accurate"),
    (
        "_sort",
        "string",
        "records: -date, which is how they come, date, -_lastUpdated, _lastUpdated; Patient: _id",
    ),
    ("_include", "string", "such as Observation:patient; /fhir/metadata lists them; may be repeated"),
    ("_revinclude", "string", "such as Observation:encounter; may be repeated"),
)
_EVERYTHING: tuple[Parameter, ...] = (
    ("start", "date", "clinical time from here on"),
    ("end", "date", "clinical time until here, inclusive"),
    ("_since", "instant", "changed since"),
    ("_type", "token", "resource types, joined by commas"),
    ("_count", "number", "size of a page"),
)


def described(parameters_: tuple[Parameter, ...]) -> list[dict[str, Any]]:
    """Return parameters as OpenAPI describes them."""
    return [_one(*parameter) for parameter in parameters_]


def _one(name: str, kind: str, text: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": name,
        "in": "query",
        "required": False,
        "description": f"{kind}: {text}",
        "schema": {"type": "string"},
    }
    if name in _GIVEN and name in ("patient", "code"):
        shown["examples"] = {"one": {"value": _GIVEN[name]}}
    return shown


PARAMETERS = {"Patient": described((*PATIENT, *_CONTROLS))} | {
    name: described((*parameters(kind), *_CONTROLS)) for name, kind in KINDS.items()
}
"""OpenAPI parameters of each search; read by our own rules, not by FastAPI's."""
EVERYTHING = described(_EVERYTHING)

_PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": PERSON,
    "meta": {"lastUpdated": "2026-11-20T09:30:00+08:00"},
    "identifier": [
        {"use": "official", "system": "urn:oid:2.16.156.10011.1.3", "value": "110101199003070038"},
        {
            "use": "usual",
            "system": "urn:oid:1.2.156.10011.99.1",
            "value": "M0001",
            "assigner": {"display": "院本部"},
        },
    ],
    "active": True,
    "name": [{"use": "official", "text": "王珅"}],
    "gender": "male",
    "birthDate": "1990-03-07",
}


def _answer(example: dict[str, Any], text: str) -> dict[int | str, dict[str, Any]]:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}
    refused = {"content": {FHIR_JSON: {"example": outcome}}, "description": "OperationOutcome"}
    return {
        200: {"content": {FHIR_JSON: {"example": example}}, "description": text},
        401: refused,
        403: refused,
    }


BUNDLE = _answer(
    {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{"relation": "self", "url": "http://127.0.0.1:8080/fhir/Patient?name=%E7%8E%8B"}],
        "entry": [{"resource": _PATIENT, "search": {"mode": "match"}}],
    },
    "Bundle of type searchset, with links self and next",
)
RESOURCE = {
    name: _answer(_PATIENT if name == "Patient" else {"resourceType": name, "id": PERSON}, f"the {name}")
    for name in ("Patient", *KINDS)
}

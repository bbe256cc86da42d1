"""Search parameters of the resources that are code maps, for the routes and the CapabilityStatement."""

from __future__ import annotations

from collections.abc import Mapping

from bus.fhir.shapes import Resource

Parameter = tuple[str, str, str]
"""Name, type, documentation."""

_EVERY: tuple[Parameter, ...] = (
    ("_id", "token", "name of the code table; for master data <kind>.<owner>"),
    ("url", "uri", "canonical URL"),
    ("name", "string", "the computer-friendly name, whole"),
    ("status", "token", "active"),
)
PARAMETERS: Mapping[str, tuple[Parameter, ...]] = {
    "ConceptMap": (
        *_EVERY,
        ("source-system", "uri", "a campus's dictionary"),
        ("target-system", "uri", "code system of the targets"),
        ("source-code", "token", "a campus's code"),
        ("target-code", "token", "the consortium's code"),
    ),
    "CodeSystem": (*_EVERY, ("code", "token", "a code in it")),
    "ValueSet": _EVERY,
}
TRANSLATE: Resource = {
    "name": "translate",
    "definition": "http://hl7.org/fhir/OperationDefinition/ConceptMap-translate",
    "documentation": "in: url, code, system, coding, codeableConcept, target, targetsystem, reverse",
}


def operations(kind: str) -> list[Resource]:
    """Return the operations of a resource type."""
    return [TRANSLATE] if kind == "ConceptMap" else []

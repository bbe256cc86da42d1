"""What the canonical model knows and FHIR R4 has no element for: extensions of our own, each documented in
docs/fhir.md.
"""

from __future__ import annotations

from typing import Any

from bus.fhir.shapes import Resource

BASE = "urn:yilian:fhir:"
DEPARTMENT = "ordering-department"
"""ServiceRequest, MedicationRequest, Procedure: the department, as valueCodeableConcept."""
DOCTOR = "ordering-doctor"
"""DiagnosticReport: who is told of its critical values, as valueReference."""
AS_SENT = "value-as-sent"
"""Observation: the value as text, where a quantity does not say it letter for letter."""
UNIT = "unit-as-sent"
"""Observation: the unit of a value that is no plain number."""
ENCOUNTER = "encounter"
"""Appointment: the visit, as valueReference."""
PAYER = "payer"
"""ChargeItem: who pays (费别), as text."""
SUB_ID = "sub-id"
"""Observation: what joins results of one report (OBX-4), as text."""
ORDER = "order"
"""Procedure: the order, as valueIdentifier."""
PART_OF = "part-of"
"""Procedure: the operation that an anaesthesia is for, as valueIdentifier."""
LEVEL = "procedure-level"
"""Procedure: grade of the operation (手术级别) or ASA class, as text."""
INCISION = "incision"
"""Procedure: class and healing of the incision (切口愈合等级), as text."""
REACTION = "reaction"
"""AllergyIntolerance: the reaction as text (R4's needs a coded manifestation)."""
IMPORTANCE = "http://hl7.org/fhir/StructureDefinition/patient-importance"
"""Patient: HL7's own, for a VIP; as PV1-16 stands in FHIR by the v2-to-FHIR guide."""
_VIP = {"system": "http://terminology.hl7.org/CodeSystem/v3-PatientImportance", "code": "VIP"}
_NO_VIP = {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "NA"}
KNOWN = frozenset(
    BASE + name
    for name in (
        *(DEPARTMENT, DOCTOR, AS_SENT, UNIT, ENCOUNTER, PAYER),
        *(SUB_ID, ORDER, PART_OF, LEVEL, INCISION, REACTION),
    )
)


def extension(name: str, kind: str, value: Any) -> list[Resource]:
    """Return the list with one extension, `kind` as in valueString; empty where there is no value."""
    return [{"url": BASE + name, f"value{kind}": value}] if value else []


def value_of(resource: Resource, name: str, kind: str) -> Any:
    """Return the value of an extension, None where it is not there."""
    for one in resource.get("extension", ()):
        if one.get("url") == BASE + name:
            return one.get(f"value{kind}")
    return None


def importance(vip: bool | None) -> list[Resource]:
    """Return the list with what says that a patient is a VIP, or is none; empty where nothing is said."""
    if vip is None:
        return []
    return [{"url": IMPORTANCE, "valueCodeableConcept": {"coding": [_VIP if vip else _NO_VIP]}}]


def vip(resource: Resource) -> bool | None:
    """Return what a Patient says of its importance: any protects, `NA` says that there is none."""
    for one in resource.get("extension", ()):
        if one.get("url") == IMPORTANCE:
            codings = one.get("valueCodeableConcept", {}).get("coding", ())
            return not any(coding.get("code") == _NO_VIP["code"] for coding in codings)
    return None

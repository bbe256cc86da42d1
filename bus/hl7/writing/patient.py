"""PID, MRG, PV1 and DG1, and which ADT event a change is (HL7 v2.5 chapter 3)."""

from __future__ import annotations

from bus.hl7.build import components, repeated, subcomponents
from bus.hl7.writing.fields import Segment, coded, day, segment, staff, text, time
from consortium.records.model import Change, Encounter, Kind, Patient

ID_CARD = "2.16.156.10011.1.3"
SEXES = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
"""HL7 table 0001."""
CLASSES = {"outpatient": "O", "emergency": "E", "inpatient": "I", "checkup": "T"}
"""HL7 table 0004; T for a check-up (体检) is the consortium's own."""
EVENTS = {"planned": "A05", "arrived": "A10", "finished": "A03", "cancelled": "A11"}
"""HL7 table 0003, of a visit in this state; in progress is A01 for inpatients and A04 for others."""
STRUCTURES = {
    "A01": "ADT_A01",
    "A03": "ADT_A03",
    "A04": "ADT_A01",
    "A05": "ADT_A05",
    "A08": "ADT_A01",
    "A10": "ADT_A09",
    "A11": "ADT_A09",
    "A40": "ADT_A39",
}


def event(change: Change) -> str:
    """Return the trigger event that says what a change of patient or visit says."""
    visit = change.encounter
    if change.kind is Kind.MERGE:
        return "A40"
    if change.kind is Kind.PATIENT or visit is None or (visit.status is None and not visit.deleted):
        return "A08"
    if visit.deleted:
        return "A11"
    if visit.status == "in_progress":
        return "A01" if visit.class_ == "inpatient" else "A04"
    return EVENTS[str(visit.status)]


def pid(patient: Patient, facility: str, domain: str) -> Segment:
    """Return PID; `domain` is the object identifier of the campus's numbers."""
    numbers = [_number(patient.number, facility, domain)]
    if patient.id_card:
        authority = subcomponents("", ID_CARD, "ISO")
        numbers.append(f"{components(patient.id_card)}^^^{authority}^NI")
    deceased = {True: "Y", False: "N", None: ""}[patient.deceased]
    return segment(
        "PID",
        {
            1: "1",
            3: repeated(*numbers),
            5: text(patient.name),
            7: day(patient.birth_date),
            8: SEXES.get(patient.sex or "", ""),
            11: text(patient.address),
            13: text(patient.phone),
            30: deceased,
        },
    )


def _number(number: str, facility: str, domain: str) -> str:
    return f"{components(number)}^^^{subcomponents(facility, domain, 'ISO')}^MR"


def mrg(retired: str, facility: str, domain: str) -> Segment:
    """Return MRG: the number that is given up."""
    return segment("MRG", {1: _number(retired, facility, domain)})


def pv1(visit: Encounter | None, vip: bool | None = None) -> Segment:
    """Return PV1; class N (not applicable) where there is no visit. `vip`: of the patient."""
    said = {True: "VIP", False: "N", None: ""}[vip]
    if visit is None:
        return segment("PV1", {1: "1", 2: "N", 16: said})
    return segment(
        "PV1",
        {
            1: "1",
            2: CLASSES.get(visit.class_ or "", "U"),
            3: f"^^{text(visit.bed)}" if visit.bed else "",
            7: staff(visit.doctor),
            10: coded(visit.department),
            16: said,
            19: text(visit.number),
            44: time(visit.start),
            45: time(visit.end),
        },
    )


def dg1(visit: Encounter) -> list[Segment]:
    """Return DG1 for each diagnosis."""
    return [
        segment("DG1", {1: str(rank), 3: coded(diagnosis), 6: "F"})
        for rank, diagnosis in enumerate(visit.diagnoses, 1)
    ]

"""Identifier and code systems: what the campuses' numbers and codes are called in FHIR.

A campus's object identifier is the domain of its patient numbers. Its other numbers are arcs below it.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.campuses import Campus
from runtime.settings import Settings

ID_CARD = "urn:oid:2.16.156.10011.1.3"
"""Resident ID card (身份证)."""
IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"

ARCS = {
    "encounter": 1,
    "order": 2,
    "filler": 3,
    "lab_report": 4,
    "exam_report": 5,
    "document": 6,
    "staff": 7,
    "appointment": 8,
    "dictionary": 9,
    "charge": 10,
    "nursing_report": 11,
    "midwifery_report": 12,
    "checkup_report": 13,
    "procedure": 14,
    "allergy": 15,
    "prescription": 16,
}
"""What stands below a campus's object identifier; `dictionary` is its own code system."""


@dataclass(frozen=True, slots=True)
class Domain:
    """What an identifier system means here."""

    kind: str
    """patient, person, id_card, or a key of `ARCS`."""
    facility: str | None = None


class Systems:
    """Every system of one consortium, always of its campuses as they are now."""

    def __init__(self, settings: Settings) -> None:
        self.person = f"urn:oid:{settings.consortium_oid}"
        self.encounter_class = f"{self.person}.1"
        self.report_kind = f"{self.person}.11"
        self.dictionary = f"{self.person}.{ARCS['dictionary']}"
        self._roster = settings.roster
        self._of: tuple[Campus, ...] = ()
        self._domains: dict[str, Domain] = {}

    def campus_name(self, facility: str) -> str:
        """Return a campus's name, as people read it."""
        campus = self._campus(facility)
        return campus.name if campus else facility

    def campus(self, name: str) -> str | None:
        """Return the code of the campus of that code; None when there is none."""
        return name if self._campus(name) else None

    def patient(self, facility: str) -> str:
        """Return the system of a campus's patient numbers."""
        campus = self._campus(facility)
        return f"urn:oid:{campus.oid}" if campus else f"urn:yilian:campus:{facility}"

    def of(self, facility: str, kind: str) -> str:
        """Return the system of another kind of a campus's numbers."""
        return f"{self.patient(facility)}.{ARCS[kind]}"

    def domain(self, system: str) -> Domain | None:
        """Tell what a system means; None when it is none of ours."""
        campuses = self._roster.now
        if campuses is not self._of:
            self._domains = self._meanings(campuses)
            self._of = campuses
        return self._domains.get(system)

    def _campus(self, code: str) -> Campus | None:
        return next((campus for campus in self._roster.now if campus.code == code), None)

    def _meanings(self, campuses: tuple[Campus, ...]) -> dict[str, Domain]:
        found = {self.person: Domain("person"), ID_CARD: Domain("id_card")}
        for campus in campuses:
            found[f"urn:oid:{campus.oid}"] = Domain("patient", campus.code)
            for kind, arc in ARCS.items():
                found[f"urn:oid:{campus.oid}.{arc}"] = Domain(kind, campus.code)
        return found

"""Whom a reference or search is about: the consortium's person, by place or by any identifier."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from api.fhir.identify import person_criteria
from api.fhir.parameters import Query, Token, reference_id
from api.fhir.wrong import wrong_value
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from consortium.documents.model import PatientId
from consortium.identity import search as identity
from consortium.identity.search import PersonSearch

_PLACE = re.compile(
    r"(?:.*/)?Patient/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?:/_history/.*)?"
)


@dataclass(frozen=True, slots=True)
class Patients:
    """Looks people up over one connection."""

    connection: sa.Connection
    systems: Systems

    def of(self, said: Resource) -> PatientId | None:
        """Return the consortium id of a Reference, or of a Patient resource; None: nobody, or several."""
        place = _PLACE.fullmatch(str(said.get("reference")))
        if place:
            return self._id(UUID(place[1]))
        identifiers = said.get("identifier") or []
        for one in identifiers if isinstance(identifiers, list) else (identifiers,):
            token = Token(str(one.get("system", "")), str(one.get("value", "")))
            if found := self.identified(token):
                return self._id(found)
        return None

    def asked(self, query: Query) -> UUID | None:
        """Read `patient` or `patient.identifier` of a search; None where neither is given.

        Raises FailureError (400) for both, and for an identifier that is nobody's or several people's.
        """
        by_place, by_number = query.one("patient"), query.tokens("patient.identifier")
        if by_place and by_number:
            raise wrong_value("patient", "give patient or patient.identifier")
        if by_place:
            found = reference_id("patient", "Patient", by_place.value)
        elif by_number:
            found = self.identified(by_number[0])
        else:
            return None
        if found is None:
            raise wrong_value("patient", "nobody is known by it")
        return found

    def identified(self, token: Token) -> UUID | None:
        """Return the person of an identifier; None: nobody, or several."""
        criteria = person_criteria(token, self.systems)
        if not criteria:
            return None
        rows = identity.search(self.connection, PersonSearch(**criteria, limit=2)).rows
        return rows[0]["id"] if len(rows) == 1 else None

    def _id(self, person: UUID) -> PatientId:
        return PatientId(str(person), self.systems.person.removeprefix("urn:oid:"))

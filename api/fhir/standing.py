"""How the records that a write names stand, before and after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from bus.fhir.reading.changes import Part
from bus.fhir.reading.keys import KINDS, Key, literals
from consortium.identity import service as identity
from consortium.records import known, query
from consortium.records.model import Fact

TABLES: Mapping[str, str] = {
    "Encounter": "encounter",
    "ServiceRequest": "order",
    "MedicationRequest": "order",
    "DiagnosticReport": "report",
    "DocumentReference": "document",
    "Appointment": "appointment",
    "ChargeItem": "charge",
    "Procedure": "procedure",
    "AllergyIntolerance": "allergy",
}
_TABLE_OF = {kind: table for type_, table in TABLES.items() for kind in KINDS[type_]}


@dataclass(frozen=True, slots=True)
class Standing:
    """A record as it is now."""

    id: UUID
    """As `/fhir` shows it: of a patient the golden person."""
    fact: Fact | None
    version: int | None = None
    """None: a person, who has no versions."""
    changed_at: datetime | None = None


def standing(connection: sa.Connection, key: Key) -> Standing | None:
    """Return how a record stands; None when nobody has written it."""
    if key.kind == "patient":
        person = identity.person_of(connection, key.facility, key.number)
        patient = known.patient(connection, key.facility, key.number)
        return None if person is None else Standing(person, patient)
    row = query.record(connection, _TABLE_OF[key.kind], key.id)
    if row is None:
        return None
    fact = known.fact(connection, key.kind, key.facility, key.number)
    return Standing(key.id, fact, row["version"], row["changed_at"])


def contradicts(before: Standing | None, after: Standing | None) -> bool:
    """Whether something that was known is another now; what was not known may have been added."""
    if before is None or after is None or before.fact is None or after.fact is None:
        return False
    old, new = before.fact.__dict__, after.fact.__dict__
    return any(value not in (None, (), b"", "") and new[name] != value for name, value in old.items())


def looked_up(connection: sa.Connection, parts: Sequence[Part], facility: str) -> dict[str, Key]:
    """Return to which of this campus's numbers the literal references of a request lead."""
    found: dict[str, Key] = {}
    for type_, id_ in {one for part in parts for one in literals(part.resource)}:
        key = _patient(connection, id_, facility) if type_ == "Patient" else _record(connection, type_, id_)
        if key is not None and key.facility == facility:
            found[f"{type_}/{id_}"] = key
    return found


def _patient(connection: sa.Connection, person: UUID, facility: str) -> Key | None:
    """Return a person's number at the campus, where they have one."""
    row = identity.person(connection, person)
    numbers = [] if row is None else row["identifiers"]
    own = [one["number"] for one in numbers if one["facility"] == facility and one["active"]]
    return Key("patient", facility, own[0]) if len(own) == 1 else None


def _record(connection: sa.Connection, type_: str, id_: UUID) -> Key | None:
    row = query.record(connection, TABLES[type_], id_)
    if row is None:
        return None
    kind = f"{row['kind']}_report" if type_ == "DiagnosticReport" else KINDS[type_][0]
    return Key(kind, row["facility"], row["number"])

"""Patient: the golden person, with the number of every campus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from bus.fhir.extensions import importance
from bus.fhir.shapes import Resource, Row, identifier, meta, reference, without_empty
from bus.fhir.systems import ID_CARD, Systems


def patient(row: Row, systems: Systems, successors: Sequence[UUID] = ()) -> Resource:
    """Make a Patient (R4 section 8.1) of a person; `successors` took the numbers of an inactive one."""
    return without_empty(
        {
            "resourceType": "Patient",
            "id": str(row["id"]),
            "meta": meta(row),
            "extension": importance(row["vip"]),
            "identifier": _identifiers(row, systems),
            "active": row["active"],
            "name": [{"use": "official", "text": row["name"]}] if row["name"] else None,
            "telecom": [{"system": "phone", "value": row["phone"]}] if row["phone"] else None,
            "gender": row["sex"],
            "birthDate": row["birth_date"].isoformat() if row["birth_date"] else None,
            "deceasedBoolean": row["deceased"],
            "address": [{"text": row["address"]}] if row["address"] else None,
            "link": [{"other": reference("Patient", id_), "type": "replaced-by"} for id_ in successors],
        }
    )


def _identifiers(row: Row, systems: Systems) -> list[Resource]:
    card = identifier(ID_CARD, row["id_card"], "NI", "official")
    person = identifier(systems.person, str(row["id"]), "PI", "secondary")
    numbers = [_number(number, systems) for number in row["identifiers"]]
    return [known for known in (card, person, *numbers) if known]


def _number(number: dict[str, Any], systems: Systems) -> Resource:
    facility = number["facility"]
    use = "usual" if number["active"] else "old"
    known = identifier(systems.patient(facility), number["number"], "MR", use) or {}
    return {**known, "assigner": {"display": systems.campus_name(facility)}}

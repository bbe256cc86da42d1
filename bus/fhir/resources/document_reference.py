"""DocumentReference: a clinical document; what it holds is a Binary of the same id."""

from __future__ import annotations

from bus.fhir.shapes import (
    Resource,
    Row,
    concept,
    identifier,
    meta,
    organisation,
    practitioner,
    reference,
    time,
    without_empty,
)
from bus.fhir.systems import Systems


def document_reference(row: Row, systems: Systems) -> Resource:
    """Make a DocumentReference (R4 section 2.42)."""
    system = systems.of(row["facility"], "document")
    author = practitioner(row, "author", systems)
    replaced = identifier(system, row["replaces"])
    replaces = {"code": "replaces", "target": {"type": "DocumentReference", "identifier": replaced}}
    visit = reference("Encounter", row["encounter_id"])
    return without_empty(
        {
            "resourceType": "DocumentReference",
            "id": str(row["id"]),
            "meta": meta(row, systems.patient(row["facility"])),
            "masterIdentifier": identifier(system, row["number"]),
            "status": _status(row),
            "type": concept(row, "type", systems),
            "subject": reference("Patient", row["person_id"]),
            "date": time(row["created_at"] or row["at"]),
            "author": [author] if author else None,
            "custodian": organisation(row["facility"], systems),
            "relatesTo": [replaces] if replaced else None,
            "description": row["title"],
            "content": [{"attachment": _attachment(row)}],
            "context": {"encounter": [visit]} if visit else None,
        }
    )


def _status(row: Row) -> str:
    if row["deleted"] or row["status"] == "cancelled":
        return "entered-in-error"
    return "superseded" if row["superseded"] or row["status"] == "superseded" else "current"


def _attachment(row: Row) -> Resource:
    there = row["content_sha256"] is not None
    return without_empty(
        {
            "contentType": row["mime_type"],
            "url": f"Binary/{row['id']}" if there else None,
            "size": row["content_size"] if there else None,
            "title": row["title"],
            "creation": time(row["created_at"]),
        }
    )

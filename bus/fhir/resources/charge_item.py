"""ChargeItem: one line of a bill."""

from __future__ import annotations

from bus.fhir.extensions import PAYER, extension
from bus.fhir.shapes import (
    Resource,
    Row,
    concept,
    identifier,
    meta,
    organisation,
    reference,
    time,
    without_empty,
)
from bus.fhir.systems import Systems


def charge_item(row: Row, systems: Systems) -> Resource:
    """Make a ChargeItem (R4 section 13.8). `priceOverride` is the line's amount; a credit is negative."""
    number = identifier(systems.of(row["facility"], "charge"), row["number"])
    return without_empty(
        {
            "resourceType": "ChargeItem",
            "id": str(row["id"]),
            "meta": meta(row, systems.patient(row["facility"])),
            "extension": extension(PAYER, "String", row["payer"]),
            "identifier": [number] if number else None,
            "status": "entered-in-error" if row["deleted"] else "billable",
            "code": concept(row, "item", systems),
            "subject": reference("Patient", row["person_id"]),
            "context": reference("Encounter", row["encounter_id"]),
            "occurrenceDateTime": time(row["charged_at"]),
            "performingOrganization": organisation(row["facility"], systems),
            "quantity": {"value": row["quantity"]},
            "priceOverride": {"value": row["amount"], "currency": row["currency"]},
        }
    )

"""Changes as the campuses' rules make them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from consortium.records.model import (
    Change,
    Coded,
    Encounter,
    Kind,
    Order,
    Patient,
    Practitioner,
    Provenance,
    Report,
    Result,
)

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
PANEL = Coded(code="24323-8", name="生化全套", system="http://loinc.org")


def provenance(message: int, facility: str = "MAIN", version: str | None = None) -> Provenance:
    at = NOW + timedelta(seconds=message)
    return Provenance(message_id=message, facility=facility, received_at=at, source_version=version)


def item(index: int) -> Coded:
    return Coded(code=f"I{index:02}", name=f"项目{index}", system="http://loinc.org")


def results(**first: Any) -> tuple[Result, ...]:
    """Twenty results; the first is a potassium that may be anything."""
    potassium = {"value": "4.1", "number": Decimal("4.1"), "unit": "mmol/L", "flag": "normal"} | first
    rest = [Result(item=item(i), value=f"{i}.5", number=Decimal(f"{i}.5"), unit="g/L") for i in range(1, 20)]
    return (Result(item=item(0), observed_at=NOW, **potassium), *rest)


def lab(number: str = "R1", patient: str = "P1", visit: str | None = "V1", **facts: Any) -> Change:
    report = {
        "results": results(),
        "doctor": Practitioner(number="D7", name="李医生"),
        "issued_at": NOW,
    } | facts
    return Change(
        kind=Kind.REPORT,
        patient=Patient(number=patient, name="王珅"),
        encounter=Encounter(number=visit) if visit else None,
        reports=(Report(number=number, kind="lab", item=PANEL, order_number="O1", **report),),
    )


def visit(number: str = "V1", patient: str = "P1", kind: Kind = Kind.ENCOUNTER, **facts: Any) -> Change:
    return Change(
        kind=kind, patient=Patient(number=patient, name="王珅"), encounter=Encounter(number=number, **facts)
    )


def order(number: str = "O1", patient: str = "P1", **facts: Any) -> Change:
    placed = Order(number=number, kind="lab", item=PANEL, ordered_at=NOW, **facts)
    return Change(kind=Kind.ORDER, patient=Patient(number=patient), orders=(placed,))

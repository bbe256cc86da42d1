"""ChargeItem → one line of a bill."""

from __future__ import annotations

from decimal import Decimal

from bus.fhir.extensions import PAYER, value_of
from bus.fhir.reading.elements import Reader, given
from consortium.records.model import Charge

ELEMENTS = frozenset(
    {"identifier", "status", "code", "subject", "context", "occurrenceDateTime", "performingOrganization"}
    | {"quantity", "priceOverride"}
)
_TAKEN = ("billable", "billed", "entered-in-error")


def charge_item(reader: Reader) -> Charge | None:
    """Read a ChargeItem (R4 section 13.8); None where it is not complete."""
    resource = reader.resource
    item = reader.coded("code", resource.get("code"))
    price = resource.get("priceOverride") or {}
    if resource.get("status") not in _TAKEN:
        reader.wrong("status", f"not kept here; there are: {', '.join(_TAKEN)}", "code-invalid")
    if item is None or price.get("value") is None:
        reader.wrong("priceOverride", "a line needs a code and the amount in priceOverride", "required")
        return None
    quantity = (resource.get("quantity") or {}).get("value")
    return Charge(
        number=reader.key.number,
        item=item,
        amount=Decimal(price["value"]),
        **given(
            currency=price.get("currency"),
            quantity=None if quantity is None else Decimal(quantity),
            charged_at=reader.time("occurrenceDateTime", resource.get("occurrenceDateTime")),
            payer=value_of(resource, PAYER, "String"),
            deleted=True if resource.get("status") == "entered-in-error" else None,
        ),
    )

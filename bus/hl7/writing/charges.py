"""FT1 of charges (HL7 v2.5 chapter 6)."""

from __future__ import annotations

from collections.abc import Iterator

from bus.hl7.build import subcomponents
from bus.hl7.writing.fields import Segment, coded, number, segment, text, time
from consortium.records.model import Charge


def charges(found: tuple[Charge, ...]) -> Iterator[Segment]:
    """Give FT1 of each line; a credit, and the reversal of a line entered in error, is CR."""
    for rank, charge in enumerate(found, 1):
        credit = (charge.amount < 0) is not charge.deleted
        yield segment(
            "FT1",
            {
                1: str(rank),
                2: text(charge.number),
                4: time(charge.charged_at),
                6: "CR" if credit else "CG",
                7: coded(charge.item),
                10: number(charge.quantity),
                11: subcomponents(number(abs(charge.amount)), charge.currency),
                14: f"^{text(charge.payer)}" if charge.payer else "",
            },
        )

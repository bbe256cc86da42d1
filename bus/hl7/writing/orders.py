"""ORC with OBR, or with RXO and RXR for medicines, of orders (HL7 v2.5 chapter 4)."""

from __future__ import annotations

from collections.abc import Iterator

from bus.hl7.build import subcomponents
from bus.hl7.writing.fields import Segment, coded, number, segment, staff, text, time
from consortium.records.model import Order

CONTROLS = {"active": "NW", "completed": "CM", "cancelled": "CA"}
"""HL7 table 0119; an order entered in error is cancelled."""
STATUSES = {"active": "IP", "completed": "CM", "cancelled": "CA"}
"""HL7 table 0038."""
PRIORITIES = {"routine": "R", "urgent": "A", "stat": "S"}
"""HL7 table 0485."""
SECTIONS = {"lab": "LAB", "exam": "RAD", "medication": "PHR", "procedure": "PRC", "other": "OTH"}
"""HL7 table 0074; PRC, a procedure, is the consortium's own."""


def name(found: tuple[Order, ...], version: str) -> tuple[str, str, str]:
    """Return message type, event and structure: one of the newer messages where the orders fit one."""
    medicines = [order.kind == "medication" for order in found]
    if version == "2.4" or any(medicines) != all(medicines):
        return ("ORM", "O01", "ORM_O01")
    return ("OMP", "O09", "OMP_O09") if any(medicines) else ("OMG", "O19", "OMG_O19")


def orders(found: tuple[Order, ...]) -> Iterator[Segment]:
    """Give the segments of each order."""
    for rank, order in enumerate(found, 1):
        yield _orc(order)
        if order.kind == "medication":
            yield _rxo(order)
            if order.route:
                yield segment("RXR", {1: coded(order.route)})
        else:
            yield _obr(rank, order)


def _orc(order: Order) -> Segment:
    status = "cancelled" if order.deleted else order.status
    return segment(
        "ORC",
        {
            1: CONTROLS[status],
            2: text(order.number),
            3: text(order.filler_number),
            4: text(order.prescription),
            5: STATUSES[status],
            7: _timing(order),
            9: time(order.ordered_at),
            12: staff(order.doctor),
            17: coded(order.department),
        },
    )


def _timing(order: Order) -> str:
    """Return TQ: interval (repeat pattern, here with name and system), duration, priority."""
    often = order.frequency
    pattern = subcomponents(often.code, often.name or "", often.system or "") if often else ""
    duration = "" if order.days is None else f"D{order.days}"
    return f"^{pattern}^{duration}^^^{PRIORITIES[order.priority]}"


def _rxo(order: Order) -> Segment:
    instructions = f"^{text(order.instructions)}" if order.instructions else ""
    return segment(
        "RXO",
        {
            1: coded(order.item),
            2: number(order.dose),
            4: text(order.dose_unit),
            7: instructions,
            11: number(order.quantity),
            12: text(order.quantity_unit),
        },
    )


def _obr(rank: int, order: Order) -> Segment:
    return segment(
        "OBR",
        {
            1: str(rank),
            2: text(order.number),
            3: text(order.filler_number),
            4: coded(order.item),
            5: PRIORITIES[order.priority],
            16: staff(order.doctor),
            24: SECTIONS[order.kind],
        },
    )

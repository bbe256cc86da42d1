"""ORC and OBR of orders (HL7 v2.5 chapter 4)."""

from __future__ import annotations

from collections.abc import Iterator

from bus.hl7.writing.fields import Segment, coded, segment, staff, text, time
from consortium.records.model import Order

CONTROLS = {"active": "NW", "completed": "CM", "cancelled": "CA"}
"""HL7 table 0119; an order entered in error is cancelled."""
STATUSES = {"active": "IP", "completed": "CM", "cancelled": "CA"}
"""HL7 table 0038."""
PRIORITIES = {"routine": "R", "urgent": "A", "stat": "S"}
"""HL7 table 0485."""
SECTIONS = {"lab": "LAB", "exam": "RAD", "medication": "PHR", "procedure": "PRC", "other": "OTH"}
"""HL7 table 0074; PRC, a procedure, is the consortium's own."""


def orders(found: tuple[Order, ...]) -> Iterator[Segment]:
    """Give ORC and OBR of each order."""
    for rank, order in enumerate(found, 1):
        status = "cancelled" if order.deleted else order.status
        priority = PRIORITIES[order.priority]
        numbers = {2: text(order.number), 3: text(order.filler_number)}
        yield segment(
            "ORC",
            {
                1: CONTROLS[status],
                **numbers,
                5: STATUSES[status],
                7: f"^^^^^{priority}",
                9: time(order.ordered_at),
                12: staff(order.doctor),
                17: coded(order.department),
            },
        )
        yield segment(
            "OBR",
            {
                1: str(rank),
                **numbers,
                4: coded(order.item),
                5: priority,
                16: staff(order.doctor),
                24: SECTIONS[order.kind],
            },
        )

"""By which numbers of its records a message is found: those that the campus's rules made of it."""

from __future__ import annotations

from consortium.records.model import Change


def numbers(change: Change) -> set[str]:
    """Return the numbers of its orders, prescriptions, reports and of every other record with a number."""
    found = {order.number for order in change.orders}
    found |= {order.filler_number for order in change.orders if order.filler_number}
    found |= {order.prescription for order in change.orders if order.prescription}
    for report in change.reports:
        found.add(report.number)
        if report.order_number:
            found.add(report.order_number)
    for others in (change.documents, change.charges, change.appointments, change.procedures):
        found |= {other.number for other in others}
    return found

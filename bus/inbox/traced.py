"""The first spans of a message: that it was received, and that it was committed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bus import tracing
from bus.envelope import Arrival, Outcome, Receipt


def stored(
    arrivals: Sequence[Arrival], receipts: Sequence[Receipt], committing: int, waited: Sequence[float]
) -> None:
    """Record what was stored now; what was known already has its spans. `waited`: seconds since each came,
    `committing`: when the commit began, in nanoseconds since 1970.
    """
    now = time.time_ns()
    for arrival, receipt, seconds in zip(arrivals, receipts, waited, strict=True):
        if receipt.outcome is not Outcome.DUPLICATE and tracing.wants(receipt.id):
            about = tracing.about(
                receipt.id,
                facility=arrival.facility,
                message_type=arrival.message_type,
                protocol=arrival.protocol,
                endpoint=arrival.endpoint,
                outcome=receipt.outcome.value,
            )
            tracing.received(receipt.id, now - int(seconds * 1e9), committing, about)

"""An attempt at delivering a message, as spans of the message's trace."""

from __future__ import annotations

import time

from opentelemetry.trace import SpanKind

from bus import tracing
from bus.delivery.decide import Outcome
from bus.tracing import DELIVER, RECORD, SEND, Step


def attempted(
    destination: str, message_id: int, attempt: int, outcome: Outcome, sent: tuple[int, int]
) -> None:
    """Record an attempt that has just ended. `sent`: when it was taken up and when it went on the wire, in
    nanoseconds since 1970; 0 for one that never did.
    """
    if not tracing.wants(message_id):
        return
    began, wire = sent
    now, own = time.time_ns(), tracing.fresh()
    about = tracing.about(
        message_id,
        destination=destination,
        attempt=attempt,
        state=outcome.state.value,
        code=outcome.code,
    )
    parent = tracing.span_id(message_id, RECORD)
    tracing.record(Step(DELIVER, message_id, began, now, own, parent, attributes=about))
    if wire:
        tracing.record(
            Step(SEND, message_id, wire, now, tracing.fresh(), own, SpanKind.CLIENT, attributes=about)
        )

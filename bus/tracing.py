"""Spans of the way of a message, by OpenTelemetry: one trace a message, its id made from the message's.

Without OTEL_EXPORTER_OTLP_ENDPOINT nothing is recorded and nothing is spent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, Tracer

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"

_tracer: Tracer | None = None


def configure(service: str) -> None:
    """Begin to export, when the environment names an endpoint. Call it once, in `__main__`."""
    global _tracer
    if not os.environ.get(ENDPOINT):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"yilian.{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    use(provider.get_tracer("yilian.bus"))


def use(tracer: Tracer | None) -> None:
    """Record spans by this tracer; None: none."""
    global _tracer
    _tracer = tracer


def trace_id(message_id: int) -> int:
    """Return the 128 bit trace id of a message: whoever knows the message finds the trace."""
    digest = blake2b(message_id.to_bytes(8, "big", signed=True), digest_size=16, person=b"yilian.trace")
    return int.from_bytes(digest.digest(), "big") or 1


@contextmanager
def step(name: str, message_id: int) -> Iterator[None]:
    """Record one step of a message as a span of its trace."""
    if _tracer is None:
        yield
        return
    identity = trace_id(message_id)
    root = SpanContext(identity, identity & (2**64 - 1) or 1, is_remote=True, trace_flags=TraceFlags(1))
    context = trace.set_span_in_context(NonRecordingSpan(root))
    with _tracer.start_as_current_span(name, context, attributes={"yilian.message_id": message_id}):
        yield

"""Spans of a message: one trace a message, found by its id."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from bus import tracing


class Kept(SpanExporter):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


def test_the_steps_of_one_message_are_one_trace() -> None:
    kept = Kept()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracing.use(provider.get_tracer("test"))
    try:
        for name, message in (("publish", 1), ("decide", 1), ("publish", 2)):
            with tracing.step(name, message):
                pass
    finally:
        tracing.use(None)
    traces = [span.context.trace_id for span in kept.spans if span.context]
    assert traces == [tracing.trace_id(1), tracing.trace_id(1), tracing.trace_id(2)]
    assert kept.spans[0].attributes == {"yilian.message_id": 1}


def test_without_an_endpoint_nothing_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tracing.ENDPOINT, raising=False)
    tracing.configure("test")
    with tracing.step("publish", 1):
        assert tracing.trace_id(1) != tracing.trace_id(2)

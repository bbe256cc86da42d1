"""Steps of messages as spans of the OpenTelemetry SDK, exported by OTLP over HTTP."""

from __future__ import annotations

import logging
import threading

import requests
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from bus import tracing
from bus.tracing import Step

PATIENCE = 2.0
"""Seconds for one export, retries included: a collector that is away must not keep a process from ending."""
PATH = "/v1/traces"
SELDOM = 60.0
"""Seconds between two lines of the log about a collector that is away."""


class _Given(IdGenerator):
    """Gives the ids of the step that is being made. Spans are made one at a time, under a lock."""

    def __init__(self) -> None:
        self.trace = self.span = 1

    def generate_span_id(self) -> int:
        return self.span

    def generate_trace_id(self) -> int:
        return self.trace


class Spans:
    """`bus.tracing.Sink` on the SDK."""

    def __init__(self, service: str, ratio: float, processor: SpanProcessor) -> None:
        """`service` names this process: relay, router, delivery …"""
        self._ratio = ratio
        self._given = _Given()
        self._lock = threading.Lock()
        resource = Resource.create({"service.name": f"yilian.{service}"})
        self._provider = TracerProvider(ALWAYS_ON, resource, id_generator=self._given)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("yilian.bus")

    @property
    def ratio(self) -> float:
        """Share of the messages that is traced."""
        return self._ratio

    def take(self, step: Step) -> None:
        """Make a span of a step; the processor exports it later."""
        identity = tracing.trace_id(step.message_id)
        context = trace.set_span_in_context(trace.INVALID_SPAN)
        if step.parent is not None:
            before = SpanContext(identity, step.parent, is_remote=True, trace_flags=TraceFlags(1))
            context = trace.set_span_in_context(NonRecordingSpan(before))
        with self._lock:
            self._given.trace, self._given.span = identity, step.span
            span = self._tracer.start_span(
                step.name, context, step.kind, dict(step.attributes), start_time=step.began
            )
        span.end(step.ended)

    def close(self) -> None:
        """Export what is left. A process that ends does it by itself."""
        self._provider.shutdown()


class _Seldom(logging.Filter):
    """Lets one line a minute through: a collector that is away is no news every second."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether it is time to say something."""
        if record.created < self._next:
            return False
        self._next = record.created + SELDOM
        return True


def exporting(endpoint: str) -> SpanProcessor:
    """Return what exports, in a thread of its own, to a collector such as http://127.0.0.1:4318."""
    logging.getLogger(OTLPSpanExporter.__module__).addFilter(_Seldom())
    session = requests.Session()
    session.trust_env = False  # a proxy of the environment is no collector
    address = endpoint.rstrip("/")
    address = address if address.endswith(PATH) else address + PATH
    return BatchSpanProcessor(
        OTLPSpanExporter(endpoint=address, timeout=PATIENCE, session=session), schedule_delay_millis=1000
    )

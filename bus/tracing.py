"""The way of a message as one trace: its spans are found by whoever knows the message's inbox id.

Trace id, and the ids of the spans that others hang on, are made from the inbox id, so the way through
PostgreSQL carries nothing; through RabbitMQ the header `traceparent` (W3C Trace Context) carries the
publisher's span. What is sampled follows from the trace id, so all processes agree on a message.

    receive → commit → publish → route → rules, record (→ identity), held
                                           record → deliver → send

Without an endpoint nothing is recorded and nothing is spent. Attributes hold ids, counts and codes, never a
patient's data.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, Protocol

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from consortium import stages

Value = str | int | float | bool
PROPAGATOR: Final = TraceContextTextMapPropagator()
RECEIVE: Final = "receive"
COMMIT: Final = "commit"
PUBLISH: Final = "publish"
ROUTE: Final = "route"
RULES: Final = "rules"
RECORD: Final = "record"
HELD: Final = "held"
DELIVER: Final = "deliver"
SEND: Final = "send"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one message, as it becomes a span. Times are nanoseconds since 1970."""

    name: str
    message_id: int
    began: int
    ended: int
    span: int
    parent: int | None
    """Span id of the same trace; None: the root."""
    kind: SpanKind = SpanKind.INTERNAL
    attributes: Mapping[str, Value] = field(default_factory=dict)


_NOTHING: Final = nullcontext()


class Sink(Protocol):
    """What takes the steps of this process."""

    @property
    def ratio(self) -> float:
        """Share of the messages that is traced."""
        ...

    def take(self, step: Step) -> None:
        """Make a span of a step that has ended. Does not wait."""
        ...


_sink: Sink | None = None


def configure(service: str, endpoint: str, ratio: float) -> None:
    """Begin to export by OTLP over HTTP, when an endpoint is set. Call it once, in `__main__`."""
    if not endpoint:
        return
    from bus.spans import Spans, exporting

    use(Spans(service, ratio, exporting(endpoint)))


def use(sink: Sink | None) -> None:
    """Give this process's steps to a sink; None: to nobody."""
    global _sink
    _sink = sink


def trace_id(message_id: int) -> int:
    """Return the 128 bit trace id of a message: whoever knows the message finds the trace."""
    return int.from_bytes(_digest(message_id, b"", 16), "big") or 1


def span_id(message_id: int, name: str) -> int:
    """Return the 64 bit id of a span that happens once to a message, and that others hang on."""
    return int.from_bytes(_digest(message_id, name.encode(), 8), "big") or 1


def _digest(message_id: int, salt: bytes, size: int) -> bytes:
    data = message_id.to_bytes(8, "big", signed=True) + salt
    return blake2b(data, digest_size=size, person=b"yilian.trace").digest()


def sampled(message_id: int, ratio: float) -> bool:
    """Say whether a message is among that share: the lower half of the trace id decides, as in the SDK."""
    return trace_id(message_id) & (2**64 - 1) < ratio * 2**64


def wants(message_id: int) -> bool:
    """Say whether this process records the steps of a message."""
    return _sink is not None and sampled(message_id, _sink.ratio)


def recording() -> bool:
    """Say whether this process records anything."""
    return _sink is not None


def fresh() -> int:
    """Return a new span id."""
    return random.getrandbits(64) or 1


def record(step: Step) -> None:
    """Record a step of a message that `wants` it; within `routing` it waits for the batch to be committed."""
    batch = _batch.get()
    if batch is not None:
        batch.steps[step.message_id, step.name] = step
    elif _sink is not None:
        _sink.take(step)


def headers(message_id: int, span: int) -> dict[str, str]:
    """Return the W3C Trace Context headers that name a span of a message as what comes before."""
    carrier: dict[str, str] = {}
    context = SpanContext(trace_id(message_id), span, is_remote=False, trace_flags=TraceFlags(1))
    PROPAGATOR.inject(carrier, trace.set_span_in_context(NonRecordingSpan(context)))
    return carrier


def parent_in(carried: Mapping[str, object] | None, message_id: int) -> int | None:
    """Return the span id that headers name; None where they name none of this message's trace."""
    if not carried:
        return None
    texts = {name: value for name, value in carried.items() if isinstance(value, str)}
    context = trace.get_current_span(PROPAGATOR.extract(texts)).get_span_context()
    return context.span_id if context.is_valid and context.trace_id == trace_id(message_id) else None


def parents(carried: Iterable[tuple[int, Mapping[str, object] | None]]) -> dict[int, int]:
    """Return the publisher's span of each message whose headers name one."""
    if _sink is None:
        return {}
    found = ((id_, parent_in(headers, id_)) for id_, headers in carried if headers)
    return {id_: parent for id_, parent in found if parent is not None}


@dataclass(slots=True)
class _Batch:
    """What the router did in one transaction; a pass that is begun again writes over the one before."""

    parents: Mapping[int, int]
    began: int
    route: dict[int, int] = field(default_factory=dict)
    steps: dict[tuple[int, str], Step] = field(default_factory=dict)

    def parent(self, message_id: int) -> int:
        """Return the span of this message's routing."""
        return self.route.setdefault(message_id, fresh())


_batch: ContextVar[_Batch | None] = ContextVar("tracing", default=None)


@contextmanager
def routing(parents: Mapping[int, int]) -> Iterator[None]:
    """Hold back the steps of a batch until the block ends, which is after its commit, then tell them.

    When it raises, nothing happened and nothing is told. `parents`: the publishers' spans, by message.
    """
    if _sink is None:
        yield
        return
    batch = _Batch(parents, time.time_ns())
    token = _batch.set(batch)
    try:
        yield
    finally:
        _batch.reset(token)
    ended = time.time_ns()
    for message_id, span in batch.route.items():
        before = batch.parents.get(message_id, span_id(message_id, COMMIT))
        _sink.take(
            Step(ROUTE, message_id, batch.began, ended, span, before, SpanKind.CONSUMER, about(message_id))
        )
    for step in batch.steps.values():
        _sink.take(step)


def step(name: str, message_ids: Iterable[int]) -> AbstractContextManager[None]:
    """Record what the router does to these messages, together; the stages inside hang below it.

    Nothing is recorded outside `routing`, and of a block that raises.
    """
    return _NOTHING if _sink is None else _step(name, message_ids)


@contextmanager
def _step(name: str, message_ids: Iterable[int]) -> Iterator[None]:
    batch = _batch.get()
    wanted = [] if batch is None else [id_ for id_ in message_ids if wants(id_)]
    if batch is None or not wanted:
        yield
        return
    began, inside = time.time_ns(), list[tuple[str, int, int]]()
    with stages.told(lambda stage, start, end: inside.append((stage, start, end))):
        yield
    ended = time.time_ns()
    for id_ in wanted:
        own = span_id(id_, name) if name == RECORD else fresh()  # deliveries hang on it
        told = {**about(id_), "yilian.batch": len(wanted)}
        record(Step(name, id_, began, ended, own, batch.parent(id_), attributes=told))
        for stage, start, end in inside:
            record(Step(stage, id_, start, end, fresh(), own, attributes=told))


def held(message_id: int, **attributes: Value | None) -> None:
    """Record that the router holds a message, as a span without length; it has not been recorded then."""
    batch = _batch.get()
    if batch is None or not wants(message_id):
        return
    tried = span_id(message_id, RECORD)
    batch.steps = {key: one for key, one in batch.steps.items() if tried not in (one.span, one.parent)}
    now, parent = time.time_ns(), batch.parent(message_id)
    told = about(message_id, **attributes)
    record(Step(HELD, message_id, now, now, fresh(), parent, attributes=told))


def received(message_id: int, came: int, committing: int, attributes: Mapping[str, Value]) -> None:
    """Record that a message came, and was committed by a commit that began then and has just ended."""
    now, root = time.time_ns(), span_id(message_id, RECEIVE)
    record(Step(RECEIVE, message_id, came, now, root, None, SpanKind.SERVER, attributes))
    own = span_id(message_id, COMMIT)
    record(Step(COMMIT, message_id, committing, now, own, root, attributes=about(message_id)))


def about(message_id: int, **attributes: Value | None) -> dict[str, Value]:
    """Return the attributes of a step: the message's id, and what is given. Never a patient's data."""
    given = {f"yilian.{name}": value for name, value in attributes.items() if value is not None}
    return {"yilian.message_id": message_id, **given}

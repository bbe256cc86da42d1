"""Spans of a message: one trace a message, found by its id, and nothing at all when nobody listens."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bus import tracing
from bus.spans import Spans
from consortium.stages import stage


class Kept:
    """A sink that keeps the steps."""

    def __init__(self, ratio: float = 1.0) -> None:
        self.ratio = ratio
        self.steps: list[tracing.Step] = []

    def take(self, step: tracing.Step) -> None:
        self.steps.append(step)


@pytest.fixture
def kept() -> Iterator[Kept]:
    sink = Kept()
    tracing.use(sink)
    yield sink
    tracing.use(None)


def named(kept: Kept) -> dict[str, tracing.Step]:
    return {step.name: step for step in kept.steps}


def test_a_batch_is_told_once_it_is_committed(kept: Kept) -> None:
    with tracing.routing({1: 77}):
        with tracing.step(tracing.RULES, [1]):
            assert kept.steps == []
        with tracing.step(tracing.RECORD, [1, 2]), stage("identity"):
            pass
        assert kept.steps == []
    by = {(step.message_id, step.name): step for step in kept.steps}
    assert by[1, "route"].parent == 77
    assert by[2, "route"].parent == tracing.span_id(2, tracing.COMMIT)
    assert by[1, "rules"].parent == by[1, "route"].span
    assert by[1, "identity"].parent == by[1, "record"].span == tracing.span_id(1, tracing.RECORD)
    assert by[2, "record"].attributes == {"yilian.message_id": 2, "yilian.batch": 2}


def test_a_pass_that_is_begun_again_is_told_once(kept: Kept) -> None:
    with tracing.routing({}):
        for _ in range(3):
            with tracing.step(tracing.RULES, [1]):
                pass
    assert [step.name for step in kept.steps] == ["route", "rules"]


def test_one_that_could_not_be_recorded_is_told_as_held_and_its_neighbour_as_recorded(kept: Kept) -> None:
    with tracing.routing({}):
        with tracing.step(tracing.RECORD, [1, 2]), stage("identity"):
            pass
        tracing.held(1, code="bad_field", rule=None)
    told = {(step.message_id, step.name) for step in kept.steps}
    assert told == {(1, "route"), (1, "held"), (2, "route"), (2, "record"), (2, "identity")}
    assert named(kept)["held"].attributes == {"yilian.message_id": 1, "yilian.code": "bad_field"}


def test_what_was_rolled_back_did_not_happen(kept: Kept) -> None:
    with pytest.raises(ZeroDivisionError), tracing.routing({}), tracing.step(tracing.RULES, [1]):
        raise ZeroDivisionError
    assert kept.steps == []


def test_the_header_names_the_publisher_s_span_and_no_other_message_s() -> None:
    carried: dict[str, object] = dict(tracing.headers(5, 0xABC))
    assert carried["traceparent"] == f"00-{tracing.trace_id(5):032x}-0000000000000abc-01"
    assert tracing.parent_in(carried, 5) == 0xABC
    assert tracing.parent_in(carried, 6) is None
    for broken in ({"traceparent": "nonsense"}, {"traceparent": 7}, {}, None):
        assert tracing.parent_in(broken, 5) is None


def test_the_share_that_is_traced_is_the_same_in_every_process() -> None:
    share = sum(tracing.sampled(id_, 0.1) for id_ in range(20_000)) / 20_000
    assert 0.09 < share < 0.11
    assert all(tracing.sampled(id_, 1.0) for id_ in range(1000))
    assert not any(tracing.sampled(id_, 0.0) for id_ in range(1000))
    assert {id_ for id_ in range(1000) if tracing.sampled(id_, 0.1)} < {
        id_ for id_ in range(1000) if tracing.sampled(id_, 0.5)
    }


def test_without_an_endpoint_nothing_is_recorded() -> None:
    tracing.configure("test", "", 1.0)
    assert not tracing.recording()
    assert not tracing.wants(1)
    assert tracing.parents([(1, tracing.headers(1, 2))]) == {}
    with tracing.routing({}), tracing.step(tracing.RULES, [1]):
        tracing.held(1)


def test_a_step_becomes_a_span_with_the_ids_it_was_given() -> None:
    exporter = InMemorySpanExporter()
    spans = Spans("relay", 1.0, SimpleSpanProcessor(exporter))
    now = time.time_ns()
    spans.take(tracing.Step("receive", 9, now, now + 5, 3, None, attributes=tracing.about(9, code=None)))
    spans.take(tracing.Step("commit", 9, now, now + 4, 4, 3))
    spans.close()
    root, child = exporter.get_finished_spans()
    assert root.context is not None
    assert child.context is not None
    assert root.context.trace_id == child.context.trace_id == tracing.trace_id(9)
    assert (root.context.span_id, root.parent, root.attributes) == (3, None, {"yilian.message_id": 9})
    assert child.parent is not None
    assert (child.context.span_id, child.parent.span_id, child.end_time) == (4, 3, now + 4)
    assert root.resource.attributes["service.name"] == "yilian.relay"

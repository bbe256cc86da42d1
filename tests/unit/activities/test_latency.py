"""How long tasks wait for a worker, as the heartbeat tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from temporalio.runtime import BUFFERED_METRIC_KIND_HISTOGRAM, BufferedMetricKind

from activities.latency import WINDOW, Latencies

ACTIVITY = "temporal_activity_schedule_to_start_latency"
WORKFLOW = "temporal_workflow_task_schedule_to_start_latency"


@dataclass
class Metric:
    """As the SDK's."""

    name: str
    description: str | None = None
    unit: str | None = None
    kind: BufferedMetricKind = BUFFERED_METRIC_KIND_HISTOGRAM


@dataclass
class Update:
    """As the SDK's."""

    metric: Metric
    value: float
    attributes: Mapping[str, str]


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def measured(name: str, milliseconds: float, queue: str = "yilian") -> Update:
    return Update(Metric(name), milliseconds, {"task_queue": queue})


def test_the_95th_percentile_is_told_by_queue_and_kind() -> None:
    latencies = Latencies(["yilian", "yilian-campus"])
    latencies.take(measured(ACTIVITY, n) for n in range(1, 101))
    latencies.take([measured(WORKFLOW, 2000), measured(ACTIVITY, 30, "yilian-campus")])
    assert latencies.detail() == {
        "yilian activity": 0.095,
        "yilian workflow": 2.0,
        "yilian-campus activity": 0.03,
    }


def test_one_measurement_is_its_own_percentile() -> None:
    latencies = Latencies(["yilian"])
    latencies.take([measured(ACTIVITY, 7)])
    assert latencies.detail() == {"yilian activity": 0.007}


def test_what_is_older_than_the_window_counts_no_more() -> None:
    clock = Clock()
    latencies = Latencies(["yilian"], clock)
    latencies.take([measured(ACTIVITY, 60_000)])
    clock.now = WINDOW
    latencies.take([measured(ACTIVITY, 10)])
    assert latencies.detail() == {"yilian activity": 60.0}
    clock.now = WINDOW + 1
    assert latencies.detail() == {"yilian activity": 0.01}
    clock.now = 3 * WINDOW
    assert latencies.detail() == {}


def test_sticky_queues_are_one_and_other_metrics_none() -> None:
    latencies = Latencies(["yilian"])
    latencies.take(
        [
            measured(WORKFLOW, 5, "host-0f0f"),
            measured(WORKFLOW, 5, "host-1e1e"),
            measured(ACTIVITY, 5, "somebody-elses"),
            measured("temporal_request_latency", 5),
        ]
    )
    assert latencies.detail() == {"sticky workflow": 0.005}

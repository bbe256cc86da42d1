"""How long tasks wait in their queue before a worker takes them: the first sign of one that is too small.

The SDK measures it for each task (schedule-to-start latency). Kept are the newest five minutes, and told is
their 95th percentile by queue and kind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Final

from temporalio.runtime import BufferedMetricUpdate

WINDOW: Final = 300.0
"""Seconds that a measurement counts."""
MOST: Final = 5000
"""Measurements kept of a queue and kind."""
BUFFER: Final = 100_000
"""Updates of all metrics between two drains."""
KINDS: Final[Mapping[str, str]] = {
    "temporal_workflow_task_schedule_to_start_latency": "workflow",
    "temporal_activity_schedule_to_start_latency": "activity",
}


class Latencies:
    """The newest measurements, by queue and kind."""

    def __init__(self, queues: Iterable[str], clock: Callable[[], float] = monotonic) -> None:
        """Watch those queues; `clock` gives seconds that never run backwards."""
        self._queues = frozenset(queues)
        self._clock = clock
        self._kept: dict[str, deque[tuple[float, float]]] = {}

    def take(self, updates: Iterable[BufferedMetricUpdate]) -> None:
        """Take in what the SDK measured, in milliseconds. Sticky queues count as the worker's own."""
        now = self._clock()
        for update in updates:
            kind = KINDS.get(update.metric.name)
            if kind is None:
                continue
            queue = str(update.attributes.get("task_queue", ""))
            if queue not in self._queues and kind == "activity":
                continue
            name = f"{queue if queue in self._queues else 'sticky'} {kind}"
            self._kept.setdefault(name, deque(maxlen=MOST)).append((now, update.value / 1000))

    def detail(self) -> dict[str, float]:
        """Return `queue kind` to the 95th percentile in seconds; nothing for a quiet one."""
        oldest = self._clock() - WINDOW
        told: dict[str, float] = {}
        for name, kept in self._kept.items():
            while kept and kept[0][0] < oldest:
                kept.popleft()
            if kept:
                ordered = sorted(seconds for _, seconds in kept)
                told[name] = round(ordered[max(0, -(-95 * len(ordered) // 100) - 1)], 3)
        return told

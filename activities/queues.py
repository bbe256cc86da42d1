"""The task queues: what waits long, or takes long, has a queue of its own and holds up nothing else.

Names of queues are in the clear everywhere, and stay: open workflows name them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.worker import WorkerSettings


class Queue(enum.StrEnum):
    """A Temporal task queue."""

    WORKFLOWS = "yilian"
    """All workflows, and their short steps in our own database."""
    CAMPUS = "yilian-campus"
    """Calls to the campuses' systems: they wait for somebody else."""
    DOCUMENTS = "yilian-documents"
    """Reading and making documents: they take CPU and memory."""


Steps = Sequence[Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker process does: workflows, and by queue the activities."""

    workflows: Mapping[str, type]
    """By their type."""
    steps: Mapping[Queue, Steps] = field(default_factory=dict)

    @property
    def queues(self) -> tuple[Queue, ...]:
        """The queues that there is something to do for."""
        wanted = {queue for queue, steps in self.steps.items() if steps}
        if self.workflows:
            wanted.add(Queue.WORKFLOWS)
        return tuple(queue for queue in Queue if queue in wanted)


def size(queue: Queue, sizes: WorkerSettings) -> int:
    """Return how many activities of a queue run at a time."""
    by_queue = {
        Queue.WORKFLOWS: sizes.steps,
        Queue.CAMPUS: sizes.campus_calls,
        Queue.DOCUMENTS: sizes.documents,
    }
    return by_queue[queue]

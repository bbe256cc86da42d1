"""Settings of the Temporal worker: how much it does at a time."""

from __future__ import annotations

from pydantic import Field

from runtime.mllp import Closed


class WorkerSettings(Closed):
    """Sizes of one worker process. Each queue has its own, so that a slow campus holds up nothing else."""

    workflow_tasks: int = Field(
        default=40, ge=2, le=1000, description="workflow tasks at a time; each is some milliseconds of CPU"
    )
    cached_workflows: int = Field(
        default=1000,
        ge=0,
        description="workflows kept in memory; others are replayed from their history when they go on. By"
        " memory: a tenth to one MiB each",
    )
    steps: int = Field(
        default=8, ge=1, le=200, description="short steps in our own database at a time, a connection each"
    )
    campus_calls: int = Field(
        default=16, ge=1, le=500, description="calls to campuses' systems at a time, which wait for answers"
    )
    documents: int = Field(
        default=2, ge=1, le=50, description="steps that read or make documents at a time, which take CPU"
    )
    pollers: int = Field(
        default=10, ge=2, le=100, description="most polls of a queue at a time; there are as few as suffice"
    )

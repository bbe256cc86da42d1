"""The control of `bench referral`, `python -m bench.bare ADDRESS`: the least workflow with one update."""

from __future__ import annotations

import asyncio
import signal
import sys
from uuid import uuid4

from temporalio import workflow
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

QUEUE = "yilian-bench-bare"
NAME = "bench_bare"


@workflow.defn(name=NAME)
class Bare:
    """Waits for one update, and ends."""

    def __init__(self) -> None:
        """Wait."""
        self._done = False

    @workflow.run
    async def run(self) -> None:
        """End after the update."""
        await workflow.wait_condition(lambda: self._done)

    @workflow.update
    def take(self, word: str) -> str:
        """Take it."""
        self._done = True
        return word


async def start_and_update(client: Client) -> None:
    """Start one and update it, in one call."""
    starting: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
        NAME, id=f"bare-{uuid4()}", task_queue=QUEUE, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
    )
    await client.execute_update_with_start_workflow(
        "take", "word", start_workflow_operation=starting, result_type=str
    )


async def main(address: str) -> None:
    """Work until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = await Client.connect(address)
    async with Worker(client, task_queue=QUEUE, workflows=[Bare]):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

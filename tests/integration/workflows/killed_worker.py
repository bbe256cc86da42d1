"""A worker of referrals that is killed once at each boundary of each step: `python -m … FOLDER`.

The boundaries of a step: `during`, in its transaction while somebody is told, and `after` its commit, before
Temporal hears of it. A file in the folder says that the worker died there. What watches over it forks the
next life, which has everything imported and has connected to nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
from temporalio import activity
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.client import connect
from activities.database import engine
from activities.queues import Queue
from activities.referrals import Referrals
from consortium.referral.notices import Notice
from consortium.referral.telling import Telling
from consortium.scheduling.hours import PlainCalendar
from runtime.settings import Settings
from workflows.referral import steps
from workflows.referral.model import Recording, Stand
from workflows.referral.workflow import Referral

ATTEMPT = timedelta(seconds=3)
"""How long the server waits for a worker that died in a step."""


class Killed(Referrals):
    """Ends the process at every boundary that it did not end at before."""

    def __init__(self, database: sa.Engine, folder: Path) -> None:
        super().__init__(database, lambda _: PlainCalendar(), self.telling)
        self._folder = folder

    def telling(self, connection: sa.Connection, notice: Notice) -> None:
        Telling()(connection, notice)
        self._die(f"{notice.what}.during")

    @activity.defn(name=steps.RECORD)
    def record(self, order: Recording) -> Stand:
        stand = super().record(order)
        self._die(f"{order.step}.after")
        return stand

    def _die(self, boundary: str) -> None:
        """End as a machine that loses its power does."""
        try:
            (self._folder / boundary).touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


async def live(folder: Path) -> None:
    """Work until killed."""
    settings = Settings()
    referrals = Killed(engine(settings.database_url), folder)
    with ThreadPoolExecutor(8) as threads:
        await Worker(
            await connect(settings),
            task_queue=Queue.WORKFLOWS,
            workflows=[Referral],
            activities=referrals.activities,
            activity_executor=threads,
            max_cached_workflows=0,  # none is stuck to a worker that is no more
            workflow_runner=UnsandboxedWorkflowRunner(),  # which sees ATTEMPT as it is here
        ).run()


def main(folder: Path) -> None:
    """Give it one life after the other."""
    steps.ATTEMPT = ATTEMPT
    while True:
        child = os.fork()
        if child == 0:
            asyncio.run(live(folder))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

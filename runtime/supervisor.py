"""The supervisor: starts everything in order, keeps it running, writes down how it stands, stops everything.

`./yilian up` starts it as a process of its own; SIGTERM ends it and all it started.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime import log, process, state
from runtime.plan import Condition, Plan, levels
from runtime.settings import home
from runtime.state import State
from runtime.watch import Board, JobWatch, ServiceWatch

_TICK = 1.0
"""Seconds between two records of what runs."""
_ROTATION = 5.0
"""Seconds between two looks at the logs' sizes."""


class Supervisor:
    """Runs one plan."""

    def __init__(self, plan: Plan) -> None:
        """Make the watches; nothing runs yet."""
        self._wake = threading.Event()
        conditions = {s.name: Condition(url=s.url, optional=s.optional) for s in plan.services}
        conditions |= {j.name: Condition(job=True) for j in plan.jobs}
        identity = process.table()[os.getpid()].identity
        self.state = State(supervisor=identity, mark=secrets.token_hex(16), conditions=conditions)
        os.environ[process.MARK] = self.state.mark
        self.board = Board(conditions, self._wake.set)
        self.services = {s.name: ServiceWatch(s, self.board) for s in plan.services}
        self._jobs = [JobWatch(j, self.board) for j in plan.jobs]
        self._order = levels(plan.requirements)
        self._dead: set[process.Identity] = set()

    def run(self) -> None:
        """Start everything and stay until told to stop; then stop everything in reverse order."""
        state.write(self.state)
        for watch in (*self.services.values(), *self._jobs):
            watch.start()
        self._keep_record()
        self.state.stopping = True
        ending = threading.Thread(target=self._end_all, name="end")
        ending.start()
        while ending.is_alive():
            self._record()
            ending.join(0.2)
        self._end_orphans()
        self._record()

    def stop(self) -> None:
        """Tell it to stop."""
        self.board.stopping.set()
        self._wake.set()

    def _keep_record(self) -> None:
        rotation = 0.0
        while not self.board.stopping.is_set():
            self._wake.wait(_TICK)
            self._wake.clear()
            self._record()
            if time.monotonic() - rotation > _ROTATION:
                rotation = time.monotonic()
                for name in log.names():
                    log.rotate(log.path(name))

    def _record(self) -> None:
        rows = process.table()
        for watch in self.services.values():
            if watch.process:
                watch.snapshot(rows)
        self._reap(rows)
        state.write(self.state)

    def _reap(self, rows: dict[int, process.Row]) -> None:
        """Take note of the end of adopted orphans: nobody waits for them, so they are dead for two looks."""
        own = {w.process.pid for w in self.services.values() if w.process}
        dead = {r.identity for r in rows.values() if r.parent == os.getpid() and r.state == "Z"}
        for identity in self._dead & dead:
            if identity.pid not in own:
                with suppress(ChildProcessError):
                    os.waitpid(identity.pid, os.WNOHANG)
        self._dead = dead

    def _end_all(self) -> None:
        for level in reversed(self._order):
            ending = [self.services[name] for name in level if name in self.services]
            threads = [threading.Thread(target=watch.end) for watch in ending]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _end_orphans(self) -> None:
        process.end(self.state.leftovers(), grace=5.0)


@contextmanager
def only_one() -> Iterator[None]:
    """Hold the home's lock; raises `BlockingIOError` when another supervisor has it."""
    path = home() / "run" / "supervisor.lock"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def main(names: Sequence[str] = ()) -> int:
    """Supervise the platform in the foreground, or only these services and what they need."""
    from runtime.catalogue import platform
    from runtime.settings import load

    try:
        with only_one():
            process.become_subreaper()
            plan = platform(load())
            supervisor = Supervisor(plan.only(names) if names else plan)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: supervisor.stop())
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            supervisor.run()
    except BlockingIOError:
        print(f"another supervisor runs in {Path(home())}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

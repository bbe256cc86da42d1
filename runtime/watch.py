"""Watching one service: prepare, start, ask, restart with backoff, stop."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping

from runtime import backoff, log, process
from runtime.plan import Condition, Job, Service, UnhealthyError
from runtime.process import Command, Identity

_STEP = 0.25
"""Seconds between looks at whether a process still runs."""
_EAGER = 0.5
"""Seconds between checks until a service is healthy for the first time."""


class Board:
    """The conditions of all services and jobs, shared by their threads."""

    def __init__(self, conditions: Mapping[str, Condition], changed: Callable[[], None]) -> None:
        """Hold the conditions; `changed` is called after each change of state."""
        self.conditions = conditions
        self.stopping = threading.Event()
        self._changed = changed

    def set(self, name: str, state: str, *, detail: str = "", error: str = "") -> None:
        """Put a service or job into a state."""
        condition = self.conditions[name]
        moved = condition.state != state
        if moved:
            condition.state, condition.since = state, time.time()
        condition.detail = detail
        if error:
            condition.error = error
        if condition.ready:
            condition.error = ""
        if moved:
            self._changed()

    def wait_for(self, requires: tuple[str, ...], ended: threading.Event) -> bool:
        """Wait until all of them are ready; return False when this one is to end first."""
        while not all(self.conditions[name].ready for name in requires):
            if ended.wait(_STEP):
                return False
        return not ended.is_set()


class JobWatch(threading.Thread):
    """Does a job once, again with backoff when it fails."""

    def __init__(self, job: Job, board: Board) -> None:
        """Make the thread; `start()` begins."""
        super().__init__(name=job.name, daemon=True)
        self.job = job
        self.board = board

    def run(self) -> None:
        """Wait for what it requires, then try until it is done."""
        condition = self.board.conditions[self.job.name]
        while self.board.wait_for(self.job.requires, self.board.stopping):
            self.board.set(self.job.name, "preparing")
            try:
                self.job.run()
            except Exception as error:  # noqa: BLE001 - any failure is shown and tried again; the supervisor lives on
                condition.failures += 1
                self.board.set(self.job.name, "backoff", error=str(error) or type(error).__name__)
                self.board.stopping.wait(backoff.delay(condition.failures))
            else:
                condition.failures = 0
                self.board.set(self.job.name, "done")
                return


class ServiceWatch(threading.Thread):
    """Keeps one service running and asks how it is."""

    def __init__(self, service: Service, board: Board) -> None:
        """Make the thread; `start()` begins."""
        super().__init__(name=service.name, daemon=True)
        self.service = service
        self.board = board
        self.condition = board.conditions[service.name]
        self.ended = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None
        self._command: Command | None = None
        self._starts = 0

    def run(self) -> None:
        """Keep it running until `end()`."""
        while self.board.wait_for(self.service.requires, self.ended):
            started = time.monotonic()
            try:
                self._prepare_and_start()
                reason = self._look_after()
            except Exception as error:  # noqa: BLE001 - any failure is shown and tried again; the supervisor lives on
                reason = str(error) or type(error).__name__
            self._put_away()
            if self.ended.is_set():
                break
            self.condition.failures = backoff.failures_after(
                self.condition.failures, time.monotonic() - started
            )
            self.board.set(self.service.name, "backoff", error=reason)
            self.ended.wait(backoff.delay(self.condition.failures))
        self.board.set(self.service.name, "stopped")

    def end(self) -> None:
        """Stop the service and wait until nothing of it is left."""
        self.board.set(self.service.name, "stopping")
        self.ended.set()
        self.join()

    def _prepare_and_start(self) -> None:
        self.board.set(self.service.name, "preparing")
        self.service.prepare()
        if self.service.command is None or self.ended.is_set():
            return
        self._command = self.service.command()
        path = log.path(self.service.name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        with path.open("ab") as out:
            self.process = process.spawn(self._command, out)
        self.condition.pid = self.process.pid
        self.condition.restarts = self._starts
        self._starts += 1
        self.snapshot(process.table())
        self.board.set(self.service.name, "starting")

    def _look_after(self) -> str:
        """Ask until the service ends, or is to be restarted; return why."""
        well = time.monotonic()
        due = well
        while not self.ended.wait(_STEP):
            if self.process and (code := self.process.poll()) is not None:
                return f"it ended by itself ({_ending(code)})"
            now = time.monotonic()
            if now < due:
                continue
            if self._ask() or not self._requirements_ready():
                well = time.monotonic()
            elif now - well > self.service.patience and self.process:
                return f"not healthy for {self.service.patience:.0f} s: {self.condition.error}"
            due = time.monotonic() + (self.service.interval if self.condition.ready else _EAGER)
        return "stopped"

    def _requirements_ready(self) -> bool:
        return all(self.board.conditions[name].ready for name in self.service.requires)

    def _ask(self) -> bool:
        was_healthy = self.condition.state in {"healthy", "unhealthy"}
        try:
            detail = self.service.check()
        except UnhealthyError as error:
            state = "unhealthy" if was_healthy else "starting"
            if not self.ended.is_set():
                self.board.set(self.service.name, state, error=str(error))
            return False
        if not self.ended.is_set():
            self.board.set(self.service.name, "healthy", detail=detail)
        return True

    def _put_away(self) -> None:
        if self.process is None or self._command is None:
            return
        self.snapshot(process.table())
        process.stop(self.process, self._command, [Identity(*m) for m in self.condition.members])
        self.process = None
        self.condition.pid = 0
        self.condition.members = []

    def snapshot(self, rows: Mapping[int, process.Row]) -> None:
        """Note which processes are the service's: those noted before, and its first one's family."""
        known = {Identity(*m) for m in self.condition.members}
        living = {
            i for i in known if i.pid in rows and rows[i.pid].identity == i and rows[i.pid].state != "Z"
        }
        roots = {i.pid for i in living} | ({self.process.pid} if self.process else set())
        self.condition.members = sorted((i.pid, i.start) for i in process.family(roots, rows))


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"

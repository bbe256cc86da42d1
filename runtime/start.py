"""Starting the supervisor and seeing that everything comes up."""

from __future__ import annotations

import fcntl
import subprocess
import time
from collections.abc import Callable

from runtime import generated, log, process, state
from runtime.failure import SetupError
from runtime.plan import Condition
from runtime.refusals import checked, set_by_people
from runtime.services.install import ensure_rabbitmq
from runtime.settings import CHECKOUT, home
from runtime.state import State
from runtime.verbs.down import end_leftovers
from runtime.waiting import until

Report = Callable[[str], None]
PATIENCE = 600.0
"""Seconds in which everything must be healthy."""
_TOO_OFTEN = 5
"""Failures in a row after which the start is given up and told; the supervisor goes on trying."""


def begin(report: Report) -> State:
    """See that a supervisor runs; return its record. Raises `SetupError`."""
    path = home() / "run" / "start.lock"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("w") as lock:  # two calls at once: the second finds the first one's supervisor
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _begin(report)


def _begin(report: Report) -> State:
    record = state.read()
    if record and record.running and record.stopping:
        report("an earlier ./yilian down is still stopping everything; waiting for it")
        ending = record.supervisor
        until(lambda: not process.alive(ending), 120, 0.2)
        record = state.read()
    if record and record.running:
        checked()
        return record
    if record and record.leftovers():
        report("an earlier start was killed; ending what it left")
        end_leftovers(record)
    checked()
    if "amqp_url" not in set_by_people():
        ensure_rabbitmq(report, checked().rabbitmq_server)
    generated.complete()
    return _launch()


def _launch() -> State:
    path = log.path("supervisor")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    with path.open("ab") as out:
        started = subprocess.Popen(
            process.python("runtime.supervisor"),
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )

    def written() -> bool:
        record = state.read()
        return started.poll() is not None or (record is not None and record.supervisor.pid == started.pid)

    until(written, 60)
    record = state.read()
    if started.poll() is not None or record is None or not record.running:
        raise SetupError("the supervisor did not start", "read the log, then ./yilian up again", path)
    return record


def changes(before: dict[str, Condition], after: dict[str, Condition]) -> list[str]:
    """Return a line for each service or job whose state changed in a way worth telling."""
    lines = []
    for name, condition in after.items():
        if name in before and before[name].state == condition.state:
            continue
        if condition.ready:
            lines.append(f"✓ {name}" + (f": {condition.detail}" if condition.detail else ""))
        elif condition.state in {"backoff", "unhealthy"}:
            lines.append(f"✗ {name}: {condition.error}")
        elif condition.state in {"preparing", "starting"} and name not in before:
            lines.append(f"… {name}: {condition.state}")
    return lines


def wait_until_healthy(report: Report, patience: float = PATIENCE) -> None:
    """Report each change until everything is healthy. Raises `SetupError` when something does not come up."""
    deadline = time.monotonic() + patience
    before: dict[str, Condition] = {}
    while True:
        record = state.read()
        if record is None or not record.running:
            raise SetupError(
                "the supervisor ended", "read the log, then ./yilian up again", log.path("supervisor")
            )
        for line in changes(before, record.conditions):
            report(line)
        before = record.conditions
        if record.ready:
            return
        _give_up(record, time.monotonic() > deadline)
        time.sleep(0.2)


def _give_up(record: State, late: bool) -> None:
    for name, condition in record.conditions.items():
        if condition.optional:
            continue
        if condition.failures >= _TOO_OFTEN or (
            late and not condition.ready and condition.state != "waiting"
        ):
            end = "\n".join(f"    {line}" for line in log.last_lines(log.path(name), 8))
            raise SetupError(
                f"{name} does not come up: {condition.error or condition.state}\n{end}".rstrip(),
                f"./yilian logs {name}; what else runs stays up (./yilian status); ./yilian up tries again",
                log.path(name) if log.path(name).exists() else log.path("supervisor"),
            )
    if late:
        raise SetupError("not everything is healthy in time", "./yilian status", home() / "logs")

"""Processes, known by their id *and* start time, so that a reused id is never taken for ours."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from runtime.waiting import until

_PR_SET_CHILD_SUBREAPER = 36
_FOREIGN = ("RABBITMQ_", "ERL_", "AIRFLOW_", "TEMPORAL_", "PG", "LC_", "LANG", "PYTHON")
"""Prefixes of variables that would steer a service from outside our settings."""


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """One process: its id and its start in clock ticks since boot."""

    pid: int
    start: int


@dataclass(frozen=True, slots=True)
class Row:
    """What the kernel tells of one process."""

    identity: Identity
    parent: int
    session: int
    state: str


@dataclass(frozen=True, slots=True)
class Command:
    """How one service is started and ended."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    whole_group: bool = True
    """Whether the stop signal goes to the whole group, or to the first process alone."""
    grace: float = 12.0
    """Seconds between the stop signal and SIGKILL."""


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without what would steer a service, in UTF-8, with `extra` on top."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**kept, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1", **extra}


def table() -> dict[int, Row]:
    """Return every process of the machine that can be seen, by id."""
    rows = (_row(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {row.identity.pid: row for row in rows if row}


def _row(pid: int) -> Row | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return Row(Identity(pid, int(fields[19])), int(fields[1]), int(fields[3]), fields[0])


def identify(pid: int) -> Identity | None:
    """Return the identity of a running process, or None."""
    row = _row(pid)
    return row.identity if row else None


def alive(identity: Identity) -> bool:
    """Return whether that very process still runs; a zombie does not."""
    row = _row(identity.pid)
    return row is not None and row.identity == identity and row.state != "Z"


def family(roots: Iterable[int], rows: Mapping[int, Row]) -> set[Identity]:
    """Return the roots, their sessions' members and all descendants of these."""
    found = set(roots) & rows.keys()
    sessions = set(roots)
    while True:
        more = {
            pid
            for pid, row in rows.items()
            if pid not in found and (row.parent in found or row.session in sessions)
        }
        if not more:
            return {rows[pid].identity for pid in found}
        found |= more


def become_subreaper() -> None:
    """Make this process the parent of every descendant whose own parent dies. Linux only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def spawn(command: Command, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a command as leader of its own session, its output appended to `log`."""
    return subprocess.Popen(
        command.argv,
        env=environment(command.environment),
        cwd=command.cwd,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def send(identity: Identity, number: signal.Signals) -> None:
    """Signal that very process, if it still runs."""
    if alive(identity):
        try:
            os.kill(identity.pid, number)
        except ProcessLookupError:
            return


def end(members: Iterable[Identity], first: signal.Signals = signal.SIGTERM, grace: float = 12.0) -> None:
    """Signal all members, wait up to `grace` seconds, then SIGKILL those left and what they started."""
    known = set(members)
    for member in known:
        send(member, first)
    until(lambda: not any(map(alive, known)), grace)
    rows = table()
    left = {m for m in known if alive(m)} | family((m.pid for m in known if alive(m)), rows)
    for member in left:
        send(member, signal.SIGKILL)
    until(lambda: not any(map(alive, left)), 10)


def stop(process: subprocess.Popen[bytes], command: Command, others: Iterable[Identity] = ()) -> None:
    """End a spawned command with all its group and descendants, and `others` that belong to it."""
    rows = table()
    members = family((process.pid,), rows) | set(others)
    targets = members if command.whole_group else {m for m in members if m.pid == process.pid}
    for member in targets:
        send(member, command.stop_signal)
    until(lambda: process.poll() is not None, command.grace)
    end(members | family((process.pid,), table()), signal.SIGTERM, 2.0)
    process.wait()


@contextmanager
def running(command: Command, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for the time of the `with` block."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = spawn(command, out)
    try:
        yield process
    finally:
        stop(process, command)


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command line that runs a module with this interpreter."""
    return (sys.executable, "-m", module, *arguments)


MARK = "YILIAN_MARK"


def marked(mark: str, rows: Iterable[int]) -> set[Identity]:
    """Return those of `rows` that carry this mark, a random word of one start, in their environment."""
    wanted = f"{MARK}={mark}".encode()
    return {identity for pid in rows if wanted in _variables(pid) and (identity := identify(pid)) is not None}


def _variables(pid: int) -> set[bytes]:
    try:
        return set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:  # ended meanwhile, or somebody else's
        return set()

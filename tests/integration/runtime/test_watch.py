"""One service under watch: restarted, given up to, and ended with everything that it started."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from runtime.plan import Condition, Job, Service, UnhealthyError
from runtime.process import Command, Identity, alive, send, table
from runtime.waiting import until
from runtime.watch import Board, JobWatch, ServiceWatch

SLEEP = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")


def well() -> str:
    return "well"


def ill() -> str:
    raise UnhealthyError("it does not answer")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    return tmp_path


Begin = Callable[..., ServiceWatch]


@pytest.fixture
def begin() -> Iterator[Begin]:
    watches: list[ServiceWatch] = []

    def start(
        argv: tuple[str, ...], check: Callable[[], str] = well, patience: float = 60.0, **how: object
    ) -> ServiceWatch:
        command = Command(argv, **how)  # type: ignore[arg-type] # the test names real fields
        service = Service("sample", check, lambda: command, patience=patience, interval=0.2)
        watch = ServiceWatch(service, Board({"sample": Condition()}, lambda: None))
        watches.append(watch)
        watch.start()
        return watch

    yield start
    for watch in watches:
        watch.end()


def healthy(watch: ServiceWatch) -> bool:
    return watch.condition.state == "healthy"


def test_a_killed_service_is_started_again(begin: Begin) -> None:
    watch = begin(SLEEP)
    assert until(lambda: healthy(watch), 10)
    first = watch.condition.members[0]
    send(Identity(*first), signal.SIGKILL)
    assert until(lambda: watch.condition.restarts == 1 and healthy(watch), 15)
    assert watch.condition.members[0] != first


def test_a_service_that_ends_at_once_is_tried_ever_more_slowly_and_says_why(begin: Begin) -> None:
    watch = begin((sys.executable, "-c", "raise SystemExit(7)"))
    assert until(lambda: watch.condition.failures >= 3, 20)
    assert watch.condition.error == "it ended by itself (exit 7)"


def test_a_service_that_stays_unhealthy_is_restarted(begin: Begin) -> None:
    watch = begin(SLEEP, ill, patience=0.5)
    assert until(lambda: watch.condition.restarts >= 1, 20)
    assert "it does not answer" in watch.condition.error


def test_a_program_that_is_not_there_is_an_error_and_not_the_end_of_the_watch(begin: Begin) -> None:
    watch = begin(("/nowhere/to/be/found",))
    assert until(lambda: "/nowhere/to/be/found" in watch.condition.error, 10)
    assert watch.is_alive()


def test_the_end_takes_children_that_left_their_session_along(begin: Begin, home: Path) -> None:
    script = (
        "import os, subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "time.sleep(600)"
    )
    watch = begin((sys.executable, "-c", script))

    def two() -> bool:
        watch.snapshot(table())
        return len(watch.condition.members) == 2

    assert until(two, 10)
    members = [Identity(*m) for m in watch.condition.members]
    watch.end()
    assert not any(map(alive, members))
    assert watch.condition.state == "stopped"


def test_a_service_that_ignores_the_stop_signal_is_killed_after_its_grace(begin: Begin) -> None:
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    watch = begin((sys.executable, "-c", script), grace=0.3)
    assert until(lambda: healthy(watch), 10)
    process = psutil.Process(watch.condition.pid)
    watch.end()
    assert not process.is_running()


def test_a_job_that_fails_is_tried_again_until_it_is_done() -> None:
    attempts: list[int] = []

    def work() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise OSError("not yet")

    board = Board({"schema": Condition(job=True)}, lambda: None)
    watch = JobWatch(Job("schema", work), board)
    watch.start()
    watch.join(20)
    assert board.conditions["schema"].state == "done"
    assert len(attempts) == 3


def test_nothing_starts_before_what_it_requires_is_ready(home: Path) -> None:
    started: list[str] = []
    board = Board({"postgres": Condition(), "api": Condition()}, lambda: None)

    def prepare() -> None:
        started.append("api")

    watch = ServiceWatch(Service("api", well, lambda: Command(SLEEP), ("postgres",), prepare), board)
    watch.start()
    assert not until(lambda: bool(started), 1.0)
    board.set("postgres", "healthy")
    assert until(lambda: healthy(watch), 10)
    watch.end()

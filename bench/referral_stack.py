"""What `bench referral` measures: PostgreSQL, Temporal and the worker as `up` runs them; what they use."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from bench import engines
from bench.engines import CHECKOUT
from bench.records.server import Store
from bench.result import MissingError
from runtime import ports, process
from runtime.failure import SetupError
from runtime.plan import UnhealthyError
from runtime.process import Command
from runtime.services import temporal
from runtime.settings import Settings
from runtime.waiting import until

NAME = "referral"
"""Of the database."""


@dataclass(frozen=True, slots=True)
class Use:
    """What was used so far: CPU seconds by process, bytes by store."""

    cpu: Mapping[str, float]
    bytes: Mapping[str, int]

    def since(self, before: Use, count: int) -> dict[str, float]:
        """Return what was used since, a referral: CPU in milliseconds, bytes."""
        per = max(count, 1)
        spent = {
            f"{name}_cpu_ms": round((cpu - before.cpu[name]) * 1000 / per, 2)
            for name, cpu in self.cpu.items()
        }
        grown = {
            f"{name}_bytes": round((size - before.bytes[name]) / per) for name, size in self.bytes.items()
        }
        return {**spent, **grown}


@dataclass(frozen=True, slots=True)
class Stack:
    """It, running."""

    settings: Settings
    processes: Mapping[str, psutil.Process]
    folder: Path
    """Of Temporal's database."""

    def use(self) -> Use:
        """Return what was used so far; of PostgreSQL its database counts, of Temporal its file and log."""
        own = psutil.Process().cpu_times()
        cpu = {"generator": float(own.user + own.system)}
        cpu |= {name: spent(one) for name, one in self.processes.items()}
        return Use(cpu, {"postgres": self._database(), "temporal": self._file()})

    def _database(self) -> int:
        with psycopg.connect(self.settings.database_url, autocommit=True) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(row[0]) if row else 0

    def _file(self) -> int:
        return sum(path.stat().st_size for path in self.folder.glob("temporal.db*"))


def spent(one: psutil.Process) -> float:
    """Return the CPU seconds of a process and its children, those that have ended too."""
    own = one.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in one.children(recursive=True):
        with suppress(psutil.Error):  # it may have ended
            times = child.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return float(total)


@contextmanager
def running(home: Path, work: Path) -> Iterator[Stack]:
    """Run all of it; what is in `home` stays. Raises MissingError without a Temporal program."""
    try:
        temporal.locate()
    except SetupError as error:
        raise MissingError(str(error)) from error
    store = Store(home)
    with ExitStack() as stack:
        stack.enter_context(store.running())
        settings = Settings(
            database_url=_database(store),
            temporal_address=f"{ports.LOOPBACK}:{(port := ports.any_free())}",
            temporal_port=port,
            temporal_ui_port=ports.any_free(),
            payload_key=_key(home),
        )
        folder = home / "temporal"
        server = stack.enter_context(
            process.running(temporal.command(settings, folder), work / "temporal.log")
        )
        if not until(lambda: _answers(settings), 120, 0.2):
            raise MissingError(f"Temporal did not start: {(work / 'temporal.log').read_text()[-2000:]}")
        worker = stack.enter_context(process.running(_worker(settings, work), work / "worker.log"))
        bare = process.python("bench.bare", settings.temporal_address)
        control = stack.enter_context(
            process.running(Command(bare, {"PYTHONPATH": str(CHECKOUT)}, cwd=CHECKOUT), work / "bare.log")
        )
        yield Stack(settings, _processes(settings, server, worker, control), folder)


def _processes(settings: Settings, *started: subprocess.Popen[bytes]) -> Mapping[str, psutil.Process]:
    with psycopg.connect(settings.database_url) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
    assert postmaster is not None  # noqa: S101 - a backend has one; narrows Optional
    names = ("temporal", "worker", "bare_worker")
    return {
        "postgres": postmaster,
        **{name: psutil.Process(one.pid) for name, one in zip(names, started, strict=True)},
    }


def _database(store: Store) -> str:
    with psycopg.connect(store.url(), autocommit=True) as admin:
        known = admin.execute("SELECT FROM pg_database WHERE datname = %s", [NAME]).fetchone() is not None
    if not known:
        engines.database(store.url(), NAME)
    upgrade = (sys.executable, "-m", "alembic", "-x", f"url={store.url(NAME)}", "upgrade", "head")
    subprocess.run(upgrade, cwd=CHECKOUT, check=True, capture_output=True)
    return store.url(NAME)


def _key(home: Path) -> str:
    """Return the key that this store's payloads are encrypted with."""
    path = home / "payload_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
    return path.read_text()


def _worker(settings: Settings, work: Path) -> Command:
    environment = {
        "PYTHONPATH": str(CHECKOUT),
        "YILIAN_HOME": str(work),
        "YILIAN_DATABASE_URL": settings.database_url,
        "YILIAN_TEMPORAL_ADDRESS": settings.temporal_address,
        "YILIAN_PAYLOAD_KEY": settings.payload_key,
        "YILIAN_ROUTING_KEY": "bench",
    }
    return Command(process.python("activities"), environment, cwd=CHECKOUT)


def _answers(settings: Settings) -> bool:
    try:
        temporal.check(settings)
    except UnhealthyError:
        return False
    return True


def machine() -> dict[str, object]:
    """Return what machine this is, and how busy."""
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load": [round(one, 1) for one in os.getloadavg()],
    }

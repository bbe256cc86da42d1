"""Memory over many messages: listener, relay, router and API as deployed, and the size of each over time.

Ctrl-C ends it early and tells what was measured until then. The control is what would be kept if every
message's bytes were: a leak that small would be found.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench import engines, journey, journey_traffic
from bench.result import MissingError, Result

MIB = 2**20
EVERY = 2.0
"""Seconds between samples."""
CHUNK = 10_000
"""Messages sent before a look at the backlog."""
PER = 100_000
"""Messages that growth is told for."""
WARM = 0.2
"""Share of the messages after which growth counts: caches and pools are full then."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; the defaults are those of docs/benchmarks.md."""
    parser.add_argument("--messages", type=int, default=1_000_000, help="sent at most")
    parser.add_argument("--minutes", type=float, default=120.0, help="how long it sends at most")


@dataclass(frozen=True, slots=True)
class Sample:
    """One look."""

    seconds: float
    done: int
    """Messages received and no longer waiting."""
    backlog: int
    rss: dict[str, float]
    """MiB by process."""


@dataclass
class Watch:
    """Samples the processes beside the load."""

    engine: journey.Engine
    processes: dict[str, psutil.Process]
    sent: int = 0
    samples: list[Sample] = field(default_factory=list)

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Sample inside the block, from a thread of its own."""
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,), name="samples", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(10)

    def _run(self, stop: threading.Event) -> None:
        began = time.monotonic()
        query = "SELECT (SELECT count(*) FROM bus.work WHERE state = 0), coalesce(max(id), 0) FROM bus.inbox"
        with psycopg.connect(self.engine.database, autocommit=True) as connection:
            while not stop.wait(EVERY):
                try:
                    row = connection.execute(query.encode()).fetchone()
                    rss = {name: one.memory_info().rss / MIB for name, one in self.processes.items()}
                except (psycopg.OperationalError, psutil.NoSuchProcess):
                    return  # all was ended by Ctrl-C
                backlog, received = row or (0, 0)
                self.samples.append(Sample(time.monotonic() - began, received - backlog, backlog, rss))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return by how much y grows with x, by least squares; 0 for fewer than two x."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    mean_x, mean_y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    across = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return float(across / sum((x - mean_x) ** 2 for x, _ in points))


def measure(args: argparse.Namespace) -> Result:
    """Send messages through the platform and watch its processes."""
    from runtime.services import postgres, rabbitmq

    with tempfile.TemporaryDirectory(prefix="yilian-bench-") as folder, ExitStack() as stack:
        work = Path(folder)
        work.chmod(0o755)  # PostgreSQL and RabbitMQ may run as other users below it
        server = stack.enter_context(postgres.ephemeral(work))
        amqp, _ = stack.enter_context(rabbitmq.ephemeral(work))
        with engines.emptied(server, "journey"), journey.ours(server, amqp, work) as engine:
            watch = Watch(engine, _processes())
            stopped, faults = False, 0
            with watch.beside():
                try:
                    faults = _load(engine, watch, args)
                except SystemExit:  # Ctrl-C, as bench_main has it
                    stopped = True
            return _result(watch, args, stopped=stopped, faults=faults)


def _processes() -> dict[str, psutil.Process]:
    """Return our own processes by module."""
    found = {}
    for child in psutil.Process().children():
        argv = child.cmdline()
        if "-m" in argv:
            found[argv[argv.index("-m") + 1]] = child
    return {name: one for name, one in found.items() if name.split(".")[0] in ("adapters", "api", "bus")}


def _load(engine: journey.Engine, watch: Watch, args: argparse.Namespace) -> int:
    """Send in chunks, each when the one before is nearly done; returns how many were not recorded."""
    ends, faults = time.monotonic() + args.minutes * 60, 0
    while watch.sent < args.messages and time.monotonic() < ends:
        run = uuid.uuid4().hex[:5].upper()
        count, reports = journey_traffic.sizes(min(CHUNK, args.messages - watch.sent))
        said = journey.send(engine, run, count)
        watch.sent += count
        faults += int(said["refused"] + said["wrong"] + said["missing"])
        if not journey.drained(engine, run, reports):
            return faults + engine.ask(engine.left)
        print(f"{watch.sent} of {args.messages}: {_line(watch)}", file=sys.stderr)
    return faults


def _line(watch: Watch) -> str:
    if not watch.samples:
        return "no sample yet"
    last = watch.samples[-1]
    return f"backlog {last.backlog}, " + ", ".join(f"{n} {mib:.1f} MiB" for n, mib in last.rss.items())


def growth(samples: Sequence[Sample], name: str) -> dict[str, float]:
    """Return how the memory of a process went: MiB at the beginning and end, and growth once it was warm."""
    warm = [s for s in samples if s.done >= samples[-1].done * WARM] or list(samples)
    per = slope([(s.done, s.rss[name]) for s in warm]) * PER
    return {
        "first_mib": round(samples[0].rss[name], 1),
        "warm_mib": round(warm[0].rss[name], 1),
        "last_mib": round(samples[-1].rss[name], 1),
        "most_mib": round(max(s.rss[name] for s in samples), 1),
        f"mib_per_{PER}": round(per, 2),
    }


def _series(samples: Sequence[Sample], most: int = 20) -> list[dict[str, Any]]:
    """Return some of the samples, evenly chosen, the last among them."""
    chosen = samples[:: max(1, len(samples) // most)]
    return [
        {
            "s": round(one.seconds, 1),
            "done": one.done,
            "backlog": one.backlog,
            "mib": {name: round(mib, 1) for name, mib in one.rss.items()},
        }
        for one in (*chosen, samples[-1])
    ]


def _result(watch: Watch, args: argparse.Namespace, *, stopped: bool, faults: int) -> Result:
    if not watch.samples:
        raise MissingError("it was ended before the first sample")
    samples = list(watch.samples)
    rows = {name: growth(samples, name) for name in watch.processes}
    figure = round(max(row[f"mib_per_{PER}"] for row in rows.values()), 2)
    made = journey_traffic.messages("SIZES", 1)
    control = round(sum(len(frame) for _, frame in made) / len(made) * PER / MIB, 1)
    conditions = {
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / MIB / 1024, 1),
        "python": platform.python_version(),
        "messages": samples[-1].done,
        "asked": args.messages,
        "stopped": stopped,
        "seconds": round(samples[-1].seconds, 1),
        "backlog_at_end": samples[-1].backlog,
        "faults": faults,
        "processes": rows,
        "series": _series(samples),
    }
    ratio = round(control / max(figure, 0.01), 1)
    unit = f"MiB a {PER} messages, of the process that grew most"
    return Result("endurance", figure, unit, control, "every message's bytes kept", ratio, conditions)

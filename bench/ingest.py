"""Messages acknowledged after their commit: our MLLP listener with the real inbox beside Apache Camel.

Ours stores every column of `bus.inbox`, keeps its five indexes, tells duplicates by digest and writes a work
row; Camel stores facility, control id, type and body under two indexes. Both write to one PostgreSQL with
fsync on, in turns.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench import engines
from bench.engines import CHECKOUT, Engine
from bench.result import Result

HEADLINE = 64
"""Connections of the ratio."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; the defaults are those of docs/benchmarks.md."""
    parser.add_argument("--repeats", type=int, default=5, help="loads of each kind; medians are told")
    parser.add_argument(
        "--warmup", type=int, default=40_000, help="messages before the first load, for each engine"
    )
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--charsets", nargs="+", default=["utf-8", "gb18030"], choices=["utf-8", "gb18030"])
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the size of each load")
    parser.add_argument(
        "--server", default="", help="URL of a PostgreSQL superuser; empty: one of our own, for this run"
    )


@dataclass(frozen=True, slots=True)
class Loaded:
    """One load's outcome."""

    engine: str
    connections: int
    charset: str
    msg_s: float
    p50_ms: float
    p99_ms: float
    faults: int
    """Answers that were missing, wrong or no AA, and messages that were answered AA and not stored."""


def _load(engine: Engine, connections: int, charset: str, count: int) -> Loaded:
    engine.clear()
    argv = [sys.executable, "-m", "bench.load", "--port", str(engine.port), "--connections", str(connections)]
    argv += ["--messages", str(count), "--charset", charset]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True)
    if not done.stdout.strip():
        raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    faults = said["refused"] + said["wrong"] + said["missing"] + abs(said["accepted"] - engine.count())
    return Loaded(engine.name, connections, charset, said["msg_s"], said["p50_ms"], said["p99_ms"], faults)


def _quiet(seconds: float = 20.0) -> float:
    """Wait until other work uses less than a fifth of the CPUs; return the share it uses, in per cent."""
    deadline = time.monotonic() + seconds
    while (busy := psutil.cpu_percent(0.5)) > 20 and time.monotonic() < deadline:
        continue
    return busy


def _loads(pair: Sequence[Engine], args: argparse.Namespace) -> Iterator[Loaded]:
    sizes = {1: 4000, 8: 15_000}
    for repeat in range(args.repeats):
        for charset in args.charsets:
            for connections in args.connections:
                count = max(int(sizes.get(connections, 30_000) * args.scale), connections)
                for engine in pair if repeat % 2 == 0 else reversed(pair):
                    busy = _quiet()
                    loaded = _load(engine, connections, charset, count)
                    print(f"{repeat + 1}/{args.repeats} {_line(loaded)}, others {busy:.0f}%", file=sys.stderr)
                    yield loaded


def _line(o: Loaded) -> str:
    kind = f"{o.engine:7} {o.charset:7} {o.connections:3} connections"
    return f"{kind}: {o.msg_s:9.1f} msg/s, p50 {o.p50_ms:7.2f} ms, p99 {o.p99_ms:7.2f} ms, faults {o.faults}"


@contextmanager
def _server(given: str, work: Path) -> Iterator[str]:
    if given:
        yield given
        return
    from runtime.services.postgres import ephemeral

    with ephemeral(work) as url:
        yield url


def measure(args: argparse.Namespace) -> Result:
    """Run both engines in turns and compare their medians. Raises MissingError without Java or Maven."""
    engines.built()
    with tempfile.TemporaryDirectory(prefix="yilian-bench-") as folder, ExitStack() as stack:
        work = Path(folder)
        work.chmod(0o755)  # PostgreSQL runs as another user below it
        server = stack.enter_context(_server(args.server, work))
        pair = [stack.enter_context(start(server, work)) for start in (engines.ours, engines.camel)]
        for engine in pair:
            for charset in args.charsets:
                _load(engine, 64, charset, max(args.warmup // len(args.charsets), 64))
        loads = list(_loads(pair, args))
        return _result(loads, args, _conditions(server))


def _conditions(server: str) -> dict[str, Any]:
    names = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "wal_compression")
    with psycopg.connect(server) as connection:
        settings = {name: connection.execute(f"SHOW {name}".encode()).fetchone() for name in names}
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "postgres": {name: row[0] for name, row in settings.items() if row},
        "message": "ORU^R01, 20 OBX, 1.2 kB; generator, engines and PostgreSQL share the CPUs",
    }


def _result(loads: Sequence[Loaded], args: argparse.Namespace, conditions: dict[str, Any]) -> Result:
    rows = list(_medians(loads, args))
    top = max(args.connections) if HEADLINE not in args.connections else HEADLINE
    at_top = [row for row in rows if row["connections"] == top]
    figure = statistics.geometric_mean(row["yilian"]["msg_s"] for row in at_top)
    control = statistics.geometric_mean(row["camel"]["msg_s"] for row in at_top)
    faults = {name: sum(one.faults for one in loads if one.engine == name) for name in ("yilian", "camel")}
    conditions |= {
        "repeats": args.repeats,
        "warmup": args.warmup,
        "connections": top,
        "faults": faults,
        "rows": rows,
    }
    ratio = round(figure / control, 2) if control else math.nan
    return Result(
        "ingest",
        round(figure, 1),
        "msg/s",
        round(control, 1),
        "Apache Camel 4.22, tuned, warmed",
        ratio,
        conditions,
    )


def _medians(loads: Sequence[Loaded], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for charset in args.charsets:
        for connections in args.connections:
            row: dict[str, Any] = {"charset": charset, "connections": connections}
            for name in ("yilian", "camel"):
                of = [
                    o for o in loads if (o.engine, o.charset, o.connections) == (name, charset, connections)
                ]
                row[name] = {
                    "msg_s": round(statistics.median(o.msg_s for o in of), 1),
                    "least": min(o.msg_s for o in of),
                    "most": max(o.msg_s for o in of),
                    "p50_ms": round(statistics.median(o.p50_ms for o in of), 2),
                    "p99_ms": round(statistics.median(o.p99_ms for o in of), 2),
                }
            row["ratio"] = round(row["yilian"]["msg_s"] / row["camel"]["msg_s"], 2)
            yield row

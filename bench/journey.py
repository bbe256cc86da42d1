"""The whole journey: MLLP in, commit, answer, RabbitMQ, rules, records that `/fhir` shows; beside Camel.

Ours decodes, judges by the main campus's rules, maps codes, resolves identities, keeps history and trace.
Camel parses with HAPI, publishes to a quorum queue and stores a PID row and the OBX rows of the reports; it
has no more to do. One consumer keeps order as ours does; four do not.
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
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench import engines, journey_traffic
from bench.engines import CHECKOUT
from bench.result import Result
from bench.visible import Probe, visible_in_fhir, visible_in_rows
from runtime import ports
from runtime.services.own import processes
from runtime.settings import Settings

CONNECTIONS = 8
DRAIN = 300.0
"""Seconds after which what is not drained counts as stuck."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; the defaults are those of docs/benchmarks.md."""
    parser.add_argument("--repeats", type=int, default=5, help="loads of each engine; medians are told")
    parser.add_argument("--messages", type=int, default=12_000, help="messages of one load")
    parser.add_argument("--warmup", type=int, default=30_000, help="messages before the first load")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long the load at 70 per cent lasts")
    parser.add_argument(
        "--consumers", type=int, nargs="+", default=[1, 4], help="Camel's; the first is the control"
    )


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine with all its processes."""

    name: str
    port: int
    database: str
    done: str
    """SQL: how many reports of a run, named by its parameter, are recorded."""
    left: str
    """SQL: how many messages are not done, as far as the engine knows."""
    probe: Probe

    def ask(self, sql: str, *values: str) -> int:
        """Return one number."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            row = connection.execute(sql.encode(), values).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def ours(server: str, amqp: str, work: Path) -> Iterator[Engine]:
    """Run listener, relay, router and API as they are deployed, on a database and a vhost of their own."""
    url, mllp, api = engines.database(server, "journey"), ports.any_free(), ports.any_free()
    upgrade = (sys.executable, "-m", "alembic", "-x", f"url={url}", "upgrade", "head")
    subprocess.run(upgrade, cwd=CHECKOUT, check=True, capture_output=True)
    environment = {
        "YILIAN_HOME": str(work),
        "YILIAN_DATABASE_URL": url,
        "YILIAN_AMQP_URL": amqp,
        "YILIAN_ROUTING_KEY": "bench",
        "YILIAN_TOKEN_KEY": uuid.uuid4().hex * 2,
        "YILIAN_MLLP_PORT": str(mllp),
        "YILIAN_API_PORT": str(api),
    }
    routers = {own.name: own for own in processes(Settings()) if own.module == "bus.router"}
    parts = {"bus.relay": 0, "api": api, "adapters.mllp": mllp} | dict.fromkeys(routers, 0)
    with ExitStack() as stack:
        for name, port in parts.items():
            argv = (sys.executable, "-m", routers[name].module if name in routers else name)
            given = {**environment, **(routers[name].environment if name in routers else {})}
            stack.enter_context(engines.running(name, argv, given, port, work / f"{name}.log"))
        done = "SELECT count(*) FROM records.report WHERE number LIKE 'R' || %s || '%%'"
        probe = visible_in_fhir(mllp, f"http://{ports.LOOPBACK}:{api}", environment)
        yield Engine("yilian", mllp, url, done, "SELECT count(*) FROM bus.work WHERE state = 0", probe)


@contextmanager
def camel(server: str, amqp: str, work: Path, consumers: int) -> Iterator[Engine]:
    """Run Camel in its mode `journey`."""
    settings = {"AMQP_URL": amqp, "CONSUMERS": str(consumers)}
    with engines.camel(server, work, "journey", settings) as engine:
        done = "SELECT count(*) FROM pid_row WHERE control_id LIKE %s || '%%'"
        probe = visible_in_rows(engine.port, engine.database)
        yield Engine(f"camel-{consumers}", engine.port, engine.database, done, "SELECT 0", probe)


def send(engine: Engine, run: str, count: int, rate: float = 0.0) -> dict[str, Any]:
    """Send the messages of a run; returns what the generator says."""
    argv = [sys.executable, "-m", "bench.load", "--port", str(engine.port), "--connections", str(CONNECTIONS)]
    argv += ["--messages", str(count), "--journey", run, "--rate", str(rate)]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True)
    if not done.stdout.strip():
        raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def drained(engine: Engine, run: str, reports: int) -> bool:
    """Wait until every report of the run is recorded and nothing is left."""
    deadline = time.monotonic() + DRAIN
    while time.monotonic() < deadline:
        if engine.ask(engine.done, run) >= reports and engine.ask(engine.left) == 0:
            return True
        time.sleep(0.05)
    return False


def _sustained(engine: Engine, count: int) -> dict[str, float]:
    """Send as fast as is answered; the rate counts until all is recorded."""
    run = uuid.uuid4().hex[:5].upper()
    count, reports = journey_traffic.sizes(count)
    sent = send(engine, run, count)
    done = drained(engine, run, reports)
    seconds = time.time() - sent["began"]
    faults = sent["refused"] + sent["wrong"] + sent["missing"] + (0 if done else count)
    return {"msg_s": round(count / seconds, 1), "acknowledged_msg_s": sent["msg_s"], "faults": faults}


def _steady(engine: Engine, rate: float, seconds: float) -> dict[str, float]:
    """Send at a steady rate and look, beside it, how soon a report is visible."""
    run = uuid.uuid4().hex[:5].upper()
    count, reports = journey_traffic.sizes(int(rate * seconds))
    with engine.probe.beside(run[::-1] + "P") as looks:
        sent = send(engine, run, count, rate)
    left = engine.ask(engine.left)
    done = drained(engine, run, reports)
    told = sorted(looks) or [math.nan]
    return {
        "rate": round(rate, 1),
        "looks": len(looks),
        "visible_p50_ms": round(told[len(told) // 2] * 1e3, 1),
        "visible_p99_ms": round(told[int(len(told) * 0.99)] * 1e3, 1),
        "left_at_end": left,
        "faults": sent["refused"] + sent["wrong"] + sent["missing"] + (0 if done else count),
    }


def measure(args: argparse.Namespace) -> Result:
    """Run the engines in turns and compare their medians. Raises MissingError without Java or Maven."""
    from runtime.services import postgres, rabbitmq

    engines.built()
    with tempfile.TemporaryDirectory(prefix="yilian-bench-") as folder, ExitStack() as stack:
        work = Path(folder)
        work.chmod(0o755)  # PostgreSQL and RabbitMQ may run as other users below it
        server = stack.enter_context(postgres.ephemeral(work))
        amqp, _ = stack.enter_context(rabbitmq.ephemeral(work))
        kinds = [ours, *[_camel_of(n) for n in args.consumers]]
        loads = list(_loads(kinds, server, amqp, work, args))
        return _result(loads, args)


def _camel_of(consumers: int) -> Any:
    return lambda server, amqp, work: camel(server, amqp, work, consumers)


Load = tuple[str, str, dict[str, float]]


def _loads(
    kinds: Sequence[Any], server: str, amqp: str, work: Path, args: argparse.Namespace
) -> Iterator[Load]:
    """Start each engine by itself, so that those not measured cost nothing; warm it, load it, look."""
    rates: dict[str, list[float]] = {}
    for repeat in range(args.repeats):
        for kind in kinds if repeat % 2 == 0 else reversed(kinds):
            folder = Path(tempfile.mkdtemp(dir=work))
            with engines.emptied(server, "journey"), kind(server, amqp, folder) as engine:
                _sustained(engine, max(args.warmup if repeat == 0 else args.warmup // 2, 1))
                loaded = _sustained(engine, args.messages)
                rates.setdefault(engine.name, []).append(loaded["msg_s"])
                print(f"{repeat + 1}/{args.repeats} {engine.name}: {loaded}", file=sys.stderr)
                yield engine.name, "sustained", loaded
                if repeat == args.repeats - 1:
                    steady = _steady(engine, 0.7 * statistics.median(rates[engine.name]), args.seconds)
                    print(f"{engine.name} at 70%: {steady}", file=sys.stderr)
                    yield engine.name, "steady", steady


def _result(loads: Sequence[Load], args: argparse.Namespace) -> Result:
    rows: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(name for name, _, _ in loads):
        sustained = [told for of, kind, told in loads if (of, kind) == (name, "sustained")]
        rows[name] = {
            "msg_s": statistics.median(one["msg_s"] for one in sustained),
            "least": min(one["msg_s"] for one in sustained),
            "most": max(one["msg_s"] for one in sustained),
            "faults": sum(told["faults"] for of, _, told in loads if of == name),
            "at_70_percent": next(told for of, kind, told in loads if (of, kind) == (name, "steady")),
        }
    ours_, control = rows["yilian"]["msg_s"], rows[f"camel-{args.consumers[0]}"]["msg_s"]
    conditions = {
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "connections": CONNECTIONS,
        "repeats": args.repeats,
        "messages": args.messages,
        "warmup": args.warmup,
        "message": "of five one ADT, one order, one charge, two ORU of 20 OBX; 1.2 kB on average",
        "rows": rows,
    }
    name = f"Apache Camel 4.22, tuned, warmed, {args.consumers[0]} consumer(s)"
    return Result("journey", ours_, "msg/s", control, name, round(ours_ / control, 2), conditions)

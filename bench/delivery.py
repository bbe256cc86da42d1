"""Delivery: a backlog sent over MLLP to one destination; beside the same messages sent without a queue.

Then an outage: one destination is away while its backlog grows, and another takes everything; its time to
acknowledgement is compared with that before, and the process's memory is told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from adapters.mllp.framing import framed
from bench import engines
from bench.engines import CHECKOUT
from bench.result import Result
from runtime import ports

FILE = """
name: {name}
description: a destination of the benchmark
facility: GROUP
kind: mllp
address: 127.0.0.1:{port}
connections: {connections}
timeout_seconds: 30
breaker: {{failures: 5, open_seconds: 1, longest_seconds: 3}}
"""
LINES = 12
"""Lines of text in a message, so that it is of 1.2 kB."""
QUEUE = """
WITH m AS (
  SELECT nextval('bus.inbox_id_seq') AS id, clock_timestamp() AS received_at, control,
         convert_to(replace(%(text)s, '@', control), 'UTF8') AS body
    FROM generate_series(0, %(count)s - 1) AS n,
      format('%%s-%%s', n %% %(patients)s, %(first)s + n / %(patients)s + 1) AS control
), inbox AS (
  INSERT INTO bus.inbox
    (id, received_at, facility, sender, control_id, message_type, protocol, endpoint, charset, digest, size)
  OVERRIDING SYSTEM VALUE
  SELECT id, received_at, 'MAIN', %(destination)s, control, 'ADT^A08', 'mllp', 'bench', 'utf-8',
    decode(md5(control) || md5(control), 'hex'), length(body)
  FROM m
), body AS (
  INSERT INTO bus.body (id, received_at, body) SELECT id, received_at, body FROM m
)
INSERT INTO bus.delivery (destination, message_id, patient_key, form)
SELECT %(destination)s, id, split_part(control, '-', 1)::bigint, 'raw' FROM m ORDER BY id
"""
LEFT = "SELECT count(*) FROM bus.delivery WHERE destination = %s AND done_at IS NULL"
TIMES = (
    "SELECT percentile_disc(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY"
    " extract(epoch FROM answered_at - queued_at) * 1000) FROM bus.delivery"
    " WHERE destination = %s AND queued_at >= %s AND state = 'delivered'"
)
DRAIN = 600.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; the defaults are those of docs/benchmarks.md."""
    parser.add_argument("--messages", type=int, default=20_000, help="backlog of each load")
    parser.add_argument("--patients", type=int, default=2_000, help="whose order is kept")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8], help="the last is the figure")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds that a destination is away")


def text(control: str) -> str:
    """Return a message of 1.2 kB."""
    head = f"MSH|^~\\&|HIS|MAIN|YILIAN|GROUP|20261120083000||ADT^A08|{control}|P|2.4\rPID|1||M1^^^MAIN^MR\r"
    return head + "".join(f"NTE|{n}||{'观察记录' * 8}\r" for n in range(LINES))


@dataclass
class Bench:
    """A delivery process on a database of its own."""

    url: str
    rules: Path
    work: Path

    def ask(self, sql: str, *values: object) -> Any:
        """Return one row."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(sql.encode(), values).fetchone()
        return row[0] if row else None

    def queue(self, destination: str, count: int, patients: int, first: int = 0) -> None:
        """Queue messages: of each patient the numbers after `first`."""
        values = {"destination": destination, "count": count, "patients": patients, "first": first}
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(QUEUE.encode(), {**values, "text": text("@")})
            connection.execute("ANALYZE bus.delivery")

    def destination(self, name: str, port: int, connections: int) -> None:
        """Write its file."""
        path = self.rules / "destinations" / f"{name}.yaml"
        path.write_text(FILE.format(name=name, port=port, connections=connections))

    @contextmanager
    def running(self) -> Iterator[psutil.Process]:
        """Run the delivery process."""
        environment = {
            **os.environ,
            "YILIAN_HOME": str(self.work),
            "YILIAN_DATABASE_URL": self.url,
            "YILIAN_RULES_DIR": str(self.rules),
        }
        with (self.work / "delivery.log").open("ab") as out:
            argv = (sys.executable, "-m", "bus.delivery")
            process = subprocess.Popen(argv, cwd=CHECKOUT, env=environment, stdout=out, stderr=out)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def receiver(port: int) -> Iterator[list[Mapping[str, int]]]:
    """Run a destination; afterwards what it took is in the list."""
    argv = (sys.executable, "-m", "bench.receiver", "--port", str(port))
    process = subprocess.Popen(argv, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    told: list[Mapping[str, int]] = []
    try:
        while not ports.accepts(ports.LOOPBACK, port, 0.5):
            time.sleep(0.05)
        yield told
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
        told.append(json.loads(out))


def drained(bench: Bench, name: str, count: int) -> Load:
    """Wait until a queue is empty; counts from the first delivery on."""
    process, began, spent, first = None, 0.0, 0.0, count
    with bench.running() as delivery:
        deadline = time.monotonic() + DRAIN
        while (left := int(bench.ask(LEFT, name))) and time.monotonic() < deadline:
            if process is None and left < count:
                process, began = delivery, time.monotonic()
                spent, first = _cpu(delivery), left
            time.sleep(0.05)
        seconds, cpu = time.monotonic() - began, _cpu(delivery) - spent
        return Load(round(first / seconds, 1), round(cpu / first * 1000, 3), left)


@dataclass(frozen=True)
class Load:
    """One queue sent."""

    msg_s: float
    cpu_ms: float
    """Of the delivery process, a message."""
    left: int


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _bare(port: int, connections: int, count: int) -> float:
    """Send as many messages over as many connections, each waiting for its answer; messages a second."""
    share = count // connections

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection(ports.LOOPBACK, port)
        for place in range(share):
            writer.write(framed(text(f"c{number}-{place + 1}").encode()))
            await reader.readuntil(b"\x1c\r")
        writer.close()
        await writer.wait_closed()

    began = time.monotonic()
    await asyncio.gather(*(one(number) for number in range(connections)))
    return share * connections / (time.monotonic() - began)


def measure(args: argparse.Namespace) -> Result:
    """Send a backlog by each number of connections, then go through an outage."""
    from runtime.services import postgres

    with tempfile.TemporaryDirectory(prefix="yilian-bench-") as folder, ExitStack() as stack:
        work = Path(folder)
        work.chmod(0o755)
        server = stack.enter_context(postgres.ephemeral(work))
        rows: list[dict[str, Any]] = []
        for connections in args.connections:
            with engines.emptied(server, "delivery"):
                bench = _bench(server, work)
                rows.append(_load(bench, args, connections))
                print(rows[-1], file=sys.stderr)
        outage: dict[str, Any] = {}
        if args.outage:
            with engines.emptied(server, "delivery"):
                outage = _outage(_bench(server, work), args)
                print(outage, file=sys.stderr)
        return _result(rows, outage, args)


def _bench(server: str, work: Path) -> Bench:
    url = engines.database(server, "delivery")
    upgrade = (sys.executable, "-m", "alembic", "-x", f"url={url}", "upgrade", "head")
    subprocess.run(upgrade, cwd=CHECKOUT, check=True, capture_output=True)
    folder = Path(tempfile.mkdtemp(dir=work))
    (folder / "rules" / "destinations").mkdir(parents=True)
    return Bench(url, folder / "rules", folder)


def _load(bench: Bench, args: argparse.Namespace, connections: int) -> dict[str, Any]:
    port = ports.any_free()
    bench.destination("ward", port, connections)
    bench.queue("ward", args.messages, args.patients)
    with receiver(port) as told:
        load = drained(bench, "ward", args.messages)
    with receiver(port):
        bare = asyncio.run(_bare(port, connections, args.messages))
    return {
        "connections": connections,
        "msg_s": load.msg_s,
        "delivery_cpu_ms": load.cpu_ms,
        "bare_msg_s": round(bare, 1),
        "disordered": told[0]["disordered"],
        "lost": args.messages - told[0]["count"] + load.left,
    }


def _outage(bench: Bench, args: argparse.Namespace) -> dict[str, Any]:
    """Let one destination be away, with a backlog that grows, while the other takes 20 messages a second."""
    away, well = ports.any_free(), ports.any_free()
    bench.destination("away", away, 4)
    bench.destination("well", well, 4)
    with receiver(well) as took, bench.running() as process:
        warm = _steady(bench, process, 0.1, 0, grow=None)["sent"]
        before = _steady(bench, process, 15.0, warm, grow=None)
        sent = warm + before["sent"]
        middle = _steady(bench, process, args.outage, sent, grow=(args.messages, args.patients))
        with receiver(away) as recovered:
            began, deadline = time.monotonic(), time.monotonic() + DRAIN
            while bench.ask(LEFT, "away") and time.monotonic() < deadline:
                time.sleep(0.1)
            seconds, rss = time.monotonic() - began, process.memory_info().rss
    return {
        "before": before,
        "during": middle,
        "rss_mib_after": round(rss / 2**20, 1),
        "recovered_msg_s": round(recovered[0]["count"] / seconds, 1),
        "disordered": recovered[0]["disordered"] + took[0]["disordered"],
        "lost": args.messages - recovered[0]["count"] + sent + middle["sent"] - took[0]["count"],
    }


def _steady(
    bench: Bench, process: psutil.Process, seconds: float, sent: int, *, grow: tuple[int, int] | None
) -> dict[str, Any]:
    began_at, ends = bench.ask("SELECT clock_timestamp()"), time.monotonic() + seconds
    rss, count = [], 0
    if grow is not None:
        bench.queue("away", *grow)
    while time.monotonic() < ends:
        bench.queue("well", 10, 10, (sent + count) // 10)
        count += 10
        rss.append(process.memory_info().rss / 2**20)
        time.sleep(0.5)
    while bench.ask(LEFT, "well"):
        time.sleep(0.05)
    times = bench.ask(TIMES, "well", began_at)
    return {
        "sent": count,
        "to_ack_p50_ms": round(float(times[0]), 1),
        "to_ack_p99_ms": round(float(times[1]), 1),
        "rss_mib": [round(min(rss), 1), round(statistics.median(rss), 1), round(max(rss), 1)],
    }


def _result(rows: Sequence[dict[str, Any]], outage: dict[str, Any], args: argparse.Namespace) -> Result:
    last = rows[-1]
    conditions = {
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "messages": args.messages,
        "patients": args.patients,
        "message": f"ADT^A08 of {len(text('1-1').encode())} bytes",
        "rows": rows,
        "outage_seconds": args.outage,
        "outage": outage,
    }
    name = f"the same messages over {last['connections']} connection(s) without a queue"
    ratio = round(last["msg_s"] / last["bare_msg_s"], 3)
    return Result("delivery", last["msg_s"], "msg/s", last["bare_msg_s"], name, ratio, conditions)

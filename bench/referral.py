"""Referrals: starts and approvals a second with many open, beside a bare workflow on the same server.

Ours is the worker as deployed, with PostgreSQL and encrypted payloads; an approval is a draft written, its
workflow started by the first of three updates (submit, take, accept), each committed with event, notices and
audit. The control is one update-with-start of a workflow that does nothing and ends, without database or
encryption.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from temporalio.client import Client

from activities.client import connect
from bench import bare, referral_load, referral_stack
from bench.referral_load import Load
from bench.referral_stack import Stack
from bench.result import Result
from consortium.referral.model import OPEN

_WAITING = sa.text("SELECT count(*) FROM bus.outbox WHERE destination = 'workflow' AND delivered_at IS NULL")
_OPEN = sa.text("SELECT count(*) FROM referral.referral WHERE state = ANY(:open)")
_ACCEPTED = sa.text("SELECT count(*) FROM referral.event WHERE step = 'accept' AND username = 'bench'")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; the defaults are those of docs/benchmarks.md."""
    parser.add_argument("--open", type=int, default=500, help="referrals that are open meanwhile")
    parser.add_argument("--approvals", type=int, default=100, help="of one load; as many bare workflows")
    parser.add_argument("--rounds", type=int, default=3, help="loads of each, in turns; medians are told")
    parser.add_argument("--at-a-time", type=int, default=8, help="approvals under way at a time")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long workflows are started at most")
    parser.add_argument("--store", type=Path, help="folder that stays; what was begun there is gone on with")


def measure(args: argparse.Namespace) -> Result:
    """Open referrals, then approve others beside them, in turns with the control."""
    with tempfile.TemporaryDirectory(prefix="yilian-bench-") as folder:
        work = Path(folder)
        work.chmod(0o755)  # PostgreSQL runs as another user below it
        with referral_stack.running(args.store or work / "store", work) as stack:
            url = sa.make_url(stack.settings.database_url).set(drivername="postgresql+psycopg")
            engine = sa.create_engine(url, pool_size=args.at_a_time, hide_parameters=True)
            try:
                return asyncio.run(_measured(stack, engine, args))
            finally:
                engine.dispose()


async def _measured(stack: Stack, engine: sa.Engine, args: argparse.Namespace) -> Result:
    ours, plain = await connect(stack.settings), await Client.connect(stack.settings.temporal_address)
    patient = await asyncio.to_thread(referral_load.patient, engine)
    opened = await _opened(stack, engine, patient, args)
    _say(opened)

    async def approval(load: Load) -> None:
        await referral_load.approve(engine, ours, patient, load)

    async def control(load: Load) -> None:
        began = time.perf_counter()
        await bare.start_and_update(plain)
        load.updates.append(time.perf_counter() - began)

    for one in (approval, control):  # caches, pools and pollers are warm then
        await referral_load.run(one, args.at_a_time, args.at_a_time)
    before = _count(engine, _ACCEPTED)
    rounds: list[tuple[Load, Load]] = []
    used: list[dict[str, dict[str, float]]] = []
    for number in range(args.rounds):
        began = stack.use()
        first = await referral_load.run(approval, args.approvals, args.at_a_time)
        middle = stack.use()
        second = await referral_load.run(control, args.approvals, args.at_a_time)
        rounds.append((first, second))
        used.append({"ours": middle.since(began, first.done), "bare": stack.use().since(middle, second.done)})
        _say({"round": number + 1, "approvals_s": rate(first), "bare_s": rate(second)})
    lost = args.rounds * args.approvals - (_count(engine, _ACCEPTED) - before)
    return result(rounds, opened | {"open_after": _open(engine)}, used, lost, args)


async def _opened(stack: Stack, engine: sa.Engine, patient: int, args: argparse.Namespace) -> dict[str, Any]:
    """Begin what is missing, and wait until the dispatcher has started every workflow, or time is over."""
    known = _open(engine)
    missing, before, began = max(0, args.open - known), stack.use(), time.perf_counter()
    await asyncio.to_thread(referral_load.fill, engine, patient, missing)
    written, ends = time.perf_counter() - began, began + args.minutes * 60
    waiting = _count(engine, _WAITING)
    while waiting and time.perf_counter() < ends:  # another process works it off
        await asyncio.sleep(0.1)
        waiting = _count(engine, _WAITING)
    seconds, started = time.perf_counter() - began, max(0, missing - waiting)
    return {
        "open_before": known,
        "started": started,
        "not_started": waiting,
        "drafts_s": round(missing / written, 1) if missing else None,
        "starts_s": round(started / seconds, 1) if missing else None,
        "start_uses": stack.use().since(before, started) if missing else None,
    }


def rate(load: Load) -> float:
    """Return how many a second."""
    return round(load.done / load.seconds, 2)


def milliseconds(loads: Sequence[Load]) -> dict[str, float]:
    """Return what an update took."""
    taken = sorted(one for load in loads for one in load.updates)
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {name: round(taken[min(len(taken) - 1, int(len(taken) * q))] * 1000, 1) for name, q in at.items()}


def result(
    rounds: Sequence[tuple[Load, Load]],
    opened: dict[str, Any],
    used: Sequence[dict[str, dict[str, float]]],
    lost: int,
    args: argparse.Namespace,
) -> Result:
    """Put it together: medians of the rounds."""
    ours, control = [first for first, _ in rounds], [second for _, second in rounds]
    figure, other = (statistics.median(map(rate, loads)) for loads in (ours, control))
    median = {
        whose: {
            name: round(statistics.median(one[whose][name] for one in used), 2) for name in used[0][whose]
        }
        for whose in ("ours", "bare")
    }
    conditions = {
        **referral_stack.machine(),
        "python": platform.python_version(),
        "open": args.open,
        "approvals": args.approvals,
        "at_a_time": args.at_a_time,
        "rounds": [{"approvals_s": rate(first), "bare_s": rate(second)} for first, second in rounds],
        "update_ms": milliseconds(ours),
        "bare_update_ms": milliseconds(control),
        "updates_s": round(figure * len(referral_load.APPROVAL), 1),
        "filling": opened,
        "uses_per_referral": median["ours"],
        "uses_per_bare_workflow": median["bare"],
        "repeated": sum(load.repeated for load in ours),
        "faults": lost,
    }
    return Result(
        "referral", round(figure, 2), "approvals/s", round(other, 2),
        "bare workflow with one update, no database", round(figure / other, 3), conditions,
    )  # fmt: skip


def _open(engine: sa.Engine) -> int:
    return _count(engine, _OPEN.bindparams(open=[state.value for state in OPEN]))


def _count(engine: sa.Engine, question: sa.TextClause) -> int:
    with engine.connect() as connection:
        return int(connection.execute(question).scalar_one())


def _say(told: dict[str, Any]) -> None:
    print(told, file=sys.stderr, flush=True)

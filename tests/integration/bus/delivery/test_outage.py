"""A destination is away for a while, its backlog grows, and the process that delivers to both stays as it is.

`YILIAN_TEST_BACKLOG` makes it longer: 20000 is an hour's worth of a campus. The times are compressed.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from tests.integration.bus.clinic import rows
from tests.integration.bus.delivery.process import SECRET, delivery, destinations
from tests.integration.bus.delivery.queue import enqueue, messages, until
from tests.integration.bus.delivery.receivers import MllpReceiver
from tests.integration.bus.delivery.rulebook import WARD

BACKLOG = int(os.environ.get("YILIAN_TEST_BACKLOG", "600"))
PATIENTS = 50
SHORT = "connections: 4\nbreaker: {failures: 3, open_seconds: 0.2, longest_seconds: 0.5}\n"
GROWTH = 24 * 2**20
"""Bytes that the process may grow while it works off the backlog: messages that are read ahead, and noise."""


def left(url: str, destination: str) -> int:
    query = "SELECT count(*) FROM bus.delivery WHERE destination = %s AND done_at IS NULL"
    [(count,)] = rows(url, query, destination)
    return int(count)


def breaker(url: str) -> object:
    found = rows(url, "SELECT detail -> 'ward' ->> 'breaker' FROM bus.heartbeat WHERE name = 'delivery'")
    return found[0][0] if found else None


def slowest(url: str, since: int) -> float:
    """Return the longest time from queued to answered of the other destination's, in seconds."""
    query = (
        "SELECT coalesce(max(extract(epoch FROM answered_at - queued_at)), 0)::float8 FROM bus.delivery"
        " WHERE destination = 'lab' AND id > %s"
    )
    [(seconds,)] = rows(url, query, since)
    return float(seconds)


async def test_while_one_is_away_the_other_gets_all_in_time_and_afterwards_order_is_kept(
    database_url: str, tmp_path: Path
) -> None:
    async with MllpReceiver() as ward, MllpReceiver() as lab:
        await ward.down()
        files = {
            "ward": WARD.format(port=ward.port) + SHORT,
            "lab": WARD.format(port=lab.port).replace("name: ward", "name: lab") + SHORT,
        }
        async with delivery(database_url, destinations(tmp_path, **files), tmp_path, **SECRET) as process:
            memory = psutil.Process(process.pid)
            start = 1
            first = enqueue(database_url, "lab", *messages(40, patients=20, start=start))
            await until(lambda: left(database_url, "lab") == 0, 60)
            alone = slowest(database_url, 0)
            before = memory.memory_info().rss
            enqueue(database_url, "ward", *messages(BACKLOG, PATIENTS, start=1000))
            await until(lambda: breaker(database_url) in ("open", "half_open"), 30)
            for _ in range(3):
                start += 2
                enqueue(database_url, "lab", *messages(40, patients=20, start=start))
                await until(lambda: left(database_url, "lab") == 0, 30)
            assert slowest(database_url, first[-1]) < max(5.0, 3 * alone)
            assert left(database_url, "ward") == BACKLOG
            away = memory.memory_info().rss
            await ward.up()
            await until(lambda: left(database_url, "ward") == 0, 120 + BACKLOG / 50)
            await until(lambda: breaker(database_url) == "closed", 30)
            after = memory.memory_info().rss
    assert len(ward.got) == BACKLOG
    assert len(lab.got) == 160
    for patient in range(1, PATIENTS + 1):
        mine = [int(one.partition("-")[2]) for one in ward.got if one.startswith(f"P{patient}-")]
        assert mine == list(range(1000, 1000 + BACKLOG // PATIENTS))
    assert away - before < GROWTH
    assert after - before < GROWTH

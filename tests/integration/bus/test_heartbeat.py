"""Signs of life, from asyncio and from a thread, through an outage."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from datetime import datetime

import psycopg
import pytest

from bus.heartbeat import beat, beating


def latest(url: str) -> tuple[int, datetime, dict[str, int]] | None:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute("SELECT pid, at, detail FROM bus.heartbeat WHERE name = 'one'").fetchone()


async def changed(url: str, before: object) -> tuple[int, datetime, dict[str, int]]:
    async with asyncio.timeout(20):
        while (row := latest(url)) == before or row is None:  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.02)
    return row


def cut(url: str) -> None:
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'heartbeat' AND datname = %s"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(query, [connection.info.dbname])


async def test_it_beats_and_beats_again_after_its_connection_was_cut(database_url: str) -> None:
    task = asyncio.create_task(beat(database_url, "one", lambda: {"queued": 3}, interval=0.05))
    first = await changed(database_url, None)
    assert (first[0], first[2]) == (os.getpid(), {"queued": 3})
    second = await changed(database_url, first)
    cut(database_url)
    third = await changed(database_url, latest(database_url))
    assert first[1] < second[1] < third[1]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("fault", [cut, lambda _url: None])
async def test_a_synchronous_process_beats_from_a_thread(
    database_url: str, fault: Callable[[str], None]
) -> None:
    with beating(database_url, "one", interval=0.05):
        first = await changed(database_url, None)
        fault(database_url)
        await changed(database_url, first)
    assert not [t for t in threading.enumerate() if t.name == "heartbeat-one"]


async def test_a_database_that_is_away_does_not_end_the_process() -> None:
    task = asyncio.create_task(beat("postgresql://nobody@127.0.0.1:1/none", "one", interval=0.01))
    done, _ = await asyncio.wait({task}, timeout=0.3)
    assert not done
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

"""The Temporal worker of the platform, with the outbox dispatcher beside it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities import attributes
from activities.arrivals import watch_arrivals
from activities.client import connect
from activities.critical_values import CriticalValues
from activities.database import engine
from activities.dispatch import Dispatcher
from activities.referrals import Referrals
from activities.starts import TASK_QUEUE, deliveries
from bus import heartbeat
from bus.fulltext.worker import indexing
from bus.notifying.running import notifying
from bus.tending import tending
from consortium.errors import RetryableError
from consortium.referral.deadlines import PlainCalendar
from runtime.contents import opened_store
from runtime.notified import notified
from runtime.settings import Settings
from runtime.tended import tended
from workflows.critical_value.workflow import CriticalValue
from workflows.referral.workflow import Referral

log = structlog.get_logger("activities.worker")

THREADS = 8
GRACE = timedelta(seconds=6)
"""How long activities under way may take after a stop; the process ends within ten seconds."""
PROBE = 5.0
"""Seconds between probes of Temporal."""


def worker(client: Client, database: Engine, threads: ThreadPoolExecutor) -> Worker:
    """Return the worker with every workflow and activity of the platform."""
    critical_values = CriticalValues(database)
    referrals = Referrals(database, PlainCalendar())
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[CriticalValue, Referral],
        activities=[*critical_values.activities, *referrals.activities],
        activity_executor=threads,
        max_concurrent_activities=THREADS,
        graceful_shutdown_timeout=GRACE,
    )


async def ready(settings: Settings) -> Client:
    """Return a client once Temporal answers and knows our search attributes; waits as long as it takes."""
    delay = 0.5
    while True:
        try:
            client = await connect(settings)
            await attributes.register(client)
        except (RPCError, RetryableError) as error:
            log.warning("temporal_away", error=type(error).__name__, retry_in=delay)
            await asyncio.sleep(delay)
            delay = min(10.0, delay * 2)
        else:
            return client


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Work and dispatch until `stop` is set."""
    state: dict[str, Any] = {"temporal": False}
    beating = asyncio.create_task(heartbeat.beat(settings.database_url, "worker", lambda: state))
    database = engine(settings.database_url)
    try:
        with (
            tending(tended(settings)),
            indexing(settings.database_url, opened_store(settings)),
            notifying(notified(settings)),
        ):
            client = await _unless(stop, ready(settings))
            if client is not None:
                await _work(settings, client, database, state, stop)
    finally:
        beating.cancel()
        database.dispose()


async def _work(
    settings: Settings, client: Client, database: Engine, state: dict[str, Any], stop: asyncio.Event
) -> None:
    dispatcher = Dispatcher(settings.database_url, client, deliveries(settings.critical_value_minutes))
    with ThreadPoolExecutor(THREADS, thread_name_prefix="activity") as threads:
        async with worker(client, database, threads):
            log.info("worker_ready", queue=TASK_QUEUE)
            tasks = [
                asyncio.create_task(dispatcher.run()),
                asyncio.create_task(_probe(client, dispatcher, state)),
                asyncio.create_task(watch_arrivals(database)),
            ]
            stopping = asyncio.create_task(stop.wait())
            done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.gather(*(task for task in tasks if task not in done), return_exceptions=True)
            for task in done:
                task.result()  # a dispatcher that failed ends the process, and supervision starts it again


async def _probe(client: Client, dispatcher: Dispatcher, state: dict[str, Any]) -> None:
    """Keep what the heartbeat shows: whether Temporal answers, and the dispatcher's counts."""
    while True:
        try:
            answers = await client.service_client.check_health(timeout=timedelta(seconds=3))
        except RPCError:
            answers = False
        state.update(temporal=answers, delivered=dispatcher.delivered, failed=dispatcher.failed)
        await asyncio.sleep(PROBE)


async def _unless(stop: asyncio.Event, starting: Any) -> Client | None:
    """Return the result of `starting`, or None when `stop` comes first."""
    task = asyncio.ensure_future(starting)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task.done():
        result: Client = task.result()
        return result
    task.cancel()
    return None

"""The Temporal worker of the platform, with the outbox dispatcher beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.service import RPCError
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from activities import attributes, schedules
from activities.arrivals import watch_arrivals
from activities.client import connect
from activities.consultations import Consultations
from activities.critical_values import CriticalValues
from activities.database import engine
from activities.dispatch import Dispatcher
from activities.latency import BUFFER, Latencies
from activities.queues import Offer, Queue, size
from activities.referrals import Referrals
from activities.starts import deliveries
from bus import heartbeat
from bus.fulltext.worker import indexing
from bus.notifying.running import notifying
from bus.rules.versions.calendars import CurrentCalendar
from bus.tending import tending
from consortium.errors import RetryableError
from consortium.referral.telling import Telling
from runtime.contents import opened_store
from runtime.links import links
from runtime.notified import notified
from runtime.settings import Settings
from runtime.tended import tended
from runtime.worker import WorkerSettings
from workflows.critical_value.workflow import CriticalValue
from workflows.referral.workflow import Referral
from workflows.teleconsult.workflow import Consultation

log = structlog.get_logger("activities.worker")

GRACE = timedelta(seconds=6)
"""How long activities under way may take after a stop; the process ends within ten seconds."""
PROBE = 5.0
"""Seconds between probes of Temporal."""


def offer(database: Engine, settings: Settings) -> Offer:
    """Return every workflow of the platform, by its type, and every activity, by its queue."""
    calendars = CurrentCalendar(settings.rules_dir)
    referrals = Referrals(database, calendars, Telling(links(settings)))
    consultations = Consultations(database, calendars)
    steps = (*CriticalValues(database).activities, *referrals.activities, *consultations.activities)
    return Offer(
        workflows={"critical_value": CriticalValue, "referral": Referral, "consultation": Consultation},
        steps={Queue.WORKFLOWS: steps},
    )


@contextmanager
def workers(client: Client, offered: Offer, sizes: WorkerSettings) -> Iterator[list[Worker]]:
    """Give a worker for each queue that there is something to do for; not running yet."""
    with ExitStack() as stack:
        threads = {
            queue: stack.enter_context(ThreadPoolExecutor(size(queue, sizes), thread_name_prefix=queue))
            for queue in offered.queues
        }
        yield [_worker(client, offered, queue, sizes, threads[queue]) for queue in offered.queues]


def _worker(
    client: Client, offered: Offer, queue: Queue, sizes: WorkerSettings, threads: ThreadPoolExecutor
) -> Worker:
    polls = PollerBehaviorAutoscaling(minimum=1, initial=min(2, sizes.pollers), maximum=sizes.pollers)
    return Worker(
        client,
        task_queue=queue,
        workflows=[*offered.workflows.values()] if queue is Queue.WORKFLOWS else [],
        activities=[*offered.steps.get(queue, ())],
        activity_executor=threads,
        max_cached_workflows=sizes.cached_workflows,
        max_concurrent_workflow_tasks=sizes.workflow_tasks,
        max_concurrent_activities=size(queue, sizes),
        workflow_task_poller_behavior=polls,
        activity_task_poller_behavior=polls,
        graceful_shutdown_timeout=GRACE,
    )


async def ready(settings: Settings, runtime: Runtime | None = None) -> Client:
    """Return a client once Temporal answers and knows our search attributes; waits as long as it takes."""
    delay = 0.5
    while True:
        try:
            client = await connect(settings, runtime)
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
    metrics = MetricBuffer(BUFFER)
    runtime = Runtime(telemetry=TelemetryConfig(metrics=metrics))
    beating = asyncio.create_task(heartbeat.beat(settings.database_url, "worker", lambda: state))
    database = engine(settings.database_url, settings.worker.steps)
    try:
        with (
            tending(tended(settings)),
            indexing(settings.database_url, opened_store(settings)),
            notifying(notified(settings)),
        ):
            client = await _unless(stop, ready(settings, runtime))
            if client is not None:
                await _Working(settings, client, database, metrics, state).until(stop)
    finally:
        beating.cancel()
        database.dispose()


class _Working:
    """The workers, the dispatcher and what looks after them, of one process."""

    def __init__(
        self,
        settings: Settings,
        client: Client,
        database: Engine,
        metrics: MetricBuffer,
        state: dict[str, Any],
    ) -> None:
        self._settings = settings
        self._client = client
        self._database = database
        self._metrics = metrics
        self._state = state
        self._offer = offer(database, settings)
        self._dispatcher = Dispatcher(
            settings.database_url, client, deliveries(settings.critical_value_minutes)
        )

    async def until(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then let what is under way end.

        What fails for good ends the process, and supervision starts it again.
        """
        with workers(self._client, self._offer, self._settings.worker) as found:
            running = [asyncio.create_task(one.run()) for one in found]
            log.info("worker_ready", queue=" ".join(self._offer.queues))
            beside = [
                asyncio.create_task(self._dispatcher.run()),
                asyncio.create_task(self._probe()),
                asyncio.create_task(self._schedule()),
                asyncio.create_task(watch_arrivals(self._database)),
            ]
            stopping = asyncio.create_task(stop.wait())
            try:
                await self._first([stopping, *running, *beside])
            finally:
                await _ended([stopping, *beside])
                await asyncio.gather(*(one.shutdown() for one in found), return_exceptions=True)
                await asyncio.gather(*running, return_exceptions=True)

    @staticmethod
    async def _first(tasks: list[asyncio.Task[Any]]) -> None:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _probe(self) -> None:
        """Keep what the heartbeat shows: whether Temporal answers, the dispatcher's counts, queues' waits."""
        latencies = Latencies(self._offer.queues)
        while True:
            try:
                answers = await self._client.service_client.check_health(timeout=timedelta(seconds=3))
            except RPCError:
                answers = False
            latencies.take(self._metrics.retrieve_updates())
            dispatched = {"delivered": self._dispatcher.delivered, "failed": self._dispatcher.failed}
            self._state.update(temporal=answers, **dispatched, schedule_to_start=latencies.detail())
            await asyncio.sleep(PROBE)

    async def _schedule(self) -> None:
        """Make the schedules be as the settings say, once; then wait to be cancelled."""
        delay = 1.0
        while True:
            try:
                done = await schedules.apply(
                    self._client, self._settings.workflow_schedules, self._offer.workflows.keys()
                )
            except RetryableError as error:
                log.warning("schedules_wait", reason=str(error), retry_in=delay)
                await asyncio.sleep(delay)
                delay = min(60.0, delay * 2)
            else:
                self._state.update({"schedules_refused": len(done.refused)} if done.refused else {})
                await asyncio.Event().wait()


async def _ended(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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

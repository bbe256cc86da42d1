"""The agent on the front machine: doors in front, the spool between, the line behind."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import structlog

from adapters.gateway import doors
from adapters.gateway.client import Client
from adapters.gateway.codec import VERSION
from adapters.gateway.doors import Doors
from adapters.gateway.forward import Forwarder
from adapters.gateway.inbox import SpoolInbox
from adapters.gateway.pending import Pending
from adapters.gateway.polled import Polled
from adapters.gateway.settings import GatewaySettings
from adapters.gateway.spool import Level, Spool, opened
from adapters.tls import days_left

RENEW_WITHIN = 30
"""Days before our certificate's end from which the log speaks of it."""

log = structlog.get_logger("adapters.gateway")


@dataclass(frozen=True, slots=True)
class Agent:
    """A gateway that runs."""

    doors: Doors
    level: Level
    pending: Pending
    failing: asyncio.Future[None]
    """Done when a part ended by a fault of ours: the process is to end, and to be started again."""


@asynccontextmanager
async def started(settings: GatewaySettings) -> AsyncIterator[Agent]:
    """Run inside the block. At the end nothing new is taken, and what is in flight is spooled and answered.

    Raises PermanentError for a spool, certificate or port that cannot be used.
    """
    bounds, level = settings.spool.bounds, Level()
    async with AsyncExitStack() as stack:
        path = stack.enter_context(opened(settings.spool.folder, time.time()))
        pending = stack.enter_context(closing(Pending(path, bounds, level, time.time)))
        spool = stack.enter_context(closing(Spool(path, bounds, level, time.time)))
        client = await stack.enter_async_context(Client(settings))
        inbox = await stack.enter_async_context(SpoolInbox(spool))
        open_doors = Doors()
        forwarder = Forwarder(
            settings.name, client, pending, level, settings.line, open_doors.detail, version=VERSION
        )
        forwarding = asyncio.create_task(forwarder.run(), name="forwarder")
        stack.push_async_callback(_ended, forwarding)
        await stack.enter_async_context(doors.opened(settings, inbox, open_doors))
        writing = asyncio.create_task(inbox.ended(), name="inbox")
        stack.callback(writing.cancel)
        parts: list[asyncio.Future[None]] = [forwarding, writing]
        for polled in _polled(settings, path, level):
            running = stack.enter_context(polled)
            open_doors.others.append(running.detail)
            parts += [asyncio.wrap_future(one) for one in running.running]
        failing = asyncio.ensure_future(_first(parts))
        stack.callback(failing.cancel)
        yield Agent(open_doors, level, pending, failing)


def _polled(settings: GatewaySettings, path: Path, level: Level) -> Iterator[AbstractContextManager[Polled]]:
    # What a front machine does not use is not imported: SQLAlchemy and drivers, asyncssh.
    if settings.files:
        from adapters.gateway import file_door

        yield file_door.opened(settings, path, level)
    if settings.tables:
        from adapters.gateway import table_door

        yield table_door.opened(settings, path, level)


async def _first(parts: Sequence[asyncio.Future[None]]) -> None:
    done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    for part in done:
        await part


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def run(settings: GatewaySettings) -> int:
    """Run until a signal, or until a part fails by a fault of ours; return the exit status."""
    _warn(settings)
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    async with started(settings) as agent:
        log.info("started", name=settings.name, queued=agent.level.count)
        agent.failing.add_done_callback(lambda _: asked_to_stop.set())
        await asked_to_stop.wait()
        failed = agent.failing.done()
        if failed:
            log.error("part_failed", exc_info=agent.failing.exception())
    log.info("stopped", name=settings.name)
    return 1 if failed else 0


def _warn(settings: GatewaySettings) -> None:
    if settings.hub.certificate and (days := days_left(settings.hub.certificate)) < RENEW_WITHIN:
        log.warning("certificate_ends", reason=f"hub.certificate ends in {days} days: have it renewed")

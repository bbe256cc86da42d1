"""Rooms whose time is over are closed, who may not be in is sent out, attendance is counted again."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api.platform import Platform
from consortium.teleconsult.rooms import store, told
from consortium.teleconsult.rooms.errors import VideoAwayError
from consortium.teleconsult.rooms.livekit import There, VideoServer

log = structlog.get_logger("api.video")

LOOK = 5.0
"""Seconds between looks."""
RECOUNT = 6
"""Looks from one count of who is there to the next."""


@asynccontextmanager
async def closing(parts: Platform) -> AsyncIterator[None]:
    """Look again and again inside the `async with` block; nothing where there is no video."""
    if parts.video is None:
        yield
        return
    task = asyncio.create_task(_forever(parts, parts.video), name="video-closing")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _forever(parts: Platform, video: VideoServer) -> None:
    failing = False
    for turn in itertools.count():
        try:
            await look(parts, video)
            if turn % RECOUNT == 0:
                await recount(parts, video)
            failing = False
        except (SQLAlchemyError, VideoAwayError) as error:
            if not failing:
                log.warning("video_closing_interrupted", error=type(error).__name__)
            failing = True
        await asyncio.sleep(LOOK)


async def look(parts: Platform, video: VideoServer) -> None:
    """Close and send out what is due now. Raises VideoAwayError, SQLAlchemyError: look again later."""
    rooms, people = await run_in_threadpool(_due, parts)
    for consultation in rooms:
        await video.close_room(consultation)
        await run_in_threadpool(_note, parts, store.closed, consultation)
    for consultation, participant in people:
        await video.send_out(consultation, participant)
        await run_in_threadpool(_note, parts, store.gone, participant)


async def recount(parts: Platform, video: VideoServer) -> None:
    """Mend the attendance of rooms that are open. Raises VideoAwayError, SQLAlchemyError: again later."""
    for consultation in await run_in_threadpool(_open, parts):
        at = parts.now()
        there = await video.there(consultation)
        await run_in_threadpool(_recounted, parts, consultation, there, at)


def _open(parts: Platform) -> list[UUID]:
    with parts.statements.connect() as connection:
        return store.open_now(connection, parts.now())


def _recounted(parts: Platform, consultation: UUID, there: list[There], at: datetime) -> None:
    with parts.engine.begin() as connection:
        told.recount(connection, consultation, there, at)


def _due(parts: Platform) -> tuple[list[UUID], list[tuple[UUID, UUID]]]:
    with parts.statements.connect() as connection:
        return store.to_close(connection, parts.now()), store.to_send_out(connection, parts.now())


def _note(parts: Platform, done: Callable[[Connection, UUID, datetime], None], which: UUID) -> None:
    with parts.statements.connect() as connection:
        done(connection, which, parts.now())

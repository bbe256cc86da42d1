"""What is new for somebody, as server-sent events (HTML Living Standard, 9.2).

An event says which notifications wait to be read, whenever those are others; what they say is read from the
list. So none is missed, in whatever order they were committed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from time import monotonic
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from api.caller import Caller, gate
from consortium.access.model import Action, Resource
from consortium.notifications import inbox
from consortium.notifications.inbox import Reader

router = APIRouter(prefix="/notifications", tags=["notifications"])
Reading = Annotated[Caller, Depends(gate(Action.NOTIFICATION_READ))]
LOOK = 2.0
"""Seconds between looks."""
LASTS = 600.0
"""Seconds that a stream lasts; a token lives longer, and whoever reads comes again."""
AGAIN = 2000
"""Milliseconds after which a client comes again."""
MOST = 200
"""Numbers in one event."""


@router.get(
    "/stream",
    summary="Be told of new notifications",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {"example": 'event: unread\ndata: {"unread": [43, 42]}\n\n'}},
            "description": "an event whenever other notifications wait to be read, the newest first",
        }
    },
)
async def stream(caller: Reading) -> StreamingResponse:
    """Send the numbers of those that wait to be read, at once and whenever they change."""
    user = caller.user
    await run_in_threadpool(caller.allow, Resource(user.organisation, user.person_id))
    reader = Reader(user.username, user.person_id)
    return changes("unread", lambda: {"unread": _unread(caller, reader)})


def changes(event: str, look: Callable[[], Mapping[str, Any]]) -> StreamingResponse:
    """Answer by an event at once, and another whenever what `look` finds, in a thread, is other."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(event, look), media_type="text/event-stream", headers=headers)


async def _events(event: str, look: Callable[[], Mapping[str, Any]]) -> AsyncIterator[str]:
    known: Mapping[str, Any] | None = None
    ends = monotonic() + LASTS
    yield f"retry: {AGAIN}\n\n"
    while monotonic() < ends:
        found = await run_in_threadpool(look)
        if found != known:
            known = found
            yield f"event: {event}\ndata: {json.dumps(found)}\n\n"
        else:
            yield ":\n\n"  # a comment, so that who has gone is found out
        await asyncio.sleep(LOOK)


def _unread(caller: Caller, reader: Reader) -> list[int]:
    with caller.parts.statements.connect() as connection:
        return inbox.unread_ids(connection, reader, MOST)

"""What the video server tells: signed by it, recorded once, handed to the consultation's workflow."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Header, Request
from starlette.concurrency import run_in_threadpool

from api.failures import Failure, FailureError
from api.platform import Platform, platform
from api.v1.video_door import server
from bus.consultations import tell_video
from consortium.errors import SecurityError
from consortium.teleconsult.rooms import told
from consortium.teleconsult.rooms.errors import VideoAwayError
from consortium.teleconsult.rooms.livekit import Event
from consortium.teleconsult.rooms.told import Recorded

log = structlog.get_logger("api.video")
router = APIRouter(prefix="/video", include_in_schema=False)


@router.post("/webhook")
async def webhook(
    request: Request,
    parts: Annotated[Platform, Depends(platform)],
    authorization: Annotated[str, Header()] = "",
) -> dict[str, str]:
    """Take an event, once; the video server sends it again until it is answered."""
    video = server(parts)
    body = await request.body()
    try:
        event = video.event(body, authorization)
    except SecurityError as error:
        log.warning("webhook_refused", reason=str(error))
        raise FailureError(Failure(401, "not-signed", str(error))) from error
    recorded = await run_in_threadpool(_record, parts, event)
    if recorded and recorded.consultation and recorded.intruder:
        try:
            await video.send_out(recorded.consultation, recorded.intruder)
        except VideoAwayError:  # `video_closing` sees to it, from the attendance
            log.warning("video_away", consultation=str(recorded.consultation))
    return {"outcome": "recorded" if recorded else "duplicate"}


def _record(parts: Platform, event: Event) -> Recorded | None:
    """Record the event and hand it on, in one transaction."""
    with parts.engine.begin() as connection:
        recorded = told.record(connection, event, parts.now())
        if recorded and recorded.consultation and recorded.report:
            tell_video(connection, event.id, event.kind, recorded.consultation, event.participant, event.at)
    return recorded

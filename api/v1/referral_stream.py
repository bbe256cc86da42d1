"""What waits for one's role among referrals, as server-sent events; what it is, the worklist says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from api.caller import Caller
from api.v1.notification_stream import changes
from api.v1.referrals import Reader, parties_of
from consortium.referral import listing
from consortium.referral.model import Party

router = APIRouter(prefix="/referrals", tags=["referrals"])
EXAMPLE = 'event: worklists\ndata: {"worklists": [{"state": "submitted", "count": 3, "escalated": 1}]}\n\n'


@router.get(
    "/worklists/stream",
    summary="Be told when one's worklists change",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {"example": EXAMPLE}},
            "description": "an event at once, and whenever other referrals wait for one's role",
        }
    },
)
async def stream(caller: Reader) -> StreamingResponse:
    """Send how many wait by state, and how many of them are late. No patient."""
    parties = await run_in_threadpool(parties_of, caller)
    return changes("worklists", lambda: _counted(caller, parties))


def _counted(caller: Caller, parties: Sequence[Party]) -> Mapping[str, Any]:
    with caller.parts.statements.connect() as connection:
        counts = listing.counts(connection, caller.user.organisation, parties)
    return {
        "worklists": [
            {"state": state, "count": count, "escalated": late}
            for state, (count, late) in sorted(counts.items())
        ]
    }

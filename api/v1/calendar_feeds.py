"""iCalendar feeds: bookings in one's own calendar program, by a signed personal address."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response
from sqlalchemy import Connection

from api.failures import Failure, FailureError, not_found
from api.platform import Platform, platform
from api.v1 import calendar_shapes as shapes
from api.v1.calendars import Reader, writing
from consortium.access import accounts, policy
from consortium.access.model import USUAL_PURPOSE, Action, Resource
from consortium.scheduling import feeds, ical, resources
from consortium.scheduling.errors import UnknownError
from consortium.scheduling.model import Resource as Calendar

router = APIRouter(prefix="/calendars/feeds", tags=["calendars"])
BACK, AHEAD = timedelta(days=30), timedelta(days=180)
"""What a feed covers."""
NONE = "you have no calendar of your own; a coordinator registers one with your account"


@router.post("", summary="Have the address of a calendar for one's calendar program")
def issue(caller: Reader, body: shapes.NewFeed) -> shapes.Feed:
    """Give the address of a calendar, or of one's own. The same again is the same address, until revoked."""
    with writing(caller) as connection:
        calendar = _calendar(connection, caller.user.username, body.calendar)
        if calendar is None:
            raise FailureError(Failure(404, "not-found", NONE))
        decision = caller.allow(Resource(organisation=calendar.organisation))
        feed = feeds.issue(connection, caller.user.username, body.calendar)
        caller.note_in(connection, decision.reason, [], f"calendar feed {feed.id}")
    token = feeds.token(feed, caller.parts.settings.token_key)
    return shapes.Feed(id=feed.id, path=f"/api/v1{router.prefix}/{token}.ics")


@router.delete("/{id}", status_code=204, summary="Revoke an address")
def revoke(caller: Reader, id: UUID) -> None:  # noqa: A002 - the path's name of it
    """Make an address of one's own worthless."""
    with writing(caller) as connection:
        if not feeds.revoke(connection, id, caller.user.username):
            raise not_found("calendar feed of yours")
        caller.note_in(connection, "address revoked by its owner", [], f"calendar feed {id}")


@router.get(
    "/{name}.ics",
    summary="Read a feed by its address",
    response_class=Response,
    responses={200: {"content": {"text/calendar": {}}, "description": "RFC 5545; names no patient"}},
)
def read(
    parts: Annotated[Platform, Depends(platform)],
    name: Annotated[str, Path(max_length=200, pattern=r"^[0-9a-f]{32}\.[A-Za-z0-9_-]{43}$")],
) -> Response:
    """Return the bookings of 30 days back and 180 ahead. The address is the credential; it gives no more than
    its owner may see now.
    """
    now = parts.now()
    with parts.statements.connect() as connection:
        calendar = _allowed(connection, name, parts.settings.token_key)
        found = feeds.entries(connection, calendar, now - BACK, now + AHEAD)
    headers = {"Content-Disposition": 'inline; filename="yilian.ics"'}
    return Response(ical.feed(calendar, found), media_type="text/calendar; charset=utf-8", headers=headers)


def _allowed(connection: Connection, token: str, key: str) -> Calendar:
    """Return whose calendar an address gives. Raises FailureError (404): it tells nobody what is wrong."""
    feed = feeds.opened(connection, token, key)
    account = accounts.find(connection, feed.username) if feed else None
    if feed is not None and account is not None and not account.disabled:
        user = account.user
        calendar = _calendar(connection, user.username, feed.resource)
        if calendar is not None:
            owner = Resource(organisation=calendar.organisation)
            if policy.decide(user, Action.CALENDAR_READ, owner, USUAL_PURPOSE[user.role]).allow:
                return calendar
    raise not_found("calendar feed")


def _calendar(connection: Connection, username: str, id_: UUID | None) -> Calendar | None:
    if id_ is None:
        return resources.of_user(connection, username)
    try:
        return resources.get(connection, id_)
    except UnknownError:
        raise not_found("calendar") from None

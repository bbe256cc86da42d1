"""Notifications: mine, how I want to be told, and for ops what did not reach people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, time
from typing import Annotated, Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.caller import Caller, gate
from api.failures import Failure, FailureError, not_found
from bus.delivery.decide import State
from bus.notifying import control
from bus.notifying.current import StoredNames
from consortium.access.model import GROUP, Action, Resource
from consortium.notifications import contacts, inbox
from consortium.notifications.contacts import Preferences
from consortium.notifications.inbox import Entry, Reader
from consortium.notifications.model import Channel, Party
from consortium.notifications.rendering import RenderError, Rendering

router = APIRouter(prefix="/notifications", tags=["notifications"])
Reading = Annotated[Caller, Depends(gate(Action.NOTIFICATION_READ))]
Watching = Annotated[Caller, Depends(gate(Action.DISPATCH_READ))]
Deciding = Annotated[Caller, Depends(gate(Action.DISPATCH_DECIDE))]
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
Language = Literal["zh", "en"]
Outward = Literal["sms", "wechat", "email"]


class Notification(BaseModel):
    """One notification to the caller; what it is about is read where its subject is."""

    id: int = Field(examples=[42])
    title: str | None = Field(examples=["收到转诊申请 R-2026-0007"], description="null: it has no template")
    text: str | None
    workflow_id: str = Field(examples=["referral-0c5e0000-0000-4000-8000-000000000001"])
    subject: str = Field(examples=["referral"])
    subject_id: UUID
    facility: str = Field(examples=["HP"])
    duty: str = Field(examples=["referral_coordinator"], description="staff and patient: to the caller alone")
    level: int = Field(description="escalation level")
    created_at: datetime
    expires_at: datetime | None
    read_at: datetime | None
    read_by: str | None = Field(description="of a duty, whoever of those who have it read it first")


class Notifications(BaseModel):
    """A page, newest first."""

    items: list[Notification]
    unread: int = Field(description="of all, not of this page")
    next: int | None = Field(description="give it as `before` for the next page; null at the end")


class Wanted(BaseModel):
    """How somebody wants to be told. In the application they always are."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"language": "zh", "channels": ["sms"], "quiet_from": "22:00", "quiet_until": "07:00"}
            ]
        },
    )

    language: Language = "zh"
    channels: list[Outward] | None = Field(default=None, description="null: every one")
    quiet_from: time | None = Field(default=None, description="local time; null: as the consortium's policy")
    quiet_until: time | None = None


class Dispatch(BaseModel):
    """One notification on its way to one person by one channel: no address, no text."""

    id: int
    channel: Outward
    party: str = Field(examples=["staff:coordinator.huangpu"])
    state: State
    code: str | None = Field(examples=["unanswered"])
    reason: str | None
    attempts: int
    reference: str | None = Field(description="the provider's own number")
    created_at: datetime
    not_before: datetime | None
    expires_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    done_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    decided_why: str | None
    notification_id: int
    workflow_id: str
    step: str
    subject: str
    facility: str
    template: str


class Dispatches(BaseModel):
    """A page, newest first."""

    items: list[Dispatch]
    next: int | None = Field(description="give it as `before` for the next page; null at the end")


class Why(BaseModel):
    """Why it is decided so; no patient data."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"why": "已电话通知本人"}]})

    why: str = Field(min_length=1, max_length=500)


def _reader(caller: Caller) -> Reader:
    return Reader(caller.user.username, caller.user.person_id)


def _party(caller: Caller) -> Party:
    person = caller.user.person_id
    return Party.staff(caller.user.username) if person is None else Party.person(person)


def _own(caller: Caller) -> str:
    """Ask whether they may have what is for them. Raises ForbiddenError."""
    user = caller.user
    return caller.allow(Resource(user.organisation, user.person_id)).reason


@router.get("", summary="List my notifications")
def list_notifications(
    caller: Reading,
    unread: Annotated[bool, Query(description="those alone that nobody has read")] = False,
    language: Annotated[Language | None, Query(description="without it as the caller prefers")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int, Query(ge=1, description="those older than this number")] = inbox.NEWEST,
) -> Notifications:
    """Return what is for the caller's account, for a duty that they have, or for them as a patient."""
    reason, reader = _own(caller), _reader(caller)
    with caller.parts.statements.connect() as connection:
        found = inbox.page(connection, reader, unread=unread, limit=limit, before=before)
        waiting = inbox.unread(connection, reader)
        chosen = language or contacts.preferences(connection, _party(caller)).language
        items = _said(caller, connection, found, chosen)
    if caller.user.person_id is not None and found:
        caller.note(reason, [caller.user.person_id])
    return Notifications(items=items, unread=waiting, next=found[-1].id if len(found) == limit else None)


def _said(caller: Caller, connection: sa.Connection, found: list[Entry], language: str) -> list[Notification]:
    """Put each into words as its template has them now."""
    book = caller.parts.notifications.get(connection)
    names = StoredNames(connection, lambda: caller.parts.settings.campuses)
    rendering = Rendering(book, language, names)
    return [_shown(one, rendering) for one in found]


def _shown(one: Entry, rendering: Rendering) -> Notification:
    parts: dict[str, str] = {}
    template = rendering.book.templates.get(one.template or "")
    if template is not None:
        try:
            parts = rendering.parts(template, Channel.IN_APP, one.variables)
        except RenderError:
            parts = {"title": template.description}  # its subject says the rest
    told = {name: getattr(one, name) for name in Notification.model_fields if name not in ("title", "text")}
    return Notification(title=parts.get("title"), text=parts.get("text"), **told)


@router.post("/{id}/read", summary="Mark a notification as read")
def mark_read(
    caller: Reading,
    id: Id,  # noqa: A002 - the path's name of it
) -> Notification:
    """Note who has read it first; the same again changes nothing."""
    _own(caller)
    with caller.parts.engine.begin() as connection:
        if not inbox.mark_read(connection, _reader(caller), id):
            raise not_found("notification")
        [found] = inbox.page(connection, _reader(caller), limit=1, before=id + 1, after=id - 1)
        language = contacts.preferences(connection, _party(caller)).language
        [shown] = _said(caller, connection, [found], language)
    return shown


@router.get("/preferences", summary="How I want to be told")
def show_preferences(caller: Reading) -> Wanted:
    """Return language, channels, quiet hours."""
    _own(caller)
    with caller.parts.statements.connect() as connection:
        return _wanted(contacts.preferences(connection, _party(caller)))


@router.put("/preferences", summary="Say how I want to be told")
def set_preferences(caller: Reading, body: Wanted) -> Wanted:
    """Replace them. What is urgent is sent in quiet hours, too."""
    reason = _own(caller)
    chosen = Preferences(body.language, body.channels, _quiet(body))
    persons = [caller.user.person_id] if caller.user.person_id else []
    with caller.parts.engine.begin() as connection:
        contacts.prefer(connection, _party(caller), chosen, caller.user.username)
        caller.note_in(connection, reason, persons, "notification preferences")
    return _wanted(chosen)


def _quiet(body: Wanted) -> tuple[time, time] | None:
    begins, ends = body.quiet_from, body.quiet_until
    if begins is not None and ends is not None:
        return begins, ends
    if begins is not ends:
        raise FailureError(Failure(422, "quiet-hours", "give both quiet_from and quiet_until, or neither"))
    return None


def _wanted(chosen: Preferences) -> Wanted:
    begins, ends = chosen.quiet or (None, None)
    return Wanted.model_validate(
        {
            "language": chosen.language,
            "channels": chosen.channels,
            "quiet_from": begins,
            "quiet_until": ends,
        }
    )


@router.get("/dispatches", summary="What became of notifications")
def list_dispatches(
    caller: Watching,
    facility: Annotated[
        str | None, Query(max_length=20, description="campus code; without it one's own, or all")
    ] = None,
    state: Annotated[list[State] | None, Query(description="without it those that wait for a person")] = None,
    channel: Annotated[Outward | None, Query()] = None,
    workflow_id: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[int, Query(ge=1)] = control.NEWEST,
) -> Dispatches:
    """Return the newest first: by channel and recipient, with states, times and reasons."""
    where = _reach(caller, facility)
    states = tuple(state) if state else (State.AMBIGUOUS, State.PARKED)
    with caller.parts.statements.connect() as connection:
        found = control.dispatches(
            connection,
            facility=where,
            channel=channel,
            workflow_id=workflow_id,
            states=states,
            limit=limit,
            before=before,
        )
    persons = sorted({one.person_id for one in found if one.person_id is not None})
    if persons:
        caller.note("dispatches of notifications shown", persons)
    items = [Dispatch(**asdict(one)) for one in found]
    return Dispatches(items=items, next=items[-1].id if len(items) == limit else None)


def _reach(caller: Caller, facility: str | None) -> str | None:
    """Return whose may be seen: a campus's, or (None) all. Raises ForbiddenError."""
    wanted = facility or caller.user.organisation
    caller.allow(Resource(wanted))
    return None if wanted == GROUP else wanted


@router.post(
    "/dispatches/{id}/resend",
    summary="Send one again",
    responses={409: {"description": "it waits for nobody"}},
)
def resend(
    caller: Deciding,
    id: Id,  # noqa: A002 - the path's name of it
    body: Why,
) -> Dispatch:
    """Queue a parked or ambiguous one again; an ambiguous one may reach its recipient a second time."""
    return _decided(caller, id, body.why, control.resend, "resent")


@router.post(
    "/dispatches/{id}/discard",
    summary="Give one up",
    responses={409: {"description": "it waits for nobody"}},
)
def discard(
    caller: Deciding,
    id: Id,  # noqa: A002 - the path's name of it
    body: Why,
) -> Dispatch:
    """Give a parked or ambiguous one up: told otherwise, arrived, or of no use any more."""
    return _decided(caller, id, body.why, control.discard, "discarded")


Decide = Callable[[sa.Connection, int, str, str], None]


def _decided(caller: Caller, id_: int, why: str, decide: Decide, done: str) -> Dispatch:
    with caller.parts.engine.begin() as connection:
        try:
            found = control.dispatch(connection, id_)
        except control.NoDispatchError:
            raise not_found("dispatch") from None
        caller.allow(Resource(found.facility))
        decide(connection, id_, caller.user.username, why)
        shown = control.dispatch(connection, id_)
        persons = [found.person_id] if found.person_id else []
        caller.note_in(connection, f"notification {done}", persons, f"dispatch {id_}")
    return Dispatch(**asdict(shown))

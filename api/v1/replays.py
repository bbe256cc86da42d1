"""Replaying many messages by a query, and edited ones."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from api.caller import Caller, gate
from api.failures import Failure, FailureError, not_found
from api.v1.messages import Id, Key, Replayed, Replayer, journey_of, persons_of
from bus.finding import Filters, State
from bus.held import NotHeldError
from bus.replay import edit, run
from bus.replay.ledger import Who
from consortium.access.model import GROUP, Action, Decision, Resource
from consortium.errors import ConflictError

router = APIRouter(prefix="/messages", tags=["messages"])
Editor = Annotated[Caller, Depends(gate(Action.MESSAGE_EDIT))]


class Wanted(BaseModel):
    """The filters of `GET /messages`; at least one besides the campus of a campus's own staff."""

    model_config = ConfigDict(extra="forbid")

    facility: str | None = Field(default=None, max_length=20, examples=["MAIN"])
    type: str | None = Field(default=None, max_length=100, examples=["ORU^R01"])
    control_id: str | None = Field(default=None, max_length=200)
    patient_number: str | None = Field(default=None, max_length=100)
    visit_number: str | None = Field(default=None, max_length=100)
    number: str | None = Field(default=None, max_length=200, description="of an order, report, …")
    state: State | None = None
    code: str | None = Field(default=None, max_length=100, examples=["unmapped_code"])
    rule: str | None = Field(default=None, max_length=200)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    text: str | None = Field(default=None, max_length=200)

    def filters(self, facility: str | None) -> Filters:
        """Return them as the bus has them, within a campus."""
        values = self.model_dump()
        return Filters(message_type=values.pop("type"), **values | {"facility": facility})


class Request(BaseModel):
    """Which messages, why, and whether only to say how many."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"filters": {"code": "unmapped_code"}, "dry_run": True}]},
    )

    filters: Wanted
    dry_run: bool = False
    reason: str = Field(default="", max_length=500, description="needed unless it is a dry run")

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if not self.dry_run and not self.reason.strip():
            raise ValueError("reason: say why; it is kept with the replay")
        return self


class Preview(BaseModel):
    """What it would let go."""

    total: int
    by_state: dict[str, int]
    by_code: dict[str, int] = Field(description="of the held ones")
    passed: int = Field(description="on their way, or waiting behind a held one: passed by")


class Run(BaseModel):
    """A replay of many and how far it is."""

    id: int
    at: datetime
    by: str
    reason: str
    request: dict[str, Any] = Field(description="the filters")
    state: str = Field(description="running, stopped, done or failed")
    total: int
    done: int
    skipped: int
    error: str | None


class Edited(BaseModel):
    """A corrected body, as text in the original's character set or as bytes."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500)
    text: str | None = None
    base64: str | None = None

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if (self.text is None) == (self.base64 is None):
            raise ValueError("send the body once: as text or as base64")
        return self

    def body(self, charset: str) -> bytes:
        """Return the bytes. Raises FailureError."""
        try:
            if self.base64 is not None:
                return base64.b64decode(self.base64, validate=True)
            return (self.text or "").encode(charset)
        except (binascii.Error, UnicodeEncodeError) as error:
            detail = f"the body is no base64, or has characters that {charset} lacks"
            raise FailureError(Failure(422, "bad-body", detail)) from error


def _campus(caller: Caller, asked: str | None) -> tuple[str | None, Decision]:
    """Return which campus is meant, and that the caller may; None: all of them."""
    own = caller.user.organisation
    facility = asked or (None if own == GROUP else own)
    if facility is not None:
        return facility, caller.allow(Resource(organisation=facility))
    decisions = [caller.allow(Resource(organisation=one.code)) for one in caller.parts.settings.campuses]
    return None, decisions[0]


@router.post(
    "/replay",
    summary="Let many messages go through the rules again",
    responses={202: {"description": "begun; ask /messages/replays/{id} how far it is", "model": Run}},
)
def replay_many(
    caller: Replayer, body: Request, answer: Response, idempotency_key: Key = None
) -> Preview | Run:
    """With `dry_run` say how many and which; without it begin, oldest first, in the background."""
    facility, decision = _campus(caller, body.filters.facility)
    filters = body.filters.filters(facility)
    if body.dry_run:
        with caller.parts.statements.connect() as connection:
            return Preview(**asdict(run.preview(connection, filters)))
    begun = run.start(caller.parts.engine, filters, Who(caller.user.username, body.reason, idempotency_key))
    caller.note(decision.reason, what=f"replay {begun.id}")
    answer.status_code = 202
    return _shown(begun)


def _shown(found: run.Run) -> Run:
    return Run(**{name: getattr(found, name) for name in Run.model_fields})


@router.get("/replays", summary="List replays of many, the newest first")
def list_replays(caller: Replayer, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[Run]:
    """Return those that the caller may see: a campus's own, or all."""
    with caller.parts.statements.connect() as connection:
        found = run.newest(connection, limit)
    own = caller.user.organisation
    return [_shown(one) for one in found if own in (GROUP, one.request.get("facility"))]


def _run(caller: Caller, id_: int) -> tuple[run.Run, Decision]:
    with caller.parts.statements.connect() as connection:
        found = run.show(connection, id_)
    if found is None:
        raise not_found("replay")
    return found, _campus(caller, found.request.get("facility"))[1]


@router.get("/replays/{id}", summary="How far a replay of many is")
def show_replay(caller: Replayer, id: int) -> Run:  # noqa: A002 - the path's name of it
    """Return its counts."""
    return _shown(_run(caller, id)[0])


@router.post("/replays/{id}/stop", summary="Stop a replay of many")
def stop_replay(caller: Replayer, id: int) -> Run:  # noqa: A002 - the path's name of it
    """End it after the message it is at; what is done stays done."""
    _, decision = _run(caller, id)
    with caller.parts.statements.connect() as connection:
        run.stop(connection, id)
    caller.note(decision.reason, what=f"replay {id} stopped")
    return _shown(_run(caller, id)[0])


@router.post(
    "/{id}/edit",
    summary="Send a corrected body in place of a message",
    status_code=201,
    responses={409: {"description": "it is on its way"}},
)
def edit_message(
    caller: Editor,
    id: Id,  # noqa: A002 - the path's name of it
    body: Edited,
    idempotency_key: Key = None,
) -> Replayed:
    """Make a new message of it, linked to its original, which stays as it came.

    The new one takes the original's place in inbox order; a held original is given up for it.
    """
    way = journey_of(caller, id)
    decision = caller.allow(Resource(organisation=way.entry.facility))
    if id.startswith("r"):
        raise ConflictError("a refused message was never taken; its sender has to send it again")
    parts, who = caller.parts, Who(caller.user.username, body.reason, idempotency_key)
    try:
        corrected = body.body(way.charset or "utf-8")
        made = edit.edit(parts.engine, int(id), corrected, who, parts.settings.routing_key)
    except NotHeldError as error:
        raise ConflictError(str(error)) from error
    caller.note(decision.reason, persons_of(caller, way.entry), what=f"message {id} edited as {made}")
    return Replayed(ready=[str(made)])

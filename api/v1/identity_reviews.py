"""The review queue of identity: pairs that a person decides about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from api.caller import Caller, gate
from api.failures import not_found
from api.v1.identity_shapes import Given, Sentence, Side, Step, Value, Why, sentence, side, steps
from consortium.access import policy
from consortium.access.model import GROUP, Action, Resource
from consortium.identity import review, telling
from consortium.identity.candidates import Candidate, candidates, compared
from consortium.identity.matching.judging import Reason
from consortium.identity.review import Review, Says, State
from consortium.identity.settling import settled

router = APIRouter(prefix="/reviews")
Reader = Annotated[Caller, Depends(gate(Action.IDENTITY_READ))]
Decider = Annotated[Caller, Depends(gate(Action.IDENTITY_DECIDE))]
TAKEN: dict[int | str, dict[str, Any]] = {
    409: {"description": "another claimed or decided it, or it is not in that state; the detail says which"}
}


class ReviewLine(BaseModel):
    """One pair, without what it says of anybody."""

    id: UUID
    state: State
    reason: str = Field(examples=["probable"])
    says: Sentence = Field(description="the reason for people")
    facilities: tuple[str, str] = Field(description="the campuses of both numbers", examples=[["MAIN", "HP"]])
    weight: float | None = Field(description="log2 of the match weight", examples=[9.4])
    model_version: str
    opened_at: datetime
    claimed_by: str | None
    claimed_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    decision: Says | None
    decision_id: int | None = Field(description="`/api/v1/identity/decisions/{decision_id}`")
    why: str | None = Field(description="what the decider said")
    undone_at: datetime | None
    undone_by: str | None


class ReviewPage(BaseModel):
    """A page, oldest first."""

    items: list[ReviewLine]
    next: str | None = Field(description="give it as `after` for the next page; null at the end")


class ComparedField(BaseModel):
    """One field of both candidates."""

    field: str
    left: Value
    right: Value
    agree: bool | None = Field(description="null: one of them says nothing")


class ShownReview(ReviewLine):
    """A pair, both candidates side by side."""

    left: Side
    right: Side
    compared: list[ComparedField]
    waterfall: list[Step] = Field(description="what the weight is made of, as it was when it was opened")
    together: Sentence | None = Field(description="the whole weight for people")


class DecisionOfReview(BaseModel):
    """What is decided, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"says": "same", "why": "两次就诊均出示同一护照，电话核实"}]},
    )

    says: Says
    why: Why


@router.get("", summary="List the pairs to look at")
def list_reviews(
    caller: Reader,
    state: Annotated[list[State] | None, Query(description="without it what is open or claimed")] = None,
    reason: Annotated[Reason | None, Query()] = None,
    facility: Annotated[str | None, Query(max_length=20, description="a campus of either number")] = None,
    mine: Annotated[bool, Query(description="only what the caller claimed or decided")] = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=200)] = None,
) -> ReviewPage:
    """Return the oldest first: of a campus's staff those that touch their campus."""
    own = caller.user.organisation
    wanted = facility or (None if own == GROUP else own)
    caller.allow(Resource(organisation=wanted or GROUP))
    asked = review.Wanted(
        states=tuple(state or review.STANDING),
        reason=reason,
        facility=wanted,
        by_user=caller.user.username if mine else None,
        limit=limit,
        after=after,
    )
    with caller.parts.statements.connect() as connection:
        found = review.reviews(connection, asked)
    return ReviewPage(items=[ReviewLine(**_line(one)) for one in found.items], next=found.after)


@router.get("/{id}", summary="Show a pair side by side")
def show_review(caller: Reader, id: UUID) -> ShownReview:  # noqa: A002 - the path's name of it
    """Return both candidates as they are known now, and what spoke for one person. Looking is audited."""
    with caller.parts.statements.connect() as connection:
        one = _found(caller, connection, id)
        sides = candidates(connection, [one.left_id, one.right_id])
    caller.note("review shown", _persons(sides), what=f"review {id}")
    return _shown(one, sides)


@router.post("/{id}/claim", summary="Take a pair for oneself", responses=TAKEN)
def claim(caller: Decider, id: UUID) -> ShownReview:  # noqa: A002 - the path's name of it
    """Keep others from deciding it. One's own again changes nothing."""
    return _change(caller, id, "claimed", lambda c, one: review.claim(c, one, caller.user.username))


@router.post("/{id}/release", summary="Give a pair back to the queue", responses=TAKEN)
def release(caller: Decider, id: UUID) -> ShownReview:  # noqa: A002 - the path's name of it
    """Give back what one claimed; people of the whole consortium give back anybody's."""
    user = caller.user
    return _change(
        caller,
        id,
        "released",
        lambda c, one: review.release(c, one, user.username, anybody=user.organisation == GROUP),
    )


@router.post("/{id}/decide", summary="Say whether they are one person", responses=TAKEN)
def decide(caller: Decider, id: UUID, body: DecisionOfReview) -> ShownReview:  # noqa: A002 - as above
    """Decide. The links have moved when this answers, and no automation moves them back."""
    return _change(
        caller,
        id,
        f"decided {body.says}: {body.why}",
        lambda c, one: review.decide(c, one, body.says, body.why, caller.user.username),
    )


@router.post("/{id}/undo", summary="Take the decision back", responses=TAKEN)
def undo(caller: Decider, id: UUID, body: Given) -> ShownReview:  # noqa: A002 - as above
    """Link as if it had not been decided; returns the review that is open for the pair now."""
    return _change(
        caller,
        id,
        f"undone: {body.why}",
        lambda c, one: review.undo(c, one, body.why, caller.user.username),
    )


def _change(
    caller: Caller, id_: UUID, what: str, change: Callable[[sa.Connection, Review], Review]
) -> ShownReview:
    """Do something to a review, and put it in the audit, in one transaction."""

    def work(connection: sa.Connection) -> ShownReview:
        before = _found(caller, connection, id_)
        persons = _persons(candidates(connection, [before.left_id, before.right_id]))
        one = change(connection, before)
        sides = candidates(connection, [one.left_id, one.right_id])
        concerned = sorted({*persons, *_persons(sides)})
        caller.note_in(connection, what, concerned, f"review {id_}")
        return _shown(one, sides)

    return settled(caller.parts.engine, work)


def _found(caller: Caller, connection: sa.Connection, id_: UUID) -> Review:
    """Return a review that touches the caller's campus. Raises ForbiddenError, or that there is none."""
    one = review.get(connection, id_)
    if one is None:
        raise not_found("review")
    touching(caller, one.facilities)
    return one


def touching(caller: Caller, facilities: tuple[str, ...]) -> None:
    """Let through who may do it at one of these campuses. Raises ForbiddenError."""
    for facility in facilities:
        if policy.decide(caller.user, caller.action, Resource(organisation=facility), caller.purpose).allow:
            return
    caller.allow(Resource(organisation=facilities[0]))


def _persons(sides: dict[int, Candidate]) -> list[UUID]:
    return sorted({one.linked.person_id for one in sides.values()})


def _line(one: Review) -> dict[str, Any]:
    names = ReviewLine.model_fields.keys() - {"says", "decision", "decision_id", "undone_at", "undone_by"}
    return {name: getattr(one, name) for name in names} | {
        "says": sentence(telling.reason(one.reason)),
        "decision": one.says,
        "decision_id": one.verdict_id,
        "undone_at": one.revoked_at,
        "undone_by": one.revoked_by,
    }


def _shown(one: Review, sides: dict[int, Candidate]) -> ShownReview:
    left, right = sides[one.left_id], sides[one.right_id]
    whole = telling.whole(one.weight)
    return ShownReview(
        **_line(one),
        left=side(left),
        right=side(right),
        compared=[
            ComparedField(field=each.field, left=each.left, right=each.right, agree=each.agree)
            for each in compared(left.linked.patient, right.linked.patient)
        ],
        waterfall=steps(one.evidence),
        together=sentence(whole) if whole else None,
    )

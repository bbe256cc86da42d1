"""People: who is who, by whose word, and a registrar's own decisions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from api.caller import Caller, gate
from api.failures import not_found
from api.v1.identity_relations import ShownRelation, shown
from api.v1.identity_reviews import TAKEN, touching
from api.v1.identity_shapes import (
    Given,
    LinkedNumber,
    Number,
    Sentence,
    Value,
    Why,
    find_number,
    linked_number,
    sentence,
)
from consortium.access.model import Action
from consortium.identity import reading, stewardship, telling
from consortium.identity.dossier import Dossier, dossier
from consortium.identity.review import Says
from consortium.identity.settling import settled
from consortium.identity.survivorship import Choice

router = APIRouter()
Reader = Annotated[Caller, Depends(gate(Action.IDENTITY_READ))]
Decider = Annotated[Caller, Depends(gate(Action.IDENTITY_DECIDE))]
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


class GoldenField(BaseModel):
    """One field of the golden record."""

    field: str = Field(examples=["name"])
    value: Value
    source: Number | None = Field(description="whose word it is; null: nobody says anything")
    rule: str | None = Field(examples=["most_recent"], description="of rules/identity/survivorship.yaml")
    says: Sentence | None


class LedgerLine(Number):
    """A number went from one person to another. No record moves with it."""

    model_config = ConfigDict(extra="ignore")

    id: int
    from_person: UUID | None = Field(description="null: it was registered")
    to_person: UUID
    origin: str = Field(examples=["automatic"])
    rule: str = Field(examples=["id_card"])
    rule_version: int
    weight: float | None
    model_version: str | None
    at: datetime
    message_id: int | None = Field(description="`/api/v1/messages/{message_id}`")
    by_user: str | None
    reason: str | None


class Decision(BaseModel):
    """What a person decided of two numbers."""

    id: int
    left: Number
    right: Number
    says: Says
    reason: str
    by_user: str
    at: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    revoke_reason: str | None


class Person(BaseModel):
    """Who a person is."""

    id: UUID
    active: bool = Field(description="false: every number has left this person")
    changed_at: datetime
    golden: list[GoldenField] = Field(description="computed from the numbers, never edited")
    numbers: list[LinkedNumber]
    ledger: list[LedgerLine] = Field(description="oldest first")
    decisions: list[Decision] = Field(description="oldest first, those taken back included")
    relations: list[ShownRelation] = Field(description="mother and children, by any of the numbers")
    successors: list[UUID] = Field(description="people to whom numbers went from here")


class Pair(BaseModel):
    """What is decided of two numbers."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "left": {"facility": "MAIN", "number": "M0001"},
                    "right": {"facility": "HP", "number": "H0009"},
                    "says": "different",
                    "why": "父子同名，共用一个电话",
                }
            ]
        },
    )

    left: Number
    right: Number
    says: Says
    why: Why


class Split(BaseModel):
    """Numbers that are not this person's."""

    model_config = ConfigDict(extra="forbid")

    numbers: list[Number] = Field(min_length=1, max_length=100, description="they leave together")
    why: Why


class Done(BaseModel):
    """What a decision did."""

    decisions: list[int] = Field(description="made or taken back: `/api/v1/identity/decisions/{id}`")
    persons: list[UUID] = Field(description="people to whom the numbers belong now")


@router.get("/persons/{id}", summary="Show who a person is")
def show_person(caller: Reader, id: UUID) -> Person:  # noqa: A002 - the path's name of it
    """Return the golden record with reasons, numbers, ledger and decisions. Looking is audited."""
    with caller.parts.statements.connect() as connection:
        one = dossier(connection, id)
    if one is None:
        raise not_found("person")
    touching(caller, _facilities(one))
    caller.note("person shown with numbers and ledger", [id], what=f"person {id}")
    return _shown(one)


@router.post(
    "/persons/{id}/separate",
    summary="Say that numbers are somebody else's",
    responses={400: {"description": "not this person's numbers, or nobody would stay"}},
)
def separate(caller: Decider, id: UUID, body: Split) -> Done:  # noqa: A002 - the path's name of it
    """Split a person: the numbers leave together, and no automation brings them back."""

    def work(connection: sa.Connection) -> Done:
        touching(caller, tuple(one.facility for one in body.numbers))
        found = [find_number(connection, one) for one in body.numbers]
        ids = [one.patient.id for one in found]
        made = stewardship.separate(connection, id, ids, body.why, caller.user.username)
        return _done(caller, connection, made, ids, f"separated: {body.why}", [id])

    return settled(caller.parts.engine, work)


@router.post("/decisions", summary="Say whether two numbers are one person", responses=TAKEN)
def decide(caller: Decider, body: Pair) -> Done:
    """Decide without a review. It outranks automation, and takes effect before this answers."""

    def work(connection: sa.Connection) -> Done:
        touching(caller, (body.left.facility, body.right.facility))
        pair = [find_number(connection, body.left), find_number(connection, body.right)]
        ids = [one.patient.id for one in pair]
        made = stewardship.decide(connection, (ids[0], ids[1]), body.says, body.why, caller.user.username)
        before = [one.person_id for one in pair]
        return _done(caller, connection, [made], ids, f"decided {body.says}: {body.why}", before)

    return settled(caller.parts.engine, work)


@router.get("/decisions/{id}", summary="Show a decision")
def show_decision(caller: Reader, id: Id) -> Decision:  # noqa: A002 - the path's name of it
    """Return who decided what of two numbers, and whether it was taken back."""
    with caller.parts.statements.connect() as connection:
        one = _verdict(caller, connection, id)
        persons = [each.person_id for each in reading.by_id(connection, [one.left_id, one.right_id]).values()]
    caller.note("decision shown", sorted(set(persons)), what=f"decision {id}")
    return _decision(one)


@router.post("/decisions/{id}/revoke", summary="Take a decision back", responses=TAKEN)
def revoke(caller: Decider, id: Id, body: Given) -> Done:  # noqa: A002 - the path's name of it
    """Link both numbers as if it had not been decided."""

    def work(connection: sa.Connection) -> Done:
        one = _verdict(caller, connection, id)
        ids = [one.left_id, one.right_id]
        before = [each.person_id for each in reading.by_id(connection, ids).values()]
        stewardship.revoke(connection, one, body.why, caller.user.username)
        return _done(caller, connection, [id], ids, f"taken back: {body.why}", before)

    return settled(caller.parts.engine, work)


@router.post("/ledger/{id}/undo", summary="Undo a merge or a split", responses=TAKEN)
def undo(caller: Decider, id: Id, body: Given) -> Done:  # noqa: A002 - the path's name of it
    """Undo a line of the ledger, with all numbers that went the same way: what people decided is taken back,
    what automation did is outranked by a decision.
    """

    def work(connection: sa.Connection) -> Done:
        moved = stewardship.move(connection, id)
        if moved is None:
            raise not_found("line of the ledger")
        touching(caller, (moved.facility,))
        made = stewardship.undo(connection, moved, body.why, caller.user.username)
        before = [one for one in (moved.from_person, moved.to_person) if one is not None]
        return _done(caller, connection, made, [moved.source_patient_id], f"undone: {body.why}", before)

    return settled(caller.parts.engine, work)


def _done(
    caller: Caller,
    connection: sa.Connection,
    made: Sequence[int],
    ids: Sequence[int],
    what: str,
    before: Sequence[UUID],
) -> Done:
    """Put a decision in the audit, and tell where the numbers are now."""
    now = sorted({one.person_id for one in reading.by_id(connection, ids).values()})
    told = "decision " + ", ".join(map(str, made))
    caller.note_in(connection, what, sorted({*before, *now}), told)
    return Done(decisions=list(made), persons=now)


def _verdict(caller: Caller, connection: sa.Connection, id_: int) -> stewardship.Verdict:
    one = stewardship.verdict(connection, id_)
    if one is None:
        raise not_found("decision")
    touching(caller, one.facilities)
    return one


def _facilities(one: Dossier) -> tuple[str, ...]:
    """Return the campuses that know a person, or knew them."""
    numbers = {linked.patient.facility for linked in one.numbers}
    return tuple(sorted(numbers | {moved.facility for moved in one.ledger}))


def _shown(one: Dossier) -> Person:
    numbers = {linked.patient.id: linked for linked in one.numbers}
    return Person(
        id=one.id,
        active=one.active,
        changed_at=one.changed_at,
        golden=[_golden(choice, numbers) for choice in one.golden],
        numbers=[linked_number(linked) for linked in one.numbers],
        ledger=[LedgerLine(**_columns(moved, LedgerLine)) for moved in one.ledger],
        decisions=[_decision(verdict) for verdict in one.verdicts],
        relations=[shown(relation) for relation in one.relations],
        successors=list(one.successors),
    )


def _golden(choice: Choice, numbers: dict[int, reading.Linked]) -> GoldenField:
    source = numbers[choice.source_patient_id].patient if choice.source_patient_id is not None else None
    told = telling.criterion(choice.why)
    return GoldenField(
        field=choice.field,
        value=choice.value,
        source=Number(facility=source.facility, number=source.number) if source else None,
        rule=choice.why,
        says=sentence(told) if told else None,
    )


def _decision(one: stewardship.Verdict) -> Decision:
    sides = {
        "left": Number(facility=one.left_facility, number=one.left_number),
        "right": Number(facility=one.right_facility, number=one.right_number),
    }
    columns = Decision.model_fields.keys() - sides
    return Decision(**sides, **{name: getattr(one, name) for name in columns})


def _columns(one: object, model: type[BaseModel]) -> dict[str, Any]:
    return {name: getattr(one, name) for name in model.model_fields}

"""Who is whose mother (母婴关系)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from api.caller import Caller, gate
from api.failures import not_found
from api.v1.identity_reviews import TAKEN, touching
from api.v1.identity_shapes import Given, Number, Why, find_number
from consortium.access.model import Action
from consortium.identity import relations
from consortium.identity.relations import Relation
from consortium.identity.settling import settled

router = APIRouter(prefix="/relations")
Decider = Annotated[Caller, Depends(gate(Action.IDENTITY_DECIDE))]
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


class MotherOf(BaseModel):
    """Who a child's mother is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "child": {"facility": "MAIN", "number": "M0102"},
                    "mother": {"facility": "MAIN", "number": "M0101"},
                    "why": "产科登记",
                }
            ]
        },
    )

    child: Number
    mother: Number
    why: Why


class ShownRelation(BaseModel):
    """A child and its mother."""

    id: int
    child: Number
    child_person: UUID
    mother: Number
    mother_person: UUID = Field(description="`/api/v1/identity/persons/{mother_person}`")
    reason: str
    by_user: str
    at: datetime
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None


@router.post("", summary="Say who a child's mother is", responses=TAKEN)
def say(caller: Decider, body: MotherOf) -> ShownRelation:
    """Relate a child's number to its mother's; no automation links the two from then on."""
    touching(caller, (body.child.facility, body.mother.facility))

    def work(connection: sa.Connection) -> Relation:
        child, mother = find_number(connection, body.child), find_number(connection, body.mother)
        ids = child.patient.id, mother.patient.id
        made = relations.say(connection, *ids, body.why, caller.user.username)
        persons = [made.child_person, made.mother_person]
        caller.note_in(connection, f"mother said: {body.why}", persons, f"relation {made.id}")
        return made

    return shown(settled(caller.parts.engine, work))


@router.post("/{id}/end", summary="Say that a relation was wrong", responses=TAKEN)
def end(caller: Decider, id: Id, body: Given) -> ShownRelation:  # noqa: A002 - the path's name of it
    """End it. That both are two people stays: take back that decision if it was wrong, too."""

    def work(connection: sa.Connection) -> Relation:
        one = relations.get(connection, id)
        if one is None:
            raise not_found("relation")
        touching(caller, one.facilities)
        ended = relations.end(connection, one, body.why, caller.user.username)
        persons = [one.child_person, one.mother_person]
        caller.note_in(connection, f"relation ended: {body.why}", persons, f"relation {id}")
        return ended

    return shown(settled(caller.parts.engine, work))


def shown(one: Relation) -> ShownRelation:
    """Show a relation."""
    return ShownRelation(
        child=Number(facility=one.child_facility, number=one.child_number),
        mother=Number(facility=one.mother_facility, number=one.mother_number),
        **{name: getattr(one, name) for name in ShownRelation.model_fields.keys() - {"child", "mother"}},
    )

"""Codes that no table knows, how many messages wait for each, and saying what one means."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from api.caller import Caller, gate
from bus.codes.mapping import map_code, tables_in_force
from bus.codes.worklist import worklist
from consortium.access.model import GROUP, SHARED, Action, Resource
from consortium.terminology import maps

router = APIRouter(prefix="/codes", tags=["codes"])
Reader = Annotated[Caller, Depends(gate(Action.CODE_MAP_READ))]
Mapper = Annotated[Caller, Depends(gate(Action.CODE_MAP_WRITE))]
Table = Annotated[str, Query(max_length=100, examples=["main-lab-items"])]
Facility = Annotated[str, Query(max_length=20, examples=["MAIN"])]


Relationship = Literal[
    "equivalent", "equal", "relatedto", "inexact", "wider", "narrower", "subsumes", "specializes"
]
"""Words of `bus.rules.codes.INVERSE`."""


class UnmappedCode(BaseModel):
    """One code of the worklist."""

    facility: str = Field(examples=["MAIN"])
    code_table: str = Field(examples=["main-lab-items"])
    code: str = Field(examples=["L9901"])
    seen: int = Field(description="messages that had it, since it was first seen", examples=[12])
    first_at: datetime
    last_at: datetime
    held: int = Field(description="messages that are held for it now", examples=[2])
    behind: int = Field(description="messages that wait behind those", examples=[5])
    mapped_to: str | None = Field(
        description="its target, when it was mapped since and messages still wait: map it again"
    )


class Worklist(BaseModel):
    """What is to be mapped, the codes that hold most first."""

    items: list[UnmappedCode]
    total: int = Field(description="how many there are; `items` may hold fewer")


class CodeMapping(BaseModel):
    """What a campus's code means."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "table": "main-lab-items",
                    "facility": "MAIN",
                    "code": "L9901",
                    "target": "2823-3",
                    "why": "检验科王主任确认，与 L0601 同为血清钾",
                }
            ]
        },
    )

    table: str = Field(max_length=100)
    facility: str = Field(max_length=20)
    code: str = Field(max_length=200)
    target: str = Field(max_length=200, description="the consortium's code")
    name: str | None = Field(
        default=None,
        max_length=500,
        description="its name; needed when the target is new to the table",
    )
    system: str | None = Field(default=None, max_length=500, examples=["http://loinc.org"])
    valid_from: date | None = Field(
        default=None, description="first day in force; without it since ever", examples=["2026-01-01"]
    )
    valid_to: date | None = Field(
        default=None, description="last day in force; without it until the next period of the code begins"
    )
    relationship: Relationship | None = Field(
        default=None, description="of the target to the code; without it equivalent"
    )
    owner: str | None = Field(
        default=None, min_length=1, max_length=200, description="who answers for it; without it the campus"
    )
    why: str = Field(
        min_length=1, max_length=1000, description="who decided it, by which source; no patient data"
    )


class Mapped(BaseModel):
    """What mapping a code did."""

    entry: maps.MapEntry | None = Field(description="what was added; null when the code meant that already")
    released: list[str] = Field(
        description="messages that were held for it and go on, oldest first", examples=[["4711", "4712"]]
    )


class History(BaseModel):
    """Everything a code was said to mean, oldest first; of one period the newest counts."""

    items: list[maps.MapEntry]


@router.get("/unmapped", summary="List codes that no table knows")
def unmapped(
    caller: Reader,
    facility: Facility | None = None,
    table: Table | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Worklist:
    """Return the codes of a campus, or of all, with how many messages wait for each."""
    wanted = facility or (None if caller.user.organisation == GROUP else caller.user.organisation)
    caller.allow(Resource(organisation=wanted) if wanted else SHARED)
    with caller.parts.statements.connect() as connection:
        tables = tables_in_force(connection, caller.parts.settings.rules_dir)
        found = worklist(connection, tables, facility=wanted, code_table=table)
    return Worklist(items=[UnmappedCode(**asdict(code)) for code in found[:limit]], total=len(found))


@router.post(
    "/map",
    summary="Say what a code means",
    responses={
        400: {"description": "no such table, campus or target, or days that overlap; the detail says more"},
        409: {"description": "a reviewed file says otherwise; change it there"},
    },
)
def map_one(caller: Mapper, mapping: CodeMapping) -> Mapped:
    """Add it to the table, and let go on what was held for it, in order. The same again changes nothing."""
    decision = caller.allow(Resource(organisation=mapping.facility))
    wanted = maps.Mapping(
        mapping.table,
        mapping.facility,
        mapping.code,
        mapping.target,
        mapping.name,
        mapping.system,
        valid_from=mapping.valid_from,
        valid_to=mapping.valid_to,
        relationship=mapping.relationship,
        owner=mapping.owner,
    )
    settings = caller.parts.settings
    campuses = [campus.code for campus in settings.campuses]
    done = map_code(
        caller.parts.engine, settings.rules_dir, campuses, wanted, by=caller.user.username, why=mapping.why
    )
    what = f"code {mapping.code} of {mapping.facility} in {mapping.table}"
    caller.note(f"{decision.reason}; mapped to {mapping.target}: {mapping.why}", what=what)
    return Mapped(entry=done.entry, released=[str(id_) for id_ in done.released])


@router.get("/history", summary="Show what a code was said to mean")
def history(
    caller: Reader, table: Table, facility: Facility, code: Annotated[str, Query(max_length=200)]
) -> History:
    """Return every addition, with who made it and why."""
    caller.allow(Resource(organisation=facility))
    with caller.parts.statements.connect() as connection:
        found = maps.history(connection, table, facility, code)
    return History(items=list(found))

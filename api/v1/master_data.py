"""Master data (主数据): what is in force on a day, imports by CSV, history, and who is told of changes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.caller import Caller, gate
from api.failures import Failure, FailureError, FieldError, not_found
from bus.master_data.imports import import_rows
from bus.master_data.show import imported_data, recorded_data
from consortium.access.model import SHARED, Action, Resource
from consortium.terminology import csv_form, service, store
from consortium.terminology.csv_form import Rows
from consortium.terminology.errors import InvalidFileError
from consortium.terminology.model import GROUP, Kind
from consortium.terminology.service import Import

CSV = "text/csv"
EXAMPLE = "owner,code,name,valid_from,valid_to,type\nMAIN,0101,心血管内科,2020-01-01,,clinical\n"

router = APIRouter(prefix="/master-data", tags=["master data"])
Reader = Annotated[Caller, Depends(gate(Action.MASTER_DATA_READ))]
Writer = Annotated[Caller, Depends(gate(Action.MASTER_DATA_WRITE))]
Owner = Annotated[str | None, Query(max_length=20, description="campus code, or GROUP", examples=["MAIN"])]
Code = Annotated[str, Query(max_length=500, examples=["0101"])]
On = Annotated[date | None, Query(description="the day; by default today", examples=["2026-01-01"])]


class Entry(BaseModel):
    """What a code means to its owner in one period."""

    owner: str = Field(examples=["MAIN"])
    code: str = Field(examples=["0101"])
    name: str = Field(examples=["心血管内科"])
    valid_from: date = Field(description="first day in force")
    valid_to: date | None = Field(description="last day in force; null: until the next period begins")
    attributes: dict[str, str] = Field(examples=[{"type": "clinical"}])


class Version(Entry):
    """A version of it, with who recorded it when, and from where."""

    version: int = Field(description="1, then one more for each correction", examples=[1])
    recorded_by: str
    recorded_at: datetime
    source: str = Field(examples=["departments.csv"])


class Entries(BaseModel):
    """A page, by owner and code."""

    items: list[Version]
    next: str | None = Field(description="give it as `after` for the next page; null at the end")


class Versions(BaseModel):
    """Every version, oldest first."""

    items: list[Version]


class ImportDone(BaseModel):
    """An import that recorded something."""

    id: int
    kind: Kind
    source: str = Field(examples=["departments.csv"])
    added: int
    changed: int
    unchanged: int
    imported_by: str
    imported_at: datetime


class Imports(BaseModel):
    """Imports of a kind, newest first."""

    items: list[ImportDone]


class Difference(BaseModel):
    """One field that an import changes."""

    field: str = Field(examples=["name"])
    before: str | None = Field(examples=["心内科"])
    after: str | None = Field(examples=["心血管内科"])


class Changed(Entry):
    """A period that was known and is said differently."""

    differences: list[Difference]


class Imported(BaseModel):
    """What an import did, or would do."""

    dry_run: bool
    added: list[Entry]
    changed: list[Changed]
    unchanged: int
    recorded: int = Field(description="versions written")


@router.get(
    "/{kind}",
    summary="List what is in force",
    responses={200: {"content": {CSV: {"example": EXAMPLE}}}},
    response_model=Entries,
)
def list_entries(
    caller: Reader,
    kind: Kind,
    on: On = None,
    owner: Owner = None,
    text: Annotated[
        str | None, Query(max_length=100, description="part of the name, or beginning of the code")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(max_length=600)] = None,
    format: Annotated[  # noqa: A002 - the parameter's name
        str, Query(pattern="^(json|csv)$", description="csv: every period; imported again it changes nothing")
    ] = "json",
) -> Entries | Response:
    """Return the entries of a day, by owner and code."""
    caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        if format == "csv":
            return Response(service.export(connection, kind, owner), media_type=CSV)
        found = store.on(
            connection,
            kind,
            on or caller.parts.today(),
            owner=owner,
            text=text,
            after=_after(after),
            limit=limit,
        )
    last = found[-1].entry if len(found) == limit else None
    return Entries(
        items=[Version(**recorded_data(one)) for one in found],
        next=f"{last.owner}|{last.code}" if last else None,
    )


def _after(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    owner, bar, code = cursor.partition("|")
    if not bar:
        raise FailureError(Failure(400, "bad-cursor", "the cursor is not one that a page gave"))
    return owner, code


@router.get("/{kind}/entry", summary="Show what a code means on a day")
def show_entry(caller: Reader, kind: Kind, code: Code, owner: str, on: On = None) -> Version:
    """Return the entry in force; 404 when none is."""
    caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        found = service.show(connection, kind, code, owner, on or caller.parts.today())
    if not found:
        raise not_found(f"{kind.value} in force on that day")
    return Version(**recorded_data(found[0]))


@router.get("/{kind}/history", summary="Show every version of a code")
def show_history(caller: Reader, kind: Kind, code: Code, owner: Owner = None) -> Versions:
    """Return the versions, oldest first, with who recorded each."""
    caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        found = store.history(connection, kind, code, owner)
    return Versions(items=[Version(**recorded_data(one)) for one in found])


@router.get("/{kind}/imports", summary="List the imports of a kind")
def list_imports(caller: Reader, kind: Kind, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> Imports:
    """Return who imported what and when, newest first."""
    caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        found = store.imports(connection, kind, limit)
    return Imports(items=[ImportDone(**one) for one in found])


async def _csv(request: Request) -> tuple[bytes, str]:
    media, _, rest = request.headers.get("content-type", "").partition(";")
    if media.strip().lower() != CSV:
        raise FailureError(Failure(415, "unsupported-media-type", f"send {CSV}"))
    name, _, charset = rest.strip().partition("=")
    return await request.body(), charset.strip(' "') if name.lower() == "charset" else "utf-8"


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {CSV: {"schema": {"type": "string"}, "example": EXAMPLE}},
        "description": "UTF-8, or another charset that the Content-Type names",
    }
}


@router.post(
    "/{kind}/import",
    summary="Import a CSV file",
    openapi_extra=_BODY,
    responses={422: {"description": "mistakes, each with line and column; nothing was imported"}},
)
def import_file(
    caller: Writer,
    kind: Kind,
    body: Annotated[tuple[bytes, str], Depends(_csv)],
    dry_run: Annotated[bool, Query(description="say what would change, and change nothing")] = False,
    source: Annotated[str, Query(max_length=200, description="name of the file")] = "api",
) -> Imported:
    """Compare with what is recorded, check, and record what is new as the next versions."""
    try:
        what = Import(kind, source, csv_form.decode(*body))
        rows = service.read(what, [*(campus.code for campus in caller.parts.settings.campuses), GROUP])
        reason = _allowed(caller, rows)
        with caller.parts.engine.begin() as connection:
            done = import_rows(connection, what, rows, by=caller.user.username, dry_run=dry_run)
    except InvalidFileError as error:
        raise _invalid(error) from error
    if done.recorded:
        counts = f"{len(done.plan.added)} added, {len(done.plan.changed)} changed"
        caller.note(f"{reason}; {counts}", what=f"import of {kind.value}")
    return Imported(**imported_data(done, dry_run=dry_run))


def _allowed(caller: Caller, rows: Rows) -> str:
    reason = ""
    for owner in sorted({entry.owner for entry in rows.entries}):
        reason = caller.allow(Resource(organisation=owner)).reason
    return reason


def _invalid(error: InvalidFileError) -> FailureError:
    errors = [FieldError(problem.place, problem.message) for problem in error.problems]
    return FailureError(Failure(422, "invalid-file", "the file has mistakes; nothing was imported", errors))

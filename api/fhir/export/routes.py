"""The routes of `$export`: kick-off, status, files (Bulk Data Access 2.0)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta
from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import FileResponse, Response, StreamingResponse

from api.caller import Caller, gate
from api.encoding import FHIR_JSON, JSON, FhirResponse, encode
from api.failures import Failure, FailureError, not_found
from api.fhir.export import files, jobs
from api.fhir.export.asked import FORMATS, Asked, asked, check_prefer, items
from api.fhir.export.jobs import Job, Part
from api.fhir.parameters import uuid_or_none
from api.fhir.pix import Sent
from api.fhir.router import Json, base
from bus.fhir.reading.document import load
from bus.fhir.shapes import time
from consortium.access.model import GROUPS_OWN, Action
from consortium.identity.search import person

NDJSON = FORMATS[0]
LATER = 5
"""Seconds after which it is worth to ask again."""
_WHAT = "export"
_VARY = "Accept-Encoding"
_PARAMETERS: dict[str, Any] = {
    "parameters": [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in (
            ("_type", "types joined by commas; every one where it is not given"),
            ("_since", "only what changed since this instant"),
            ("_outputFormat", NDJSON),
        )
    ]
    + [{"name": "Prefer", "in": "header", "description": "respond-async", "schema": {"type": "string"}}]
}
_BODY: dict[str, Any] = {"requestBody": {"content": {FHIR_JSON: {"schema": {"type": "object"}}}}}
_ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"description": "Content-Location says where to ask"}}

router = APIRouter(prefix="/fhir", tags=["fhir"], default_response_class=FhirResponse)
Exporter = Annotated[Caller, Depends(gate(Action.RECORD_EXPORT))]


def _begin(request: Request, caller: Caller, sent: bytes | None = None, *, named: bool = False) -> Response:
    """Begin an export and say where to ask for it."""
    caller.allow(GROUPS_OWN)
    prefer = ", ".join(request.headers.getlist("prefer"))
    check_prefer(prefer)
    given = request.query_params.multi_items() + (items(load(sent)) if sent else [])
    wanted = asked(given, prefer, named=named)
    job = _started(request, caller, wanted)
    headers = {"Content-Location": f"{base(request)}/$export-status/{job.id}"}
    return Response(status_code=202, headers=headers)


def _started(request: Request, caller: Caller, wanted: Asked) -> Job:
    address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    with caller.parts.engine.begin() as connection:
        if any(person(connection, id_) is None for id_ in wanted.persons):
            raise not_found("Patient")
        try:
            job = jobs.start(connection, caller.user.username, address, wanted)
        except jobs.TooManyError as error:
            wait = {"Retry-After": str(LATER)}
            raise FailureError(Failure(429, "too-many-exports", str(error), headers=wait)) from error
        reason = f"export {job.id} {job.whose()} begun: {', '.join(job.types)}"
        caller.note_in(connection, reason, wanted.persons, caller.resource)
    return job


@router.get(
    "/$export",
    summary="Export the records of all patients (bulk data)",
    status_code=202,
    dependencies=[Json],
    responses=_ACCEPTED,
    openapi_extra=_PARAMETERS,
)
def export_all(request: Request, caller: Exporter) -> Response:
    """Begin an export of everybody's records."""
    return _begin(request, caller)


@router.post(
    "/$export",
    summary="The same, with Parameters",
    status_code=202,
    dependencies=[Json],
    responses=_ACCEPTED,
    openapi_extra=_PARAMETERS | _BODY,
)
def export_all_by_parameters(request: Request, caller: Exporter, sent: Sent) -> Response:
    """Begin an export of everybody's records."""
    return _begin(request, caller, sent)


@router.get(
    "/Patient/$export",
    summary="Export patients and their records (bulk data)",
    status_code=202,
    dependencies=[Json],
    responses=_ACCEPTED,
    openapi_extra=_PARAMETERS,
)
def export_patients(request: Request, caller: Exporter) -> Response:
    """Begin an export of all patients and their records: all resources here are of patients."""
    return _begin(request, caller)


@router.post(
    "/Patient/$export",
    summary="The same, with Parameters, of some patients",
    status_code=202,
    dependencies=[Json],
    responses=_ACCEPTED,
    openapi_extra=_PARAMETERS | _BODY,
)
def export_some_patients(request: Request, caller: Exporter, sent: Sent) -> Response:
    """Begin an export of those whom `patient` names, or of all."""
    return _begin(request, caller, sent, named=True)


def _own(caller: Caller, id_: str) -> Job:
    """Return a job of the caller's. Raises FailureError (404) for another's as for none."""
    caller.allow(GROUPS_OWN)
    known = uuid_or_none(id_)
    with caller.parts.statements.connect() as connection:
        job = jobs.find(connection, known) if known else None
    if job is None or job.username != caller.user.username:
        raise not_found(_WHAT)
    return job


@router.get(
    "/$export-status/{id}",
    summary="How far an export is",
    dependencies=[Json],
    response_class=Response,
    responses={200: {"description": "the manifest"}, 202: {"description": "X-Progress says how far"}},
)
def status(request: Request, caller: Exporter, id: str) -> Response:  # noqa: A002 - the path's name of it
    """Answer 202 while it is worked at, then 200 with the manifest, which names the files."""
    job = _own(caller, id)
    if job.state == "failed":
        raise FailureError(Failure(500, "export-failed", f"the export failed: {job.error}; begin another"))
    if job.state != "done":
        headers = {"X-Progress": progress(job), "Retry-After": str(LATER)}
        return Response(status_code=202, headers=headers)
    with caller.parts.statements.connect() as connection:
        made = jobs.parts(connection, job.id)
    headers = {}
    if job.ended_at:
        ends = job.ended_at + timedelta(hours=caller.parts.settings.export_keep_hours)
        headers["Expires"] = format_datetime(ends.astimezone(UTC), usegmt=True)
    return Response(encode(manifest(base(request), job, made)), 200, headers, media_type=JSON)


def progress(job: Job) -> str:
    """Say how far a job is, in at most 100 characters."""
    state = "paused, " if job.state == "paused" else ""
    stopped = f"; {job.error}" if job.error else ""
    return f"{state}{job.percent}%, {job.lines} resources in {job.parts} files{stopped}"[:100]


def manifest(here: str, job: Job, made: Sequence[Part]) -> dict[str, Any]:
    """Return what says which files there are; `here` is the FHIR face's address."""
    output = [
        {"type": part.type, "url": f"{here}/$export-file/{job.id}/{part.name}", "count": part.lines}
        for part in made
    ]
    return {
        "transactionTime": time(job.transaction_time),
        "request": here.removesuffix("/fhir") + job.request,
        "requiresAccessToken": True,
        "output": output,
        "error": [],
        "deleted": [],
    }


@router.delete("/$export-status/{id}", summary="Cancel an export, and remove its files", status_code=202)
def cancel(caller: Exporter, id: str) -> Response:  # noqa: A002 - the path's name of it
    """End it where it is worked at; it and its files are gone, then."""
    job = _own(caller, id)
    with caller.parts.engine.begin() as connection:
        if not jobs.remove(connection, job.id):
            raise not_found(_WHAT)
        reason = f"export {job.id} {job.whose()} removed, {job.lines} resources"
        caller.note_in(connection, reason, job.persons, caller.resource)
    files.remove(files.folder(caller.parts.settings), job.id)
    return Response(status_code=202)


@router.get(
    "/$export-file/{id}/{name}",
    summary="One file of an export",
    response_class=Response,
    responses={200: {"content": {NDJSON: {}}, "description": "a resource a line; gzip where it is accepted"}},
)
def file(request: Request, caller: Exporter, id: str, name: str) -> Response:  # noqa: A002 - as above
    """Return a file of an export that is done."""
    job = _own(caller, id)
    part = _part(caller, job, name)
    path = files.place_of(files.folder(caller.parts.settings), job.id, part.name)
    if not path.is_file():
        raise FailureError(Failure(410, "export-file-gone", "the file is gone: begin another export"))
    caller.note(
        f"export {job.id}: {part.name}, {part.lines} resources of {part.persons} patients", job.persons
    )
    if takes_gzip(request.headers.get("accept-encoding", "")):
        return FileResponse(path, media_type=NDJSON, headers={"Content-Encoding": "gzip", "Vary": _VARY})
    return StreamingResponse(files.plain(path), media_type=NDJSON, headers={"Vary": _VARY})


def _part(caller: Caller, job: Job, name: str) -> Part:
    if job.state == "done":
        with caller.parts.statements.connect() as connection:
            for part in jobs.parts(connection, job.id):
                if part.name == name:
                    return part
    raise not_found("file")


def takes_gzip(accept: str) -> bool:
    """Whether who sends this Accept-Encoding takes gzip."""
    for one in accept.lower().split(","):
        coding, _, weight = one.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False

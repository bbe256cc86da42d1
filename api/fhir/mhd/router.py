"""The routes of `/fhir/mhd`: ITI-65 (provide), ITI-66 and 67 (find), ITI-68 (retrieve)."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.caller import Caller, gate
from api.encoding import FhirResponse
from api.failures import Failure, FailureError, not_found
from api.fhir.bundle import Found, bundle
from api.fhir.examples import described
from api.fhir.mhd import capability, searching
from api.fhir.mhd.finding import Finder
from api.fhir.mhd.patients import Patients
from api.fhir.mhd.providing import provide_bundle
from api.fhir.parameters import Control, Query, control, uuid_or_none
from api.fhir.router import Asking, Json, add_search
from api.fhir.write_router import BODY, Sending
from api.fhir.wrong import wrong_value
from api.xds.retrieval import retrieved
from bus.fhir.documents.showing import Places
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from bus.ihe.document_sets import Reference
from consortium.access.model import Action
from consortium.access.model import Resource as Of
from consortium.documents.asking import QueryId, StoredQuery
from consortium.documents.errors import ErrorCode, RefusedError, RegistryError
from consortium.documents.model import DocumentEntry, PatientId

BASE = "/fhir/mhd"
router = APIRouter(prefix=BASE, tags=["mhd"], default_response_class=FhirResponse)
Reader = Annotated[Caller, Depends(gate(Action.DOCUMENT_READ))]
Source = Annotated[Caller, Depends(gate(Action.DOCUMENT_SUBMIT))]
_STATUS = {
    ErrorCode.DOCUMENT_UNIQUE_ID_ERROR: (404, "not-found"),
    ErrorCode.REPOSITORY_BUSY: (503, "unavailable"),
}


def places(request: Request) -> Places:
    """Return where this face and the patients are."""
    origin = str(request.base_url).rstrip("/")
    return Places(f"{origin}{BASE}", f"{origin}/fhir")


@router.get("/metadata", summary="CapabilityStatement of MHD", dependencies=[Json])
def metadata(
    request: Request, caller: Annotated[Caller, Depends(gate(Action.CAPABILITIES_READ))]
) -> FhirResponse:
    """Say which actors, interactions and search parameters are served."""
    today = caller.parts.now().date().isoformat()
    return FhirResponse(capability.statement(places(request).base, today))


@router.post("", summary="Provide Document Bundle (ITI-65)", dependencies=[Json], openapi_extra=BODY)
def provide(request: Request, caller: Source, sending: Sending) -> Response:
    """Share documents with their metadata, all or nothing; minimal metadata is completed as *not stated*."""
    return provide_bundle(caller, sending.raw, places(request).base)


def _search_documents(request: Request, caller: Reader, query: Asking) -> FhirResponse:
    """Find documents (ITI-67): what ITI-18 finds."""
    return _search(
        request, caller, query, "DocumentReference", searching.documents, Finder.entries, Finder.documents
    )


def _search_lists(request: Request, caller: Reader, query: Asking) -> FhirResponse:
    """Find submission sets and folders (ITI-66)."""
    return _search(request, caller, query, "List", searching.lists, Finder.packages, Finder.lists)


def _search(
    request: Request,
    caller: Caller,
    query: Query,
    kind: str,
    read: Callable[..., list[StoredQuery]],
    find: Callable[[Finder, list[StoredQuery]], Sequence[Any]],
    show: Callable[[Finder, Sequence[Any]], list[Resource]],
) -> FhirResponse:
    parts = caller.parts
    with parts.statements.connect() as connection:
        with caller.answering():
            patient = _patient(caller, connection, query)
            queries = read(query, patient, parts.registry.domain)
            page = control(query, ())
            start = _offset(page)
            query.rest()
        finder = Finder(connection, parts.registry, places(request))
        try:
            found = [one for one in find(finder, queries) if patient in (None, one.patient_id)]
        except RefusedError as error:
            caller.note_failure(_codes(error.errors))
            raise _failure(error.errors[0]) from error
        allowed = _allow(caller, finder.persons)
        shown = show(finder, [] if page.only_count else found[start : start + page.count])
    persons = {UUID(patient.number)} if patient else set()
    caller.note(allowed or f"{len(shown)} {kind} found", sorted(persons | finder.persons))
    return FhirResponse(
        bundle(places(request).base, kind, query, page, _found(shown, found, start + page.count))
    )


def _patient(caller: Caller, connection: sa.Connection, query: Query) -> PatientId | None:
    """Read whom a search is about; a search over oneself alone needs no patient."""
    systems = Systems(caller.parts.settings)
    person = Patients(connection, systems).asked(query) or caller.user.person_id
    if person is None:
        return None
    caller.allow(Of(person_id=person))
    return PatientId(str(person), caller.parts.registry.domain.consortium)


def _allow(caller: Caller, persons: set[UUID]) -> str:
    reasons = [caller.allow(Of(person_id=person)).reason for person in sorted(persons)]
    return reasons[0] if reasons else ""


def _offset(page: Control) -> int:
    if page.cursor is None:
        return 0
    if not page.cursor.isdecimal():
        raise wrong_value("_page", "take it from a next link")
    return int(page.cursor)


def _found(shown: list[Resource], found: Sequence[Any], end: int) -> Found:
    return Found(shown, str(end) if end < len(found) else None, len(found))


@router.get("/DocumentReference/{id}", summary="Read a shared document's metadata", dependencies=[Json])
def read_document(request: Request, caller: Reader, id: str) -> FhirResponse:  # noqa: A002 - FHIR's name of it
    """Return one DocumentReference."""
    with caller.parts.statements.connect() as connection:
        finder = Finder(connection, caller.parts.registry, places(request))
        entry = _entry(caller, finder, id, "DocumentReference")
        reason = _allow(caller, finder.persons)
        [shown] = finder.documents([entry])
    caller.note(reason, sorted(finder.persons))
    return FhirResponse(shown)


@router.get("/List/{id}", summary="Read a submission set or folder", dependencies=[Json])
def read_list(request: Request, caller: Reader, id: str) -> FhirResponse:  # noqa: A002 - FHIR's name of it
    """Return one List."""
    query = Query.of([("_id", id)], "")
    with caller.parts.statements.connect() as connection:
        finder = Finder(connection, caller.parts.registry, places(request))
        known = uuid_or_none(id) is not None
        found = finder.packages(searching.lists(query, None, caller.parts.registry.domain)) if known else []
        if not found:
            caller.note_failure("not found")
            raise not_found("List")
        reason = _allow(caller, finder.persons)
        [shown] = finder.lists(found[:1])
    caller.note(reason, sorted(finder.persons))
    return FhirResponse(shown)


@router.get(
    "/Binary/{id}",
    summary="Retrieve a document (ITI-68)",
    response_class=Response,
    responses={200: {"content": {"*/*": {}}, "description": "the bytes as they were submitted"}},
)
async def retrieve(request: Request, caller: Reader, id: str) -> Response:  # noqa: A002 - FHIR's name of it
    """Return a document's bytes, also where it stays at its campus; a Binary resource to who accepts
    `application/fhir+json`.
    """
    entry = await _looked_up(request, caller, id)
    wanted = Reference(entry.repository_unique_id or "", entry.unique_id)
    found, errors = await retrieved(caller, [wanted])
    if errors:
        raise _failure(errors[0])
    document = found[0]
    if "json" in request.headers.get("accept", "") and "json" not in document.mime_type:
        data = base64.b64encode(document.content).decode()
        body = {"resourceType": "Binary", "id": id, "contentType": document.mime_type, "data": data}
        return FhirResponse(body)
    headers = {
        "Content-Disposition": "attachment",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Content-Type": document.mime_type,
    }
    return Response(document.content, headers=headers)


async def _looked_up(request: Request, caller: Caller, id_: str) -> DocumentEntry:
    def look() -> DocumentEntry:
        with caller.parts.statements.connect() as connection:
            return _entry(caller, Finder(connection, caller.parts.registry, places(request)), id_, "Binary")

    return await run_in_threadpool(look)


def _entry(caller: Caller, finder: Finder, id_: str, kind: str) -> DocumentEntry:
    known = uuid_or_none(id_)
    query = searching.by_ids(
        QueryId.GET_DOCUMENTS, "$XDSDocumentEntryEntryUUID", [(known or uuid.UUID(int=0)).urn]
    )
    found = finder.entries([query])
    if not found:
        caller.note_failure("not found")
        raise not_found(kind)
    return found[0]


def _failure(error: RegistryError) -> FailureError:
    status, code = _STATUS.get(error.code, (400, "search-parameter"))
    if error.code is ErrorCode.REPOSITORY_ERROR:
        status, code = 500, "content-lost"
    return FailureError(Failure(status, code, f"{error.code}: {error.context}"))


def _codes(errors: Sequence[RegistryError]) -> str:
    return ", ".join(sorted({error.code.value for error in errors}))


for _name, _endpoint, _parameters in (
    ("DocumentReference", _search_documents, searching.DOCUMENT_PARAMETERS),
    ("List", _search_lists, searching.LIST_PARAMETERS),
):
    add_search(router, _name, _endpoint, described(_parameters), {}, post="search_shared")

"""Clinical documents as pages for people."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.caller import Caller, gate
from api.failures import Failure, FailureError, not_found
from api.v1 import document_search
from bus.cda.html import CSP, render
from bus.cda.problem import DocumentError
from consortium.access.model import Action, Resource
from consortium.records import query

router = APIRouter(tags=["documents"])
router.include_router(document_search.router)
RecordReader = Annotated[Caller, Depends(gate(Action.RECORD_READ))]


@router.get(
    "/documents/{id}/html",
    summary="A clinical document (WS/T 500 CDA) as a page",
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}, 415: {"description": "the document is no CDA"}},
)
def read_page(caller: RecordReader, id: UUID) -> Response:  # noqa: A002 - as FHIR names it
    """Return a DocumentReference's document as HTML that runs and loads nothing. The read is audited."""
    with caller.parts.statements.connect() as connection:
        row = query.record(connection, "document", id)
        if row is None:
            raise not_found("document")
        decision = caller.allow(Resource(person_id=row["person_id"]))
        content = query.content(connection, id)
    if content is None:
        raise not_found("document")
    try:
        page = render(content.data)
    except DocumentError as error:
        detail = "this document is no CDA; read it as it is at /fhir/Binary/{id}"
        raise FailureError(Failure(415, "not-a-cda", detail)) from error
    caller.note(decision.reason, [row["person_id"]])
    headers = {
        "Content-Security-Policy": CSP,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)

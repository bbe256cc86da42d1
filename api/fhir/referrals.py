"""The routes of `/fhir` that only referrals have: Task and Communication."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from api.caller import Caller, gate
from api.encoding import FHIR_JSON, FhirResponse
from api.failures import not_found
from api.fhir import referral_face
from api.fhir.bundle import bundle
from api.fhir.examples import described
from api.fhir.parameters import Query, uuid_or_none
from api.fhir.referral_parameters import PARAMETERS
from api.fhir.router import acceptable, add_search, asked, base
from consortium.access.model import Action

router = APIRouter(prefix="/fhir", tags=["fhir"], default_response_class=FhirResponse)
Reader = Annotated[Caller, Depends(gate(Action.REFERRAL_READ))]
Asking = Annotated[Query, Depends(asked)]
_BUNDLE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {FHIR_JSON: {"example": {"resourceType": "Bundle", "type": "searchset"}}},
        "description": "Bundle of type searchset",
    }
}
_TASK: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            FHIR_JSON: {"example": {"resourceType": "Task", "status": "received", "intent": "order"}}
        },
        "description": "the Task",
    }
}


def search_tasks(request: Request, caller: Reader, query: Asking) -> FhirResponse:
    """Find the referrals of one's hospital, or one's own, the newest first. Each patient shown is audited."""
    found, page = referral_face.find(caller, "Task", query)
    return FhirResponse(bundle(base(request), "Task", query, page, found))


def search_communications(request: Request, caller: Reader, query: Asking) -> FhirResponse:
    """Read what both hospitals of a referral wrote to each other, the oldest first."""
    found, page = referral_face.messages(caller, query)
    return FhirResponse(bundle(base(request), "Communication", query, page, found))


@router.get("/Task/{id}", summary="Read one Task", dependencies=[Depends(acceptable)], responses=_TASK)
def read_task(caller: Reader, id: str) -> FhirResponse:  # noqa: A002 - FHIR's name of it
    """Return how far a referral is."""
    logical = uuid_or_none(id)
    if logical is None:
        raise not_found("Task")
    return FhirResponse(referral_face.read(caller, "Task", logical))


add_search(router, "Task", search_tasks, described(PARAMETERS["Task"]), _BUNDLE)
add_search(router, "Communication", search_communications, described(PARAMETERS["Communication"]), _BUNDLE)

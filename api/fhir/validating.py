"""`$validate`: whether a resource is as R4 defines it (R4 section 3.1.0.12)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.caller import gate
from api.encoding import FhirResponse
from api.fhir.write_router import BODY, Body, body
from bus.fhir.reading.document import check, load
from bus.fhir.reading.issues import InvalidResourceError, Issue, outcome
from bus.fhir.reading.keys import KINDS
from bus.fhir.shapes import Resource
from consortium.access.model import Action

router = APIRouter(
    prefix="/fhir",
    tags=["fhir"],
    default_response_class=FhirResponse,
    dependencies=[Depends(gate(Action.CAPABILITIES_READ))],
)
Sending = Annotated[Body, Depends(body)]


@router.post("/$validate", summary="Check any resource against R4", status_code=200, openapi_extra=BODY)
def validate(sending: Sending) -> Response:
    """Check a resource against R4's definitions; nothing is kept. `information` alone means it is valid."""
    return FhirResponse(outcome(_issues(sending.raw, None)))


@router.post("/{type}/$validate", summary="Check a resource of a type", status_code=200, openapi_extra=BODY)
def validate_type(sending: Sending, type: str) -> Response:  # noqa: A002 - as in the address
    """Check a resource that must be of the type in the address."""
    return FhirResponse(outcome(_issues(sending.raw, type)))


def _issues(raw: bytes, type_: str | None) -> list[Issue]:
    try:
        resource = _given(load(raw))
        name = str(resource["resourceType"])
        if type_ not in (None, name):
            return [Issue(name, f"the address is for {type_}", "structure")]
        found = check(resource, name)
    except InvalidResourceError as error:
        return list(error.issues)
    if not found:
        kept = "and kept here" if name in KINDS else "but not kept here by itself"
        return [Issue(name, f"valid by R4's definitions, {kept}", "informational", "information")]
    return found


def _given(body_: Resource) -> Resource:
    """Return the resource itself, or the one that Parameters carry."""
    if body_["resourceType"] != "Parameters":
        return body_
    for one in body_.get("parameter", ()):
        if one.get("name") == "resource" and isinstance(one.get("resource"), dict):
            return dict(one["resource"])
    raise InvalidResourceError([Issue("Parameters", "the parameter resource is missing", "required")])

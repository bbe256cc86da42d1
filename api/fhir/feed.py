"""Patient Identity Feed FHIR (ITI-104): a campus's patient added or revised, resolved, removed by identifier.

ITI TF-2 3.104 of the PIXm implementation guide. Resolving a duplicate is an update of the duplicate, with
`active` false and a link of type replaced-by to the survivor's identifier.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.caller import Caller
from api.encoding import FhirResponse, encode
from api.fhir.parameters import Query
from api.fhir.write_router import BODY, RecordWriter, Sending, write_one
from api.fhir.wrong import wrong_value
from bus.envelope import Arrival
from bus.feed import Feed, take
from bus.fhir.reading.keys import Key, token_key
from bus.fhir.systems import Systems
from consortium.access.model import Resource as Owned

router = APIRouter(prefix="/fhir", tags=["fhir"], default_response_class=FhirResponse)
_CONDITION: dict[str, Any] = {
    "parameters": [
        {
            "name": "identifier",
            "in": "query",
            "required": True,
            "description": "system|value: a number of the caller's campus",
            "schema": {"type": "string"},
        }
    ]
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    201: {"description": "the number is new"},
    422: {"description": "it cannot be taken: OperationOutcome with expressions"},
}


@router.put(
    "/Patient",
    summary="Add, revise or resolve a patient by identifier (ITI-104)",
    responses=_RESPONSES,
    openapi_extra=BODY | _CONDITION,
)
def revise(request: Request, caller: RecordWriter, sending: Sending) -> Response:
    """Write the patient of the identifier in the address, which the body must have too."""
    return write_one(caller, sending, "Patient", "PUT", query=urlencode({"identifier": _condition(request)}))


@router.delete(
    "/Patient",
    summary="Take a patient's number out of use (ITI-104, Remove Patient)",
    status_code=204,
    openapi_extra=_CONDITION,
)
def remove(request: Request, caller: RecordWriter) -> Response:
    """Take the number out of use: no query answers it any more. Its records stay, and it comes back with
    whatever its campus says of it later.
    """
    key = _key(request, caller)
    caller.allow(Owned(organisation=key.facility))
    settings = caller.parts.settings
    with caller.parts.engine.begin() as connection:
        feed = Feed(_arrival(request, caller, key), None)
        taken = take(connection, feed, settings.routing_key, timedelta(days=settings.dedupe_days))
        persons = [taken.person_id] if taken.person_id else []
        caller.note_in(connection, f"number taken out of use, message {taken.message_id}", persons)
    return Response(status_code=204)


def _key(request: Request, caller: Caller) -> Key:
    key = token_key("Patient", _condition(request), Systems(caller.parts.settings))
    if key is None:
        raise wrong_value("identifier", "give a number of your campus, as system|value")
    return key


def _condition(request: Request) -> str:
    """Return the identifier in the address. Raises FailureError (400) for another condition."""
    query = Query.of(request.query_params.multi_items(), "handling=strict")
    given = query.one("identifier")
    for name in ("_format", "_pretty"):
        query.take(name)
    query.rest()
    if given is None:
        raise wrong_value("identifier", "give a number of your campus, as system|value")
    return given.value


def _arrival(request: Request, caller: Caller, key: Key) -> Arrival:
    body = encode({"resourceType": "Patient", "request": "DELETE", "number": key.number})
    return Arrival(
        facility=key.facility,
        sender=caller.user.username,
        control_id=request.headers.get("idempotency-key", "").strip()[:100] or uuid.uuid4().hex,
        message_type="fhir:Patient",
        body=body,
        charset="utf-8",
        protocol="fhir",
        endpoint=caller.resource,
        digest=sha256(body).digest(),
        patient_number=key.number,
    )

"""The routes of `/fhir` that write: bundles, and one resource at a time."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from adapters import via
from api.caller import Caller, gate
from api.encoding import FHIR_JSON, FhirResponse, encode
from api.failures import Failure, FailureError
from api.fhir import refused
from api.fhir.requests import Asked, entries, single
from api.fhir.writing import Answer, WriteError, Writer, Written
from bus.fhir.intake import Sent
from bus.fhir.reading.document import load
from bus.fhir.reading.issues import InvalidResourceError, Issue, outcome
from bus.fhir.reading.keys import KINDS
from bus.fhir.shapes import Resource, time, without_empty
from bus.fhir.systems import Systems
from consortium.access.errors import ForbiddenError
from consortium.access.model import Action

MEDIA_TYPES = ("application/fhir+json", "application/json")
LONGEST_KEY = 100
"""Characters of an Idempotency-Key."""
_PHRASES = {200: "200 OK", 201: "201 Created"}

BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {FHIR_JSON: {"schema": {"type": "object"}}}}
}
"""What OpenAPI shows of a body that FHIR's own definitions check."""

router = APIRouter(prefix="/fhir", tags=["fhir"], default_response_class=FhirResponse)
RecordWriter = Annotated[Caller, Depends(gate(Action.RECORD_WRITE))]


@dataclass(frozen=True)
class Body:
    """A write as it came in."""

    raw: bytes
    headers: Mapping[str, str]
    base: str
    peer: str

    def key(self) -> str:
        """Return the id by which the sender knows this request; a new one where they give none."""
        given = self.headers.get("idempotency-key", "").strip()
        if len(given) > LONGEST_KEY:
            raise FailureError(
                Failure(400, "idempotency-key", f"at most {LONGEST_KEY} characters; send a shorter one")
            )
        return given or uuid.uuid4().hex


async def body(request: Request) -> Body:
    """Read the request; refuses (415) what is not JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise FailureError(Failure(415, "unsupported-media-type", "send application/fhir+json in UTF-8"))
    client = request.client
    return Body(
        await request.body(),
        request.headers,
        f"{str(request.base_url).rstrip('/')}/fhir",
        f"{client.host}:{client.port}" if client else "",
    )


Sending = Annotated[Body, Depends(body)]


def _kept(caller: Caller, sending: Body, work: Callable[[], Response]) -> Response:
    """Answer what cannot be taken with an OperationOutcome, and keep it where it can be found again."""
    try:
        _refuse_ours(caller, sending)
        return work()
    except InvalidResourceError as error:
        malformed = any(issue.code == "structure" for issue in error.issues)
        failed = WriteError(400 if malformed else 422, error.issues)
    except WriteError as error:
        failed = error
    refused.keep(caller, sending.raw, sending.peer, failed)
    return FhirResponse(outcome(failed.issues), failed.status)


def _refuse_ours(caller: Caller, sending: Body) -> None:
    """Refuse what this platform sent itself. Raises WriteError."""
    name = via.pseudonym(caller.parts.settings.consortium_oid)
    if via.passed([value for key, value in sending.headers.items() if key.lower() == "via"], name):
        raise WriteError(via.STATUS, [Issue("Resource", via.DETAIL, code="processing")])


def _systems(caller: Caller) -> Systems:
    return Systems(caller.parts.settings)


@router.post("", summary="Write a transaction, batch or message Bundle", status_code=200, openapi_extra=BODY)
def write_bundle(caller: RecordWriter, sending: Sending) -> Response:
    """Write a Bundle of one patient of the caller's campus.

    A `transaction` and a `message` are all or nothing; in a `batch` each entry is by itself. Effects are
    committed before the answer. The same `Idempotency-Key`, or `Bundle.identifier`, again has no second
    effect.
    """

    def work() -> Response:
        bundle = load(sending.raw)
        asked = entries(bundle)
        if bundle["type"] == "batch":
            return _batch(caller, sending, asked)
        written = Writer(caller, _systems(caller)).write(asked, _sent(caller, sending, bundle))
        if bundle["type"] == "message":
            return FhirResponse(_response_message(bundle, written, sending))
        return FhirResponse(_bundle("transaction-response", _shown(written, sending)))

    return _kept(caller, sending, work)


def _sent(caller: Caller, sending: Body, bundle: Resource) -> Sent:
    identifier = (bundle.get("identifier") or {}).get("value")
    key = sending.headers.get("idempotency-key") or identifier
    return Sent(
        body=sending.raw,
        message_type=f"fhir:{bundle['type']}",
        endpoint=caller.resource,
        sender=caller.user.username,
        control_id=sending.key() if not key else str(key)[:LONGEST_KEY],
        sent_at=bundle.get("timestamp"),
    )


def _batch(caller: Caller, sending: Body, asked: Sequence[Asked]) -> Response:
    key = sending.key()
    found = [_alone(caller, sending, one, f"{key}#{place}") for place, one in enumerate(asked)]
    return FhirResponse(_bundle("batch-response", found))


def _alone(caller: Caller, sending: Body, one: Asked, key: str) -> Resource:
    """Write one entry of a batch; what is wrong with it is its own answer."""
    raw = encode(one.part.resource)
    sent = Sent(raw, f"fhir:{one.part.type}", caller.resource, caller.user.username, key)
    try:
        written = Writer(caller, _systems(caller)).write([one], sent)
    except InvalidResourceError as error:
        failed = WriteError(422, error.issues)
    except WriteError as error:
        failed = error
    except ForbiddenError as error:
        failed = WriteError(403, [Issue(one.part.path, str(error), "forbidden")])
    else:
        return _shown(written, sending)[0]
    refused.keep(caller, raw, sending.peer, failed)
    return {"response": {"status": str(failed.status), "outcome": outcome(failed.issues)}}


def _shown(written: Written, sending: Body) -> list[Resource]:
    entries_ = [{"response": _response(answer, sending)} for answer in written.answers]
    if written.notes:
        entries_[0]["response"]["outcome"] = outcome(written.notes)
    return entries_


def _response(answer: Answer, sending: Body) -> Resource:
    now = answer.standing
    return without_empty(
        {
            "status": _PHRASES[answer.status],
            "location": f"{sending.base}/{answer.type}/{now.id}" if now else None,
            "etag": f'W/"{now.version}"' if now and now.version else None,
            "lastModified": time(now.changed_at) if now else None,
        }
    )


def _bundle(type_: str, found: Sequence[Resource]) -> Resource:
    return {"resourceType": "Bundle", "type": type_, "entry": list(found)}


def _response_message(bundle: Resource, written: Written, sending: Body) -> Resource:
    """Answer a message with a message (R4 section 2.4): what became of it."""
    header = bundle["entry"][0]["resource"]
    answer = {
        "resourceType": "MessageHeader",
        "id": str(uuid.uuid4()),
        **{name: header[name] for name in ("eventCoding", "eventUri") if name in header},
        "source": {"name": "医联 Yilian", "endpoint": sending.base},
        "response": {
            "identifier": header.get("id") or str((bundle.get("identifier") or {}).get("value", "-")),
            "code": "ok",
        },
    }
    return {
        "resourceType": "Bundle",
        "type": "message",
        "entry": [
            {"fullUrl": f"urn:uuid:{answer['id']}", "resource": answer},
            {"resource": outcome([_told("Bundle", f"kept as message {written.message_id}"), *written.notes])},
        ],
    }


def _told(expression: str, text: str) -> Issue:
    return Issue(expression, text, "informational", "information")


def write_one(
    caller: Caller, sending: Body, type_: str, method: str, id_: str | None = None, query: str | None = None
) -> Response:
    """Write one resource; `query` is the condition of a conditional update."""

    def work() -> Response:
        asked = replace(single(load(sending.raw), method, type_, id_, sending.headers), query=query)
        sent = Sent(sending.raw, f"fhir:{type_}", caller.resource, caller.user.username, sending.key())
        written = Writer(caller, _systems(caller)).write([asked], sent)
        response = _response(written.answers[0], sending)
        headers = {
            "Location": response.get("location"),
            "ETag": response.get("etag"),
        }
        done = "there already" if written.message_id is None else f"kept as message {written.message_id}"
        return FhirResponse(
            outcome([_told(type_, done), *written.notes]),
            written.answers[0].status,
            headers={name: value for name, value in headers.items() if value},
        )

    return _kept(caller, sending, work)


def _create(type_: str) -> Callable[..., Response]:
    def create(caller: RecordWriter, sending: Sending) -> Response:
        return write_one(caller, sending, type_, "POST")

    create.__doc__ = (
        f"Create a {type_} of the caller's campus, known by its identifier. The same again answers 200; with"
        " If-None-Exist what is there is left as it is."
    )
    return create


def _update(type_: str) -> Callable[..., Response]:
    def update(caller: RecordWriter, sending: Sending, id: str) -> Response:  # noqa: A002 - FHIR's name of it
        return write_one(caller, sending, type_, "PUT", id)

    update.__doc__ = (
        f"Change a {type_}; If-Match says which version is changed. What is absent stays as it is."
    )
    return update


_RESPONSES: dict[int | str, dict[str, Any]] = {
    201: {"description": "written, and new"},
    409: {"description": "something else is known under its identifier, or its number is another patient's"},
    412: {"description": "it is at another version than If-Match says"},
    422: {"description": "it cannot be taken: OperationOutcome with expressions"},
}
for _type in KINDS:
    shared: dict[str, Any] = {"responses": _RESPONSES, "status_code": 200, "openapi_extra": BODY}
    router.add_api_route(f"/{_type}", _create(_type), methods=["POST"], summary=f"Create a {_type}", **shared)
    router.add_api_route(
        f"/{_type}/{{id}}", _update(_type), methods=["PUT"], summary=f"Change a {_type}", **shared
    )

"""What goes wrong, in the caller's terms: problem details (RFC 9457), or an OperationOutcome under `/fhir`.

No answer repeats what was sent: a wrong value may be a patient's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.encoding import FHIR_JSON, PROBLEM_JSON, encode

TYPES = "urn:yilian:problem:"
"""Prefix of the `type` of our problems; what follows it is stable, and made for programs."""

_ISSUE_TYPES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    409: "conflict",
    410: "deleted",
    413: "too-long",
    415: "not-supported",
    422: "invalid",
    429: "throttled",
    503: "transient",
}
"""FHIR R4's issue-type for a status; what is missing is an exception."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is wrong, by its place; the value is not repeated."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request was not answered as asked."""

    status: int
    code: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the problem details, such as `current`: the state that a step was refused in."""


class FailureError(HTTPException):
    """A failure on its way to the caller.

    An HTTPException: FastAPI lets those pass where it reads bodies, and turns all else into its own 400.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.status, failure.detail, dict(failure.headers))
        self.failure = failure


def not_found(what: str) -> FailureError:
    """Return the error for a thing that is not there."""
    return FailureError(Failure(404, "not-found", f"there is no such {what}"))


def response(request: Request, failure: Failure) -> Response:
    """Render a failure for the face it happened under."""
    fhir = request.url.path == "/fhir" or request.url.path.startswith("/fhir/")
    body = _outcome(request, failure) if fhir else _problem(request, failure)
    media = FHIR_JSON if fhir else PROBLEM_JSON
    return Response(encode(body), failure.status, dict(failure.headers), media_type=media)


def _id(request: Request) -> str:
    return str(request.scope.get("state", {}).get("request_id", ""))


def _problem(request: Request, failure: Failure) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": TYPES + failure.code,
        "title": HTTPStatus(failure.status).phrase,
        "status": failure.status,
        "detail": failure.detail,
        "instance": f"urn:yilian:request:{_id(request)}",
        "request_id": _id(request),
        **failure.members,
    }
    if failure.errors:
        body["errors"] = [{"field": error.field, "message": error.message} for error in failure.errors]
    return body


def _outcome(request: Request, failure: Failure) -> dict[str, Any]:
    issue = {"severity": "error", "code": _ISSUE_TYPES.get(failure.status, "exception")}
    details = [failure.detail, *(f"{error.field}: {error.message}" for error in failure.errors)]
    return {
        "resourceType": "OperationOutcome",
        "id": _id(request),
        "issue": [
            {**issue, "details": {"text": text}, "diagnostics": f"request {_id(request)}"} for text in details
        ],
    }

"""From the exceptions of the rooms below to what the caller is told."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.failures import Failure, FailureError, FieldError, response
from consortium.access.errors import ForbiddenError, LockedOutError, NotSignedInError
from consortium.errors import ConflictError, PermanentError, RetryableError
from consortium.referral.errors import StepRefusedError, UnknownReferralError
from consortium.teleconsult import errors as consultation

_AWAY = Failure(
    503, "unavailable", "a service of the platform does not answer; try again", headers={"Retry-After": "5"}
)
_CODES = {
    400: "bad-request",
    401: "not-signed-in",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "too-large",
    415: "unsupported-media-type",
}


def _http(request: Request, error: Exception) -> Response:
    if isinstance(error, FailureError):
        return response(request, error.failure)
    assert isinstance(error, HTTPException)  # noqa: S101 - narrows; registered for it
    code = _CODES.get(error.status_code, "error")
    detail = "there is nothing at this address" if error.status_code == 404 else str(error.detail)
    return response(request, Failure(error.status_code, code, detail, headers=error.headers or {}))


def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - narrows; registered for it
    errors = [FieldError(".".join(str(part) for part in e["loc"]), str(e["msg"])) for e in error.errors()]
    failure = Failure(422, "validation", "the request does not have the form this route needs", errors)
    return response(request, failure)


def _not_signed_in(request: Request, error: Exception) -> Response:
    challenge = {"WWW-Authenticate": 'Bearer realm="yilian"'}
    return response(request, Failure(401, "not-signed-in", str(error), headers=challenge))


def _forbidden(request: Request, error: Exception) -> Response:
    return response(request, Failure(403, "forbidden", str(error)))


def _locked_out(request: Request, error: Exception) -> Response:
    assert isinstance(error, LockedOutError)  # noqa: S101 - narrows; registered for it
    wait = {"Retry-After": str(error.retry_after)}
    return response(request, Failure(429, "locked-out", str(error), headers=wait))


def _conflict(request: Request, error: Exception) -> Response:
    current = getattr(error, "current", None)
    members = {} if current is None else {"current": current}
    return response(request, Failure(409, "conflict", str(error), members=members))


def _step_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, StepRefusedError | consultation.StepRefusedError)  # noqa: S101 - narrows
    more: dict[str, Any] = {
        "detail_zh": error.zh,
        "state": error.state.value,
        "open_steps": [step.value for step in error.steps],
        "missing": [need.value for need in error.refusal.missing],
    }
    if current := getattr(error, "current", None):
        more["current"] = current
    status = 403 if error.refusal.code == "not-yours" else 409
    return response(request, Failure(status, error.refusal.code, str(error), members=more))


def _unknown_referral(request: Request, error: Exception) -> Response:
    return response(request, Failure(404, "not-found", str(error)))


def _permanent(request: Request, error: Exception) -> Response:
    """What the rooms below refuse for good: a search that is too broad, a cursor that is none."""
    code = str(getattr(error, "code", "refused")).replace("_", "-")
    return response(request, Failure(400, code, str(error)))


def _retryable(request: Request, error: Exception) -> Response:
    failure = Failure(503, "unavailable", str(error), headers={"Retry-After": "5"})
    return response(request, failure)


def _unstorable(request: Request, error: Exception) -> Response:
    del error  # its text quotes values
    detail = "the request holds a value that the database does not store, such as a text with NUL"
    return response(request, Failure(422, "unstorable", detail))


def _away(request: Request, error: Exception) -> Response:
    del error  # its text holds addresses
    return response(request, _AWAY)


def install(app: FastAPI) -> None:
    """Register every handler."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(NotSignedInError, _not_signed_in)
    app.add_exception_handler(LockedOutError, _locked_out)
    app.add_exception_handler(ForbiddenError, _forbidden)
    app.add_exception_handler(ConflictError, _conflict)
    app.add_exception_handler(StepRefusedError, _step_refused)
    app.add_exception_handler(UnknownReferralError, _unknown_referral)
    app.add_exception_handler(consultation.StepRefusedError, _step_refused)
    app.add_exception_handler(consultation.UnknownConsultationError, _unknown_referral)
    app.add_exception_handler(PermanentError, _permanent)
    app.add_exception_handler(RetryableError, _retryable)
    app.add_exception_handler(DataError, _unstorable)
    app.add_exception_handler(OperationalError, _away)
    app.add_exception_handler(PoolTimeoutError, _away)

"""Refusals as problem details (RFC 9457)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse


@dataclass(frozen=True, slots=True)
class FieldError:
    """One mistake in the body."""

    path: str
    """Keys joined by `.`, indexes from 0."""
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal. Its texts hold no patient data."""

    status: int
    code: str
    """Machine-readable, the last part of `type`."""
    title: str
    detail: str
    errors: tuple[FieldError, ...] = ()

    @property
    def reason(self) -> str:
        """Return one sentence for the list of refusals."""
        places = "; ".join(f"{error.path}: {error.message}" for error in self.errors)
        return f"{self.detail}: {places}" if places else self.detail


class ProblemError(Exception):
    """Raised where a request cannot go on; carries what is answered and recorded."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


def render(problem: Problem, instance: str) -> JSONResponse:
    """Return the response; `instance` is the request's path."""
    content: dict[str, Any] = {
        "type": f"urn:yilian:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
    }
    if problem.errors:
        content["errors"] = [{"path": error.path, "message": error.message} for error in problem.errors]
    response = JSONResponse(content, problem.status, media_type="application/problem+json")
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="yilian", Basic realm="yilian", charset="UTF-8"'
    return response

"""Searches and requests that cannot be answered as asked."""

from __future__ import annotations

from api.failures import Failure, FailureError, FieldError


def wrong_value(name: str, advice: str) -> FailureError:
    """Return the error (400) for a search parameter whose value cannot be read; the value is not repeated."""
    detail = "a search parameter cannot be understood"
    return FailureError(Failure(400, "search-parameter", detail, [FieldError(name, advice)]))

"""The in parameters of `$translate`, from a query or from a Parameters resource."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from starlette.requests import Request

from api.encoding import FHIR_JSON, JSON
from api.failures import Failure, FailureError
from api.fhir.code_maps import Question
from api.fhir.wrong import wrong_value
from bus.rules.dates import SHANGHAI, parse_datetime

SERVED = ("url", "code", "system", "coding", "codeableConcept", "target", "targetsystem", "reverse", "date")
IGNORED = ("version", "_format")
"""Our maps hold for every version of a code system."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The map asked for, if any, and what to translate: one question for each coding."""

    url: str | None
    questions: tuple[Question, ...]
    on: date | None = None
    """The day on which the codes are looked up; None: today."""


async def translating(request: Request) -> Asked:
    """Read a request. Raises `FailureError` for what cannot be answered as asked."""
    if request.method == "GET":
        return asked(list(request.query_params.multi_items()))
    if request.headers.get("content-type", "").partition(";")[0].strip() not in (FHIR_JSON, JSON):
        raise FailureError(Failure(415, "unsupported-media-type", f"send {FHIR_JSON}"))
    try:
        body = json.loads(await request.body())
        return asked(list(_pairs(body)))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise FailureError(
            Failure(400, "bad-request", "send a Parameters resource with the in parameters of $translate")
        ) from None


def _pairs(body: Any) -> Iterator[tuple[str, Any]]:
    if body["resourceType"] != "Parameters":
        raise ValueError("not Parameters")
    for one in body.get("parameter", []):
        [value] = [value for name, value in one.items() if name.startswith("value")]
        yield one["name"], value


def asked(pairs: Iterable[tuple[str, Any]]) -> Asked:
    """Read the parameters: code and system, or coding, or codeableConcept. Raises `FailureError`."""
    given: dict[str, Any] = {}
    for name, value in pairs:
        if name in given:
            raise wrong_value(name, "give it once")
        if name not in SERVED and name not in IGNORED:
            raise wrong_value(name, f"not served; there are: {', '.join(SERVED)}")
        given[name] = value
    codings = list(_codings(given))
    if not codings or not all(code for _, code in codings):
        raise wrong_value("code", "give code and system, or coding, or codeableConcept")
    target, reverse = given.get("target") or given.get("targetsystem"), _flag(given.get("reverse", False))
    questions = tuple(Question(code, system, target, reverse) for system, code in codings)
    return Asked(given.get("url"), questions, _day(given.get("date")))


def _day(value: Any) -> date | None:
    """Read a day, or a time of one (FHIR dateTime)."""
    if value is None:
        return None
    try:
        text = str(value)
        if len(text) == len("2026-01-31"):
            return date.fromisoformat(text)
        return parse_datetime(text).astimezone(SHANGHAI).date()
    except (ValueError, OverflowError):
        raise wrong_value("date", "give a whole day, such as 2026-01-31") from None


def _codings(given: dict[str, Any]) -> Iterator[tuple[str | None, str]]:
    if "code" in given:
        yield given.get("system"), str(given["code"])
    if "coding" in given:
        yield _coding(given["coding"])
    if "codeableConcept" in given:
        yield from (_coding(one) for one in given["codeableConcept"]["coding"])


def _coding(value: Any) -> tuple[str | None, str]:
    if isinstance(value, str):  # in a query: system|code
        system, bar, code = value.rpartition("|")
        return (system if bar else None), code
    return value.get("system"), str(value["code"])


def _flag(value: Any) -> bool:
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise wrong_value("reverse", "give true or false")

"""What an export shall hold: the parameters of the kick-off (Bulk Data Access 2.0, section 1.4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from api.failures import Failure, FailureError
from api.fhir.everything import TYPES
from api.fhir.parameters import Query, reference_id
from api.fhir.wrong import wrong_value
from bus.fhir.shapes import Resource

FORMATS = ("application/fhir+ndjson", "application/ndjson", "ndjson")
MOST_PERSONS = 1000
"""Patients named in one export."""
_VALUES = ("valueString", "valueCode", "valueUri", "valueInstant", "valueDateTime")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an export shall hold."""

    types: tuple[str, ...] = TYPES
    since: datetime | None = None
    persons: tuple[UUID, ...] = ()
    """Of these alone; none: of everybody."""


def check_prefer(prefer: str) -> None:
    """Refuse (400) who does not say that they will come back for the answer."""
    if re.search(r"\brespond-async\b", prefer) is None:
        raise FailureError(
            Failure(400, "respond-async", "an export takes its time: send the header Prefer: respond-async")
        )


def asked(items: Sequence[tuple[str, str]], prefer: str, *, named: bool = False) -> Asked:
    """Read the parameters; `named`: `patient` may be given.

    What is not served is refused, as it would narrow the export, unless `Prefer: handling=lenient`.
    Raises FailureError (400).
    """
    lenient = re.search(r"handling\s*=\s*lenient", prefer) is not None
    query = Query.of(items, "" if lenient else "handling=strict")
    output = query.one("_outputFormat")
    if output and output.value not in FORMATS:
        raise wrong_value("_outputFormat", f"there is: {FORMATS[0]}")
    types = _types(query, lenient=lenient)
    persons = _persons(query, named=named)
    since = query.one("_since")
    changed = Query.of([("_since", f"ge{since.value}")] if since else [], "").span("_since")
    query.rest()
    return Asked(types, changed.since, persons)


def _types(query: Query, *, lenient: bool) -> tuple[str, ...]:
    given = [name for one in query.take("_type") for name in one.value.split(",")]
    unknown = [name for name in given if name not in TYPES]
    known = tuple(name for name in TYPES if not given or name in given)
    if unknown and not (lenient and known):
        raise wrong_value("_type", f"{len(unknown)} of them not served; there are: {', '.join(TYPES)}")
    return known


def _persons(query: Query, *, named: bool) -> tuple[UUID, ...]:
    references = [one.value for one in query.take("patient")]
    if references and not named:
        raise wrong_value("patient", "POST Parameters with it to /fhir/Patient/$export")
    found = [reference_id("patient", "Patient", value) for value in references]
    if None in found or len(found) > MOST_PERSONS:
        raise wrong_value("patient", f"at most {MOST_PERSONS} references Patient/<id>, of ids of ours")
    return tuple(dict.fromkeys(id_ for id_ in found if id_ is not None))


def items(resource: Resource) -> list[tuple[str, str]]:
    """Return what a Parameters resource gives, as pairs. Raises FailureError (400)."""
    given = resource.get("parameter", [])
    if resource.get("resourceType") != "Parameters" or not isinstance(given, list):
        raise wrong_value("resource", "send a Parameters resource")
    return [pair for one in given for pair in _pairs(one)]


def _pairs(one: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(one, dict) or not isinstance(one.get("name"), str):
        raise wrong_value("parameter", "each has a name and a value")
    reference = one.get("valueReference")
    values = [one[name] for name in _VALUES if name in one]
    values += [reference.get("reference")] if isinstance(reference, dict) else []
    if len(values) != 1 or not isinstance(values[0], str):
        raise wrong_value("parameter", "each has one value: valueString, valueInstant or valueReference")
    yield one["name"], values[0]


def address(asked: Asked) -> str:
    """Return the kick-off that asks for the same (without people by name), for who did not send one."""
    said = {} if asked.types == TYPES else {"_type": ",".join(asked.types)}
    since = {"_since": asked.since.isoformat()} if asked.since else {}
    query = urlencode(said | since)
    return f"/fhir/$export?{query}" if query else "/fhir/$export"

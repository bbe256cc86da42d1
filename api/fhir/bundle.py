"""Searchset Bundles (R4 section 3.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from api.fhir.parameters import CURSOR, Control, Query
from bus.fhir.shapes import Resource, without_empty


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found on one page."""

    resources: Sequence[Resource]
    after: str | None = None
    """Cursor of the next page."""
    total: int | None = None
    included: Sequence[Resource] = ()
    """What comes along with the matches; an OperationOutcome among it says what is missing."""


def bundle(base: str, kind: str, query: Query, control: Control, found: Found) -> Resource:
    """Make the Bundle; `base` is the address of the FHIR face, without a slash at the end."""
    here = f"{base}/{kind}"
    links = [{"relation": "self", "url": _address(here, query.used)}]
    if found.after is not None and not control.only_count:
        others = [pair for pair in query.used if pair[0] != CURSOR]
        links.append({"relation": "next", "url": _address(here, [*others, (CURSOR, found.after)])})
    entries = [_entry(base, resource, "match") for resource in found.resources]
    entries += [_entry(base, resource, "include") for resource in found.included]
    return without_empty(
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": _total(query, found),
            "link": links,
            "entry": [] if control.only_count else entries,
        }
    )


def _entry(base: str, resource: Resource, mode: str) -> Resource:
    if resource["resourceType"] == "OperationOutcome":
        return {"resource": resource, "search": {"mode": "outcome"}}
    address = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": address, "resource": resource, "search": {"mode": mode}}


def history(base: str, resources: Sequence[Resource]) -> Resource:
    """Make the Bundle of a resource's versions, newest first (R4 section 3.1.0.13)."""
    return {
        "resourceType": "Bundle",
        "type": "history",
        "total": len(resources),
        "entry": [_version(base, resource) for resource in resources],
    }


def _version(base: str, resource: Resource) -> Resource:
    kind, id_, said = resource["resourceType"], resource["id"], resource["meta"]
    first = said["versionId"] == "1"
    request = {"method": "POST", "url": kind} if first else {"method": "PUT", "url": f"{kind}/{id_}"}
    return {
        "fullUrl": f"{base}/{kind}/{id_}",
        "resource": resource,
        "request": request,
        "response": {
            "status": "201" if first else "200",
            "etag": f'W/"{said["versionId"]}"',
            "lastModified": said["lastUpdated"],
        },
    }


def _total(query: Query, found: Found) -> int | None:
    """Return the number of matches: counted where that was asked for, known where one page holds them all."""
    whole = found.after is None and all(name != CURSOR for name, _ in query.used)
    return len(found.resources) if found.total is None and whole else found.total


def _address(here: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"{here}?{urlencode(pairs)}" if pairs else here

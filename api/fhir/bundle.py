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


def bundle(base: str, kind: str, query: Query, control: Control, found: Found) -> Resource:
    """Make the Bundle; `base` is the address of the FHIR face, without a slash at the end."""
    here = f"{base}/{kind}"
    links = [{"relation": "self", "url": _address(here, query.used)}]
    if found.after is not None and not control.only_count:
        others = [pair for pair in query.used if pair[0] != CURSOR]
        links.append({"relation": "next", "url": _address(here, [*others, (CURSOR, found.after)])})
    entries = [
        {"fullUrl": f"{here}/{resource['id']}", "resource": resource, "search": {"mode": "match"}}
        for resource in found.resources
    ]
    return without_empty(
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": _total(query, found),
            "link": links,
            "entry": [] if control.only_count else entries,
        }
    )


def _total(query: Query, found: Found) -> int | None:
    """Return the number of matches: counted where that was asked for, known where one page holds them all."""
    whole = found.after is None and all(name != CURSOR for name, _ in query.used)
    return len(found.resources) if found.total is None and whole else found.total


def _address(here: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"{here}?{urlencode(pairs)}" if pairs else here

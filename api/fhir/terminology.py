"""The routes of `/fhir` for code maps and the affinity domain: ConceptMap, CodeSystem, ValueSet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy import Connection

from api.caller import Caller, gate
from api.encoding import FHIR_JSON, FhirResponse
from api.failures import not_found
from api.fhir.bundle import Found, bundle
from api.fhir.code_maps import MAP, Row, rows_of, translate
from api.fhir.examples import described
from api.fhir.parameters import Control, Query, control
from api.fhir.router import acceptable, add_search, asked, base
from api.fhir.terminology_resources import (
    affinity_value_set,
    concept_map,
    master_code_system,
    table_code_system,
    translation,
    value_set,
)
from api.fhir.translating import Asked, translating
from api.fhir.vocabulary import PARAMETERS
from bus.codes.mapping import tables_in_force
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from consortium.access.model import SHARED, Action
from consortium.terminology import store
from consortium.terminology.model import Kind

LISTED = (Kind.DEPARTMENT, Kind.LAB_ITEM, Kind.EXAM_ITEM, Kind.DRUG, Kind.DIAGNOSIS)
"""Kinds of master data that are code systems."""
SORTS = ("_id",)

router = APIRouter(prefix="/fhir", tags=["fhir"], default_response_class=FhirResponse)
Reader = Annotated[Caller, Depends(gate(Action.MASTER_DATA_READ))]
Asking = Annotated[Query, Depends(asked)]
Translating = Annotated[Asked, Depends(translating)]
Json = Depends(acceptable)


def _tables(caller: Caller, connection: Connection, on: date | None = None) -> dict[str, list[Row]]:
    """Return the rows of every table that are in force on a day; None: of every day."""
    systems = Systems(caller.parts.settings)
    tables = tables_in_force(connection, caller.parts.settings.rules_dir)
    return {name: rows_of(table, systems, on) for name, table in sorted(tables.items())}


def _concept_maps(caller: Caller) -> Iterator[Resource]:
    with caller.parts.statements.connect() as connection:
        tables = _tables(caller, connection)
    return (concept_map(name, rows) for name, rows in tables.items())


def _value_sets(caller: Caller) -> Iterator[Resource]:
    with caller.parts.statements.connect() as connection:
        tables = _tables(caller, connection)
    shared = caller.parts.registry.domain.codes
    found = [value_set(name, rows) for name, rows in tables.items()]
    found += [affinity_value_set(name, listed) for name, listed in shared.items()]
    return iter(sorted(found, key=lambda resource: str(resource["id"])))


def _code_systems(caller: Caller) -> Iterator[Resource]:
    day = caller.parts.today()
    with caller.parts.statements.connect() as connection:
        tables = _tables(caller, connection)
        master = [
            master_code_system(kind, owner, [e.entry for e in store.on(connection, kind, day, owner=owner)])
            for kind, owner in store.owners(connection)
            if kind in LISTED
        ]
    own = [found for name, rows in tables.items() if (found := table_code_system(name, rows))]
    return iter(sorted((*own, *master), key=lambda resource: str(resource["id"])))


KINDS: Mapping[str, Callable[[Caller], Iterator[Resource]]] = {
    "ConceptMap": _concept_maps,
    "CodeSystem": _code_systems,
    "ValueSet": _value_sets,
}


def _search(kind: str) -> Callable[..., FhirResponse]:
    def search(request: Request, caller: Reader, query: Asking) -> FhirResponse:
        caller.allow(SHARED)
        wanted = {name: set(query.values(name)) for name, _, _ in PARAMETERS[kind]}
        page = control(query, SORTS)
        query.rest()
        found = [one for one in KINDS[kind](caller) if _fits(one, wanted)]
        return FhirResponse(bundle(base(request), kind, query, page, _page(found, page)))

    search.__doc__ = f"Find {kind} by url, name, code."
    return search


def _fits(resource: Resource, wanted: Mapping[str, set[str]]) -> bool:
    return all(not values or values & _values(resource, name) for name, values in wanted.items())


def _values(resource: Resource, name: str) -> set[str]:
    groups = resource.get("group", [])
    elements = [element for group in groups for element in group["element"]]
    if name in ("source-system", "target-system"):
        return {group[name.partition("-")[0]] for group in groups}
    if name == "source-code":
        return {element["code"] for element in elements}
    if name == "target-code":
        return {target["code"] for element in elements for target in element["target"]}
    if name == "code":
        return {concept["code"] for concept in resource.get("concept", [])}
    return {str(resource[name.removeprefix("_")])}


def _page(found: list[Resource], page: Control) -> Found:
    left = [one for one in found if page.cursor is None or one["id"] > page.cursor]
    shown = [] if page.only_count else left[: page.count]
    more = len(left) > len(shown) and bool(shown)
    return Found(shown, shown[-1]["id"] if more else None, len(found))


def _read(kind: str) -> Callable[..., FhirResponse]:
    def read(caller: Reader, id: str) -> FhirResponse:  # noqa: A002 - FHIR's name of it
        caller.allow(SHARED)
        found = next((one for one in KINDS[kind](caller) if one["id"] == id), None)
        if found is None:
            raise not_found(kind)
        return FhirResponse(found, headers={"ETag": f'W/"{found["version"]}"'})

    read.__doc__ = f"Return one {kind}; its id is the name of the code table, or xds- and a list's."
    return read


def translate_all(caller: Reader, wanted: Translating) -> FhirResponse:
    """Say what a campus's code means in the consortium; with `reverse`, the codes that mean a target."""
    return _translate(caller, wanted, wanted.url.removeprefix(MAP) if wanted.url else None)


def translate_by(caller: Reader, id: str, wanted: Translating) -> FhirResponse:  # noqa: A002 - FHIR's name
    """Translate by one ConceptMap."""
    return _translate(caller, wanted, id)


def _translate(caller: Caller, wanted: Asked, table: str | None) -> FhirResponse:
    caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        tables = _tables(caller, connection, wanted.on or caller.parts.today())
    if table is not None and table not in tables:
        raise not_found("ConceptMap")
    rows = [row for name, found in tables.items() if table in (None, name) for row in found]
    systems = Systems(caller.parts.settings)
    matches = [match for question in wanted.questions for match in translate(rows, question, systems)]
    codes = ", ".join(question.code for question in wanted.questions)
    return FhirResponse(translation(list(dict.fromkeys(matches)), codes))


def _answers(kind: str, example: Resource) -> dict[str, Any]:
    return {"responses": {200: {"content": {FHIR_JSON: {"example": example}}, "description": kind}}}


_TRANSLATED: Resource = {
    "resourceType": "Parameters",
    "parameter": [
        {"name": "result", "valueBoolean": True},
        {
            "name": "match",
            "part": [
                {"name": "equivalence", "valueCode": "equivalent"},
                {"name": "concept", "valueCoding": {"system": "http://loinc.org", "code": "58410-2"}},
                {"name": "source", "valueUri": f"{MAP}main-lab-items"},
            ],
        },
    ],
}
_IN: list[tuple[str, str, str]] = [
    ("url", "uri", "the map, such as urn:yilian:concept-map:main-lab-items; without it every map"),
    ("code", "code", "what to translate"),
    ("system", "uri", "its code system: the campus's dictionary, or with reverse the target's"),
    ("target", "uri", "value set or code system of the answer"),
    ("reverse", "boolean", "from the consortium's code back to the campuses'"),
    ("date", "dateTime", "the day for which to translate; without it today"),
]


def _add_translate(path: str, endpoint: Callable[..., FhirResponse], name: str) -> None:
    sent = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "url", "valueUri": f"{MAP}main-lab-items"},
            {"name": "system", "valueUri": "urn:oid:1.2.156.10011.99.1.9"},
            {"name": "code", "valueCode": "LP001"},
        ],
    }
    body = {"requestBody": {"content": {FHIR_JSON: {"schema": {"type": "object"}, "example": sent}}}}
    shared: dict[str, Any] = {"dependencies": [Json], "summary": "Translate a code"}
    shared |= _answers("Parameters: result, message, match", _TRANSLATED)
    parameters = {"parameters": described(tuple(_IN))}
    router.add_api_route(path, endpoint, methods=["GET"], openapi_extra=parameters, name=name, **shared)
    router.add_api_route(path, endpoint, methods=["POST"], openapi_extra=body, name=f"{name}_post", **shared)


def _add_routes() -> None:
    _add_translate("/ConceptMap/$translate", translate_all, "translate")
    _add_translate("/ConceptMap/{id}/$translate", translate_by, "translate_by")
    for kind in PARAMETERS:
        _add_kind(kind)


def _add_kind(kind: str) -> None:
    found = _answers("Bundle of type searchset", {"resourceType": "Bundle", "type": "searchset"})
    one = _answers(f"the {kind}", {"resourceType": kind, "id": "main-lab-items", "status": "active"})
    add_search(router, kind, _search(kind), described(PARAMETERS[kind]), found["responses"])
    router.add_api_route(
        f"/{kind}/{{id}}",
        _read(kind),
        methods=["GET"],
        summary=f"Read one {kind}",
        dependencies=[Json],
        **one,
    )


_add_routes()

"""The routes of `/fhir`."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api.caller import Caller, gate
from api.encoding import FhirResponse
from api.failures import Failure, FailureError, not_found
from api.fhir import capability, everything, including, people, records, referral_face
from api.fhir.bundle import Found, bundle, history
from api.fhir.examples import BUNDLE, EVERYTHING, PARAMETERS, RESOURCE
from api.fhir.kinds import KINDS, Kind
from api.fhir.parameters import Control, Query, control, uuid_or_none
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from consortium.access.model import Action
from consortium.access.model import Resource as Asked
from consortium.access.policy import Reach
from consortium.records import query as record_query

FORM = "application/x-www-form-urlencoded"
PATIENTS = "reads patients to treat, or themself"

router = APIRouter(prefix="/fhir", tags=["fhir"], default_response_class=FhirResponse)
PatientReader = Annotated[Caller, Depends(gate(Action.PATIENT_READ))]
PatientQuerier = Annotated[Caller, Depends(gate(Action.PATIENT_QUERY))]
RecordReader = Annotated[Caller, Depends(gate(Action.RECORD_READ))]


def acceptable(request: Request) -> None:
    """Refuse (406) who cannot take JSON."""
    accept = request.headers.get("accept", "*/*").lower()
    if not any(part in accept for part in ("*/*", "json", "application/*")):
        raise FailureError(Failure(406, "not-acceptable", "only application/fhir+json is served"))


def base(request: Request) -> str:
    """Return the address of the FHIR face."""
    return f"{str(request.base_url).rstrip('/')}/fhir"


async def asked(request: Request) -> Query:
    """Read the search: the query of GET, and the form of POST `_search`."""
    items = list(request.query_params.multi_items())
    if request.method == "POST":
        if request.headers.get("content-type", "").partition(";")[0].strip() != FORM:
            raise FailureError(Failure(415, "unsupported-media-type", f"send {FORM}"))
        try:
            items += parse_qsl((await request.body()).decode(), strict_parsing=False)
        except (UnicodeDecodeError, ValueError):
            raise FailureError(
                Failure(400, "bad-request", "the form cannot be read; send it in UTF-8")
            ) from None
    return Query.of(items, request.headers.get("prefer", ""))


Asking = Annotated[Query, Depends(asked)]
Json = Depends(acceptable)


def _systems(caller: Caller) -> Systems:
    return Systems(caller.parts.settings)


@router.get("/metadata", summary="CapabilityStatement", dependencies=[Json])
def metadata(
    request: Request, caller: Annotated[Caller, Depends(gate(Action.CAPABILITIES_READ))]
) -> FhirResponse:
    """Say which resources, interactions and search parameters are served."""
    today = caller.parts.now().date().isoformat()
    return FhirResponse(capability.capability_statement(base(request), today))


def _search_patients(request: Request, caller: PatientQuerier, query: Asking) -> FhirResponse:
    """Find people by identifier (ID card, campus number), name, birth date, address (PDQm, ITI-78).

    Each person shown is audited.
    """
    systems, reach = _systems(caller), caller.reach()
    with caller.answering():
        wanted = people.wanted(query, systems, vips=caller.finds_vips())
        page, along = control(query, people.SORTS), including.wish("Patient", query)
        query.rest()
    if reach is Reach.OWN and caller.user.person_id:
        wanted = people.only(wanted, caller.user.person_id)
    with caller.answering(), caller.parts.statements.connect() as connection:
        found = people.find(connection, wanted, page, systems)
        shown = [UUID(one["id"]) for one in found.resources]
        if along.reverse:  # records, which who may ask for people alone may not see
            for person in shown:
                caller.allow(Asked(person_id=person), Action.RECORD_READ)
            caller.note("records come along", shown, action=Action.RECORD_READ)
        found = replace(found, included=including.Along(connection, systems).of(found.resources, along))
    return _answer(request, caller, "Patient", query, page, found, set(shown))


def _answer(
    request: Request, caller: Caller, kind: str, query: Query, page: Control, found: Found, persons: set[UUID]
) -> FhirResponse:
    reason = f"{len(found.resources)} {kind} found"
    caller.note(reason, sorted(persons))
    return FhirResponse(bundle(base(request), kind, query, page, found))


@router.get("/Patient/{id}", summary="Read a Patient", dependencies=[Json], responses=RESOURCE["Patient"])
def read_patient(caller: PatientReader, id: str) -> FhirResponse:  # noqa: A002 - FHIR's name of it
    """Return one golden person."""
    person = _logical_id(id, "Patient")
    decision = caller.allow(Asked(person_id=person))
    with caller.parts.statements.connect() as connection:
        resource = people.read(connection, person, _systems(caller))
    if resource is None:
        raise not_found("Patient")
    caller.note(decision.reason, [person])
    return _resource(resource)


@router.get(
    "/Patient/{id}/$everything",
    summary="Everything of a Patient",
    dependencies=[Json],
    responses=BUNDLE,
    openapi_extra={"parameters": EVERYTHING},
)
def patient_everything(
    request: Request,
    caller: RecordReader,
    query: Asking,
    id: str,  # noqa: A002 - FHIR's name of it
) -> FhirResponse:
    """Return a person and all their records from every campus, in pages (R4 section 8.1.18.2)."""
    person = _logical_id(id, "Patient")
    decision = caller.allow(Asked(person_id=person))
    wanted = everything.wanted(query, person)
    page = control(query, ())
    query.rest()
    with caller.parts.statements.connect() as connection:
        found = everything.find(connection, wanted, page, _systems(caller))
    if found is None:
        raise not_found("Patient")
    caller.note(decision.reason, [person])
    return FhirResponse(bundle(base(request), f"Patient/{id}/$everything", query, page, found))


def _logical_id(id_: str, kind: str) -> UUID:
    found = uuid_or_none(id_)
    if found is None:
        raise not_found(kind)
    return found


def _resource(resource: Resource) -> FhirResponse:
    version = resource["meta"].get("versionId")
    return FhirResponse(resource, headers={"ETag": f'W/"{version}"'} if version else None)


def _search(kind: Kind) -> Callable[..., FhirResponse]:
    def search(request: Request, caller: RecordReader, query: Asking) -> FhirResponse:
        if referral_face.is_about(kind.name, query):
            referrals, page = referral_face.find(caller, kind.name, query)
            return FhirResponse(bundle(base(request), kind.name, query, page, referrals))
        systems, reach = _systems(caller), caller.reach()
        with caller.parts.statements.connect() as connection:
            wanted = records.wanted(kind, query, systems, connection)
            page, along = control(query, tuple(records.sorts(kind))), including.wish(kind.name, query)
            query.rest()
            wanted = _narrowed(caller, wanted, reach)
            found, persons = records.find(connection, kind, wanted, page, systems)
            found = replace(found, included=including.Along(connection, systems).of(found.resources, along))
        persons |= {wanted.person} if wanted.person else set()
        return _answer(request, caller, kind.name, query, page, found, persons)

    search.__doc__ = f"Find {kind.name} by patient, identifier, code, date. Each patient shown is audited."
    return search


def _narrowed(caller: Caller, wanted: records.Wanted, reach: Reach) -> records.Wanted:
    if wanted.person is not None:
        caller.allow(Asked(person_id=wanted.person))
    if reach is Reach.OWN and caller.user.person_id:
        return records.only(wanted, caller.user.person_id)
    return wanted


def _read(kind: Kind) -> Callable[..., FhirResponse]:
    def read(caller: RecordReader, id: str) -> FhirResponse:  # noqa: A002 - FHIR's name of it
        found = _record(caller, kind, _logical_id(id, kind.name))
        if found is None and kind.name in referral_face.MAKE:
            return _resource(referral_face.read(caller, kind.name, _logical_id(id, kind.name)))
        resource, person = _known(found, kind)
        decision = caller.allow(Asked(person_id=person))
        caller.note(decision.reason, [person])
        return _resource(resource)

    read.__doc__ = f"Return one {kind.name}."
    return read


def _history(kind: Kind) -> Callable[..., FhirResponse]:
    def versions(request: Request, caller: RecordReader, id: str) -> FhirResponse:  # noqa: A002 - FHIR's
        return FhirResponse(history(base(request), _versions(caller, kind, id)))

    versions.__doc__ = f"Return every version of one {kind.name}, newest first."
    return versions


def _version(kind: Kind) -> Callable[..., FhirResponse]:
    def version(caller: RecordReader, id: str, version: str) -> FhirResponse:  # noqa: A002 - FHIR's
        for resource in _versions(caller, kind, id):
            if resource["meta"]["versionId"] == version:
                return _resource(resource)
        raise not_found(kind.name)

    version.__doc__ = f"Return one {kind.name} as it was."
    return version


def _versions(caller: Caller, kind: Kind, id_: str) -> list[Resource]:
    record = _logical_id(id_, kind.name)
    with caller.parts.statements.connect() as connection:
        found = records.versions(connection, kind, record, _systems(caller))
    if found is None:
        raise not_found(kind.name)
    decision = caller.allow(Asked(person_id=found[1]))
    caller.note(decision.reason, [found[1]])
    return found[0]


def _record(caller: Caller, kind: Kind, id_: UUID) -> tuple[Resource, UUID] | None:
    with caller.parts.statements.connect() as connection:
        return records.read(connection, kind, id_, _systems(caller))


def _known(found: tuple[Resource, UUID] | None, kind: Kind) -> tuple[Resource, UUID]:
    if found is None:
        raise not_found(kind.name)
    return found


@router.get(
    "/Binary/{id}",
    summary="Read what a document holds",
    response_class=Response,
    responses={200: {"content": {"*/*": {}}, "description": "the bytes as they were sent; Binary for JSON"}},
)
def read_binary(request: Request, caller: RecordReader, id: str) -> Response:  # noqa: A002 - FHIR's name of it
    """Return a document's bytes, or a Binary resource to who accepts `application/fhir+json`."""
    document = _logical_id(id, "Binary")
    kind = KINDS["DocumentReference"]
    _, person = _known(_record(caller, kind, document), kind)
    decision = caller.allow(Asked(person_id=person))
    with caller.parts.statements.connect() as connection:
        content = record_query.content(connection, document)
    if content is None:
        raise not_found("Binary")
    caller.note(decision.reason, [person])
    if "json" in request.headers.get("accept", ""):
        data = base64.b64encode(content.data).decode()
        body: dict[str, Any] = {
            "resourceType": "Binary",
            "id": id,
            "contentType": content.mime_type,
            "data": data,
        }
        return FhirResponse(body)
    headers = {"Content-Disposition": "attachment", "Content-Security-Policy": "sandbox; default-src 'none'"}
    return Response(content.data, media_type=content.mime_type, headers=headers)


def add_search(
    to: APIRouter,
    name: str,
    endpoint: Callable[..., FhirResponse],
    parameters: list[dict[str, Any]],
    responses: dict[int | str, dict[str, Any]],
    post: str = "search",
) -> None:
    """Add the two ways to search a type: by GET, and by POST of a form; `post` begins the latter's name."""
    shared: dict[str, Any] = {"dependencies": [Json], "responses": responses}
    extra = {"parameters": parameters}
    to.add_api_route(
        f"/{name}", endpoint, methods=["GET"], summary=f"Search {name}", openapi_extra=extra, **shared
    )
    to.add_api_route(
        f"/{name}/_search",
        endpoint,
        methods=["POST"],
        summary=f"Search {name}, with the parameters in the body",
        name=f"{post}_{name}",
        openapi_extra={"requestBody": {"content": {FORM: {"schema": {"type": "object"}}}}},
        **shared,
    )


def _add_routes() -> None:
    add_search(router, "Patient", _search_patients, PARAMETERS["Patient"], BUNDLE)
    for name, kind in KINDS.items():
        add_search(router, name, _search(kind), PARAMETERS[name], BUNDLE)
        router.add_api_route(
            f"/{name}/{{id}}",
            _read(kind),
            methods=["GET"],
            summary=f"Read one {name}",
            dependencies=[Json],
            responses=RESOURCE[name],
        )
        _add_history(name, kind)


def _add_history(name: str, kind: Kind) -> None:
    here = f"/{name}/{{id}}/_history"
    shared: dict[str, Any] = {"methods": ["GET"], "dependencies": [Json]}
    router.add_api_route(here, _history(kind), summary=f"Versions of one {name}", responses=BUNDLE, **shared)
    router.add_api_route(
        f"{here}/{{version}}",
        _version(kind),
        summary=f"Read one {name} as it was",
        responses=RESOURCE[name],
        **shared,
    )


_add_routes()

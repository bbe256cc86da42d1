"""`Patient/$ihe-pix`: which identifiers a patient has in the other domains (PIXm, ITI-83).

Answers and errors are those of the IHE PIXm implementation guide, ITI TF-2 3.83.4.2.2 as published in 2025:
an identifier that is not found is 404 not-found, a source domain that is not known 400 code-invalid, a target
domain 403 code-invalid; each with the diagnostics that the text gives word for word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api.caller import Caller, gate
from api.encoding import FHIR_JSON, FhirResponse
from api.failures import Failure, FailureError
from api.fhir.parameters import Query, Token, tokens_of
from api.fhir.router import Json, base
from api.fhir.wrong import wrong_value
from bus.fhir.reading.document import load
from bus.fhir.shapes import Resource
from bus.fhir.shapes import identifier as shown
from bus.fhir.systems import ID_CARD, Systems
from consortium.access.model import Action
from consortium.access.model import Resource as Asked
from consortium.errors import PermanentError
from consortium.identity.crossing import Crossed, Identifier, crossed

SOURCE, TARGET = "sourceIdentifier", "targetSystem"
ADDRESS = "/Patient/$ihe-pix"
_TYPES = {"patient": "MR", "person": "PI", "id_card": "NI"}

router = APIRouter(prefix="/fhir", tags=["fhir"], default_response_class=FhirResponse)
Querier = Annotated[Caller, Depends(gate(Action.PATIENT_QUERY))]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked."""

    source: Token
    targets: tuple[str, ...] = ()
    """Systems; none: all."""


class PixError(PermanentError):
    """A question that has no answer; `status`, `code` and `diagnostics` are those that IHE gives."""

    def __init__(self, status: int, code: str, diagnostics: str) -> None:
        super().__init__(diagnostics)
        self.status, self.code, self.diagnostics = status, code, diagnostics

    def outcome(self) -> Resource:
        """Return the OperationOutcome."""
        issue = {"severity": "error", "code": self.code, "diagnostics": self.diagnostics}
        return {"resourceType": "OperationOutcome", "issue": [issue]}


def unknown_source() -> PixError:
    """Return the error of ITI TF-2 3.83.4.2.2.3."""
    return PixError(400, "code-invalid", "sourceIdentifier Assigning Authority not found")


def unknown_identifier() -> PixError:
    """Return the error of ITI TF-2 3.83.4.2.2.2."""
    return PixError(404, "not-found", "sourceIdentifier Patient Identifier not found")


def unknown_target() -> PixError:
    """Return the error of ITI TF-2 3.83.4.2.2.4."""
    return PixError(403, "code-invalid", "targetSystem not found")


def of_query(items: Iterable[tuple[str, str]], prefer: str) -> Question:
    """Read the query of GET. Raises FailureError (400)."""
    query = Query.of(items, prefer)
    sources = query.take(SOURCE)
    targets = tuple(one.value for one in query.take(TARGET))
    for name in ("_format", "_pretty"):
        query.take(name)
    query.rest()
    return _question([one.value for one in sources], targets)


def of_parameters(resource: Resource) -> Question:
    """Read the Parameters of POST. Raises FailureError (400)."""
    if resource["resourceType"] != "Parameters" or not isinstance(resource.get("parameter", []), list):
        raise wrong_value("Parameters", "send a Parameters resource")
    given: dict[str, list[str]] = {SOURCE: [], TARGET: []}
    for one in resource.get("parameter", []):
        if isinstance(one, dict) and one.get("name") in given:
            given[one["name"]].append(_value(one))
    return _question(given[SOURCE], tuple(given[TARGET]))


def _value(parameter: Resource) -> str:
    identifier = parameter.get("valueIdentifier")
    if isinstance(identifier, dict):
        return f"{identifier.get('system', '')}|{identifier.get('value', '')}"
    values = [parameter[name] for name in ("valueString", "valueUri", "valueUrl") if name in parameter]
    if not values or not isinstance(values[0], str):
        raise wrong_value(str(parameter["name"]), "give it as valueString or valueUri")
    return values[0]


def _question(sources: Sequence[str], targets: tuple[str, ...]) -> Question:
    tokens = tokens_of(sources[0]) if len(sources) == 1 else ()
    if len(tokens) != 1 or not tokens[0].system or not tokens[0].code:
        raise wrong_value(SOURCE, "give it once, as system|value")
    return Question(tokens[0], targets)


def identifier_of(token: Token, here: str, systems: Systems) -> Identifier:
    """Return what a token names; `here` is the address of our FHIR face, a domain too. Raises PixError."""
    if token.system == here:
        return Identifier("person", token.code.removeprefix("Patient/"))
    domain = systems.domain(token.system or "")
    if domain is None or domain.kind not in _TYPES:
        raise unknown_source()
    return Identifier(domain.kind, token.code, domain.facility)  # type: ignore[arg-type]  # checked above


def answer(found: Crossed, question: Question, source: Identifier, here: str, systems: Systems) -> Resource:
    """Make the Parameters (ITI TF-2 3.83.4.2.2.1): every identifier but the one asked with, and the Patient.

    Raises PixError.
    """
    for target in question.targets:
        domain = systems.domain(target)
        if target != here and (domain is None or domain.kind not in _TYPES):
            raise unknown_target()
    wanted = set(question.targets)
    parameters: list[Resource] = []
    for one in found.others(source):
        known = _shown(one, systems)
        if not wanted or known["system"] in wanted:
            parameters.append({"name": "targetIdentifier", "valueIdentifier": known})
    if question.source.system != here and (not wanted or here in wanted):
        reference = {"reference": f"{here}/Patient/{found.person_id}"}
        parameters.append({"name": "targetId", "valueReference": reference})
    return {"resourceType": "Parameters", **({"parameter": parameters} if parameters else {})}


def _shown(one: Identifier, systems: Systems) -> Resource:
    names = {"person": systems.person, "id_card": ID_CARD, "patient": systems.patient(one.facility or "")}
    return shown(names[one.domain], one.value, _TYPES[one.domain]) or {}


def _answered(request: Request, caller: Caller, question: Question) -> Response:
    systems, here = Systems(caller.parts.settings), base(request)
    try:
        source = identifier_of(question.source, here, systems)
        with caller.parts.statements.connect() as connection:
            found = crossed(connection, source)
        if found is None:
            raise unknown_identifier()
        caller.allow(Asked(person_id=found.person_id))
        body = answer(found, question, source, here, systems)
    except PixError as error:
        caller.note_failure(f"not answered: {error.diagnostics}")
        return FhirResponse(error.outcome(), error.status)
    caller.note(f"{len(body.get('parameter', ()))} identifiers found", [found.person_id])
    return FhirResponse(body)


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Parameters with targetIdentifier and targetId"},
    400: {"description": "the domain of sourceIdentifier is not known"},
    403: {"description": "a targetSystem is not known; or the caller may not ask"},
    404: {"description": "nobody is known by sourceIdentifier"},
}
_ASKED: list[dict[str, Any]] = [
    {"name": SOURCE, "in": "query", "description": "system|value", "schema": {"type": "string"}},
    {"name": TARGET, "in": "query", "description": "domains wanted", "schema": {"type": "string"}},
]


@router.get(
    ADDRESS,
    summary="Identifiers of a patient in other domains (PIXm ITI-83)",
    dependencies=[Json],
    responses=_RESPONSES,
    openapi_extra={"parameters": _ASKED},
)
def identifiers(request: Request, caller: Querier) -> Response:
    """Answer by which identifiers a patient is known who is known by one. Audited, whatever comes of it."""
    items = request.query_params.multi_items()
    return _answered(request, caller, of_query(items, request.headers.get("prefer", "")))


async def _body(request: Request) -> bytes:
    """Read the body; refuses (415) what is not JSON."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (FHIR_JSON, "application/json"):
        raise FailureError(Failure(415, "unsupported-media-type", f"send {FHIR_JSON} in UTF-8"))
    return await request.body()


Sent = Annotated[bytes, Depends(_body)]


@router.post(
    ADDRESS,
    summary="Identifiers of a patient in other domains, asked by a Parameters resource",
    name="identifiers_by_parameters",
    dependencies=[Json],
    responses=_RESPONSES,
    openapi_extra={"requestBody": {"content": {FHIR_JSON: {"schema": {"type": "object"}}}}},
)
def identifiers_by_parameters(request: Request, caller: Querier, sent: Sent) -> Response:
    """Answer as GET does; an ID card in a body stands in no log of an address."""
    return _answered(request, caller, of_parameters(load(sent)))

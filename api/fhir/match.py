"""`Patient/$match`: who a described person may be, each with a grade (PDQm, ITI-119)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api.caller import Caller, gate
from api.encoding import FHIR_JSON, FhirResponse
from api.fhir.parameters import MOST
from api.fhir.pix import Sent
from api.fhir.router import Json, base
from api.fhir.wrong import wrong_value
from bus.fhir.reading import patient as reading
from bus.fhir.reading.document import check, load
from bus.fhir.reading.elements import Reader
from bus.fhir.reading.issues import InvalidResourceError
from bus.fhir.reading.keys import Key, Links
from bus.fhir.resources.patient import patient
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from consortium.access.model import Action
from consortium.access.policy import Reach
from consortium.identity import finding
from consortium.identity.decide import FACTS
from consortium.identity.finding import Matched
from consortium.identity.model import Facts
from consortium.identity.search import PersonSearch, search

GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
_NOBODY = Key("patient", "", "-")

router = APIRouter(prefix="/fhir", tags=["fhir"], default_response_class=FhirResponse)
Matcher = Annotated[Caller, Depends(gate(Action.PATIENT_QUERY))]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    patient: Resource
    only_certain: bool = False
    count: int = MOST


def wanted(resource: Resource) -> Wanted:
    """Read Parameters with `resource`, `onlyCertainMatches`, `count`; or a Patient by itself.

    Raises FailureError (400).
    """
    if resource["resourceType"] == "Patient":
        return Wanted(resource)
    parameters = resource.get("parameter")
    if resource["resourceType"] != "Parameters" or not isinstance(parameters, list):
        raise wrong_value("resource", "send a Patient, or Parameters that hold one as resource")
    given = {one.get("name"): one for one in parameters if isinstance(one, dict)}
    found = given.get("resource", {}).get("resource")
    if not isinstance(found, dict) or found.get("resourceType") != "Patient":
        raise wrong_value("resource", "it must be a Patient")
    only = given.get("onlyCertainMatches", {}).get("valueBoolean", False)
    if not isinstance(only, bool):
        raise wrong_value("onlyCertainMatches", "true or false, as valueBoolean")
    return Wanted(found, only, _count(given.get("count", {}).get("valueInteger", MOST)))


def _count(count: Any) -> int:
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise wrong_value("count", "a number from 1, as valueInteger")
    return min(count, MOST)


def facts(resource: Resource, systems: Systems) -> Facts:
    """Return what a Patient says of who they are. Raises InvalidResourceError."""
    issues = check(resource, "Patient")
    reader = Reader(resource, _NOBODY, Links(systems), "Patient", issues)
    said = None if issues else reading.patient(reader)
    if issues or said is None:
        raise InvalidResourceError(issues)
    return Facts(**{name: getattr(said, name) for name in FACTS})


@router.post(
    "/Patient/$match",
    summary="Who a described person may be (PDQm ITI-119)",
    dependencies=[Json],
    openapi_extra={"requestBody": {"content": {FHIR_JSON: {"schema": {"type": "object"}}}}},
)
def match(request: Request, caller: Matcher, sent: Sent) -> Response:
    """Answer with the people who may be meant, the surest first, with score and match-grade."""
    systems, reach = Systems(caller.parts.settings), caller.reach()
    with caller.answering():
        asked = wanted(load(sent))
        described = facts(asked.patient, systems)
    with caller.parts.statements.connect() as connection:
        found = finding.find(connection, described)
        if reach is Reach.OWN:
            found = [one for one in found if one.person_id == caller.user.person_id]
        found = _kept(found, asked)
        ids = tuple(one.person_id for one in found)
        rows = search(connection, PersonSearch(ids=ids, limit=MOST)).rows if ids else []
    shown = {row["id"]: patient(row, systems) for row in rows}
    found = [one for one in found if one.person_id in shown]
    caller.note(f"{len(found)} Patient matched", sorted(shown))
    return FhirResponse(_bundle(base(request), found, shown))


def _kept(found: Sequence[Matched], asked: Wanted) -> list[Matched]:
    """Leave what was asked for; several that are certain are not known to be one person (case 5)."""
    if not asked.only_certain:
        return list(found[: asked.count])
    certain = [one for one in found if one.weight.grade == "certain"]
    return certain if len(certain) == 1 else []


def _bundle(here: str, found: Sequence[Matched], shown: dict[UUID, Resource]) -> Resource:
    entries = [
        {
            "fullUrl": f"{here}/Patient/{one.person_id}",
            "resource": shown[one.person_id],
            "search": {
                "extension": [{"url": GRADE, "valueCode": one.weight.grade}],
                "mode": "match",
                "score": round(one.weight.score, 4),
            },
        }
        for one in found
    ]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return bundle | ({"entry": entries} if entries else {})

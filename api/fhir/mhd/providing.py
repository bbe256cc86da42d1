"""ITI-65: a bundle in, a submission registered, a bundle out."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from starlette.responses import Response

from api.caller import Caller
from api.encoding import FhirResponse
from api.failures import Failure, FailureError
from api.fhir.mhd.patients import Patients
from bus.fhir.documents.reading import Provided, read
from bus.fhir.documents.showing import logical_id
from bus.fhir.reading.document import load
from bus.fhir.reading.issues import InvalidResourceError, Issue, outcome
from bus.fhir.shapes import Resource, time
from bus.fhir.systems import Systems
from consortium.access.model import Resource as Of
from consortium.documents.content import StoreAwayError
from consortium.documents.errors import ErrorCode, RefusedError, RegistryError
from consortium.documents.model import Submission
from consortium.documents.provide import provide

_ISSUES = {
    ErrorCode.NON_IDENTICAL_HASH: "conflict",
    ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY: "duplicate",
    ErrorCode.REGISTRY_DEPRECATED_DOCUMENT: "conflict",
    ErrorCode.UNKNOWN_PATIENT_ID: "not-found",
    ErrorCode.REGISTRY_BUSY: "transient",
}
"""Codes of the value set issue-type; the others are `invalid`."""


def provide_bundle(caller: Caller, body: bytes, base: str) -> Response:
    """Register a bundle; answer what cannot be taken with an OperationOutcome, and put both in the audit.

    Raises FailureError where it should be sent again.
    """
    decision = caller.allow(Of(organisation=caller.user.organisation))
    parts = caller.parts
    places: Mapping[str, int] = {}
    try:
        sent = load(body)
        with parts.statements.connect() as connection:
            patients = Patients(connection, Systems(parts.settings))
            provided = read(sent, patients.of, parts.registry.domain, _new_oid, parts.now())
        places = provided.places
        done = provide(
            parts.engine,
            parts.contents,
            parts.registry,
            provided.submission,
            provided.contents,
            caller.user,
            parts.now(),
            lambda connection, done: caller.note_in(connection, decision.reason, [done.person]),
        )
    except InvalidResourceError as error:
        return _refused(caller, error.issues)
    except RefusedError as error:
        return _refused(caller, [_issue(one, places) for one in error.errors])
    except StoreAwayError as error:
        caller.note_failure(ErrorCode.REPOSITORY_BUSY.value)
        away = Failure(503, "unavailable", f"{error}; send it again", headers={"Retry-After": "5"})
        raise FailureError(away) from error
    now = time(parts.now())
    locations = _locations(provided, done.submission, sent)
    entries = [_answer(locations.get(place), base, now) for place in range(len(sent["entry"]))]
    return FhirResponse({"resourceType": "Bundle", "type": "transaction-response", "entry": entries})


def _new_oid() -> str:
    """Return a new OID: a random UUID below 2.25 (ITU-T X.667)."""
    return f"2.25.{uuid.uuid4().int}"


def _refused(caller: Caller, issues: Sequence[Issue]) -> Response:
    caller.note_failure("; ".join(f"{one.expression}: {one.text}" for one in issues)[:1000])
    return FhirResponse(outcome(issues), 400)


def _issue(error: RegistryError, places: Mapping[str, int]) -> Issue:
    id_, _, attribute = error.location.partition(".")
    place = places.get(id_)
    where = "Bundle" if place is None else f"Bundle.entry[{place}].resource"
    text = f"{error.code}: {error.context}" + (f" ({attribute})" if attribute else "")
    return Issue(where, text, _ISSUES.get(error.code, "invalid"))


def _locations(provided: Provided, registered: Submission, sent: Resource) -> dict[int, str]:
    """Return where each entry of the bundle is found now."""
    asked, place_of = provided.submission, provided.places
    pairs = [(asked.submission_set, registered.submission_set, "List")]
    locations = {place_of[old.entry_uuid]: f"{kind}/{logical_id(new.entry_uuid)}" for old, new, kind in pairs}
    for old, new in zip(asked.folders, registered.folders, strict=True):
        locations[place_of[old.entry_uuid]] = f"List/{logical_id(new.entry_uuid)}"
    binaries = {entry.get("fullUrl"): place for place, entry in enumerate(sent["entry"])}
    for document, kept in zip(asked.documents, registered.documents, strict=True):
        place, id_ = place_of[document.entry_uuid], logical_id(kept.entry_uuid)
        locations[place] = f"DocumentReference/{id_}"
        url = sent["entry"][place]["resource"]["content"][0]["attachment"].get("url")
        if url in binaries:
            locations[binaries[url]] = f"Binary/{id_}"
    return locations


def _answer(location: str | None, base: str, now: str | None) -> Resource:
    if location is None:  # came along to be referred to
        return {"response": {"status": "200 OK"}}
    return {"response": {"status": "201 Created", "location": f"{base}/{location}", "lastModified": now}}

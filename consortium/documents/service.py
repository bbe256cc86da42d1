"""The registry of shared documents, in the caller's transaction (READ COMMITTED).

Whoever calls has asked `consortium.access` and audits; `Found.persons` and `Registered.person` say about
whom. A document belongs to the consortium's person whom its patient id stood for, as identity stands now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import OperationalError

from consortium.access.model import GROUP, User
from consortium.documents import checking, criteria, registering, store, whose
from consortium.documents.affinity import AffinityDomain
from consortium.documents.asking import QueryId, Return, StoredQuery
from consortium.documents.checking import is_uuid, objects
from consortium.documents.errors import ErrorCode, RefusedError, RegistryError, refusal
from consortium.documents.finding import Finder
from consortium.documents.model import AnyObject, DocumentEntry, Found, PatientId, Submission
from consortium.documents.recorded import Recorded
from consortium.documents.registering import Known, NewId, new_uuid

MULTIPLE = frozenset(
    {QueryId.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS, QueryId.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS}
)
"""The queries that may answer about several patients at once (ITI-51)."""
REFERENCES = 10
"""So many times more references than whole objects come in one answer."""
PATIENCE = "5s"
"""How long a submission waits for another that touches the same objects, before the registry is busy."""


@dataclass(frozen=True, slots=True)
class Registry:
    """What the registry of a consortium goes by."""

    domain: AffinityDomain
    repository: str
    """uniqueId of the consortium's own repository, which hands out what the bus recorded."""
    most: int = 1000
    """Whole objects of a kind in one answer."""
    new_id: NewId = new_uuid


@dataclass(frozen=True, slots=True)
class Registered:
    """What was registered: as submitted, with UUIDs for symbolic ids and lastUpdateTime set."""

    submission: Submission
    person: UUID
    """The golden person whom it is about."""
    warnings: tuple[RegistryError, ...] = ()


def register(
    connection: sa.Connection, registry: Registry, submission: Submission, caller: User, now: datetime
) -> Registered:
    """Register a submission, all or nothing; effects are in the caller's transaction.

    Raises:
        RefusedError: with every mistake that was found; nothing was written.
    """
    if mistakes := checking.check(submission, registry.domain):
        raise RefusedError(*mistakes)
    person, numbers = _person(connection, registry, submission.submission_set.patient_id)
    submission = registering.with_uuids(submission, registry.new_id)
    known = _known(connection, registry, submission)
    submitter = None if caller.organisation == GROUP else caller.organisation
    plan = registering.decide(submission, person, known, now, registry.new_id, submitter)
    store.write(connection, plan, _registration(registry, plan.submission, person, numbers, caller, now))
    return Registered(plan.submission, person)


def find(connection: sa.Connection, registry: Registry, query: StoredQuery) -> Found:
    """Answer a stored query; where references are asked for, `Found.ids` are those, and hashes may be absent.

    Raises:
        RefusedError: an unknown query, a missing or wrong parameter, too many results, several patients.
    """
    asked = criteria.understood(query)
    whole = query.returns is Return.LEAF_CLASS
    most = registry.most if whole else registry.most * REFERENCES
    found = Finder(connection, registry.domain, registry.repository, most, whole=whole).find(asked)
    if whole and asked.query not in MULTIPLE and len(found.persons) > 1:
        context = "the answer is about several patients: ask for each alone, or for ObjectRef"
        raise refusal(ErrorCode.RESULT_NOT_SINGLE_PATIENT, context)
    return found


def person_of(connection: sa.Connection, registry: Registry, patient: PatientId) -> UUID | None:
    """Return the person whom a patient id stands for now; None when nobody is known by it."""
    return whose.person_of(connection, patient, registry.domain.consortium)


def _person(
    connection: sa.Connection, registry: Registry, patient: PatientId
) -> tuple[UUID, list[whose.Linked]]:
    consortium = registry.domain.consortium
    person = whose.as_person(patient, consortium)
    numbers = whose.linked(connection, [person] if person else [])
    if person is None or not numbers:
        what = "is not known here" if patient.authority == consortium else "is of another domain"
        context = f"the patientId {what}: ask PIX for the present id in the domain {consortium}"
        raise refusal(ErrorCode.UNKNOWN_PATIENT_ID, context, "XDSSubmissionSet.patientId")
    return person, numbers


def _known(connection: sa.Connection, registry: Registry, submission: Submission) -> Known:
    """Lock and load what the submission touches."""
    ends = {end for each in submission.associations for end in (each.source, each.target) if is_uuid(end)}
    named: list[AnyObject] = [*objects(submission), *submission.associations]
    ids = {each.entry_uuid for each in named} | ends
    unique_ids = {each.unique_id for each in objects(submission)}
    _lock(connection, ids | unique_ids)
    known = store.known(connection, ids, unique_ids)
    recorded = Recorded(connection, registry.domain, registry.repository, registry.most, whole=False)
    found = recorded.known([store.uuid_of(id_) for id_ in ids - known.objects.keys()])
    taken = {
        unique_id: (*known.unique_ids.get(unique_id, ()), one)
        for unique_id, one in recorded.named(unique_ids).items()
    }
    return replace(known, objects={**known.objects, **found}, unique_ids={**known.unique_ids, **taken})


def _lock(connection: sa.Connection, names: Iterable[str]) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    try:
        store.lock(connection, names)
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        context = "another submission of the same objects is under way: send the same again"
        raise refusal(ErrorCode.REGISTRY_BUSY, context) from error


def _registration(
    registry: Registry,
    submission: Submission,
    person: UUID,
    numbers: Sequence[whose.Linked],
    caller: User,
    now: datetime,
) -> store.Registration:
    def kept_by(documents: Iterable[DocumentEntry]) -> whose.Linked:
        stated = (_source(registry, each.source_patient_id) for each in documents)
        return whose.standing_for(person, numbers, caller.organisation, next(filter(None, stated), None))

    patients = {each.entry_uuid: kept_by([each]) for each in submission.documents}
    return store.Registration(
        caller.username, caller.organisation, now, kept_by(submission.documents), patients
    )


def _source(registry: Registry, patient: PatientId | None) -> tuple[str, str] | None:
    facility = registry.domain.facility(patient.authority) if patient else None
    return (facility, patient.number) if patient and facility else None

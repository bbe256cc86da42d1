"""The statements of the registry: writing what was decided, and loading what a submission touches."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter

from consortium.documents import columns, tables
from consortium.documents.model import (
    URN_UUID,
    Association,
    AssociationType,
    DocumentEntry,
    Folder,
    RegistryObject,
    SubmissionSet,
)
from consortium.documents.registering import Known, KnownObject, Plan
from consortium.documents.whose import Linked

DOCUMENT = TypeAdapter(DocumentEntry)
SUBMISSION_SET = TypeAdapter(SubmissionSet)
FOLDER = TypeAdapter(Folder)
ASSOCIATION = TypeAdapter(Association)

_HANGING = (AssociationType.APPENDS, AssociationType.TRANSFORMS)
"""Deprecated with the document that they hang on."""

_KNOWN = """
SELECT 'document' AS kind, e.id, e.unique_id, e.status, e.hash, l.person_id, e.organisation AS owner
  FROM documents.entry e JOIN identity.link l ON l.source_patient_id = e.patient_id WHERE e.{0}
UNION ALL SELECT 'submission_set', s.id, s.unique_id, s.status, NULL, l.person_id, s.organisation
  FROM documents.submission_set s JOIN identity.link l ON l.source_patient_id = s.patient_id WHERE s.{0}
UNION ALL SELECT 'folder', f.id, f.unique_id, f.status, NULL, l.person_id, f.organisation
  FROM documents.folder f JOIN identity.link l ON l.source_patient_id = f.patient_id WHERE f.{0}
"""
_KNOWN_IDS = (
    _KNOWN.format("id = ANY(%(ids)s::uuid[])")  # noqa: S608 - constants of this module
    + "UNION ALL SELECT 'association', id, '', status, NULL, NULL, NULL"
    + " FROM documents.association WHERE id = ANY(%(ids)s::uuid[])"
)
_KNOWN_UNIQUE_IDS = _KNOWN.format("unique_id = ANY(%(unique_ids)s)")
_FOLDERS_OF = """
SELECT a.target AS document, f.id AS folder
  FROM documents.association a JOIN documents.folder f ON f.id = a.source
 WHERE a.target = ANY(%(ids)s::uuid[]) AND a.type = %(has_member)s
   AND a.status = 'approved' AND f.status = 'approved'
 ORDER BY f.id
"""
_DEPENDANTS = """
WITH RECURSIVE hanging AS (
  SELECT a.target AS root, a.source AS id FROM documents.association a
   WHERE a.target = ANY(%(ids)s::uuid[]) AND a.type = ANY(%(types)s)
  UNION SELECT h.root, a.source FROM hanging h JOIN documents.association a ON a.target = h.id
   WHERE a.type = ANY(%(types)s))
SELECT h.root, e.id FROM hanging h JOIN documents.entry e ON e.id = h.id
 WHERE e.status = 'approved' ORDER BY e.id
"""
_LOCK = (
    "SELECT pg_advisory_xact_lock(key) FROM (SELECT unnest(%(keys)s::bigint[]) AS key ORDER BY 1) AS sorted"
)
_DEPRECATE = "UPDATE documents.entry SET status = 'deprecated' WHERE id = ANY(%(ids)s::uuid[])"
_TOUCH = """
UPDATE documents.folder SET last_update_time = greatest(last_update_time, %(at)s)
 WHERE id = ANY(%(ids)s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Registration:
    """By whom, when, and the patient numbers that the objects are kept by."""

    by: str
    organisation: str
    """Whose account that is: what is registered belongs to it."""
    at: datetime
    patient: Linked
    """Of the set and the folders."""
    patients: Mapping[str, Linked]
    """By document id."""


def uuid_of(id_: str) -> UUID:
    """Return the UUID of `urn:uuid:…`."""
    return UUID(id_.removeprefix(URN_UUID))


def lock(connection: sa.Connection, names: Iterable[str]) -> None:
    """Wait until this transaction alone decides about those ids."""
    keys = sorted({_lock_key(name) for name in names})
    connection.exec_driver_sql(_LOCK, {"keys": keys})


def known(connection: sa.Connection, ids: Collection[str], unique_ids: Collection[str]) -> Known:
    """Load what a submission touches; projected documents are added by `consortium.documents.recorded`."""
    uuids = [uuid_of(id_) for id_ in ids]
    rows = connection.exec_driver_sql(_KNOWN_IDS, {"ids": uuids}).all()
    named = connection.exec_driver_sql(_KNOWN_UNIQUE_IDS, {"unique_ids": list(unique_ids)}).all()
    by_unique_id: dict[str, tuple[KnownObject, ...]] = {}
    for row in named:
        by_unique_id[row.unique_id] = (*by_unique_id.get(row.unique_id, ()), _known(row))
    return Known(
        {each.id: each for each in map(_known, rows)},
        by_unique_id,
        folders_of(connection, uuids),
        _dependants(connection, uuids),
    )


def folders_of(connection: sa.Connection, ids: Collection[UUID]) -> dict[str, tuple[str, ...]]:
    """Return, by document, the approved folders that hold it."""
    wanted = {"ids": list(ids), "has_member": AssociationType.HAS_MEMBER.value}
    found: dict[str, tuple[str, ...]] = {}
    for row in connection.exec_driver_sql(_FOLDERS_OF, wanted):
        found[row.document.urn] = (*found.get(row.document.urn, ()), row.folder.urn)
    return found


def write(connection: sa.Connection, plan: Plan, registration: Registration) -> None:
    """Write what was decided."""
    submission, set_id = plan.submission, uuid_of(plan.submission.submission_set.entry_uuid)
    _insert(connection, tables.SUBMISSION_SET, [_set_row(submission.submission_set, registration)])
    _insert(
        connection, tables.ENTRY, [_entry_row(each, set_id, registration) for each in submission.documents]
    )
    _insert(
        connection, tables.FOLDER, [_folder_row(each, set_id, registration) for each in submission.folders]
    )
    associations = (*submission.associations, *plan.inherited)
    _insert(connection, tables.ASSOCIATION, [_association_row(each, set_id) for each in associations])
    if plan.deprecated:
        connection.exec_driver_sql(_DEPRECATE, {"ids": [uuid_of(id_) for id_ in plan.deprecated]})
    if plan.updated_folders:
        ids = [uuid_of(id_) for id_ in plan.updated_folders]
        connection.exec_driver_sql(_TOUCH, {"ids": ids, "at": registration.at.replace(microsecond=0)})


def _known(row: Any) -> KnownObject:
    approved = row.status == "approved"
    return KnownObject(row.id.urn, row.kind, row.person_id, row.unique_id, approved, row.hash, row.owner)


def _dependants(connection: sa.Connection, ids: Sequence[UUID]) -> dict[str, tuple[str, ...]]:
    types = [each.value for each in _HANGING]
    found: dict[str, tuple[str, ...]] = {}
    for row in connection.exec_driver_sql(_DEPENDANTS, {"ids": list(ids), "types": types}):
        found[row.root.urn] = (*found.get(row.root.urn, ()), row.id.urn)
    return found


def _insert(connection: sa.Connection, table: sa.TableClause, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), list(rows))


def _common(each: RegistryObject, patient: Linked, registration: Registration) -> dict[str, Any]:
    return {
        "id": uuid_of(each.entry_uuid),
        "unique_id": each.unique_id,
        "patient_id": patient.id,
        "submitted_patient": str(each.patient_id),
        "registered_at": registration.at,
        "registered_by": registration.by,
        "organisation": registration.organisation,
    }


def _set_row(each: SubmissionSet, registration: Registration) -> dict[str, Any]:
    row = _common(each, registration.patient, registration) | columns.of_submission_set(each)
    return row | {"metadata": _json(SUBMISSION_SET, each)}


def _entry_row(each: DocumentEntry, set_id: UUID, registration: Registration) -> dict[str, Any]:
    row = _common(each, registration.patients[each.entry_uuid], registration) | columns.of_document(each)
    return row | {
        "repository_unique_id": each.repository_unique_id,
        "hash": each.hash,
        "size": each.size,
        "submission_set_id": set_id,
        "metadata": _json(DOCUMENT, each),
    }


def _folder_row(each: Folder, set_id: UUID, registration: Registration) -> dict[str, Any]:
    row = _common(each, registration.patient, registration) | columns.of_folder(each)
    return row | {"submission_set_id": set_id, "metadata": _json(FOLDER, each)}


def _association_row(each: Association, set_id: UUID) -> dict[str, Any]:
    return {
        "id": uuid_of(each.entry_uuid),
        "type": each.type.value,
        "source": uuid_of(each.source),
        "target": uuid_of(each.target),
        "status": columns.STATUS[each.availability],
        "submission_set_id": set_id,
        "metadata": _json(ASSOCIATION, each),
    }


def _json(adapter: TypeAdapter[Any], each: object) -> Any:
    return adapter.dump_python(each, mode="json", exclude_defaults=True)


def _lock_key(name: str) -> int:
    digest = hashlib.blake2b(name.encode(), digest_size=8, person=b"yilian.documents").digest()
    return int.from_bytes(digest, signed=True)
